"""Keeps the lids on the eyeball: skin that slides over it may not sink into it, wherever the cornea has turned."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

LID_MM = 0.8
"""Thickness of lid kept over the eyeball, also for the middle of the triangles between lid vertices."""
REACH_MM = 14.0
"""Skin up to this far from the eyeball on the template may slide over it."""
RADIUS_NEIGHBOURS = 4
"""Eyeball vertices whose mean radius stands for the surface between them."""


@dataclass(frozen=True)
class Eyeball:
    """An eyeball at rest as a surface seen from its centre: a radius in every direction, cornea included."""

    centre: Float[np.ndarray, "3"]
    points: Float[np.ndarray, "M 3"]

    @cached_property
    def radius(self) -> float:
        """Mean distance of the surface from the centre."""
        return float(np.linalg.norm(self.points - self.centre, axis=1).mean())

    def radius_along(self, rays: Float[np.ndarray, "P 3"], turn: Rotation | None = None) -> Float[np.ndarray, " P"]:
        """The surface's distance from the centre along unit rays, after the eyeball has turned."""
        tree, radii = self._directions
        distance, nearest = tree.query(rays if turn is None else turn.inv().apply(rays), k=RADIUS_NEIGHBOURS)
        weight = 1 / np.maximum(distance, 1e-3)
        return (weight * radii[nearest]).sum(axis=1) / weight.sum(axis=1)

    @cached_property
    def _directions(self) -> tuple[KDTree, np.ndarray]:
        offset = self.points - self.centre
        radii = np.linalg.norm(offset, axis=1)
        return KDTree(offset / radii[:, None]), radii


@dataclass(frozen=True)
class LidGuard:
    """The skin that may slide over one eyeball."""

    lid: Int[np.ndarray, " lid"]

    def push_outside(
        self,
        vertices: Float[np.ndarray, "V 3"],
        rest: Float[np.ndarray, "V 3"],
        eyeball: Eyeball,
        turn: Rotation | None = None,
    ) -> Float[np.ndarray, "V 3"]:
        """Lid vertices moved radially until LID_MM outside the eyeball, or as far outside as they are at rest.

        Args:
            vertices: the head under some unit.
            rest: the same head, neutral.
            turn: how the unit turns the eyeball.
        """
        at_rest = rest[self.lid] - eyeball.centre
        rest_distance = np.linalg.norm(at_rest, axis=1)
        above = rest_distance - eyeball.radius_along(at_rest / rest_distance[:, None])
        ray = vertices[self.lid] - eyeball.centre
        distance = np.linalg.norm(ray, axis=1)
        floor = eyeball.radius_along(ray / distance[:, None], turn) + np.minimum(LID_MM, above)
        pushed = vertices.copy()
        pushed[self.lid] = eyeball.centre + ray * np.maximum(floor / distance, 1.0)[:, None]
        return pushed


def lid_guard(vertices: Float[np.ndarray, "V 3"], eyeball: Eyeball, outer_skin: Int[np.ndarray, " outer"]) -> LidGuard:
    """Find the skin that may slide over an eyeball: near it and in front of its centre, on a head at rest."""
    ray = vertices[outer_skin] - eyeball.centre
    near = (np.linalg.norm(ray, axis=1) < eyeball.radius + REACH_MM) & (ray[:, 2] > 0)
    return LidGuard(outer_skin[near])
