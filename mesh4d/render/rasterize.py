"""The z-buffer: which triangle each pixel sees, how far away, and where on the triangle.

Rules, shared with `reference.py`, which states them in plain numpy:

- A vertex's picture position is rounded to 1/256 pixel; coverage is decided on those integers, exactly, at pixel
  centres, with the top-left rule. So triangles that share an edge neither leave a crack nor draw a pixel twice.
- Both sides of a triangle are drawn: open scans have no inside.
- The nearest triangle wins; among equal depths the lowest id, so the picture does not depend on drawing order.
- Perspective is exact: 1/depth is linear on the picture, and barycentric coordinates are divided by it.
- A triangle that reaches the near plane, or more than 2^21 pixels off, is left out whole (nothing is clipped).
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.render.cameras import Camera

SUBPIXEL_BITS = 8
SUBPIXELS = 1 << SUBPIXEL_BITS
LIMIT = 1 << 29  # largest picture coordinate in subpixels: edge products stay below 2^62
OUTSIDE = np.int32(-(1 << 31))  # marks a vertex whose triangles are left out
MAX_SIZE = 16384


@dataclass(frozen=True)
class Raster:
    """What one camera sees."""

    depth: Float[np.ndarray, "H W"]
    """Distance along the camera axis in the mesh's unit, float32; NaN where nothing is seen."""
    triangle_ids: Int[np.ndarray, "H W"]
    """Row of `faces` seen at the pixel centre, int32; -1 where nothing is seen."""
    barycentric: Float[np.ndarray, "H W 3"]
    """Weights of the triangle's corners at the surface point seen (perspective-correct), float32; 0 outside."""


def rasterize(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], camera: Camera, size: int = 224
) -> Raster:
    """Draw one mesh with one camera into a size x size picture (one thread; it holds no lock while it works)."""
    if not 1 <= size <= MAX_SIZE:
        raise MeshError(f"size must be 1 to {MAX_SIZE} pixels, found {size}")
    positions, keys = _project(
        np.ascontiguousarray(vertices, np.float64), _pack(camera), camera.orthographic, float(size)
    )
    triangles = np.ascontiguousarray(faces, np.int32)
    nearest, ids = _draw(positions, keys, triangles, size)
    depth, barycentric = _resolve(positions, keys, triangles, nearest, ids, camera.orthographic)
    return Raster(depth, ids, barycentric)


def _pack(camera: Camera) -> Float[np.ndarray, "14"]:
    return np.concatenate([camera.rotation.ravel(), camera.translation, [camera.focal, camera.near]]).astype(float)


@compiled()
@no_type_check
def _project(vertices, camera, orthographic, size):
    """Subpixel positions (V,2) and depth keys (V,): the quantity that is linear on the picture, smaller = nearer."""
    count = vertices.shape[0]
    positions = np.empty((count, 2), np.int32)
    keys = np.empty(count, np.float64)
    half = 0.5 * size
    focal, near = camera[12], camera[13]
    for v in range(count):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        depth = -(camera[6] * x + camera[7] * y + camera[8] * z + camera[11])
        # Comparisons are written so that a coordinate that is not a number fails them.
        if depth > near:
            scale = focal if orthographic else focal / depth
            column = half + half * ((camera[0] * x + camera[1] * y + camera[2] * z + camera[9]) * scale)
            row = half - half * ((camera[3] * x + camera[4] * y + camera[5] * z + camera[10]) * scale)
            column = np.floor(column * SUBPIXELS + 0.5)
            row = np.floor(row * SUBPIXELS + 0.5)
            if abs(column) <= LIMIT and abs(row) <= LIMIT:
                positions[v, 0] = np.int32(column)
                positions[v, 1] = np.int32(row)
                keys[v] = depth if orthographic else -1.0 / depth
                continue
        positions[v, 0] = OUTSIDE
        positions[v, 1] = OUTSIDE
        keys[v] = 0.0
    return positions, keys


@compiled(inline="always")
@no_type_check
def _edge(ax, ay, bx, by, px, py):
    """Twice the signed area of (a, b, p): positive where p lies on the inner side of a -> b."""
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


@compiled(inline="always")
@no_type_check
def _bias(ax, ay, bx, by):
    """0 for top and left edges, which own their pixel centres; -1 for the others, which do not."""
    return 0 if (by < ay or (by == ay and bx > ax)) else -1


