"""Exact closest points on a triangle mesh, with a say in which triangles count: a box tree in numba.

The query that registration needs is not "the nearest point" but "the nearest point on skin that faces the same way
and is not the other lip"; no library on our list answers it.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from mesh4d.compiled import compiled
from mesh4d.geometry.normals import face_normals

LEAF_TRIANGLES = 4
ANY_DIRECTION = -2.0
"""Least cosine that every pair of normals passes."""


@dataclass(frozen=True)
class SurfacePoints:
    """Places on a mesh, one per query point."""

    triangles: Int[np.ndarray, " P"]
    """Face id; -1 where no triangle qualified."""
    barycentric: Float[np.ndarray, "P 3"]
    """Weights of the face's corners, summing to 1; zeros where no triangle qualified."""
    signed_distance: Float[np.ndarray, " P"]
    """In the mesh's unit: positive on the outer side of the surface; infinite where no triangle qualified."""

    @property
    def found(self) -> np.ndarray:
        """Which queries have an answer."""
        return self.triangles >= 0

    def interpolate(
        self, values: Float[np.ndarray, "*A V C"], faces: Int[np.ndarray, "F 3"]
    ) -> Float[np.ndarray, "*A P C"]:
        """Vertex values at these places; zeros where no triangle qualified."""
        corners = faces[np.maximum(self.triangles, 0)]
        return sum(self.barycentric[:, k, None] * values[..., corners[:, k], :] for k in range(3))  # type: ignore[return-value]


@dataclass(frozen=True)
class TriangleTree:
    """A complete binary tree of boxes over the triangles of a mesh (or over some of them)."""

    corners: Float[np.ndarray, "T 3 3"]
    normals: Float[np.ndarray, "T 3"]
    sides: Int[np.ndarray, " T"]
    """-1 or +1 for triangles that a query of the other sign may not use; 0 for all others."""
    face_ids: Int[np.ndarray, " T"]
    boxes: Float[np.ndarray, "N 6"]

    def query(
        self,
        points: Float[np.ndarray, "P 3"],
        normals: Float[np.ndarray, "P 3"] | None = None,
        least_cosine: float = ANY_DIRECTION,
        sides: Int[np.ndarray, " P"] | None = None,
        max_distance: float = np.inf,
    ) -> SurfacePoints:
        """The nearest point on the triangles that qualify.

        Args:
            normals: direction each query faces; needed when `least_cosine` is given.
            least_cosine: a triangle qualifies when its normal's cosine with the query's is at least this.
            sides: -1, 0 or +1 per query; triangles of the opposite sign do not qualify.
            max_distance: how far to look.
        """
        points = np.ascontiguousarray(points, np.float64)
        normals = np.zeros_like(points) if normals is None else np.ascontiguousarray(normals, np.float64)
        sides = np.zeros(len(points), np.int64) if sides is None else np.ascontiguousarray(sides, np.int64)
        row, bary, distance = _closest(
            points, normals, sides, float(least_cosine), float(max_distance),
            self.corners, self.normals, self.sides, self.boxes,
        )  # fmt: skip
        triangles = np.full(len(row), -1)
        triangles[row >= 0] = self.face_ids[row[row >= 0]]
        return SurfacePoints(triangles, bary, distance)


def triangle_tree(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    face_ids: Int[np.ndarray, " T"] | None = None,
    sides: Int[np.ndarray, " F"] | None = None,
) -> TriangleTree:
    """Build the tree over all faces, or over `face_ids`; collapsed triangles are left out."""
    face_ids = np.arange(len(faces)) if face_ids is None else face_ids
    normals = face_normals(vertices, faces[face_ids])
    solid = np.einsum("fi,fi->f", normals, normals) > 0
    face_ids, normals = face_ids[solid], normals[solid]
    corners = vertices[faces[face_ids]]
    order = np.arange(len(face_ids))
    if len(order):
        # scipy's balanced tree lists its points leaf by leaf: neighbours in that order are neighbours in space.
        order = KDTree(corners.mean(axis=1), leafsize=LEAF_TRIANGLES, balanced_tree=True).indices
    sides = np.zeros(len(faces), np.int64) if sides is None else sides.astype(np.int64)
    return TriangleTree(
        corners=np.ascontiguousarray(corners[order], np.float64),
        normals=np.ascontiguousarray(normals[order], np.float64),
        sides=sides[face_ids][order],
        face_ids=face_ids[order].astype(np.int64),
        boxes=_boxes(corners[order]),
    )


def _boxes(corners: np.ndarray) -> np.ndarray:
    """Bounds of the nodes of a complete tree: children of node n are 2n and 2n+1, node 1 is the root."""
    leaves = 1
    while leaves * LEAF_TRIANGLES < len(corners):
        leaves *= 2
    boxes = np.concatenate([np.full((2 * leaves, 3), np.inf), np.full((2 * leaves, 3), -np.inf)], axis=1)
    starts = np.arange(leaves + 1) * len(corners) // leaves
    filled = np.flatnonzero(np.diff(starts))
    if len(filled):
        boxes[leaves + filled, :3] = np.minimum.reduceat(corners.min(axis=1), starts[filled])
        boxes[leaves + filled, 3:] = np.maximum.reduceat(corners.max(axis=1), starts[filled])
    level = leaves
    while level > 1:
        level //= 2
        pairs = boxes[2 * level : 4 * level].reshape(level, 2, 6)
        boxes[level : 2 * level, :3] = pairs[:, :, :3].min(axis=1)
        boxes[level : 2 * level, 3:] = pairs[:, :, 3:].max(axis=1)
    return boxes


