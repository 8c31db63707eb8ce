"""Where on a triangle a pixel's ray meets it, for backends that only say which triangle that is."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import Fragments


def fragments_of_ids(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    camera: Camera,
    ids: Int[np.ndarray, "H W"],
) -> Fragments:
    """The seen pixels of a picture of triangle ids (-1 for none).

    A pixel centre that lies just off its triangle, as rounding in a rasteriser can have it, is moved onto it.
    """
    pixels = np.flatnonzero(ids.reshape(-1) >= 0).astype(np.int32)
    triangles = ids.reshape(-1)[pixels].astype(np.int32)
    in_camera = np.ascontiguousarray(camera.to_camera(vertices))
    weights, depth, front = _meet(
        in_camera, faces, pixels, triangles, ids.shape[0], float(camera.focal), bool(camera.orthographic)
    )
    return Fragments(pixels, triangles, weights, depth, front)


@compiled()
@no_type_check
def _meet(points, faces, pixels, triangles, size, focal, orthographic):
    count = pixels.shape[0]
    weights, depth = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    front = np.empty(count, np.bool_)
    w, x, y, d = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for p in range(count):
        across = ((pixels[p] % size + 0.5) * 2.0 / size - 1.0) / focal
        up = -((pixels[p] // size + 0.5) * 2.0 / size - 1.0) / focal
        for n in range(3):
            v = faces[triangles[p], n]
            d[n] = -points[v, 2]
            scale = 1.0 if orthographic else d[n]  # shear the ray onto the axis
            x[n], y[n] = points[v, 0] - across * scale, points[v, 1] - up * scale
        total = 0.0
        for n in range(3):
            m, o = (n + 1) % 3, (n + 2) % 3
            w[n] = x[m] * y[o] - y[m] * x[o]
            total += w[n]
        front[p] = total >= 0
        kept = 0.0
        for n in range(3):
            w[n] = max(w[n] / total, 0.0) if total != 0 else 1.0
            kept += w[n]
        deep = 0.0
        for n in range(3):
            weights[p, n] = w[n] / kept
            deep += w[n] / kept * d[n]
        depth[p] = deep
    return weights, depth, front