@compiled()
@no_type_check
def _draw(positions, keys, faces, size):
    """Depth keys and triangle ids of the nearest triangle at each pixel centre."""
    nearest = np.full((size, size), np.inf)
    ids = np.full((size, size), -1, np.int32)
    half = SUBPIXELS // 2
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay = np.int64(positions[i, 0]), np.int64(positions[i, 1])
        bx, by = np.int64(positions[j, 0]), np.int64(positions[j, 1])
        cx, cy = np.int64(positions[k, 0]), np.int64(positions[k, 1])
        x_low, y_low = min(ax, bx, cx), min(ay, by, cy)
        if x_low == OUTSIDE:
            continue
        # First and last pixel centres inside the bounding box; most triangles of a dense scan hold none.
        column_0 = max((x_low + half - 1) >> SUBPIXEL_BITS, 0)
        column_1 = min((max(ax, bx, cx) - half) >> SUBPIXEL_BITS, size - 1)
        row_0 = max((y_low + half - 1) >> SUBPIXEL_BITS, 0)
        row_1 = min((max(ay, by, cy) - half) >> SUBPIXEL_BITS, size - 1)
        if column_0 > column_1 or row_0 > row_1:
            continue
        area = _edge(ax, ay, bx, by, cx, cy)
        if area == 0:
            continue
        if area < 0:
            j, k, bx, by, cx, cy, area = k, j, cx, cy, bx, by, -area
        px, py = (column_0 << SUBPIXEL_BITS) + half, (row_0 << SUBPIXEL_BITS) + half
        a_row = _edge(bx, by, cx, cy, px, py)
        b_row = _edge(cx, cy, ax, ay, px, py)
        c_row = _edge(ax, ay, bx, by, px, py)
        a_bias, b_bias, c_bias = _bias(bx, by, cx, cy), _bias(cx, cy, ax, ay), _bias(ax, ay, bx, by)
        a_right, a_down = (by - cy) << SUBPIXEL_BITS, (cx - bx) << SUBPIXEL_BITS
        b_right, b_down = (cy - ay) << SUBPIXEL_BITS, (ax - cx) << SUBPIXEL_BITS
        c_right, c_down = (ay - by) << SUBPIXEL_BITS, (bx - ax) << SUBPIXEL_BITS
        key_a, inverse = keys[i], 1.0 / area
        key_ab, key_ac = (keys[j] - key_a) * inverse, (keys[k] - key_a) * inverse
        for row in range(row_0, row_1 + 1):
            a, b, c = a_row, b_row, c_row
            for column in range(column_0, column_1 + 1):
                if ((a + a_bias) | (b + b_bias) | (c + c_bias)) >= 0:
                    key = key_a + b * key_ab + c * key_ac
                    if key < nearest[row, column]:  # equal keys keep the lower id: ids ascend
                        nearest[row, column] = key
                        ids[row, column] = f
                a, b, c = a + a_right, b + b_right, c + c_right
            a_row, b_row, c_row = a_row + a_down, b_row + b_down, c_row + c_down
    return nearest, ids


@compiled()
@no_type_check
def _resolve(positions, keys, faces, nearest, ids, orthographic):
    """Depth and perspective-correct barycentric coordinates at the pixels that see a triangle."""
    size = ids.shape[0]
    depth = np.full((size, size), np.nan, np.float32)
    barycentric = np.zeros((size, size, 3), np.float32)
    half = SUBPIXELS // 2
    for row in range(size):
        for column in range(size):
            f = ids[row, column]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay = np.int64(positions[i, 0]), np.int64(positions[i, 1])
            bx, by = np.int64(positions[j, 0]), np.int64(positions[j, 1])
            cx, cy = np.int64(positions[k, 0]), np.int64(positions[k, 1])
            px, py = (np.int64(column) << SUBPIXEL_BITS) + half, (np.int64(row) << SUBPIXEL_BITS) + half
            a = np.float64(_edge(bx, by, cx, cy, px, py))
            b = np.float64(_edge(cx, cy, ax, ay, px, py))
            c = np.float64(_edge(ax, ay, bx, by, px, py))
            if orthographic:
                depth[row, column] = nearest[row, column]
            else:
                depth[row, column] = -1.0 / nearest[row, column]
                a, b, c = a * keys[i], b * keys[j], c * keys[k]
            total = a + b + c
            barycentric[row, column, 0] = a / total
            barycentric[row, column, 1] = b / total
            barycentric[row, column, 2] = c / total
    return depth, barycentric
