"""Mesh and MeshSequence as .npz: every field, exactly, in numpy's own container; nothing is ever unpickled.

Keys are the field names of the dataclasses, `landmark_names`, `landmark_points`, `landmark_confidence`, for a
sequence `frames` and `fps`, and `format`, which names the layout and its version.
"""

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from tokenize import TokenError

import numpy as np
from jaxtyping import Shaped

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_write
from mesh4d.io.sources import existing_file, expansion_limit
from mesh4d.io.surface import checked_mesh
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.sequence import MeshSequence

MESH_FORMAT, SEQUENCE_FORMAT = "mesh4d.Mesh 1", "mesh4d.MeshSequence 1"
SHAPES = {
    "vertices": "fV3", "faces": "iF3", "polygon_of_face": "iF", "uv": "f*2", "uv_faces": "iF3", "texture": "u***",
    "colors": "fV*", "part_of_face": "iF", "part_names": "U*", "landmark_names": "UL", "landmark_points": "fL3",
    "landmark_confidence": "fL", "frames": "f*V3", "fps": "f", "format": "U",
}  # fmt: skip
"""Kind of number (f float, i integer, u byte, U text) and axes of each array: a digit is that length, a letter the
same length in all arrays that have it, * any length."""

Arrays = dict[str, Shaped[np.ndarray, "..."]]


def read_npz_mesh(path: str | PathLike[str]) -> Mesh:
    """Read a mesh written by `write_npz_mesh`.

    Raises:
        MeshFormatError: a broken or oversized archive, a missing field, a field of another shape.
    """
    arrays = read_arrays(path)
    _expect_format(path, arrays, MESH_FORMAT)
    return mesh_from_arrays(str(path), arrays)


def write_npz_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write all fields of a mesh."""
    _write_arrays(path, {"format": np.array(MESH_FORMAT), **mesh_arrays(mesh)})


def read_npz_sequence(path: str | PathLike[str]) -> MeshSequence:
    """Read a sequence written by `write_npz_sequence`; frames keep the precision they were written with.

    Raises:
        MeshFormatError: a broken or oversized archive, a missing field, a field of another shape.
    """
    arrays = read_arrays(path)
    _expect_format(path, arrays, SEQUENCE_FORMAT)
    topology = mesh_from_arrays(str(path), arrays)
    frames, fps = (_required(path, arrays, name) for name in ("frames", "fps"))
    if not np.isfinite(frames).all():
        raise MeshFormatError(path, "frames", "finite numbers", "others")
    try:
        return MeshSequence(topology, frames, float(fps))
    except MeshError as error:
        raise MeshFormatError(path, "sequence", "a consistent sequence", str(error)) from error


def write_npz_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write all fields of a sequence, frames in their own precision."""
    arrays = {"format": np.array(SEQUENCE_FORMAT), **mesh_arrays(sequence.topology)}
    _write_arrays(path, arrays | {"frames": sequence.frames, "fps": np.array(float(sequence.fps))})


def mesh_arrays(mesh: Mesh) -> Arrays:
    """The fields of a mesh that are set, by name."""
    arrays: Arrays = {}
    for name in ("vertices", "faces", "polygon_of_face", "uv", "uv_faces", "texture", "colors", "part_of_face"):
        value = getattr(mesh, name)
        if value is not None:
            arrays[name] = value
    if mesh.part_names:
        arrays["part_names"] = np.array(mesh.part_names)
    if mesh.landmarks is not None:
        arrays["landmark_names"] = np.array(mesh.landmarks.names, dtype=np.str_)
        arrays["landmark_points"] = mesh.landmarks.points
        if mesh.landmarks.confidence is not None:
            arrays["landmark_confidence"] = mesh.landmarks.confidence
    return arrays


def mesh_from_arrays(source: str, arrays: Arrays) -> Mesh:
    """The mesh among the arrays of a file.

    Raises:
        MeshFormatError: a field that is missing or contradicts another one.
    """
    mesh = checked_mesh(
        source,
        _required(source, arrays, "vertices"),
        _required(source, arrays, "faces"),
        polygon_of_face=arrays.get("polygon_of_face"),
        uv=arrays.get("uv"),
        uv_faces=arrays.get("uv_faces"),
        texture=arrays.get("texture"),
        colors=arrays.get("colors"),
        part_of_face=arrays.get("part_of_face"),
        part_names=tuple(arrays["part_names"].tolist()) if "part_names" in arrays else (),
    )
    if "landmark_names" not in arrays:
        return mesh
    names = tuple(arrays["landmark_names"].tolist())
    points = _required(source, arrays, "landmark_points")
    confidence = arrays.get("landmark_confidence")
    for rows in (points, confidence):
        if rows is not None and not np.isfinite(rows).all():
            raise MeshFormatError(source, "landmarks", "finite numbers", "others")
    return dataclasses.replace(mesh, landmarks=Landmarks(names, points, confidence))


