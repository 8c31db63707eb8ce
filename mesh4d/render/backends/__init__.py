"""What can find the visible surface: one module each, all with the same cameras and the same rule for pixel centres.

A backend says which triangle each pixel centre sees, where on the triangle, and how far away; `render.channels` makes
the pictures from that. So channels mean the same and have the same units whatever the backend.
"""

from mesh4d.render.backends.backend import BACKENDS, Backend, Drawer, MissingBackendError, backend_named

__all__ = ["BACKENDS", "Backend", "Drawer", "MissingBackendError", "backend_named"]
