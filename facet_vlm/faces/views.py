"""Meshes to network input: the head put upright, and pictures of its face from the cameras of a rig."""

from functools import cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

from aublend.anatomy import eye_centre
from aublend.head_model import head_model
from aublend.registration import HeadFit, is_embedded
from facet_vlm.faces.inputs import channels_of, pictures
from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import similarity_align
from mesh4d.landmarks import face_pose
from mesh4d.mesh import Mesh
from mesh4d.render import STUDIO, CameraRig, Framing, Shading, camera_rig, render_views

FACE_CENTRE_MM = np.array([0.0, -33.0, 22.0])
"""Centre of the framed sphere on a head whose eyes are EYE_DISTANCE_MM apart, from the point between the eyeballs."""
FACE_RADIUS_MM = 76.0
EYE_DISTANCE_MM = 58.5
"""Distance between the eyeball centres that every head is scaled to; the embedded model's heads average it."""

NECK_TOP_MM = -60.0
"""Skin below may have moved with the neck and says little about how the head is turned."""


def face_images(
    mesh: Mesh, rig: str = "fer7", size_px: int = 96, fit: HeadFit | None = None, inputs: str = "geometry"
) -> UInt8[np.ndarray, "N 3 H W"]:
    """The network input for one head of any pose, unit and topology; see `in_face_frame` for `fit`."""
    return aligned_face_images(in_face_frame(mesh, fit), rig, size_px, inputs)


def aligned_face_images(
    mesh: Mesh,
    rig: str | CameraRig = "fer7",
    size_px: int = 96,
    inputs: str = "geometry",
    shading: Shading = STUDIO,
    hidden_faces: Bool[np.ndarray, " F"] | None = None,
) -> UInt8[np.ndarray, "N 3 H W"]:
    """The network input for a head that is already in the face frame and at standard size.

    Args:
        inputs: what the bands hold; `facet_vlm.faces.inputs.BANDS`.
        shading: the lights, for inputs that show them.
        hidden_faces: triangles that still hide what is behind them, but whose pixels are painted as empty space.
    """
    framing = Framing(FACE_CENTRE_MM, FACE_RADIUS_MM)
    views = render_views(mesh, rig, size_px, channels_of(inputs), framing, keep_triangle_ids=True, shading=shading)
    ids = views.triangle_ids
    if ids is None:
        raise MeshError("rendering with triangle ids gave none")
    hidden = None if hidden_faces is None else (ids >= 0) & hidden_faces[np.maximum(ids, 0)]
    return pictures(views, ids, inputs, hidden)


def view_angles(rig: str | CameraRig) -> Float[np.ndarray, "N 2"]:
    """Yaw and pitch of each view of a rig, degrees."""
    cameras = camera_rig(rig) if isinstance(rig, str) else rig
    return np.stack([cameras.yaws_deg, cameras.pitches_deg], axis=1).astype(np.float32)


def in_face_frame(mesh: Mesh, fit: HeadFit | None = None) -> Mesh:
    """The head turned upright, origin between the eyes, scaled to the standard eye distance.

    A head on the embedded topology is placed by the skin that no action unit moves and by its eyeballs. Any other
    head goes by `mesh4d.face_pose`, unless `fit` says how the same head lies when neutral.

    Raises:
        NoFaceError: when the mesh holds no face.
    """
    if fit is None:
        if is_embedded(mesh):
            return mesh.with_vertices(standard_vertices(mesh.vertices, straighten=True))
        return mesh.with_vertices(face_pose(mesh).to_face.apply(mesh.vertices))
    upright = fit.to_mesh.inverse().apply(mesh.vertices)
    return mesh.with_vertices(at_standard_size(upright, fit.template_vertices))


def standard_vertices(vertices: Float[np.ndarray, "V 3"], straighten: bool) -> Float[np.ndarray, "V 3"]:
    """Embedded-topology vertices with the eyes at the origin, EYE_DISTANCE_MM apart.

    Args:
        straighten: also turn the head so that its still skin lies as on the average head.
    """
    if straighten:
        still = still_skin()
        fit = similarity_align(vertices[still], head_model().topology.vertices[still])
        vertices = fit.apply(vertices)
    return at_standard_size(vertices, vertices)


def at_standard_size(points: Float[np.ndarray, "P 3"], head: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "P 3"]:
    """The points moved and scaled so that the eyes of `head` (embedded topology, same frame) are where all eyes are."""
    parts = head_model().parts
    left, right = eye_centre(head, parts.left_eye), eye_centre(head, parts.right_eye)
    return (points - (left + right) / 2) * (EYE_DISTANCE_MM / float(np.linalg.norm(left - right)))


@cache
def still_skin() -> Bool[np.ndarray, " V"]:
    """Skin of the upper head that no action unit moves, and the eyeballs (which turn, but stay)."""
    model = head_model()
    still = np.zeros(model.topology.n_vertices, bool)
    still[model.parts.skin] = True
    still &= (model.shapes.deltas == 0.0).all(axis=(0, 1, 3)) & (model.topology.vertices[:, 1] > NECK_TOP_MM)
    still[model.parts.left_eye] = True
    still[model.parts.right_eye] = True
    return still
