"""Face pose: where the face is on a mesh, which way it looks and how large it is, in well under a tenth of a second.

Reading all 68 landmarks as exactly as can be takes ten times as long. For a pose a few views are enough: a search in
small pictures, one look from the front to centre the face, one glance from three sides. Where these do not agree on a
face, the thorough detection decides.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh

if TYPE_CHECKING:
    from mesh4d.landmarks.look import Look
    from mesh4d.landmarks.pictures import Surface
    from mesh4d.landmarks.weights import LandmarkModel

LEAST_FACE, LEAST_SUPPORT, MOST_MISFIT_MM, MOST_ODDITY = 0.9, 0.45, 3.0, 2.2
"""What a quick reading must reach: probability of a face, median support, median misfit, rms coefficient."""
MOST_TURN_DEG, MOST_RESIZED, MOST_MOVED_MM = 9.0, 0.12, 8.0
"""How far the front look and the glance may be apart."""


@dataclass(frozen=True)
class FacePose:
    """How a head lies in its file."""

    to_face: Similarity
    """Mesh -> face frame, mm: +x the subject's left, +y up, +z out of the face, origin between the eyeballs, scaled to
    the average head's distance between the eyeballs."""
    confidence: float
    """0 to 1: how much what was found looks like a face."""
    landmarks: Landmarks
    """The 68 points that say so, in the mesh's frame; where quick, up to a few millimetres off the surface."""
    quick: bool
    """False where the thorough detection had to decide."""


def face_pose(mesh: Mesh, *, model: "LandmarkModel | None" = None) -> FacePose:
    """The similarity that brings a head of any topology, pose, unit and axis convention upright at standard size.

    Expressions move it little: it follows from the corners of the eyes and the nose (`mesh4d.render.face_frame`).

    Args:
        mesh: a head, bust, body or frontal scan.
        model: landmark networks of one's own; by default those in the package.

    Raises:
        NoFaceError: when the surface holds nothing that looks like a face; it says why.
        MeshError: when it has no surface at all.
    """
    from mesh4d.landmarks.detect import find_face, normalised_surface
    from mesh4d.landmarks.weights import shipped_model
    from mesh4d.render.face_framing import face_frame

    model = shipped_model() if model is None else model
    framing, surface = normalised_surface(mesh)
    look = _quick_look(model, surface)
    if look is None:
        face = find_face(mesh, model)
        return FacePose(face_frame(face.landmarks).inverse(), face.quality, face.landmarks, quick=False)
    to_mesh = Similarity(framing.radius, np.eye(3), framing.centre)
    landmarks = look.landmarks(to_mesh)
    return FacePose(face_frame(landmarks).inverse(), look.quality, landmarks, quick=True)


def in_face_frame(mesh: Mesh, *, model: "LandmarkModel | None" = None) -> Mesh:
    """The mesh moved by its `face_pose`.

    Raises:
        NoFaceError, MeshError: as `face_pose`.
    """
    return mesh.with_vertices(face_pose(mesh, model=model).to_face.apply(mesh.vertices))


def _quick_look(model: "LandmarkModel", surface: "Surface") -> "Look | None":
    """A glance that is sure of itself, or None."""
    from mesh4d.landmarks.look import FRONT, GLANCE, Look
    from mesh4d.landmarks.search import quick_candidate

    candidate = quick_candidate(model.finder, model.shapes, surface)
    if candidate is None:
        return None
    front = Look.at(model, surface, candidate, FRONT, twice=False)
    if front.face < LEAST_FACE:
        return None
    glance = front.again(model, surface, GLANCE, twice=False)
    sure = (
        glance.face >= LEAST_FACE
        and glance.support >= LEAST_SUPPORT
        and float(np.median(glance.misfit_mm)) <= MOST_MISFIT_MM
        and glance.oddity <= MOST_ODDITY
        and _alike(front.pose, glance.pose)
    )
    return glance if sure else None


def _alike(one: Similarity, other: Similarity) -> bool:
    """Whether two poses of the landmark model (mm) say nearly the same."""
    between = one.inverse().compose(other)
    turn = np.degrees(np.arccos(np.clip((np.trace(between.rotation) - 1) / 2, -1.0, 1.0)))
    moved = float(np.linalg.norm(between.translation))
    return bool(turn <= MOST_TURN_DEG and abs(np.log(between.scale)) <= MOST_RESIZED and moved <= MOST_MOVED_MM)
