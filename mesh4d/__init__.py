"""mesh4d: face geometry in three dimensions and time."""

from mesh4d.datasets.registry import open_dataset
from mesh4d.errors import MeshError, MeshFormatError, NoFaceError, SpecError, SplitError, TopologyError
from mesh4d.io import read_mesh, read_sequence, write_mesh, write_sequence
from mesh4d.landmarks import detect_landmarks
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration import Registration, prepared_template, register, register_sequence
from mesh4d.render import Views, open_views, render_views
from mesh4d.sequence import MeshSequence

__all__ = [
    "Landmarks",
    "Mesh",
    "MeshError",
    "MeshFormatError",
    "MeshSequence",
    "NoFaceError",
    "Registration",
    "SpecError",
    "SplitError",
    "TopologyError",
    "Views",
    "detect_landmarks",
    "open_dataset",
    "open_views",
    "prepared_template",
    "read_mesh",
    "read_sequence",
    "register",
    "register_sequence",
    "render_views",
    "write_mesh",
    "write_sequence",
]
