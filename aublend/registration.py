"""Any head in correspondence with the embedded one: its shape on the embedded topology, and motion carried back."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from aublend.anatomy import eye_centre
from aublend.carrying import carried_deltas
from aublend.halves import MidPlane
from aublend.head_model import HeadModel, head_model
from aublend.unit_shapes import identity_deltas
from aublend.units import ACTION_UNITS
from mesh4d.geometry.rigid import Similarity, similarity_align
from mesh4d.geometry.topology import same_triangles
from mesh4d.landmarks.points68 import base_mesh_places, landmark_names
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration import FaceTemplate, Registration, face_template, register
from mesh4d.registration.openings import Opening, mouth_opening, separate_rings, shared_edges
from mesh4d.registration.visibility import fit_sphere, outward_faces, vertex_components

PRIOR_SEEDS = range(200)
"""Identities that the shape prior is learnt from: training identities only."""
PRIOR_SIZE = 60
"""Directions kept: 99.4 % of their variance."""
UNITS_PER_MM = (1.0, 0.1, 0.01, 0.001, 1 / 25.4)
"""Coordinate units that heads come in: millimetre, centimetre, decimetre, metre, inch."""
EYE_DISTANCE_MM = (50.0, 75.0)
"""Distance between the eyeballs' centres of any adult head, with a margin."""
USUAL_EYE_DISTANCE_MM = 62.0
IN_FRAME_MM, IN_FRAME_DEG = 1.0, 10.0
"""How far a head may be off the face frame and still be taken to be in it."""
LIKENESS_MM = 20.0
"""A head on the embedded topology lies nearer than this to the average head (root mean square, best pose and size)."""
LEAST_EXPRESSION_MM = 0.5
STRONG_POSES = (("AU27",), ("AU45 L", "AU45 R"))
"""What changes a face most; registration starts from each."""
GAZE_UNITS = ("AU61", "AU62", "AU63", "AU64")
WHOLE_UNITS = ("AU17", "AU18", "AU22", "AU23", "AU24", "AU25", "AU26", "AU27", "AU28", "AU29", "AU30L", "AU30R", "AU33")
BALL_RADIUS, BALL_AWAY = (0.55, 1.7), 0.6
"""Radius of an eyeball, and how far its centre may lie off, over the radius of the fitted template's."""


@dataclass(frozen=True)
class HeadFit:
    """A head and its instance of the embedded topology."""

    mesh: Mesh
    """The head as it came."""
    template_vertices: Float[np.ndarray, "V 3"]
    """The embedded topology in this person's neutral shape, in the face frame, mm: without any expression found."""
    shown_vertices: Float[np.ndarray, "V 3"]
    """The embedded topology in the shape of the head as it came, in the face frame, mm."""
    to_mesh: Similarity
    """Face frame -> the mesh's own coordinates; its scale is the mesh's units per millimetre."""
    registration: Registration | None
    """None when the mesh has the embedded topology itself: vertex i is vertex i."""
    left_eye: Int[np.ndarray, " left"]
    """Vertices of the mesh's own left eyeball (the subject's); empty when it has none."""
    right_eye: Int[np.ndarray, " right"]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before trusting a rig of this head, such as an open mouth; empty when there is nothing."""
        return () if self.registration is None else self.registration.warnings


def fit_head(mesh: Mesh) -> HeadFit:
    """Bring a head into correspondence with the embedded topology.

    The embedded topology itself is recognised by its faces and needs no search; a copy of it that lies in the face
    frame is taken as it is.

    Raises:
        NoFaceError: when the mesh holds no face.
    """
    model = head_model()
    parts = model.parts
    if is_embedded(mesh):
        to_mesh = _own_frame(model, mesh.vertices)
        vertices = to_mesh.inverse().apply(mesh.vertices)
        return HeadFit(mesh, vertices, vertices, to_mesh, None, parts.left_eye, parts.right_eye)
    registration = register(prior_template(), mesh)
    to_mesh = _face_frame(model, registration.fitted.vertices, registration.pose.rotation)
    to_face = to_mesh.inverse()
    points, shown, neutral = (
        to_face.apply(v) for v in (mesh.vertices, registration.fitted.vertices, registration.neutral.vertices)
    )
    own = {}
    for name, eye in (("left", parts.left_eye), ("right", parts.right_eye)):
        own[name], ball = _eyeball(mesh, points, shown[eye])
        shown[eye] = neutral[eye] = _onto_ball(shown[eye], ball)
    return HeadFit(
        mesh,
        model.shapes.guard.push_inside(neutral),
        model.shapes.guard.push_inside(shown),
        to_mesh,
        registration,
        own["left"],
        own["right"],
    )


def is_embedded(mesh: Mesh) -> bool:
    """Whether a mesh is a head on the embedded topology: the same triangles, in any order, around a head's shape.

    A mirrored copy, or other vertices behind the same faces, is not: its vertices do not mean what ours mean.
    """
    topology = head_model().topology
    if mesh.n_vertices != topology.n_vertices or not same_triangles(mesh.faces, topology.faces):
        return False
    skin = head_model().parts.skin
    pose = similarity_align(topology.vertices[skin], mesh.vertices[skin])
    apart = mesh.vertices[skin] - pose.apply(topology.vertices[skin])
    return float(np.sqrt((apart**2).sum(axis=1).mean())) < LIKENESS_MM * pose.scale


def align_head(mesh: Mesh) -> Mesh:
    """The same mesh in the face frame, in millimetres.

    Raises:
        NoFaceError: when the mesh holds no face.
    """
    return mesh.with_vertices(fit_head(mesh).to_mesh.inverse().apply(mesh.vertices))


def carry_deltas(fit: HeadFit, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "A U 3"]:
    """Displacements on the embedded topology (face frame, mm) as displacements of the mesh's own vertices and unit."""
    linear = fit.to_mesh.scale * fit.to_mesh.rotation.T
    if fit.registration is None:
        return deltas @ linear
    local = Mesh(fit.to_mesh.inverse().apply(fit.mesh.vertices), outward_faces(fit.mesh.vertices, fit.mesh.faces))
    eyes = np.concatenate([fit.left_eye, fit.right_eye])
    return carried_deltas(head_model(), fit.registration, fit.shown_vertices, local, eyes, deltas) @ linear


