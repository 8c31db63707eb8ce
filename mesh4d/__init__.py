"""mesh4d: face geometry in three dimensions and time."""

from mesh4d.errors import MeshError, MeshFormatError, NoFaceError, SplitError, TopologyError
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.sequence import MeshSequence

__all__ = [
    "Landmarks",
    "Mesh",
    "MeshError",
    "MeshFormatError",
    "MeshSequence",
    "NoFaceError",
    "SplitError",
    "TopologyError",
]
