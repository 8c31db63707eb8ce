"""Any head as a template: what registration must know of it is carried over from a reference head that knows it.

Geometry knows no faces of its own: an installed package offers its reference head as an entry point of the group
"mesh4d.reference_faces" (a function that returns a `FaceTemplate`). Without one, a template must lie in the face frame.
"""

import dataclasses
from functools import lru_cache
from importlib.metadata import entry_points

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from mesh4d.errors import NoFaceError
from mesh4d.geometry.normals import vertex_areas
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration.closest import SurfacePoints
from mesh4d.registration.correspondence import places_on_template, target_sides
from mesh4d.registration.face_template import BEHIND_WEIGHT, RIM_WEIGHT, FaceTemplate, face_template
from mesh4d.registration.nonrigid import fit_nonrigid
from mesh4d.registration.quality import refuse_strange
from mesh4d.registration.shape_modes import SMOOTH_MODES, SMOOTH_SCALES_MM, ShapeModes, smooth_modes
from mesh4d.registration.shape_search import best_shape
from mesh4d.registration.target_surface import target_surface
from mesh4d.registration.visibility import vertex_components

GROUP = "mesh4d.reference_faces"
ON_SKIN_MM = 4.0
"""Vertices this near to the reference's skin are skin."""
NEIGHBOURS = 3


@lru_cache(maxsize=1)
def reference_template() -> FaceTemplate | None:
    """The reference head of an installed package; None where no package offers one."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return found[0].load()() if found else None


def prepared_template(mesh: Mesh, shape_basis: Float[np.ndarray, "K V 3"] | None = None) -> FaceTemplate:
    """A template from any head mesh: any topology, pose and unit.

    Args:
        shape_basis: directions in which heads differ; the mesh must then lie in the face frame. Without, regions and
            statistics come from the reference head, and a mesh in which that finds no face is taken to lie in the
            face frame.

    Raises:
        MeshError: when the mesh is no head that can be a template.
    """
    reference = reference_template() if shape_basis is None else None
    if reference is None:
        return face_template(mesh, shape_basis)
    try:
        return carried_template(mesh, reference)
    except NoFaceError:
        return face_template(mesh)


def carried_template(mesh: Mesh, reference: FaceTemplate) -> FaceTemplate:
    """A template from a head that the reference is registered to, in the reference's frame and in millimetres.

    Its rest shape is the mesh less what the reference's modes say of it: the average head with this mesh's own detail,
    so that coefficients mean the same as the reference's.

    Raises:
        NoFaceError: when the mesh holds no face.
    """
    surface = target_surface(mesh)
    fit = best_shape(reference, surface, None)
    refuse_strange(fit)
    local = surface.moved(fit.pose.inverse())
    own = Mesh(local.vertices, local.faces)
    fitted = fit_nonrigid(reference, local.with_sides(target_sides(reference, fit.vertices, own).either), fit.vertices)
    sides = target_sides(reference, fitted, own)
    places = places_on_template(reference, fitted, own, sides)
    modes = _carried_modes(reference, fitted, local.vertices, places)
    rest = (
        local.vertices
        - _carried(reference, fitted, local.vertices, places, fit.modes.displacement(fit.coefficients)[None])[0]
    )
    landmarks = _moved_landmarks(reference, fitted, mesh, fit.pose, local.vertices, rest)
    outer = np.zeros(mesh.n_vertices, bool)
    outer[local.faces[local.face_ids]] = True
    on_face = places.interpolate(reference.face[:, None].astype(float), reference.mesh.faces)[:, 0] > 0.5
    face = outer & on_face & (np.abs(places.signed_distance) < ON_SKIN_MM)
    area = vertex_areas(local.vertices, local.faces[local.face_ids])
    return FaceTemplate(
        mesh=dataclasses.replace(mesh, vertices=rest, faces=local.faces, landmarks=landmarks),
        outer_face_ids=local.face_ids,
        outer=outer,
        face=face,
        weight=area * np.where(face, 1.0, BEHIND_WEIGHT) * np.where(sides.either, RIM_WEIGHT, 1.0),
        lip_side=sides.lip,
        lid_side=sides.lid,
        component=vertex_components(local.vertices, local.faces),
        modes=_with_smooth(modes, rest, outer),
    )


def _carried_modes(
    reference: FaceTemplate, fitted: np.ndarray, points: np.ndarray, places: SurfacePoints
) -> ShapeModes:
    """The reference's identity and expression modes on the mesh's vertices."""
    kept = reference.modes.only(reference.modes.identity, reference.modes.expression)
    return dataclasses.replace(kept, directions=_carried(reference, fitted, points, places, kept.directions))


def _carried(
    reference: FaceTemplate,
    fitted: Float[np.ndarray, "V 3"],
    points: Float[np.ndarray, "U 3"],
    places: SurfacePoints,
    fields: Float[np.ndarray, "K V 3"],
) -> Float[np.ndarray, "K U 3"]:
    """Fields of the reference's vertices at the mesh's: on the skin those of its place, elsewhere of what is near."""
    carried = places.interpolate(fields, reference.mesh.faces)
    off = np.flatnonzero(~(np.abs(places.signed_distance) < ON_SKIN_MM))
    if len(off):
        gap, nearest = KDTree(fitted).query(points[off], k=NEIGHBOURS)
        share = 1 / np.maximum(gap, 1e-3)
        share /= share.sum(axis=1, keepdims=True)
        carried[:, off] = sum(share[:, k, None] * fields[:, np.asarray(nearest)[:, k]] for k in range(NEIGHBOURS))
    return carried


def _with_smooth(modes: ShapeModes, rest: np.ndarray, outer: np.ndarray) -> ShapeModes:
    """The modes with smooth deformations of this mesh between identity and expressions."""
    smooth = smooth_modes(rest, rest[outer], SMOOTH_SCALES_MM, SMOOTH_MODES)
    parts = (modes.directions[modes.identity], smooth, modes.directions[modes.expression])
    return ShapeModes(np.concatenate(parts), modes.n_identity, len(smooth), modes.names, modes.poses)


def _moved_landmarks(
    reference: FaceTemplate,
    fitted: Float[np.ndarray, "V 3"],
    mesh: Mesh,
    pose: Similarity,
    local: Float[np.ndarray, "U 3"],
    rest: Float[np.ndarray, "U 3"],
) -> Landmarks | None:
    """The mesh's landmarks, or the reference's, on the rest shape: each rides on the vertex nearest to it."""
    own = mesh.landmarks
    if own is not None and len(own.points):
        points = pose.inverse().apply(own.points)
    elif reference.mesh.landmarks is not None:
        own = reference.mesh.landmarks
        on_reference = KDTree(reference.vertices).query(own.points)[1]
        points = fitted[on_reference] + own.points - reference.vertices[on_reference]
    else:
        return None
    carrier = KDTree(local).query(points)[1]
    return dataclasses.replace(own, points=rest[carrier] + points - local[carrier])