@lru_cache(maxsize=1)
def prior_template() -> FaceTemplate:
    """The average training head with the directions in which training heads differ (a second, once per process)."""
    model = head_model()
    heads = np.stack([model.identity(seed).vertices for seed in PRIOR_SEEDS]).reshape(len(PRIOR_SEEDS), -1)
    mean = heads.mean(axis=0)
    centred = heads - mean
    # Eigenvectors of the small Gram matrix: 200 x 200 instead of 14,760 x 14,760.
    vectors = np.linalg.eigh(centred @ centred.T).eigenvectors[:, ::-1][:, :PRIOR_SIZE]
    basis = (vectors.T @ centred) / np.sqrt(len(heads) - 1)
    average = with_landmarks68(model.topology.with_vertices(mean.reshape(-1, 3)))
    return face_template(
        average,
        basis.reshape(PRIOR_SIZE, -1, 3),
        expression_modes(model, average.vertices),
        (*mouth_opening(average), *_eye_openings(model)),
        STRONG_POSES,
    )


def with_landmarks68(head: Mesh) -> Mesh:
    """A head on the embedded topology with the 68 points of data_specs/landmarks68.toml."""
    corners, weights = base_mesh_places()
    own = np.searchsorted(head_model().base_vertex_ids, corners)
    points = np.einsum("lk,lkc->lc", weights, head.vertices[own])
    return dataclasses.replace(head, landmarks=Landmarks(landmark_names(), points))


def expression_modes(model: HeadModel, vertices: Float[np.ndarray, "V 3"]) -> dict[str, Float[np.ndarray, "V 3"]]:
    """What the skin of a head may show: the units that move its face, each half on its own ("AU12 L", "AU12 R").

    Units that move as one (the jaw, AU25 and more, lips that pucker) come whole.
    """
    deltas = identity_deltas(model.shapes, model.parts, vertices, np.full(3, 1 / 3))
    left = MidPlane.of_face_frame().left_weight(vertices)[:, None]
    modes = {}
    for unit, delta in zip(ACTION_UNITS, deltas, strict=True):
        if unit.name in GAZE_UNITS or np.abs(delta[model.parts.skin]).max() < LEAST_EXPRESSION_MM:
            continue
        if unit.name in WHOLE_UNITS:
            modes[unit.name] = delta
        else:
            modes |= {f"{unit.name} L": delta * left, f"{unit.name} R": delta * (1 - left)}
    return modes


def _eye_openings(model: HeadModel) -> tuple[Opening, ...]:
    """The lid margins: where the sockets' insides meet the face."""
    faces = model.topology.faces
    inside = np.isin(faces, model.parts.socket).any(axis=1)
    skin = np.isin(faces, model.parts.skin).all(axis=1)
    rim = shared_edges(faces[skin & inside], faces[skin & ~inside])
    return tuple(Opening("eye", ring) for ring in separate_rings(rim))


