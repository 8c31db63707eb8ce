"""Parts that move as solids: eyeballs about their centres. Everything else in a rig is a linear blend.

A linear blend would shrink an eyeball between its extremes (by 3 % of its radius at 30 degrees); rotating it by
the summed rotation vectors keeps it round at every weight.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from aublend.units import AU_INDEX, N_UNITS
from mesh4d.geometry.rigid import Similarity

EYE_TURN_DEG = {"AU61": 30.0, "AU62": -30.0}
"""Yaw about +y at full intensity: positive turns the gaze to the subject's left (+x)."""
EYE_NOD_DEG = {"AU63": -22.0, "AU64": 26.0}
"""Pitch about +x at full intensity: negative turns the gaze up."""


@dataclass(frozen=True)
class RigidPart:
    """A solid that turns about a pivot."""

    name: str
    side: str
    """Whose half weights drive it: "left" or "right"."""
    vertex_ids: Int[np.ndarray, " M"]
    pivot: Float[np.ndarray, "3"]
    rotation_vectors: Float[np.ndarray, "A 3"]
    """Axis times angle (rad) at weight 1, per action unit; they add."""

    def turned(self, rest: Float[np.ndarray, "M 3"], weights: Float[np.ndarray, " A"]) -> Float[np.ndarray, "M 3"]:
        """Positions of the part under the side's unit weights."""
        return Rotation.from_rotvec(weights @ self.rotation_vectors).apply(rest - self.pivot) + self.pivot

    def moved(self, frame: Similarity) -> "RigidPart":
        """The same part in the coordinates that `frame` maps to."""
        pivot = frame.apply(self.pivot[None])[0]
        return dataclasses.replace(self, pivot=pivot, rotation_vectors=self.rotation_vectors @ frame.rotation.T)


def eyeball(name: str, side: str, vertex_ids: Int[np.ndarray, " M"], pivot: Float[np.ndarray, "3"]) -> RigidPart:
    """An eyeball that AU61 to AU64 turn."""
    vectors = np.zeros((N_UNITS, 3))
    for unit, angle in EYE_TURN_DEG.items():
        vectors[AU_INDEX[unit], 1] = np.radians(angle)
    for unit, angle in EYE_NOD_DEG.items():
        vectors[AU_INDEX[unit], 0] = np.radians(angle)
    return RigidPart(name, side, vertex_ids, pivot, vectors)
