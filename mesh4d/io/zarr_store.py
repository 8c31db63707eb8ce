"""MeshSequence as a folder NAME.zarr (Zarr 3): long sequences of which any span of frames is read by itself.

The arrays have the names and kinds of `npz.SHAPES`; format, fps and names stand in the attributes of the group. Chunks
are raw bytes: positions hardly compress, and a chunk that is as large in memory as on disk cannot be a bomb. A store
in which a chunk is missing is refused, where Zarr alone would fill it with zeros.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_folder
from mesh4d.io.npz import SEQUENCE_FORMAT, SHAPES, Arrays, check_axes, check_kind, mesh_arrays, mesh_from_arrays
from mesh4d.io.sources import MissingFileError
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

if TYPE_CHECKING:
    import zarr

CHUNK_BYTES = 4 << 20
"""Frames are packed into chunks of about this size."""
METADATA = "zarr.json"
MAX_METADATA = 1 << 20
TEXTS = ("part_names", "landmark_names")


@dataclass(frozen=True)
class ZarrSequence:
    """A sequence on disk; frames are read when asked for, and none is kept."""

    path: Path
    topology: Mesh
    fps: float
    _frames: "zarr.Array" = field(repr=False)

    def __len__(self) -> int:
        return self._frames.shape[0]

    def __getitem__(self, frame: int) -> Mesh:
        """One frame, from 0; negative numbers count from the end.

        Raises:
            IndexError: no such frame.
            MeshFormatError: the frame holds positions that are not finite.
        """
        number = range(len(self))[frame]
        return self.topology.with_vertices(self.vertices(number, number + 1)[0].astype(np.float64))

    def __iter__(self) -> Iterator[Mesh]:
        step = self._frames.chunks[0]
        for start in range(0, len(self), step):
            for vertices in self.vertices(start, start + step):
                yield self.topology.with_vertices(vertices.astype(np.float64))

    def vertices(self, start: int = 0, stop: int | None = None) -> Float[np.ndarray, "T V 3"]:
        """The positions of frames `start` to `stop` - 1, in the precision of the file.

        Raises:
            MeshFormatError: naming the first frame whose positions are not finite.
        """
        first, end, _ = slice(start, stop).indices(len(self))
        frames = np.asarray(self._frames[first : max(first, end)])
        finite = np.isfinite(frames).all(axis=(1, 2))
        if not finite.all():
            raise MeshFormatError(self.path, f"frame {first + int(np.argmin(finite))}", "finite positions", "others")
        return frames

    def sequence(self, start: int = 0, stop: int | None = None) -> MeshSequence:
        """Frames `start` to `stop` - 1 in memory."""
        return MeshSequence(self.topology, self.vertices(start, stop), self.fps)


def read_zarr_sequence(path: str | PathLike[str]) -> MeshSequence:
    """Read a whole sequence written by `write_zarr_sequence`; frames keep the precision they were written with.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: naming the array.
    """
    return open_zarr_sequence(path).sequence()


def open_zarr_sequence(path: str | PathLike[str]) -> ZarrSequence:
    """Open a sequence and read its topology alone.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: another layout, an array of another kind or shape, a missing or oversized chunk.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path}: no such folder")
    _check_files(path)
    attributes, stored = _open(path)
    if attributes.get("format") != SEQUENCE_FORMAT:
        raise MeshFormatError(path, "format", repr(SEQUENCE_FORMAT), repr(attributes.get("format"))[:80])
    for name, array in stored.items():
        check_kind(path, name, SHAPES[name], array.shape, array.dtype)
        _check_chunks(path, name, array)
    if "frames" not in stored:
        raise MeshFormatError(path, "group", "an array frames", f"only {sorted(stored)}")
    texts = {name: _texts(path, name, attributes[name]) for name in TEXTS if name in attributes}
    check_axes(path, {name: array.shape for name, array in [*stored.items(), *texts.items()]}, SHAPES)
    arrays: Arrays = {name: np.asarray(array[...]) for name, array in stored.items() if name != "frames"} | texts
    topology = mesh_from_arrays(str(path), arrays)
    fps = attributes.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < math.inf:
        raise MeshFormatError(path, "fps", "a positive number", repr(fps)[:80])
    if stored["frames"].shape[1] != topology.n_vertices:
        raise MeshFormatError(path, "frames", f"{topology.n_vertices} vertices", f"shape {stored['frames'].shape}")
    return ZarrSequence(path, topology, float(fps), stored["frames"])


