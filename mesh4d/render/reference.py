"""The z-buffer's rules in plain numpy, one triangle at a time: the oracle that the compiled kernel is tested against.

It looks at every pixel centre of a generous window for each triangle, in no clever order, and is slow.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import LIMIT, SUBPIXELS, Raster


def rasterize_reference(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], camera: Camera, size: int = 224
) -> Raster:
    """What `rasterize` draws, slowly."""
    positions, depths = camera.project(np.asarray(vertices, np.float64), size)
    with np.errstate(invalid="ignore"):
        snapped = np.floor(positions * SUBPIXELS + 0.5)
        drawable = (depths > camera.near) & (np.abs(snapped) <= LIMIT).all(axis=1)
    snapped = np.where(drawable[:, None], snapped, 0).astype(np.int64)
    raster = Raster(
        np.full((size, size), np.nan, np.float32),
        np.full((size, size), -1, np.int32),
        np.zeros((size, size, 3), np.float32),
    )
    nearest = np.full((size, size), np.inf)
    for triangle_id, corners in enumerate(faces):
        if drawable[corners].all():
            _draw_triangle(raster, nearest, triangle_id, snapped[corners], depths[corners], camera.orthographic)
    return raster


def _draw_triangle(
    raster: Raster,
    nearest: Float[np.ndarray, "H W"],
    triangle_id: int,
    corners: Int[np.ndarray, "3 2"],
    depths: Float[np.ndarray, "3"],
    orthographic: bool,
) -> None:
    """Draw one triangle into the raster where it is nearer than what `nearest` remembers."""
    area = _edge(corners[0], corners[1], corners[2])
    if area == 0:
        return
    order = np.array([0, 1, 2] if area > 0 else [0, 2, 1])
    p, area = corners[order], abs(area)

    size = len(nearest)
    low = np.clip(p.min(axis=0) // SUBPIXELS - 1, 0, size)
    high = np.clip(p.max(axis=0) // SUBPIXELS + 2, 0, size)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    centres = np.stack([columns, rows], axis=-1) * SUBPIXELS + SUBPIXELS // 2

    # Edge opposite each corner, in the order a, b, c.
    edges = [(p[1], p[2]), (p[2], p[0]), (p[0], p[1])]
    weights = np.stack([_edge(start, end, centres) for start, end in edges])
    inside = np.all([_owns(*edge, weight) for edge, weight in zip(edges, weights, strict=True)], axis=0)

    # Linear on the picture: depth itself for parallel rays, 1/depth (negated, so that smaller is nearer) otherwise.
    keys = depths[order] if orthographic else -1.0 / depths[order]
    inverse = 1.0 / area
    key = keys[0] + weights[1] * ((keys[1] - keys[0]) * inverse) + weights[2] * ((keys[2] - keys[0]) * inverse)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    seen = inside & (key < nearest[window])

    share = weights.astype(np.float64) if orthographic else weights * keys[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.moveaxis(share / share.sum(axis=0), 0, -1)
    barycentric = np.empty_like(share)
    barycentric[..., order] = share
    nearest[window][seen] = key[seen]
    raster.triangle_ids[window][seen] = triangle_id
    raster.depth[window][seen] = key[seen] if orthographic else -1.0 / key[seen]
    raster.barycentric[window][seen] = barycentric[seen]


def _edge(a: Int[np.ndarray, "2"], b: Int[np.ndarray, "2"], p: Int[np.ndarray, "*P 2"]) -> Int[np.ndarray, "*P"]:
    """Twice the signed area of (a, b, p)."""
    return np.asarray((b[0] - a[0]) * (p[..., 1] - a[1]) - (b[1] - a[1]) * (p[..., 0] - a[0]))


def _owns(a: Int[np.ndarray, "2"], b: Int[np.ndarray, "2"], weight: Int[np.ndarray, "*P"]) -> Bool[np.ndarray, "*P"]:
    """Pixel centres inside the edge a -> b, or on it where it is a top edge or a left edge."""
    top = b[1] == a[1] and b[0] > a[0]
    left = b[1] < a[1]
    return weight >= 0 if top or left else weight > 0
