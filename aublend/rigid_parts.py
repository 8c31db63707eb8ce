"""Parts that move as solids: eyeballs about their centres. Everything else in a rig is a linear blend.

A linear blend would shrink an eyeball between its extremes (by 3 % of its radius at 30 degrees); rotating it by
the summed rotation vectors keeps it round at every weight.
"""

import dataclasses
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from aublend.units import AU_INDEX, N_UNITS
from mesh4d.compiled import compiled
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

    def turn(
        self, frames: Float[np.ndarray, "T V 3"], rest: Float[np.ndarray, "V 3"], weights: Float[np.ndarray, "T A"]
    ) -> None:
        """Put the part in its place in every frame, under the unit weights of its side."""
        _turn(frames, rest, self.vertex_ids, self.pivot, weights @ self.rotation_vectors)

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


@compiled()
@no_type_check
def _turn(frames, rest, vertex_ids, pivot, vectors):
    """Rodrigues' formula: R = 1 + sin(a)/a [v]x + (1 - cos(a))/a^2 [v]x^2, about the pivot."""
    for t in range(len(vectors)):
        x, y, z = vectors[t]
        square = x * x + y * y + z * z
        if square == 0:
            first, second = 0.0, 0.0
        else:
            angle = np.sqrt(square)
            first, second = np.sin(angle) / angle, 2 * (np.sin(angle / 2) / angle) ** 2
        for vertex in vertex_ids:
            p, q, r = rest[vertex, 0] - pivot[0], rest[vertex, 1] - pivot[1], rest[vertex, 2] - pivot[2]
            along = x * p + y * q + z * r
            frames[t, vertex, 0] = rest[vertex, 0] + first * (y * r - z * q) + second * (x * along - square * p)
            frames[t, vertex, 1] = rest[vertex, 1] + first * (z * p - x * r) + second * (y * along - square * q)
            frames[t, vertex, 2] = rest[vertex, 2] + first * (x * q - y * p) + second * (z * along - square * r)
