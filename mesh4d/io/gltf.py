"""glTF 2.0 (.glb, .gltf): meshes with named morph targets, the format that animators open.

Written files keep the vertex order: every part is a primitive with its own material over one shared set of
vertices. Numbers are stored as they are (float32) and the node's scale says how many metres a unit is, so other
programs show a head in its true size and we read our own numbers back. glTF has triangles only, grouped by
material, and one texture coordinate per vertex: faces are sorted by part, and vertices on a seam are written several
times, with marks by which we read back the vertices and polygons that were written (`mesh4d.io.gltf_split`).
"""

from os import PathLike
from pathlib import Path

import numpy as np

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.baking import assumed_unit_m, baked_sequence
from mesh4d.io.glb import read_document
from mesh4d.io.gltf_material import RGBA
from mesh4d.io.gltf_scene import read_scene
from mesh4d.io.gltf_write import gltf_bytes
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.sources import read_bytes, write_bytes
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

__all__ = [
    "MorphMesh",
    "read_gltf_mesh",
    "read_gltf_sequence",
    "read_morph_mesh",
    "write_gltf_mesh",
    "write_gltf_sequence",
    "write_morph_mesh",
]

MAX_SEQUENCE_FRAMES = 64


def read_morph_mesh(path: str | PathLike[str]) -> MorphMesh:
    """Read all mesh nodes of a file's scene as one mesh with its morph targets and weights animation.

    Vertices of a POSITION accessor keep their order; several follow one another in the order of the nodes. In a
    file of ours the numbers are the ones that were written and `unit_m` is the node's scale; in others node
    transforms are applied and the unit is the metre. Default weights are not applied. Parts are materials
    (nodes, where several have a mesh).

    Raises:
        MeshFormatError: a broken file, or one that needs Draco or meshopt to be decompressed.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found and refused by name
        return read_scene(read_document(read_bytes(path), Path(path)))


def write_morph_mesh(morph: MorphMesh, path: str | PathLike[str], *, colors: dict[str, RGBA] | None = None) -> None:
    """Write .glb (or .gltf with everything inside): sparse targets, names in extras.targetNames, linear weights.

    Args:
        morph: what to write.
        path: ends in .glb or .gltf.
        colors: part -> linear RGBA of its material; parts left out look as `mesh4d.materials` has them.

    Raises:
        MeshError: a mesh without faces, or extras that are not JSON.
    """
    path = Path(path)
    if path.suffix.lower() not in (".glb", ".gltf"):
        raise MeshFormatError(path, "suffix", ".glb or .gltf", repr(path.suffix))
    write_bytes(path, gltf_bytes(morph, colors, binary=path.suffix.lower() == ".glb"))


def read_gltf_mesh(path: str | PathLike[str]) -> Mesh:
    """The neutral mesh of a file."""
    return read_morph_mesh(path).mesh


def write_gltf_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write a mesh without targets; see `assumed_unit_m` for its unit."""
    deltas = np.zeros((0, mesh.n_vertices, 3), np.float32)
    write_morph_mesh(MorphMesh(mesh, (), deltas, unit_m=assumed_unit_m(mesh)), path)


def read_gltf_sequence(path: str | PathLike[str]) -> MeshSequence:
    """The frames of a file's weights animation.

    Evenly spaced keys are the frames; others are sampled at 30 frames a second.

    Raises:
        MeshFormatError: no weights animation, or one whose frames do not fit into 4 GiB.
    """
    return baked_sequence(read_morph_mesh(path), path)


def write_gltf_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write each frame as a morph target that the animation shows for its time.

    Raises:
        MeshError: more than 64 frames: a morph target per frame would be slow everywhere; write .npz.
    """
    count = len(sequence)
    if not 1 <= count <= MAX_SEQUENCE_FRAMES:
        raise MeshError(
            f"{path}: glTF takes 1 to {MAX_SEQUENCE_FRAMES} frames as morph targets, found {count}; write the sequence "
            "as .npz, or an AU rig with its curves by write_morph_mesh"
        )
    deltas = (sequence.frames - sequence.topology.vertices).astype(np.float32)
    names = tuple(f"frame_{number:03d}" for number in range(count))
    times = np.arange(count) / sequence.fps
    unit_m = assumed_unit_m(sequence.topology)
    write_morph_mesh(MorphMesh(sequence.topology, names, deltas, np.eye(count), times, unit_m=unit_m), path)