def _own_frame(model: HeadModel, vertices: Float[np.ndarray, "V 3"]) -> Similarity:
    """The face frame of a mesh with the embedded topology."""
    skin = model.parts.skin
    pose = similarity_align(model.topology.vertices[skin], vertices[skin])
    between = _between_eyes(model, vertices)
    turn = np.degrees(np.arccos(np.clip((np.trace(pose.rotation) - 1) / 2, -1, 1)))
    in_frame = np.linalg.norm(between) < IN_FRAME_MM and turn < IN_FRAME_DEG
    low, high = EYE_DISTANCE_MM
    if in_frame and low <= _eye_distance(model, vertices) <= high:
        return Similarity.identity()
    return _face_frame(model, vertices, pose.rotation)


def _face_frame(model: HeadModel, vertices: Float[np.ndarray, "V 3"], rotation: Float[np.ndarray, "3 3"]) -> Similarity:
    """Face frame -> mesh, from the embedded topology's vertices in the mesh's coordinates."""
    return Similarity(units_per_mm(_eye_distance(model, vertices)), rotation, _between_eyes(model, vertices))


def units_per_mm(eye_distance: float) -> float:
    """Coordinate units per millimetre of a head, from the distance of its eyeballs' centres in those units.

    A distance that some common unit makes human is taken at its word; any other head gets the usual distance.
    """
    for unit in UNITS_PER_MM:
        if EYE_DISTANCE_MM[0] <= eye_distance / unit <= EYE_DISTANCE_MM[1]:
            return unit
    return eye_distance / USUAL_EYE_DISTANCE_MM


def _between_eyes(model: HeadModel, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "3"]:
    return (_ball_centre(vertices[model.parts.left_eye]) + _ball_centre(vertices[model.parts.right_eye])) / 2


def _eye_distance(model: HeadModel, vertices: Float[np.ndarray, "V 3"]) -> float:
    left, right = (_ball_centre(vertices[eye]) for eye in (model.parts.left_eye, model.parts.right_eye))
    return float(np.linalg.norm(left - right))


def _ball_centre(eye: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "3"]:
    """The centre of an eyeball in any orientation (`eye_centre` in the face frame's axes would turn with it)."""
    return fit_sphere(eye)[0]


def _eyeball(
    mesh: Mesh, points: Float[np.ndarray, "U 3"], template_eye: Float[np.ndarray, "M 3"]
) -> tuple[Int[np.ndarray, " own"], tuple[Float[np.ndarray, "3"], float] | None]:
    """The mesh's own eyeball near the template's: vertex ids, and centre and radius; empty and None without one.

    An eyeball is a separate piece that is round, as large as an eyeball, and about where the template has one.
    Pieces within it (iris discs, pupils, corneas) turn with it.
    """
    centre, expected, _ = fit_sphere(template_eye)
    component = vertex_components(mesh.vertices, mesh.faces)
    distance = np.linalg.norm(points - centre, axis=1)
    low, high = BALL_RADIUS[0] * expected, BALL_RADIUS[1] * expected
    ball = None
    for name in np.unique(component[distance < 1.5 * high]):
        piece = component == name
        if piece.sum() < 12 or distance[piece].max() > 2.1 * high:
            continue
        middle, radius, misfit = fit_sphere(points[piece])
        deep = np.ptp(points[piece], axis=0).min() > 0.5 * radius
        near = np.linalg.norm(middle - centre) < BALL_AWAY * expected
        better = ball is None or radius > ball[1]
        if misfit < 0.12 and deep and near and better and low <= radius <= high:
            ball = (middle, radius)
    if ball is None:
        return np.empty(0, np.int64), None
    farthest = np.zeros(int(component.max()) + 1)
    np.maximum.at(farthest, component, np.linalg.norm(points - ball[0], axis=1))
    used = np.zeros(len(points), bool)
    used[mesh.faces] = True
    return np.flatnonzero(used & (farthest[component] < 1.2 * ball[1])), ball


def _onto_ball(
    template_eye: Float[np.ndarray, "M 3"], ball: tuple[Float[np.ndarray, "3"], float] | None
) -> Float[np.ndarray, "M 3"]:
    """The template's eyeball at the place and in the size of the mesh's own."""
    if ball is None:
        return template_eye
    centre = eye_centre(template_eye, np.arange(len(template_eye)))
    radius = np.linalg.norm(template_eye - centre, axis=1).mean()
    return ball[0] + (template_eye - centre) * (ball[1] / radius)
