"""Mesh files: one module per format, one table from suffix to reader and writer."""

from mesh4d.io.atomic import atomic_write
from mesh4d.io.gltf import MorphMesh, read_morph_mesh, write_morph_mesh
from mesh4d.io.registry import read_mesh, read_sequence, write_mesh, write_sequence

__all__ = [
    "MorphMesh",
    "atomic_write",
    "read_mesh",
    "read_morph_mesh",
    "read_sequence",
    "write_mesh",
    "write_morph_mesh",
    "write_sequence",
]
