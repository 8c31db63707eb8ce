"""register: a template in the target's shape, and who corresponds to whom."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration.closest import SurfacePoints
from mesh4d.registration.correspondence import places_on_target, places_on_template, target_sides
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.nonrigid import fit_nonrigid
from mesh4d.registration.quality import FitQuality, measure_quality, refuse_strange, refuse_without_face, warnings_of
from mesh4d.registration.reference import prepared_template
from mesh4d.registration.shape_fit import ShapeFit
from mesh4d.registration.shape_search import best_shape
from mesh4d.registration.target_surface import TargetSurface, target_surface


@dataclass(frozen=True)
class Registration:
    """A template brought into correspondence with a target."""

    fitted: Mesh
    """The template's topology in the target's shape and coordinates."""
    neutral: Mesh
    """The same without the expression that was found: the person's neutral head, in the target's coordinates."""
    pose: Similarity
    """Template frame -> target frame."""
    expression: dict[str, float]
    """Weight of each expression of the template in the target; all zero in a neutral head."""
    target_on_template: SurfacePoints
    """For each target vertex its place on the fitted template's outer skin; distances in the target's unit."""
    template_on_target: SurfacePoints
    """For each template vertex its place on the target's outer layer; distances in the target's unit."""
    lip_side: Int[np.ndarray, " U"]
    """+1 for target vertices of the upper lip, -1 of the lower, 0 elsewhere."""
    lid_side: Int[np.ndarray, " U"]
    """The same for the lids."""
    residual: float
    """Median distance between face and target, as a share of the head's size."""
    quality: FitQuality
    shape: ShapeFit
    """The statistical part of the fit: pose and coefficients of the template's modes."""
    warnings: tuple[str, ...]
    """What to know before trusting the result, such as an open mouth; empty when there is nothing."""

    def carried(self, values: Float[np.ndarray, "V C"]) -> Float[np.ndarray, "U C"]:
        """Values at the template's vertices, carried to the target's: each vertex takes those of its place."""
        return self.target_on_template.interpolate(values, self.fitted.faces)

    def points_on_target(self, target: Mesh) -> Float[np.ndarray, "V 3"]:
        """Each template vertex's place on the target's surface."""
        return self.template_on_target.interpolate(target.vertices, target.faces)


def register(
    template: Mesh | FaceTemplate,
    target: Mesh,
    landmarks: Landmarks | None = None,
    shape_basis: Float[np.ndarray, "K V 3"] | None = None,
) -> Registration:
    """Bring a template head into correspondence with any head, bust, body or face mask.

    Args:
        template: any head; pass what `prepared_template` makes of it when it serves many targets.
        target: any unit, orientation, topology; may have holes, hair, eyes, teeth, a body.
        landmarks: points on the target that share names with the template's own landmarks (3 at least): they give
            the first pose and pull the fit softly, by their confidence; wrong ones lose their say.
        shape_basis: directions in which heads differ, each one standard deviation long (mm); for a `Mesh` only.

    Raises:
        NoFaceError: when the target holds no face; it says what was measured.
        MeshError: when landmarks or basis do not fit the template.
    """
    ready = template if isinstance(template, FaceTemplate) else prepared_template(template, shape_basis)
    surface = target_surface(target)
    return registration_of(ready, target, surface, best_shape(ready, surface, landmarks))


def registration_of(ready: FaceTemplate, target: Mesh, surface: TargetSurface, fit: ShapeFit) -> Registration:
    """The registration that follows from a shape fit.

    Raises:
        NoFaceError: when the fit is none of a face.
    """
    refuse_strange(fit)
    local = surface.moved(fit.pose.inverse())
    local = local.with_sides(target_sides(ready, fit.vertices, Mesh(local.vertices, local.faces)).either)
    fitted = fit_nonrigid(ready, local, fit.vertices)
    quality = measure_quality(ready, local, fit, fitted)
    refuse_without_face(quality)
    mesh = Mesh(local.vertices, local.faces)
    sides = target_sides(ready, fitted, mesh)
    local = local.with_sides(sides.either)
    size = float(np.linalg.norm(np.ptp(ready.vertices[ready.face], axis=0)))
    scale = fit.pose.scale
    return Registration(
        fitted=ready.mesh.with_vertices(fit.pose.apply(fitted)),
        neutral=ready.mesh.with_vertices(fit.pose.apply(fitted - fit.expression_displacement())),
        pose=fit.pose,
        expression=dict.fromkeys(ready.modes.names, 0.0) | fit.expression,
        target_on_template=_scaled(places_on_template(ready, fitted, mesh, sides), scale),
        template_on_target=_scaled(_in_corner_order(places_on_target(ready, fitted, local), local, target), scale),
        lip_side=sides.lip,
        lid_side=sides.lid,
        residual=quality.median_mm / size,
        quality=quality,
        shape=fit,
        warnings=warnings_of(quality, fit.expression),
    )


def _in_corner_order(places: SurfacePoints, surface: TargetSurface, target: Mesh) -> SurfacePoints:
    """Barycentric weights in the order of the target's own corners, which an inside-out mesh has reversed."""
    if np.array_equal(surface.faces, target.faces):
        return places
    return dataclasses.replace(places, barycentric=np.ascontiguousarray(places.barycentric[:, ::-1]))


def _scaled(places: SurfacePoints, scale: float) -> SurfacePoints:
    return dataclasses.replace(places, signed_distance=places.signed_distance * scale)
