"""The z-buffer: which triangle each pixel sees, how far away, and where on the triangle.

Rules, shared with `reference.py`, which states them in plain numpy:

- A vertex's picture position is rounded to 1/4096 pixel; coverage is decided on those integers, exactly, at pixel
  centres, with the top-left rule. So triangles that share an edge neither leave a crack nor draw a pixel twice.
- Both sides of a triangle are drawn: open scans have no inside.
- The nearest triangle wins. What is computed for a triangle starts at its topmost corner, whichever comes first in
  the file, so neither the order of triangles nor that of corners or vertices changes a bit of the depth. Triangles at
  exactly equal depth keep the one drawn first: whole ones by row, then clipped ones by row.
- Perspective is exact: 1/depth is linear on the picture, and barycentric coordinates are divided by it.
- Triangles that cross the near plane are cut there (`clip.py`); those with a corner that is not finite are left out.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.render.cameras import Camera
from mesh4d.render.clip import GUARD_PX, NO_PIECES, clip_triangles, near_depth

SUBPIXEL_BITS = 12
SUBPIXELS = 1 << SUBPIXEL_BITS
OUTSIDE = np.int32(-(1 << 31))  # marks a vertex whose triangles are cut or left out
MAX_SIZE = 16384  # with the guard band, edge products stay below 2^62


@dataclass(frozen=True)
class Fragments:
    """The pixels of one picture that see a surface, row by row, and what they see."""

    pixels: Int[np.ndarray, " P"]
    """row * size + column, ascending, int32."""
    triangles: Int[np.ndarray, " P"]
    """Row of `faces`, int32."""
    weights: Float[np.ndarray, "P 3"]
    """Barycentric coordinates of the surface point seen (perspective-correct), float32."""
    depth: Float[np.ndarray, " P"]
    """Distance along the camera axis in the mesh's unit, float32."""
    front: Bool[np.ndarray, " P"]
    """The triangle's outer side is seen: its corners run counter-clockwise in the picture."""

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class Raster:
    """What one camera sees, as pictures."""

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
    seen = draw(vertices, faces, camera, size)
    raster = Raster(
        np.full((size, size), np.nan, np.float32),
        np.full((size, size), -1, np.int32),
        np.zeros((size, size, 3), np.float32),
    )
    raster.depth.reshape(-1)[seen.pixels] = seen.depth
    raster.triangle_ids.reshape(-1)[seen.pixels] = seen.triangles
    raster.barycentric.reshape(-1, 3)[seen.pixels] = seen.weights
    return raster


def draw(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], camera: Camera, size: int = 224
) -> Fragments:
    """As `rasterize`, as a list of the pixels that see something."""
    if not 1 <= size <= MAX_SIZE:
        raise MeshError(f"size must be 1 to {MAX_SIZE} pixels, found {size}")
    vertices = np.ascontiguousarray(vertices, np.float64)
    triangles = np.ascontiguousarray(faces, np.int32)
    packed = _pack(camera)
    positions, keys, some_outside = _project(vertices, packed, camera.orthographic, float(size))
    pieces = NO_PIECES
    if some_outside:
        pieces = clip_triangles(vertices, triangles, positions, packed, camera.orthographic, float(size), SUBPIXELS)
    nearest, ids = np.full(size * size, np.inf), np.full(size * size, -1, np.int32)
    _draw(positions, keys, triangles, size, nearest, ids, 0)
    if len(pieces.faces):
        _draw(*pieces.triangles(), size, nearest, ids, len(triangles))
    return Fragments(
        *_resolve(
            positions, keys, triangles, pieces.positions, pieces.keys, pieces.faces, pieces.weights,
            size, nearest, ids, camera.orthographic,
        )
    )  # fmt: skip


def _pack(camera: Camera) -> Float[np.ndarray, "14"]:
    near = near_depth(camera.near, camera.orthographic)
    return np.concatenate([camera.rotation.ravel(), camera.translation, [camera.focal, near]]).astype(float)


