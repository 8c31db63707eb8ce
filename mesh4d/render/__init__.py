"""Multiview rendering: meshes, sequences and data sets to depth, normals, colours, motion and more (`channels`)."""

from mesh4d.render.backends import BACKENDS, MissingBackendError
from mesh4d.render.batch import RenderReport, render_dataset
from mesh4d.render.cameras import Camera, CameraRig, Framing, camera_rig, frame_of
from mesh4d.render.channels import CHANNEL_BANDS
from mesh4d.render.contact_sheet import contact_sheet, image_grid
from mesh4d.render.face_framing import face_frame, face_framing
from mesh4d.render.framing_rule import FramingRule
from mesh4d.render.multiview import Picturing, Views, render_views
from mesh4d.render.shading import LIGHTS, STUDIO, Light, Shading
from mesh4d.render.uv_map import UVMap, uv_map, uv_position_map
from mesh4d.render.view_files import read_views, write_views
from mesh4d.render.view_store import ViewItem, ViewStore, open_views

__all__ = [
    "BACKENDS",
    "CHANNEL_BANDS",
    "LIGHTS",
    "STUDIO",
    "Camera",
    "CameraRig",
    "Framing",
    "FramingRule",
    "Light",
    "MissingBackendError",
    "Picturing",
    "RenderReport",
    "Shading",
    "UVMap",
    "ViewItem",
    "ViewStore",
    "Views",
    "camera_rig",
    "contact_sheet",
    "face_frame",
    "face_framing",
    "frame_of",
    "image_grid",
    "open_views",
    "read_views",
    "render_dataset",
    "render_views",
    "uv_map",
    "uv_position_map",
    "write_views",
]
