"""Open3D's ray casting (Embree, on the CPU): one ray through each pixel centre, no rasteriser, so an independent check.

pip install 'facet4d[open3d]'; on Debian also apt-get install libusb-1.0-0 libgl1 libgomp1.
"""

import importlib
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mesh4d.render.backends.backend import Backend, Drawer, MissingBackendError
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import Fragments


def backend() -> Backend:
    """Open3D, when it can be imported.

    Raises:
        MissingBackendError: it cannot.
    """
    try:
        importlib.import_module("open3d")
    except (ImportError, OSError) as error:
        raise MissingBackendError(
            f"backend 'open3d': {error}; install it with: pip install 'facet4d[open3d]' "
            "(on Debian also: apt-get install libusb-1.0-0 libgl1 libgomp1)"
        ) from error
    return Backend(_prepare, views_in_parallel=False)  # it uses all cores itself


def _prepare(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Drawer:
    open3d: Any = importlib.import_module("open3d")
    middle = vertices.mean(axis=0) if len(vertices) else np.zeros(3)  # rays are float32: keep numbers small
    scene = open3d.t.geometry.RaycastingScene()
    used = np.ascontiguousarray(vertices - middle, np.float32)
    if len(faces):
        scene.add_triangles(open3d.core.Tensor(used), open3d.core.Tensor(faces.astype(np.uint32)))

    def drawer(camera: Camera, size: int) -> Fragments:
        if not len(faces):
            none = np.empty(0, np.int32)
            return Fragments(none, none, np.empty((0, 3), np.float32), np.empty(0, np.float32), np.empty(0, bool))
        start = _start_depth(camera, vertices)
        rays = pixel_rays(camera, size, start, middle).reshape(-1, 6)
        cast = scene.cast_rays(open3d.core.Tensor(rays.astype(np.float32)))
        distance, ids = cast["t_hit"].numpy(), cast["primitive_ids"].numpy()
        pixels = np.flatnonzero(np.isfinite(distance)).astype(np.int32)
        second, third = cast["primitive_uvs"].numpy()[pixels].T
        weights = np.stack([1 - second - third, second, third], axis=1)
        towards = np.einsum("pc,pc->p", cast["primitive_normals"].numpy()[pixels], rays[pixels, 3:])
        depth = distance[pixels] + np.float32(start)
        return Fragments(pixels, ids[pixels].astype(np.int32), weights, depth, towards <= 0)

    return drawer


def _start_depth(camera: Camera, vertices: Float[np.ndarray, "V 3"]) -> float:
    """Where rays begin: the near plane, or in front of everything for parallel rays without one."""
    if np.isfinite(camera.near):
        return camera.near
    depth = -camera.to_camera(vertices)[:, 2]
    return float(depth.min() - 0.1 * (np.ptp(depth) or 1.0))


def pixel_rays(camera: Camera, size: int, start: float, origin: Float[np.ndarray, "3"]) -> Float[np.ndarray, "H W 6"]:
    """A point and a direction for each pixel centre, in the mesh's frame seen from `origin`.

    The directions have depth 1, so that a ray's parameter is depth past `start`.
    """
    step = (np.arange(size) + 0.5) * 2.0 / size - 1.0
    across, up = np.meshgrid(step / camera.focal, -step / camera.focal)
    ones = np.ones_like(across)
    if camera.orthographic:
        directions = np.stack([0 * ones, 0 * ones, -ones], axis=-1)
        points = np.stack([across, up, -start * ones], axis=-1)
    else:
        directions = np.stack([across, up, -ones], axis=-1)
        points = start * directions
    points = (points - camera.translation) @ camera.rotation - origin
    return np.concatenate([points, directions @ camera.rotation], axis=-1)