@compiled()
@no_type_check
def _project(vertices, camera, orthographic, size):
    """Subpixel positions (V,2), depth keys (V,) and whether a vertex lies outside what can be drawn whole.

    The key is the quantity that is linear on the picture, smaller where nearer.
    """
    count = vertices.shape[0]
    positions = np.empty((count, 2), np.int32)
    keys = np.empty(count, np.float64)
    half = 0.5 * size
    focal, near = camera[12], camera[13]
    guard = GUARD_PX / half
    some_outside = False
    for v in range(count):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        depth = -(camera[6] * x + camera[7] * y + camera[8] * z + camera[11])
        right = camera[0] * x + camera[1] * y + camera[2] * z + camera[9]
        up = camera[3] * x + camera[4] * y + camera[5] * z + camera[10]
        reach = guard if orthographic else guard * depth
        # Comparisons are written so that a coordinate that is not a number fails them.
        if depth >= near and abs(focal * right) <= reach and abs(focal * up) <= reach:
            scale = focal if orthographic else focal / depth
            positions[v, 0] = np.int32(np.floor((half + half * (right * scale)) * SUBPIXELS + 0.5))
            positions[v, 1] = np.int32(np.floor((half - half * (up * scale)) * SUBPIXELS + 0.5))
            keys[v] = depth if orthographic else -1.0 / depth
        else:
            some_outside = True
            positions[v, 0] = OUTSIDE
            positions[v, 1] = OUTSIDE
            keys[v] = 0.0
    return positions, keys, some_outside


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
def _draw(positions, keys, faces, size, nearest, ids, first_id):
    """Enter triangles into the depth keys and ids of the nearest triangle at each pixel centre, row after row."""
    half = SUBPIXELS // 2
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay = np.int64(positions[i, 0]), np.int64(positions[i, 1])
        bx, by = np.int64(positions[j, 0]), np.int64(positions[j, 1])
        cx, cy = np.int64(positions[k, 0]), np.int64(positions[k, 1])
        x_low, y_low = min(ax, bx, cx), min(ay, by, cy)
        # First and last pixel centres inside the bounding box; most triangles of a dense scan hold none.
        column_0 = max((x_low + half - 1) >> SUBPIXEL_BITS, 0)
        column_1 = min((max(ax, bx, cx) - half) >> SUBPIXEL_BITS, size - 1)
        row_0 = max((y_low + half - 1) >> SUBPIXEL_BITS, 0)
        row_1 = min((max(ay, by, cy) - half) >> SUBPIXEL_BITS, size - 1)
        if column_0 > column_1 or row_0 > row_1 or x_low == OUTSIDE:
            continue
        area = _edge(ax, ay, bx, by, cx, cy)
        if area == 0:
            continue
        if area < 0:
            j, k, bx, by, cx, cy, area = k, j, cx, cy, bx, by, -area
        # Begin at the topmost corner, the leftmost of equals.
        first, second, third = (ay << 32) + ax, (by << 32) + bx, (cy << 32) + cx
        if second < first or third < first:
            if second < third:
                i, j, k, ax, ay, bx, by, cx, cy = j, k, i, bx, by, cx, cy, ax, ay
            else:
                i, j, k, ax, ay, bx, by, cx, cy = k, i, j, cx, cy, ax, ay, bx, by
        px, py = (column_0 << SUBPIXEL_BITS) + half, (row_0 << SUBPIXEL_BITS) + half
        a_row = _edge(bx, by, cx, cy, px, py) + _bias(bx, by, cx, cy)
        b_bias, c_bias = _bias(cx, cy, ax, ay), _bias(ax, ay, bx, by)
        b_row = _edge(cx, cy, ax, ay, px, py) + b_bias
        c_row = _edge(ax, ay, bx, by, px, py) + c_bias
        a_right, a_down = (by - cy) << SUBPIXEL_BITS, (cx - bx) << SUBPIXEL_BITS
        b_right, b_down = (cy - ay) << SUBPIXEL_BITS, (ax - cx) << SUBPIXEL_BITS
        c_right, c_down = (ay - by) << SUBPIXEL_BITS, (bx - ax) << SUBPIXEL_BITS
        key_a, inverse = keys[i], 1.0 / area
        key_ab, key_ac = (keys[j] - key_a) * inverse, (keys[k] - key_a) * inverse
        for row in range(row_0, row_1 + 1):
            a, b, c = a_row, b_row, c_row
            for p in range(row * size + column_0, row * size + column_1 + 1):
                if (a | b | c) >= 0:
                    key = key_a + (b - b_bias) * key_ab + (c - c_bias) * key_ac
                    if key < nearest[p]:
                        nearest[p] = key
                        ids[p] = first_id + f
                a, b, c = a + a_right, b + b_right, c + c_right
            a_row, b_row, c_row = a_row + a_down, b_row + b_down, c_row + c_down


