"""Where a surface passes through itself: pairs of triangles that cross, found in a tree of boxes.

Triangles are put in the order of a space-filling curve (Morton 1966); boxes over 1, 2, 4, ... neighbours in that order
make a complete binary tree, stored as a heap. Two triangles cross when an edge of one passes through the inside of the
other, which five signs of tetrahedron volumes decide.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.compiled import compiled

MORTON_BITS = 10
"""Bits per axis of a place on the curve."""
STACK = 128
"""Open nodes during a descent: one per level and sibling, many more than a tree of 2^60 leaves needs."""


def intersecting_triangles(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], among: Bool[np.ndarray, " F"] | None = None
) -> Int[np.ndarray, "P 2"]:
    """The pairs of triangles that pass through each other, as rows of `faces`.

    Neighbours that share a vertex are left out, also where they fold onto each other; so are triangles that only touch
    or that lie in one plane.

    Args:
        among: at least one of a pair must be one of these triangles; by default all are.

    Returns:
        Each pair ascending, pairs in lexicographic order.
    """
    corners = np.ascontiguousarray(vertices[faces], np.float64)
    low = np.minimum(np.minimum(corners[:, 0], corners[:, 1]), corners[:, 2])
    high = np.maximum(np.maximum(corners[:, 0], corners[:, 1]), corners[:, 2])
    asked = np.ones(len(faces), bool) if among is None else among
    if not asked.any():
        return np.empty((0, 2), np.int64)
    near = np.flatnonzero((low <= high[asked].max(axis=0)).all(axis=1) & (high >= low[asked].min(axis=0)).all(axis=1))
    order = near[_along_curve(low[near] + high[near])]
    boxes = _box_tree(low[order], high[order])
    ids = np.ascontiguousarray(faces[order], np.int64)
    pairs = np.sort(order[_crossing_pairs(corners[order], ids, asked[order], boxes)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def new_intersections(
    rest: Float[np.ndarray, "V 3"],
    moved: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    at_rest: Int[np.ndarray, "P 2"] | None = None,
) -> Int[np.ndarray, "Q 2"]:
    """The pairs of triangles that cross after a deformation and did not before; only what moved is looked at.

    Args:
        at_rest: `intersecting_triangles(rest, faces)`, where it is known.
    """
    stirred = (rest != moved).any(axis=1)[faces].any(axis=1)
    before = intersecting_triangles(rest, faces) if at_rest is None else at_rest
    after = intersecting_triangles(moved, faces, stirred)
    known = np.isin(after @ [len(faces), 1], before @ [len(faces), 1])
    return after[~known]


def crossing_depths(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], pairs: Int[np.ndarray, "P 2"]
) -> Float[np.ndarray, " P"]:
    """How far the triangles of each pair reach through each other's planes, in the mesh's unit.

    The lesser of what lies on either side, and of both triangles: next to nothing where skin merely touches skin.
    """
    one, other = vertices[faces[pairs[:, 0]]], vertices[faces[pairs[:, 1]]]
    return np.minimum(_reach_through(one, other), _reach_through(other, one))


def _reach_through(corners: Float[np.ndarray, "P 3 3"], plane: Float[np.ndarray, "P 3 3"]) -> Float[np.ndarray, " P"]:
    """The lesser of a triangle's greatest heights over and under the plane of another one."""
    normal = np.cross(plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    height = np.einsum("pkc,pc->pk", corners - plane[:, :1], normal)
    return np.minimum(height.max(axis=1), -height.min(axis=1))


def _along_curve(points: Float[np.ndarray, "F 3"]) -> Int[np.ndarray, " F"]:
    """Rows of `points` in Morton order."""
    low = points.min(axis=0)
    cells = (points - low) / max(float((points.max(axis=0) - low).max()), 1e-300) * (2**MORTON_BITS - 1)
    place = np.zeros(len(points), np.int64)
    for bit in range(MORTON_BITS):
        for axis in range(3):
            place |= ((cells[:, axis].astype(np.int64) >> bit) & 1) << (3 * bit + axis)
    return np.argsort(place, kind="stable")


def _box_tree(low: Float[np.ndarray, "F 3"], high: Float[np.ndarray, "F 3"]) -> Float[np.ndarray, "N 6"]:
    """Least and greatest corner of each node's box; node n has the children 2n and 2n + 1, the root is 1."""
    leaves = 1 << max(0, len(low) - 1).bit_length()
    boxes = np.empty((2 * leaves, 6))
    boxes[:, :3], boxes[:, 3:] = np.inf, -np.inf
    boxes[leaves : leaves + len(low), :3] = low
    boxes[leaves : leaves + len(low), 3:] = high
    while leaves > 1:
        one, other = boxes[leaves : 2 * leaves : 2], boxes[leaves + 1 : 2 * leaves : 2]
        leaves //= 2
        np.minimum(one[:, :3], other[:, :3], out=boxes[leaves : 2 * leaves, :3])
        np.maximum(one[:, 3:], other[:, 3:], out=boxes[leaves : 2 * leaves, 3:])
    return boxes


@compiled()
@no_type_check
def _crossing_pairs(corners: np.ndarray, ids: np.ndarray, asked: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """All crossing pairs (row, other) with at least one triangle asked for, each once."""
    leaves = len(boxes) // 2
    found = np.empty((256, 2), np.int64)
    count = 0
    stack = np.empty(STACK, np.int64)
    for row in range(len(corners)):
        if not asked[row]:
            continue
        stack[0], depth = 1, 1
        while depth > 0:
            depth -= 1
            node = stack[depth]
            if not _overlap(boxes, leaves + row, node):
                continue
            if node < leaves:
                stack[depth], stack[depth + 1] = 2 * node, 2 * node + 1
                depth += 2
                continue
            other = node - leaves
            if (asked[other] and other <= row) or _neighbours(ids, row, other):
                continue
            if _cross(corners[row], corners[other]):
                if count == len(found):
                    longer = np.empty((2 * count, 2), np.int64)
                    longer[:count] = found
                    found = longer
                found[count, 0], found[count, 1] = row, other
                count += 1
    return found[:count]


@compiled()
@no_type_check
def _overlap(boxes: np.ndarray, one: int, other: int) -> bool:
    for axis in range(3):
        if boxes[one, axis] > boxes[other, axis + 3] or boxes[other, axis] > boxes[one, axis + 3]:
            return False
    return True


@compiled()
@no_type_check
def _neighbours(ids: np.ndarray, one: int, other: int) -> bool:
    for i in range(3):
        for j in range(3):
            if ids[one, i] == ids[other, j]:
                return True
    return False


@compiled()
@no_type_check
def _cross(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether an edge of either triangle passes through the inside of the other one."""
    return _edge_pierces(one, other) or _edge_pierces(other, one)


@compiled()
@no_type_check
def _edge_pierces(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether an edge has its ends on both sides of the other triangle's plane and passes inside its three edges."""
    a, b, c = other[0], other[1], other[2]
    heights = (_volume(one[0], a, b, c), _volume(one[1], a, b, c), _volume(one[2], a, b, c))
    for k in range(3):
        if heights[k] * heights[(k + 1) % 3] >= 0.0:
            continue
        start, end = one[k], one[(k + 1) % 3]
        first = _volume(start, end, a, b)
        second = _volume(start, end, b, c)
        third = _volume(start, end, c, a)
        if (first > 0.0 and second > 0.0 and third > 0.0) or (first < 0.0 and second < 0.0 and third < 0.0):
            return True
    return False


@compiled()
@no_type_check
def _volume(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Six times the signed volume of a tetrahedron; exactly 0 where p is one of the other corners."""
    ax, ay, az = a[0] - p[0], a[1] - p[1], a[2] - p[2]
    bx, by, bz = b[0] - p[0], b[1] - p[1], b[2] - p[2]
    cx, cy, cz = c[0] - p[0], c[1] - p[1], c[2] - p[2]
    return ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