def write_zarr_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write all fields of a sequence; the folder appears whole or not at all, in place of an older store.

    Raises:
        MeshError: a file, or a folder that is no Zarr store, has that name.
    """
    import zarr
    from zarr.storage import LocalStore

    path = Path(path)
    if path.exists() and not (path / METADATA).is_file():
        raise MeshError(f"{path}: something that is no Zarr store has this name, and is left as it is")
    arrays = {**mesh_arrays(sequence.topology), "frames": sequence.frames}
    attributes = {"format": SEQUENCE_FORMAT, "fps": float(sequence.fps)}
    attributes |= {name: arrays.pop(name).tolist() for name in TEXTS if name in arrays}
    with atomic_folder(path) as folder:
        store = LocalStore(folder)
        group = zarr.create_group(store, zarr_format=3, attributes=attributes)
        for name, values in arrays.items():
            frame_bytes = max(1, values[:1].nbytes)
            rows = max(1, CHUNK_BYTES // frame_bytes) if name == "frames" else len(values)
            chunks = tuple(max(1, size) for size in (min(rows, len(values)), *values.shape[1:]))
            stored = group.create_array(
                name, shape=values.shape, chunks=chunks, dtype=values.dtype, compressors=None, filters=None,
                config={"write_empty_chunks": True},
            )  # fmt: skip
            for start in range(0, len(values), chunks[0]):
                stored[start : start + chunks[0]] = values[start : start + chunks[0]]


def _check_files(path: Path) -> None:
    """Refuse what is no store, links that lead out of it, and metadata that would take long to read."""
    if not (path / METADATA).is_file():
        raise MeshFormatError(path, "path", f"a folder with {METADATA}", "none")
    for item in path.rglob("*"):
        if item.is_symlink():
            raise MeshFormatError(path, str(item.relative_to(path)), "no links", "a link")
        if item.name == METADATA and item.stat().st_size > MAX_METADATA:
            raise MeshFormatError(path, str(item.relative_to(path)), f"at most {MAX_METADATA} bytes", "more")


def _open(path: Path) -> tuple[dict[str, object], "dict[str, zarr.Array]"]:
    """The attributes of the store and its arrays of known names; none is read yet."""
    import zarr
    from zarr.errors import BaseZarrError
    from zarr.storage import LocalStore

    broken = (
        ValueError, TypeError, LookupError, AttributeError, OSError, ArithmeticError, RuntimeError,
        BaseZarrError, json.JSONDecodeError, NotImplementedError,
    )  # fmt: skip
    place = METADATA
    stored: dict[str, zarr.Array] = {}
    try:
        group = zarr.open_group(LocalStore(path, read_only=True), mode="r", zarr_format=3, use_consolidated=False)
        for place in SHAPES:
            if (path / place / METADATA).is_file():
                array = group[place]
                if not isinstance(array, zarr.Array):
                    raise TypeError("a group")
                if min(array.chunks, default=1) < 1 or array.dtype.hasobject:
                    raise ValueError(f"chunks of shape {array.chunks} of {array.dtype}")
                stored[place] = array
        return dict(group.attrs), stored
    except broken as error:
        raise MeshFormatError(path, place, "Zarr 3 metadata", str(error)[:200] or type(error).__name__) from error


def _check_chunks(path: Path, name: str, array: "zarr.Array") -> None:
    """Every chunk must be there, as raw bytes of its full size: so no array is larger than its files."""
    codecs = [codec.to_dict()["name"] for codec in getattr(array.metadata, "codecs", ())]
    if codecs != ["bytes"]:
        raise MeshFormatError(path, name, "chunks of raw bytes", f"codecs {codecs}"[:200])
    size = math.prod(array.chunks) * array.dtype.itemsize
    grid = [-(-length // chunk) for length, chunk in zip(array.shape, array.chunks, strict=True)]
    files = sum(1 for item in (path / name).rglob("*") if item.is_file()) - 1
    if files < math.prod(grid):  # first, so that the loop is no longer than the folder
        raise MeshFormatError(path, name, f"{math.prod(grid)} chunks", f"{files} files")
    for place in np.ndindex(*grid):
        file = path / name / array.metadata.encode_chunk_key(place)
        found = file.stat().st_size if file.is_file() else "no file"
        if found != size:
            raise MeshFormatError(path, str(file.relative_to(path)), f"a chunk of {size} bytes", str(found))


def _texts(path: Path, name: str, value: object) -> np.ndarray:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise MeshFormatError(path, name, "a list of texts", repr(value)[:80])
    return np.array(value, dtype=np.str_)
