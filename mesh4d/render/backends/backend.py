"""The table of backends, and what each must be able to do."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import Fragments

Drawer = Callable[[Camera, int], Fragments]
"""Camera and picture size to what each pixel sees."""


class MissingBackendError(MeshError):
    """A backend that is not installed, or that lacks a system library; it says what to install."""


@dataclass(frozen=True)
class Backend:
    """One way to find the visible surface."""

    prepare: Callable[[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]], Drawer]
    """Take in a mesh (float64, int32), once for all views of it."""
    views_in_parallel: bool
    """Its drawers may run in several threads at once."""


BACKENDS = {
    "numba": "mesh4d.render.backends.numba_zbuffer",
    "open3d": "mesh4d.render.backends.open3d_rays",
    "pyrender": "mesh4d.render.backends.pyrender_egl",
    "pytorch3d": "mesh4d.render.backends.pytorch3d_raster",
}


def backend_named(name: str) -> Backend:
    """Import a backend.

    Raises:
        MissingBackendError: it is not installed.
        MeshError: there is none of that name.
    """
    if name not in BACKENDS:
        raise MeshError(f"backend must be one of {', '.join(BACKENDS)}, found {name!r}")
    return importlib.import_module(BACKENDS[name]).backend()
