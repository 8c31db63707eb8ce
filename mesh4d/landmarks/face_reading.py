"""FaceReading, and the two calls that make one. Networks are loaded when the first face is looked for, not before."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh

if TYPE_CHECKING:
    from mesh4d.landmarks.weights import LandmarkModel


@dataclass(frozen=True)
class FaceReading:
    """A face found on a mesh, in the mesh's frame and unit."""

    landmarks: Landmarks
    triangles: Int[np.ndarray, "68"]
    """Row of the mesh's faces nearest to each landmark."""
    barycentric: Float[np.ndarray, "68 3"]
    distance: Float[np.ndarray, "68"]
    """From each landmark to that place: 0, unless the surface is missing there."""
    to_mesh: Similarity
    """Face frame (mm of an average head) -> mesh."""
    quality: float
    """0 to 1: how much this looks like a face."""


def detect_landmarks(mesh: Mesh, *, model: "LandmarkModel | None" = None) -> Landmarks:
    """The 68 landmarks of iBUG 300-W on a head mesh or scan, with a confidence for each.

    Neither colour nor texture, neither parts nor vertex order matter. Landmarks on missing surface are estimates from
    the rest of the face, with a low confidence.

    Args:
        mesh: a head, bust, body or mask, in any unit, with any axis up.
        model: networks of one's own; by default those in the package.

    Raises:
        NoFaceError: when the surface holds nothing that looks like a face; it says why.
        MeshError: when it has no surface at all.
    """
    return read_face(mesh, model=model).landmarks


def read_face(mesh: Mesh, *, model: "LandmarkModel | None" = None) -> FaceReading:
    """As `detect_landmarks`, with the landmarks as places on the mesh and the pose of the head.

    Raises:
        NoFaceError, MeshError: as `detect_landmarks`.
    """
    from mesh4d.landmarks.detect import find_face
    from mesh4d.landmarks.weights import shipped_model

    return find_face(mesh, shipped_model() if model is None else model)
