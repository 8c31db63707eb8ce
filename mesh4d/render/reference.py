"""The z-buffer's rules in plain numpy, one triangle at a time: the oracle that the compiled kernel is tested against.

It looks at every pixel centre of a generous window for each triangle, in no clever order, and is slow.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.render.cameras import Camera
from mesh4d.render.clip import GUARD_PX, near_depth
from mesh4d.render.rasterize import SUBPIXELS, Raster


def rasterize_reference(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], camera: Camera, size: int = 224
) -> Raster:
    """What `rasterize` draws, slowly."""
    in_camera = camera.to_camera(np.asarray(vertices, np.float64)) * [1, 1, -1]  # right, up, depth
    raster = Raster(
        np.full((size, size), np.nan, np.float32),
        np.full((size, size), -1, np.int32),
        np.zeros((size, size, 3), np.float32),
    )
    nearest = np.full((size, size), np.inf)
    planes = _clip_planes(camera, size)
    with np.errstate(invalid="ignore"):
        inside = np.all([_distance(plane, in_camera) >= 0 for plane in planes], axis=0)
    cut: list[tuple[int, list[np.ndarray]]] = []
    for triangle_id, corners in enumerate(faces):
        first = min(range(3), key=lambda n: tuple(vertices[corners[n]]))
        order = [first, (first + 1) % 3, (first + 2) % 3]
        polygon = [np.concatenate([in_camera[corners[n]], np.eye(3)[n]]) for n in order]
        if not np.isfinite(polygon).all():
            continue
        if np.asarray(inside)[corners].all():
            _draw_triangle(raster, nearest, triangle_id, np.array(polygon), camera)
        else:
            cut.append((triangle_id, polygon))
    for triangle_id, polygon in cut:
        for plane in planes:
            polygon = _cut(polygon, plane)
        for second, third in pairwise(polygon[1:]):
            _draw_triangle(raster, nearest, triangle_id, np.array([polygon[0], second, third]), camera)
    return raster


def _clip_planes(camera: Camera, size: int) -> list[np.ndarray]:
    """(right, up, depth, constant) of the near plane and the four sides of the guard band: inside is >= 0."""
    guard, near = GUARD_PX / (0.5 * size), near_depth(camera.near, camera.orthographic)
    planes = [np.array([0, 0, 1.0, -near])] if np.isfinite(near) else []
    along, constant = (0.0, guard) if camera.orthographic else (guard, 0.0)
    for axis in (0, 1):
        for sign in (-1.0, 1.0):
            plane = np.array([0, 0, along, constant])
            plane[axis] = sign * camera.focal
            planes.append(plane)
    return planes


def _distance(plane: Float[np.ndarray, "4"], corners: Float[np.ndarray, "*N K"]) -> Float[np.ndarray, "*N"]:
    right, up, depth = (corners[..., axis] for axis in range(3))
    return np.asarray(plane[2] * depth + plane[3] + (plane[0] * right + plane[1] * up))


def _cut(polygon: list[np.ndarray], plane: Float[np.ndarray, "4"]) -> list[np.ndarray]:
    """The part of a polygon inside a plane; crossings are computed from the inner end."""
    kept: list[np.ndarray] = []
    for here, following in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        inside, inside_next = _distance(plane, here) >= 0, _distance(plane, following) >= 0
        if inside:
            kept.append(here)
        if inside != inside_next:
            start, end = (here, following) if inside else (following, here)
            d, e = _distance(plane, start), _distance(plane, end)
            crossing = start + d / (d - e) * (end - start)
            if not plane[:2].any():
                crossing[2] = -plane[3]
            kept.append(crossing)
    return kept if len(kept) >= 3 else []


def _draw_triangle(
    raster: Raster,
    nearest: Float[np.ndarray, "H W"],
    triangle_id: int,
    polygon: Float[np.ndarray, "3 6"],
    camera: Camera,
) -> None:
    """Draw one triangle, given as (right, up, depth, weights), where it is nearer than what `nearest` remembers."""
    size = len(nearest)
    scale = camera.focal if camera.orthographic else camera.focal / polygon[:, 2]
    half = 0.5 * size
    places = np.stack([half + half * (polygon[:, 0] * scale), half - half * (polygon[:, 1] * scale)], axis=1)
    corners = np.floor(places * SUBPIXELS + 0.5).astype(np.int64)
    area = _edge(corners[0], corners[1], corners[2])
    if area == 0:
        return
    order = np.array([0, 1, 2] if area > 0 else [0, 2, 1])
    topmost = min(range(3), key=lambda n: (corners[order[n], 1], corners[order[n], 0]))
    order = np.roll(order, -topmost)
    p, area = corners[order], abs(area)

    low = np.clip(p.min(axis=0) // SUBPIXELS - 1, 0, size)
    high = np.clip(p.max(axis=0) // SUBPIXELS + 2, 0, size)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    centres = np.stack([columns, rows], axis=-1) * SUBPIXELS + SUBPIXELS // 2

    # Edge opposite each corner, in the order a, b, c.
    edges = [(p[1], p[2]), (p[2], p[0]), (p[0], p[1])]
    weights = np.stack([_edge(start, end, centres) for start, end in edges])
    inside = np.all([_owns(*edge, weight) for edge, weight in zip(edges, weights, strict=True)], axis=0)

    # Linear on the picture: depth itself for parallel rays, 1/depth (negated, so that smaller is nearer) otherwise.
    depths = polygon[order, 2]
    keys = depths if camera.orthographic else -1.0 / depths
    inverse = 1.0 / area
    key = keys[0] + weights[1] * ((keys[1] - keys[0]) * inverse) + weights[2] * ((keys[2] - keys[0]) * inverse)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    seen = inside & (key < nearest[window])

    share = weights.astype(np.float64) if camera.orthographic else weights * keys[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.moveaxis(share / share.sum(axis=0), 0, -1)
    nearest[window][seen] = key[seen]
    raster.triangle_ids[window][seen] = triangle_id
    raster.depth[window][seen] = key[seen] if camera.orthographic else -1.0 / key[seen]
    raster.barycentric[window][seen] = (share @ polygon[order, 3:])[seen]


def _edge(a: Int[np.ndarray, "2"], b: Int[np.ndarray, "2"], p: Int[np.ndarray, "*P 2"]) -> Int[np.ndarray, "*P"]:
    """Twice the signed area of (a, b, p)."""
    return np.asarray((b[0] - a[0]) * (p[..., 1] - a[1]) - (b[1] - a[1]) * (p[..., 0] - a[0]))


def _owns(a: Int[np.ndarray, "2"], b: Int[np.ndarray, "2"], weight: Int[np.ndarray, "*P"]) -> Bool[np.ndarray, "*P"]:
    """Pixel centres inside the edge a -> b, or on it where it is a top edge or a left edge."""
    top = b[1] == a[1] and b[0] > a[0]
    left = b[1] < a[1]
    return weight >= 0 if top or left else weight > 0