@compiled(inline="always")
@no_type_check
def _mixture(ax, ay, bx, by, cx, cy, key_a, key_b, key_c, px, py, orthographic):
    """How much each corner counts at (px, py), not scaled to sum 1."""
    a = np.float64(_edge(bx, by, cx, cy, px, py))
    b = np.float64(_edge(cx, cy, ax, ay, px, py))
    c = np.float64(_edge(ax, ay, bx, by, px, py))
    return (a, b, c) if orthographic else (a * key_a, b * key_b, c * key_c)


@compiled()
@no_type_check
def _resolve(
    positions, keys, faces, piece_positions, piece_keys, piece_faces, piece_weights, size, nearest, ids, orthographic
):
    """Pixels that see a triangle, the triangle, perspective-correct barycentric coordinates, depth, side."""
    half = SUBPIXELS // 2
    count = 0
    for p in range(ids.shape[0]):
        count += ids[p] >= 0
    pixels, triangles = np.empty(count, np.int32), np.empty(count, np.int32)
    weights, depth = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    front = np.empty(count, np.bool_)
    q = 0
    for p in range(ids.shape[0]):
        f = ids[p]
        if f < 0:
            continue
        px = (np.int64(p % size) << SUBPIXEL_BITS) + half
        py = (np.int64(p // size) << SUBPIXEL_BITS) + half
        pixels[q] = p
        depth[q] = nearest[p] if orthographic else -1.0 / nearest[p]
        if f < faces.shape[0]:
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            a, b, c = _mixture(
                np.int64(positions[i, 0]), np.int64(positions[i, 1]), np.int64(positions[j, 0]),
                np.int64(positions[j, 1]), np.int64(positions[k, 0]), np.int64(positions[k, 1]),
                keys[i], keys[j], keys[k], px, py, orthographic,
            )  # fmt: skip
        else:
            f -= faces.shape[0]
            at, key, corner = piece_positions[f], piece_keys[f], piece_weights[f]
            u, v, w = _mixture(
                np.int64(at[0, 0]), np.int64(at[0, 1]), np.int64(at[1, 0]), np.int64(at[1, 1]), np.int64(at[2, 0]),
                np.int64(at[2, 1]), key[0], key[1], key[2], px, py, orthographic,
            )  # fmt: skip
            a = u * corner[0, 0] + v * corner[1, 0] + w * corner[2, 0]
            b = u * corner[0, 1] + v * corner[1, 1] + w * corner[2, 1]
            c = u * corner[0, 2] + v * corner[1, 2] + w * corner[2, 2]
            f = piece_faces[f]
        total = a + b + c
        scale = 1.0 / total
        front[q] = total < 0 if orthographic else total > 0  # rows grow downwards, and keys are negative
        triangles[q] = f
        weights[q, 0], weights[q, 1], weights[q, 2] = a * scale, b * scale, c * scale
        q += 1
    return pixels, triangles, weights, depth, front