@compiled()
@no_type_check
def _closest(points, normals, sides, least_cosine, max_distance, corners, triangle_normals, triangle_sides, boxes):
    """Row of the nearest qualifying triangle, barycentric weights and signed distance, per point."""
    count, n_triangles, leaves = len(points), len(corners), len(boxes) // 2
    rows = np.full(count, -1, np.int64)
    bary = np.zeros((count, 3))
    distance = np.full(count, np.inf)
    stack = np.empty(64, np.int64)
    bounds = np.empty(64)
    for p in range(count):
        x, y, z = points[p]
        best = max_distance * max_distance
        stack[0], bounds[0], depth = 1, 0.0, 1
        while depth > 0:
            depth -= 1
            node = stack[depth]
            if bounds[depth] >= best:
                continue
            if node >= leaves:
                leaf = node - leaves
                for t in range(leaf * n_triangles // leaves, (leaf + 1) * n_triangles // leaves):
                    if triangle_sides[t] * sides[p] < 0:
                        continue
                    n = triangle_normals[t]
                    if normals[p, 0] * n[0] + normals[p, 1] * n[1] + normals[p, 2] * n[2] < least_cosine:
                        continue
                    u, v, w, d = _on_triangle(x, y, z, corners[t])
                    if d < best:
                        best = d
                        rows[p] = t
                        bary[p, 0], bary[p, 1], bary[p, 2] = u, v, w
                continue
            left, right = 2 * node, 2 * node + 1
            d_left, d_right = _box_distance(x, y, z, boxes[left]), _box_distance(x, y, z, boxes[right])
            if d_left < d_right:
                left, right, d_left, d_right = right, left, d_right, d_left
            if d_left < best:
                stack[depth], bounds[depth], depth = left, d_left, depth + 1
            if d_right < best:
                stack[depth], bounds[depth], depth = right, d_right, depth + 1
        if rows[p] >= 0:
            t = rows[p]
            along = 0.0
            for k in range(3):
                place = bary[p, 0] * corners[t, 0, k] + bary[p, 1] * corners[t, 1, k] + bary[p, 2] * corners[t, 2, k]
                along += (points[p, k] - place) * triangle_normals[t, k]
            distance[p] = np.sqrt(best) if along >= 0 else -np.sqrt(best)
    return rows, bary, distance


@compiled()
@no_type_check
def _box_distance(x, y, z, box):
    """Squared distance to a box; infinite for an empty one."""
    dx = max(box[0] - x, x - box[3], 0.0)
    dy = max(box[1] - y, y - box[4], 0.0)
    dz = max(box[2] - z, z - box[5], 0.0)
    return dx * dx + dy * dy + dz * dz


@compiled()
@no_type_check
def _on_triangle(x, y, z, corner):
    """Barycentric weights of the nearest point, and its squared distance.

    Ericson, Real-Time Collision Detection (2005), section 5.1.5.
    """
    a0, a1, a2 = corner[0]
    ab0, ab1, ab2 = corner[1, 0] - a0, corner[1, 1] - a1, corner[1, 2] - a2
    ac0, ac1, ac2 = corner[2, 0] - a0, corner[2, 1] - a1, corner[2, 2] - a2
    ap0, ap1, ap2 = x - a0, y - a1, z - a2
    d1 = ab0 * ap0 + ab1 * ap1 + ab2 * ap2
    d2 = ac0 * ap0 + ac1 * ap1 + ac2 * ap2
    bb, bc, cc = ab0 * ab0 + ab1 * ab1 + ab2 * ab2, ab0 * ac0 + ab1 * ac1 + ab2 * ac2, ac0 * ac0 + ac1 * ac1 + ac2 * ac2
    d3, d4, d5, d6 = d1 - bb, d2 - bc, d1 - bc, d2 - cc
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    if d1 <= 0 and d2 <= 0:
        v, w = 0.0, 0.0
    elif d3 >= 0 and d4 <= d3:
        v, w = 1.0, 0.0
    elif d6 >= 0 and d5 <= d6:
        v, w = 0.0, 1.0
    elif vc <= 0 and d1 >= 0 and d3 <= 0:
        v, w = d1 / (d1 - d3), 0.0
    elif vb <= 0 and d2 >= 0 and d6 <= 0:
        v, w = 0.0, d2 / (d2 - d6)
    elif va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        v = 1 - w
    else:
        total = va + vb + vc
        v, w = vb / total, vc / total
    r0, r1, r2 = ap0 - v * ab0 - w * ac0, ap1 - v * ab1 - w * ac1, ap2 - v * ab2 - w * ac2
    return 1 - v - w, v, w, r0 * r0 + r1 * r1 + r2 * r2
