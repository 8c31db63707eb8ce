"""pyrender (OpenGL through EGL, so no display): the graphics card, or Mesa's software rasteriser, finds the triangles.

A shader writes each triangle's number as a colour. pip install 'facet4d[pyrender]'; it needs the system's EGL: on
Debian apt-get install libegl1 libgl1-mesa-dri.
"""

import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError
from mesh4d.render.backends.backend import Backend, Drawer, MissingBackendError
from mesh4d.render.backends.surface_points import fragments_of_ids
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import Fragments

SHADERS = Path(__file__).parent / "id_shaders"
MAX_TRIANGLES = (1 << 24) - 1  # three bytes of colour, black for none


def backend() -> Backend:
    """pyrender, when it can be imported and opens a context.

    Raises:
        MissingBackendError: it does not.
    """
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        _renderer()
    except (ImportError, OSError, AttributeError, ValueError) as error:  # PyOpenGL fails in all of these ways
        raise MissingBackendError(
            f"backend 'pyrender': {error}; install it with: pip install 'facet4d[pyrender]' and the system's EGL "
            "(on Debian: apt-get install libegl1 libgl1-mesa-dri)"
        ) from error
    return Backend(_prepare, views_in_parallel=False)


def _pyrender() -> Any:
    return importlib.import_module("pyrender")


@cache
def _renderer() -> Any:
    """The one off-screen renderer of this process (deleting one ends the display for all); it writes numbers."""
    pyrender, programs = _pyrender(), importlib.import_module("pyrender.shader_program")
    renderer = pyrender.OffscreenRenderer(16, 16)
    renderer._renderer._program_cache = programs.ShaderProgramCache(str(SHADERS))  # 0.1.45 has no public way
    return renderer


def _prepare(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Drawer:
    pyrender = _pyrender()
    if len(faces) > MAX_TRIANGLES:
        raise MeshError(f"backend 'pyrender': expected at most {MAX_TRIANGLES} triangles, found {len(faces)}")
    middle = vertices.mean(axis=0) if len(vertices) else np.zeros(3)  # the card computes in float32
    material = pyrender.MetallicRoughnessMaterial(doubleSided=True)
    primitive = pyrender.Primitive(
        positions=(vertices - middle).astype(np.float32), indices=faces.astype(np.uint32), mode=4, material=material
    )
    mesh = pyrender.Mesh([primitive])

    def drawer(camera: Camera, size: int) -> Fragments:
        ids = np.full((size, size), -1, np.int32)
        lens, pose = _lens_and_pose(camera, vertices, middle)
        if len(faces) and lens is not None:
            scene = pyrender.Scene()
            node = scene.add(mesh)
            scene.add(lens, pose=pose)
            flags = pyrender.RenderFlags.SEG | pyrender.RenderFlags.SKIP_CULL_FACES
            renderer = _renderer()
            renderer.viewport_width = renderer.viewport_height = size
            color, _ = renderer.render(scene, flags, {node: (255, 255, 255)})
            ids = color.astype(np.int32) @ np.array([1, 256, 65536], np.int32) - 1
        return fragments_of_ids(vertices, faces, camera, ids)

    return drawer


def _lens_and_pose(
    camera: Camera, vertices: Float[np.ndarray, "V 3"], middle: Float[np.ndarray, "3"]
) -> tuple[Any, Float[np.ndarray, "4 4"]]:
    """pyrender's camera with depth planes close around the mesh, and its pose; None where nothing is before it."""
    pyrender = _pyrender()
    depth = -camera.to_camera(vertices)[:, 2]
    low, high = max(float(depth.min(initial=np.inf)), camera.near), float(depth.max(initial=-np.inf))
    pose = np.eye(4)
    pose[:3, :3] = camera.rotation.T
    pose[:3, 3] = -camera.rotation.T @ camera.translation - middle
    if not high > low:
        return None, pose
    if camera.orthographic:  # any place along the axis shows the same picture
        span = high - low
        pose[:3, 3] -= camera.rotation[2] * (low - span)
        lens = pyrender.OrthographicCamera(1 / camera.focal, 1 / camera.focal, znear=0.999 * span, zfar=2.001 * span)
        return lens, pose
    near = max(camera.near, 0.999 * low)
    lens = pyrender.PerspectiveCamera(2 * np.arctan(1 / camera.focal), znear=near, zfar=1.001 * high, aspectRatio=1.0)
    return lens, pose
