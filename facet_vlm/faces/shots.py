"""A few labelled faces of a user's own, for prompt learning: a folder ROOT/LABEL/mesh files, or a data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from tqdm import tqdm

from facet_vlm.faces.views import face_images
from mesh4d.datasets.registry import open_dataset
from mesh4d.errors import MeshError
from mesh4d.io.registry import FORMATS, format_suffix, read_mesh
from mesh4d.mesh import Mesh

FEW = 4
"""So few files need no progress bar."""


@dataclass(frozen=True)
class Shot:
    """One labelled face, read when asked for."""

    name: str
    read: Callable[[], Mesh]


@dataclass(frozen=True)
class Shots:
    """Rendered faces with their labels."""

    labels: tuple[str, ...]
    images: UInt8[np.ndarray, "B N 3 H W"]
    rows: Int[np.ndarray, " B"]
    """The label of each face."""
    names: tuple[str, ...]


def folder_shots(root: str | PathLike[str], most: int | None = None) -> dict[str, list[Shot]]:
    """The mesh files of each sub-folder, in the order of their names.

    Args:
        most: faces per label, at most; None takes all.

    Raises:
        MeshError: fewer than two labels, or a label without a mesh.
    """
    root = Path(root)
    if not root.is_dir():
        raise MeshError(f"{root}: expected a folder with one sub-folder of meshes per label, found no folder")
    found = {
        folder.name: [Shot(f"{folder.name}/{path.name}", partial(read_mesh, path)) for path in _meshes(folder)[:most]]
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }
    return _proved(found, str(root))


def dataset_shots(kind: str, root: str | PathLike[str], most: int | None = None) -> dict[str, list[Shot]]:
    """The first records of each canonical expression of a data set; of a sequence, its apex frame.

    Raises:
        DatasetError: when the folder holds no such data set.
        MeshError: fewer than two expressions.
    """
    dataset = open_dataset(kind, root)
    found: dict[str, list[Shot]] = {}
    for record in dataset:
        if record.expression is not None:
            frame = len(record.frames) // 2 if record.apex is None else record.apex
            shot = Shot(record.name, partial(dataset.read_frame, record, frame))
            found.setdefault(record.expression, []).append(shot)
    return _proved({label: shots[:most] for label, shots in sorted(found.items())}, f"{kind} at {root}")


def render_shots(found: Mapping[str, Sequence[Shot]], rig: str, image_size: int) -> Shots:
    """Read, align and render all faces."""
    pairs = [(row, shot) for row, shots in enumerate(found.values()) for shot in shots]
    bar = tqdm(pairs, desc="reading faces", unit="face", disable=len(pairs) <= FEW)
    images = np.stack([face_images(shot.read(), rig, image_size) for _, shot in bar])
    return Shots(tuple(found), images, np.array([row for row, _ in pairs]), tuple(shot.name for _, shot in pairs))


def _meshes(folder: Path) -> list[Path]:
    """The files that can be read as a mesh."""
    formats = ((path, FORMATS.get(format_suffix(path))) for path in sorted(folder.iterdir()) if path.is_file())
    return [path for path, entry in formats if entry is not None and entry.read_mesh is not None]


def _proved(found: dict[str, list[Shot]], place: str) -> dict[str, list[Shot]]:
    empty = [label for label, shots in found.items() if not shots]
    if empty or len(found) < 2:
        raise MeshError(
            f"{place}: expected at least two labels with meshes each, found {sorted(found)}, empty: {empty}"
        )
    return found
