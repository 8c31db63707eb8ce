"""Multiview rendering on the CPU: meshes and sequences to depth, normals, masks and shaded pictures."""

from mesh4d.render.cameras import Camera, CameraRig, Framing, camera_rig, frame_of
from mesh4d.render.contact_sheet import contact_sheet, image_grid
from mesh4d.render.multiview import Views, render_views

__all__ = [
    "Camera",
    "CameraRig",
    "Framing",
    "Views",
    "camera_rig",
    "contact_sheet",
    "frame_of",
    "image_grid",
    "render_views",
]
