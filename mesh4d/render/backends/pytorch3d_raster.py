"""PyTorch3D's rasteriser (CUDA where there is one). No wheel exists for Python 3.11: it is built from source.

Written against the documented interface of `pytorch3d.renderer.mesh.rasterize_meshes`: screen x grows to the left and
y upwards, both from -1 to 1, z is depth; pixel centres lie half a pixel inside the picture, as ours do.
"""

import importlib
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mesh4d.render.backends.backend import Backend, Drawer, MissingBackendError
from mesh4d.render.backends.surface_points import fragments_of_ids
from mesh4d.render.cameras import Camera
from mesh4d.render.clip import near_depth
from mesh4d.render.rasterize import Fragments


def backend() -> Backend:
    """PyTorch3D, when it can be imported.

    Raises:
        MissingBackendError: it cannot.
    """
    try:
        importlib.import_module("pytorch3d")
    except (ImportError, OSError) as error:
        raise MissingBackendError(
            f"backend 'pytorch3d': {error}; build it for your torch and CUDA: "
            "https://github.com/facebookresearch/pytorch3d/blob/main/INSTALL.md"
        ) from error
    return Backend(_prepare, views_in_parallel=False)


def screen_vertices(vertices: Float[np.ndarray, "V 3"], camera: Camera) -> Float[np.ndarray, "V 3"]:
    """Vertices as PyTorch3D's rasteriser wants them: x to the left, y up, both -1 to 1 on the picture; z is depth."""
    in_camera = camera.to_camera(vertices)
    depth = -in_camera[:, 2]
    divisor = np.ones_like(depth) if camera.orthographic else np.where(np.abs(depth) < 1e-12, 1e-12, depth)
    flat = camera.focal * in_camera[:, :2] / divisor[:, None] * [-1, 1]
    return np.column_stack([flat, depth])


def _prepare(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Drawer:
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rasterizer: Any = importlib.import_module("pytorch3d.renderer.mesh.rasterize_meshes")
    structures: Any = importlib.import_module("pytorch3d.structures")
    corners = torch.from_numpy(faces.astype(np.int64)).to(device)

    def drawer(camera: Camera, size: int) -> Fragments:
        screen = torch.from_numpy(screen_vertices(vertices, camera).astype(np.float32)).to(device)
        near = near_depth(camera.near, camera.orthographic)
        found = rasterizer.rasterize_meshes(
            structures.Meshes([screen], [corners]),
            image_size=size,
            blur_radius=0.0,
            faces_per_pixel=1,
            perspective_correct=not camera.orthographic,
            cull_backfaces=False,
            z_clip_value=near if np.isfinite(near) else None,
        )
        ids = found[0][0, ..., 0].cpu().numpy().astype(np.int32)
        return fragments_of_ids(vertices, faces, camera, ids)

    return drawer
