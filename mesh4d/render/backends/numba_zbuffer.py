"""The default: this package's own compiled z-buffer, on the CPU, with no system library."""

import numpy as np
from jaxtyping import Float, Int

from mesh4d.render.backends.backend import Backend, Drawer
from mesh4d.render.rasterize import draw


def backend() -> Backend:
    """Always there."""
    return Backend(_prepare, views_in_parallel=True)


def _prepare(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Drawer:
    return lambda camera, size: draw(vertices, faces, camera, size)
