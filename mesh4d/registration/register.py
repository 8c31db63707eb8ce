"""register: a template in the target's shape, and who corresponds to whom."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import Similarity, similarity_align
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration.closest import SurfacePoints
from mesh4d.registration.correspondence import places_on_target, places_on_template
from mesh4d.registration.face_template import FaceTemplate, face_template
from mesh4d.registration.nonrigid import fit_nonrigid
from mesh4d.registration.pose import UNTOLD_COST, USUAL, WIDE, Search, pose_candidates
from mesh4d.registration.shape_fit import ShapeFit, fit_shape
from mesh4d.registration.target_surface import TargetSurface, target_surface

CANDIDATES = 4
"""Poses whose shape is tried; the coarse search alone can be misled by shoulders."""
MOST_MISFIT = 0.22
IMPLAUSIBLE_COST = 0.1
"""What a shape beyond the usual spread of heads adds to its misfit, per standard deviation."""
LEAST_EVIDENCE, LEAST_COVERAGE = 0.4, 0.35


@dataclass(frozen=True)
class FitQuality:
    """What a fit looks like in numbers; template millimetres."""

    shape_misfit: float
    """Share of the face without a near match that faces the same way after the shape fit, 0 to 1."""
    evidence: float
    """Share of the face that lies within the target's rims, 0 to 1."""
    coverage: float
    """Share of the face's area within 2 mm of the target, facing the same way, after the non-rigid fit."""
    median_mm: float
    """Median distance of the face's matched vertices to the target after the non-rigid fit."""
    strain: float
    """Rms relative change of the face's edge lengths between shape fit and non-rigid fit."""
    plausibility: float
    """Rms coefficient of the shape basis: 1 is a typical head, 0 without a basis."""


@dataclass(frozen=True)
class Registration:
    """A template brought into correspondence with a target."""

    fitted: Mesh
    """The template's topology in the target's shape and coordinates."""
    pose: Similarity
    """Template frame -> target frame."""
    target_on_template: SurfacePoints
    """For each target vertex its place on the fitted template's outer skin; distances in the target's unit."""
    template_on_target: SurfacePoints
    """For each template vertex its place on the target's outer layer; distances in the target's unit."""
    lip_side: Int[np.ndarray, " U"]
    """+1 for target vertices of the upper lip, -1 of the lower, 0 elsewhere."""
    residual: float
    """Median distance between face and target, as a share of the head's size."""
    quality: FitQuality


def register(
    template: Mesh | FaceTemplate,
    target: Mesh,
    landmarks: Landmarks | None = None,
    shape_basis: Float[np.ndarray, "K V 3"] | None = None,
) -> Registration:
    """Bring a template head into correspondence with any head, bust or face mask.

    Args:
        template: a head in the face frame; pass a `FaceTemplate` to prepare it once for many targets.
        target: any unit, orientation, topology; may have holes, hair, eyes, teeth, shoulders.
        landmarks: points on the target that share names with the template's own landmarks (3 at least): they
            replace the pose search and hold the shape fit.
        shape_basis: directions in which heads differ, each one standard deviation long (mm).

    Raises:
        NoFaceError: when the target holds no face; it says what was measured.
        MeshError: when landmarks or basis do not fit the template.
    """
    ready = template if isinstance(template, FaceTemplate) else face_template(template, shape_basis)
    surface = target_surface(target)
    fit = _best_shape(ready, surface, landmarks)
    to_template = fit.pose.inverse()
    local = surface.moved(to_template)
    fitted = fit_nonrigid(ready, local, fit.vertices)
    quality = measure_quality(ready, local, fit, fitted)
    refuse_without_face(quality)
    on_template, lip_side = places_on_template(ready, fitted, Mesh(local.vertices, local.faces))
    size = float(np.linalg.norm(np.ptp(ready.vertices[ready.face], axis=0)))
    return Registration(
        fitted=ready.mesh.with_vertices(fit.pose.apply(fitted)),
        pose=fit.pose,
        target_on_template=_scaled(on_template, fit.pose.scale),
        template_on_target=_scaled(
            _in_corner_order(places_on_target(ready, fitted, local), local, target), fit.pose.scale
        ),
        lip_side=lip_side,
        residual=quality.median_mm / size,
        quality=quality,
    )