def _required(source: str | PathLike[str], arrays: Arrays, name: str) -> Shaped[np.ndarray, "..."]:
    if name not in arrays:
        raise MeshFormatError(source, "archive", f"an array {name}", f"only {sorted(arrays)}")
    return arrays[name]


def _expect_format(source: str | PathLike[str], arrays: Arrays, expected: str) -> None:
    found = str(_required(source, arrays, "format"))
    if found != expected:
        hint = {MESH_FORMAT: " (read_mesh reads it)", SEQUENCE_FORMAT: " (read_sequence reads it)"}.get(found, "")
        raise MeshFormatError(source, "format", repr(expected), repr(found[:80]) + hint)


def _write_arrays(path: str | PathLike[str], arrays: Arrays) -> None:
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: str | PathLike[str], shapes: dict[str, str] | None = None) -> Arrays:
    """The arrays of an .npz file, after checking what they claim against what the file can hold.

    Args:
        path: the file.
        shapes: kind and axes of the arrays to read (see SHAPES); others in the file are skipped.

    Raises:
        MeshFormatError: a broken archive, arrays that together outgrow `expansion_limit`, another kind or shape.
    """
    path = existing_file(path)
    shapes = SHAPES if shapes is None else shapes
    limit = expansion_limit(path.stat().st_size)
    broken = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, SyntaxError, TokenError)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.removesuffix(".npy") in shapes]
            if sum(member.file_size for member in members) > limit:
                raise MeshFormatError(path, "archive", f"at most {limit} bytes of arrays", "more")
            arrays = {
                name: _array(path, archive.read(member), name, shapes[name])
                for member in members
                if (name := member.filename.removesuffix(".npy"))
            }
    except MeshFormatError:
        raise
    except broken as error:
        raise MeshFormatError(path, "archive", "a valid .npz file", str(error) or type(error).__name__) from error
    check_axes(path, {name: array.shape for name, array in arrays.items()}, shapes)
    return arrays


def check_kind(path: str | PathLike[str], name: str, expected: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Refuse an array of another kind or shape than `expected` (see SHAPES).

    Raises:
        MeshFormatError: naming the array.
    """
    kinds = {"f": "f", "i": "iu", "u": "u", "U": "U"}[expected[0]]
    axes = expected[1:]
    fits = len(shape) == len(axes) and all(
        axis == "*" or axis.isalpha() or axis == str(size) for axis, size in zip(axes, shape, strict=False)
    )
    if dtype.kind not in kinds or not fits or (expected[0] == "u" and dtype.itemsize != 1) or dtype.hasobject:
        raise MeshFormatError(path, name, f"an array like {expected}", f"{dtype} of shape {shape}")


def check_axes(path: str | PathLike[str], found: Mapping[str, tuple[int, ...]], shapes: dict[str, str]) -> None:
    """Axes of one letter have one length."""
    lengths: dict[str, tuple[int, str]] = {}
    for name, shape in found.items():
        for axis, size in zip(shapes[name][1:], shape, strict=True):
            if axis.isalpha():
                expected, first = lengths.setdefault(axis, (size, name))
                if size != expected:
                    raise MeshFormatError(path, name, f"{expected} rows, as {first} has", f"shape {shape}")


def _array(path: Path, content: bytes, name: str, expected: str) -> Shaped[np.ndarray, "..."]:
    """One .npy member. Shape and dtype are checked before numpy would allocate what they claim."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise MeshFormatError(path, name, "npy version 1 or 2", str(version))
    shape, fortran_order, dtype = read_header[version](stream)
    check_kind(path, name, expected, shape, dtype)
    count = 1
    for size in shape:
        count *= size
    if count < 0 or count * dtype.itemsize != len(content) - stream.tell():
        raise MeshFormatError(path, name, f"{len(content) - stream.tell()} bytes of {dtype}", f"shape {shape}")
    array = np.frombuffer(content, dtype, count, stream.tell()).reshape(shape, order="F" if fortran_order else "C")
    if dtype.kind == "U":
        array.tolist()  # refuses numbers that are no characters
    return array.astype(dtype.newbyteorder("="), order="C")
