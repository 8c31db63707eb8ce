"""USD (.usda text, .usdc binary): meshes, UsdSkel blend shapes with their animation, and point sequences.

Nothing is lost but precision (USD's points are float32): vertex order, polygons, seams and parts come back as they
were. Needs the package usd-core (`pip install 'facet4d[usd]'`).
"""

from os import PathLike
from pathlib import Path

import numpy as np

from mesh4d.io.baking import assumed_unit_m, baked_sequence
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.usd_read import StageReader
from mesh4d.io.usd_stage import save_stage
from mesh4d.io.usd_write import add_frames, stage_of
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence


def read_usd_morph_mesh(path: str | PathLike[str]) -> MorphMesh:
    """The mesh prims of a file as one mesh, with their blend shapes and the animation of the weights.

    World transforms are applied; the up axis is that of the file; `unit_m` is metersPerUnit. In-betweens are
    passed over.

    Raises:
        MissingUsdError: usd-core is not installed.
        MeshFormatError: a broken file, or one that is put together from other files.
    """
    return StageReader(Path(path)).morph_mesh()


def write_usd_morph_mesh(morph: MorphMesh, path: str | PathLike[str]) -> None:
    """Write blend shapes and, where there is one, the animation of their weights (SkelAnimation).

    A texture goes beside it as NAME.png.

    Raises:
        MissingUsdError: usd-core is not installed.
    """
    save_stage(stage_of(morph, Path(path)), path)


def read_usd_mesh(path: str | PathLike[str]) -> Mesh:
    """The neutral mesh of a file."""
    return read_usd_morph_mesh(path).mesh


def write_usd_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write a mesh without blend shapes; see `assumed_unit_m` for its unit."""
    write_usd_morph_mesh(_without_targets(mesh), path)


def read_usd_sequence(path: str | PathLike[str]) -> MeshSequence:
    """The time samples of a file's points, or the frames of its animation of blend shapes.

    Raises:
        MeshFormatError: neither is there, or frames that do not fit into memory.
    """
    reader = StageReader(Path(path))
    found = reader.frames()
    return baked_sequence(reader.morph_mesh(), path) if found is None else MeshSequence(*found)


def write_usd_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write each frame as a time sample of the points."""
    stage = stage_of(_without_targets(sequence.topology), Path(path))
    add_frames(stage, sequence.frames, sequence.fps)
    save_stage(stage, path)


def _without_targets(mesh: Mesh) -> MorphMesh:
    return MorphMesh(mesh, (), np.zeros((0, mesh.n_vertices, 3), np.float32), unit_m=assumed_unit_m(mesh))