def _best_shape(template: FaceTemplate, target: TargetSurface, landmarks: Landmarks | None) -> ShapeFit:
    """The shape fit of the pose that explains the face best."""
    if landmarks is not None:
        pose, known = _from_landmarks(template, landmarks)
        return fit_shape(template, target, pose, known)
    best = _best_of(template, target, USUAL)
    if excess_misfit(best.misfit, best.plausibility) > MOST_MISFIT:
        best = min(best, _best_of(template, target, WIDE), key=_cost)
    return best


def _best_of(template: FaceTemplate, target: TargetSurface, search: Search) -> ShapeFit:
    candidates = pose_candidates(template, target, CANDIDATES, search)
    return min((fit_shape(template, target, candidate.pose) for candidate in candidates), key=_cost)


def _cost(fit: ShapeFit) -> float:
    return fit.misfit + UNTOLD_COST * (1 - fit.evidence)


def _from_landmarks(template: FaceTemplate, landmarks: Landmarks) -> tuple[Similarity, tuple]:
    """The similarity between landmarks of the same name, and what `fit_shape` needs of them."""
    own = template.mesh.landmarks
    names = [name for name in landmarks.names if own is not None and name in own.names]
    if own is None or len(names) < 3:
        raise MeshError(f"landmarks need 3 names that the template has too, found {names}")
    rest, goal = np.stack([own[name] for name in names]), np.stack([landmarks[name] for name in names])
    carrier = KDTree(template.vertices).query(rest)[1]
    return similarity_align(rest, goal), (rest - template.vertices[carrier], goal, carrier)


def _in_corner_order(places: SurfacePoints, surface: TargetSurface, target: Mesh) -> SurfacePoints:
    """Barycentric weights in the order of the target's own corners, which an inside-out mesh has reversed."""
    if np.array_equal(surface.faces, target.faces):
        return places
    return dataclasses.replace(places, barycentric=np.ascontiguousarray(places.barycentric[:, ::-1]))


def _scaled(places: SurfacePoints, scale: float) -> SurfacePoints:
    return dataclasses.replace(places, signed_distance=places.signed_distance * scale)


def measure_quality(
    template: FaceTemplate, target: TargetSurface, fit: ShapeFit, fitted: Float[np.ndarray, "V 3"]
) -> FitQuality:
    """The numbers on which a fit is judged; everything in the template's frame."""
    face = np.flatnonzero(template.face)
    normals = vertex_normals(fitted, template.outer_faces)[face]
    match = target.matches(fitted[face], normals, 0.5, np.inf)
    distance = np.where(match.good, np.linalg.norm(match.points - fitted[face], axis=1), np.inf)
    area = template.weight[face]
    edges = template.outer_faces[template.face[template.outer_faces].all(axis=1)][:, :2]
    before, after = (np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (fit.vertices, fitted))
    return FitQuality(
        shape_misfit=fit.misfit,
        evidence=fit.evidence,
        coverage=float(area[distance < 2.0].sum() / area.sum()),
        median_mm=float(np.median(distance[match.good])) if match.good.any() else np.inf,
        strain=float(np.sqrt(np.mean((after / np.maximum(before, 1e-6) - 1) ** 2))),
        plausibility=fit.plausibility,
    )


def excess_misfit(misfit: float, plausibility: float) -> float:
    """The shape's misfit, more for a shape beyond the usual spread of heads."""
    return misfit + IMPLAUSIBLE_COST * max(plausibility - 1.0, 0.0)


def refuse_without_face(quality: FitQuality) -> None:
    """Raise a NoFaceError when the numbers are not those of a face."""
    misfit = excess_misfit(quality.shape_misfit, quality.plausibility)
    if quality.evidence < LEAST_EVIDENCE or quality.coverage < LEAST_COVERAGE:
        raise NoFaceError(
            f"no face found: at the best place only {quality.coverage:.0%} of a face is there "
            f"(expected {LEAST_COVERAGE:.0%} or more)"
        )
    if misfit > MOST_MISFIT:
        raise NoFaceError(
            f"no face found: the most face-like place differs from any head by {misfit:.2f} "
            f"(expected {MOST_MISFIT:.2f} or less; heads have 0.03 to 0.15, a ball 0.4)"
        )
