"""Keeps the inside of the mouth inside: the cavity's walls may not come through the cheeks or lips."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from mesh4d.geometry.normals import unit, vertex_normals

CLEARANCE_MM = 1.5
"""Flesh left between the cavity's wall and the outer skin."""
LONGEST_STEP_MM = 2.0
"""A wall that seems further outside than this faces a fold of the skin, whose normals cannot be trusted."""
NEIGHBOURS = 8
"""Outer vertices that guard each wall vertex."""
ROOM_MM = 3.0
"""Wall vertices nearer to the outer skin than this on the template are lip, not wall, and are left alone."""


@dataclass(frozen=True)
class CavityGuard:
    """Which outer skin vertices watch which wall vertices, found once on the template."""

    wall: Int[np.ndarray, " wall"]
    outer: Int[np.ndarray, "wall K"]
    faces: Int[np.ndarray, "F 3"]
    """Outer skin triangles, for normals."""

    def depth(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " wall"]:
        """How far each wall vertex lies below its guards (mm); negative where it has come through."""
        return self._depths(vertices)[0]

    def push_inside(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
        """Move wall vertices inwards along their guards' mean normal, towards CLEARANCE_MM below the outer skin."""
        pushed = vertices.copy()
        for _ in range(4):  # the guard with the least depth can change once the first has had its way
            depth, normal = self._depths(pushed)
            pushed[self.wall] -= np.clip(CLEARANCE_MM - depth, 0, LONGEST_STEP_MM)[:, None] * normal
        return pushed

    def _depths(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        normals = unit(vertex_normals(vertices, self.faces)[self.outer].mean(axis=1, keepdims=True))
        depths = np.einsum("wkc,wkc->wk", vertices[self.outer] - vertices[self.wall][:, None], normals)
        least = depths.argmin(axis=1)
        rows = np.arange(len(self.wall))
        return depths[rows, least], normals[:, 0]


def cavity_guard(
    template: Float[np.ndarray, "V 3"], cavity: Int[np.ndarray, " cavity"], outer_faces: Int[np.ndarray, "F 3"]
) -> CavityGuard:
    """Pair the walls of the cavity with the outer skin over them, on the template at rest."""
    outer = np.unique(outer_faces)
    normals = vertex_normals(template, outer_faces)
    distance, neighbour = KDTree(template[outer]).query(template[cavity], k=NEIGHBOURS)
    guards = outer[neighbour]
    depth = np.einsum("wkc,wkc->wk", template[guards] - template[cavity][:, None], normals[guards])
    wall = (distance[:, 0] > ROOM_MM) & (depth.min(axis=1) > CLEARANCE_MM)
    return CavityGuard(cavity[wall], guards[wall], outer_faces)
