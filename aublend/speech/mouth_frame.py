"""Which way a rig's face looks and how large it is, from its own units: no labels, any coordinates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.rig import AURig
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError

USUAL_MOUTH_WIDTH_MM = 46.0


@dataclass(frozen=True)
class FaceAxes:
    """Rows of `rotation`: the subject's left, up and out of the face, in the rig's coordinates."""

    rotation: Float[np.ndarray, "3 3"]
    origin: Float[np.ndarray, "3"]
    """Middle of the mouth, roughly."""
    unit_mm: float
    """Millimetres per coordinate unit."""

    def to_mm(self, points: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
        """Points relative to the mouth, in mm along the face's axes."""
        return (points - self.origin) @ self.rotation.T * self.unit_mm

    def direction_mm(self, vectors: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
        """Displacements in mm along the face's axes."""
        return vectors @ self.rotation.T * self.unit_mm


def face_axes(rig: AURig) -> FaceAxes:
    """The face's axes from the mid plane and the directions in which AU1 (up) and AU18 (out) move the skin.

    Both units move straight along their axis on every head (to 3 degrees on the embedded one); their mean is better.

    Raises:
        MeshError: when AU1, AU18 or AU25 move nothing.
    """
    left = rig.mid_plane.normal / np.linalg.norm(rig.mid_plane.normal)
    out = _mean_direction(rig, "AU18")
    up = _mean_direction(rig, "AU1") + np.cross(out, left)
    up -= (up @ left) * left
    up /= np.linalg.norm(up)
    magnitude = np.linalg.norm(rig.deltas[AU_INDEX["AU25"]], axis=1).astype(np.float64)
    if not magnitude.any():
        raise MeshError("AU25 moves nothing on this rig: it has no mouth to speak with")
    middle = (rig.neutral.vertices * magnitude[:, None]).sum(axis=0) / magnitude.sum()
    return FaceAxes(np.stack([left, up, np.cross(left, up)]), middle, 1000.0 * rig.unit_m)


def _mean_direction(rig: AURig, name: str) -> np.ndarray:
    """The mean direction of a unit's motion, weighted by its size."""
    motion = rig.deltas[AU_INDEX[name]].astype(np.float64)
    mean = (motion * np.linalg.norm(motion, axis=1)[:, None]).sum(axis=0)
    length = np.linalg.norm(mean)
    if not length > 0:
        raise MeshError(f"{name} moves nothing on this rig: it cannot speak")
    return mean / length
