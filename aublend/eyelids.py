"""Keeps the lids on the eyeball: skin that slides over it may not sink into it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from aublend.anatomy import eye_centre

LID_MM = 0.8
"""Thickness of lid kept over the eyeball, also for the middle of the triangles between lid vertices."""
REACH_MM = 14.0
"""Skin up to this far from the eyeball on the template may slide over it."""


@dataclass(frozen=True)
class LidGuard:
    """The skin around one eye, found once on the template."""

    eye: Int[np.ndarray, " eye"]
    lid: Int[np.ndarray, " lid"]

    def push_outside(
        self, vertices: Float[np.ndarray, "V 3"], rest: Float[np.ndarray, "V 3"]
    ) -> Float[np.ndarray, "V 3"]:
        """Lid vertices moved radially until LID_MM outside the eyeball, or as far outside as they are at rest.

        Args:
            vertices: the head under some unit; its eyeballs may have turned, not moved.
            rest: the same head, neutral.
        """
        centre = eye_centre(rest, self.eye)
        radius = np.linalg.norm(rest[self.eye] - centre, axis=1).mean()
        at_rest = np.linalg.norm(rest[self.lid] - centre, axis=1)
        ray = vertices[self.lid] - centre
        distance = np.linalg.norm(ray, axis=1)
        floor = np.minimum(radius + LID_MM, at_rest)
        pushed = vertices.copy()
        pushed[self.lid] = centre + ray * np.maximum(floor / distance, 1.0)[:, None]
        return pushed


def lid_guard(
    template: Float[np.ndarray, "V 3"], eye: Int[np.ndarray, " eye"], outer_skin: Int[np.ndarray, " outer"]
) -> LidGuard:
    """Find the skin that may slide over an eyeball: near it and in front of its centre, on the template at rest."""
    ray = template[outer_skin] - eye_centre(template, eye)
    radius = np.linalg.norm(template[eye] - eye_centre(template, eye), axis=1).mean()
    near = (np.linalg.norm(ray, axis=1) < radius + REACH_MM) & (ray[:, 2] > 0)
    return LidGuard(eye, outer_skin[near])
