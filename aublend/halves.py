"""The two halves of a face: a plane, and a smooth share of left and right across it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.geometry.rigid import Similarity

BLEND_MM = 12.0
"""Half width of the transition between the halves of a human face."""


@dataclass(frozen=True)
class MidPlane:
    """The plane normal . x = offset; the normal points to the subject's left."""

    normal: Float[np.ndarray, "3"]
    offset: float
    blend: float
    """Half width of the transition, in the mesh's unit."""

    @classmethod
    def of_face_frame(cls) -> "MidPlane":
        """The plane x = 0 of the face frame (mm)."""
        return cls(np.array([1.0, 0.0, 0.0]), 0.0, BLEND_MM)

    def moved(self, frame: Similarity) -> "MidPlane":
        """The same plane in the coordinates that `frame` maps to."""
        normal = frame.rotation @ self.normal
        return MidPlane(normal, frame.scale * self.offset + float(normal @ frame.translation), frame.scale * self.blend)

    def left_weight(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " V"]:
        """The subject's-left share of each vertex: 1 at the left, 0 at the right, smootherstep between."""
        t = np.clip((vertices @ self.normal - self.offset) / self.blend * 0.5 + 0.5, 0, 1)
        return t * t * t * (t * (6 * t - 15) + 10)
