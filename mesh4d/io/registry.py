"""One table from file suffix to reader and writer; the four calls that all users make."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from mesh4d.errors import MeshFormatError
from mesh4d.io.gltf import read_gltf_mesh, read_gltf_sequence, write_gltf_mesh, write_gltf_sequence
from mesh4d.io.npz import read_npz_mesh, read_npz_sequence, write_npz_mesh, write_npz_sequence
from mesh4d.io.obj import read_obj, write_obj
from mesh4d.io.ply import read_ply, write_ply
from mesh4d.io.sources import existing_file
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence


@dataclass(frozen=True)
class Format:
    """What can be done with the files of one suffix; None where the format has no such thing."""

    read_mesh: Callable[[Path], Mesh] | None = None
    write_mesh: Callable[[Mesh, Path], None] | None = None
    read_sequence: Callable[[Path], MeshSequence] | None = None
    write_sequence: Callable[[MeshSequence, Path], None] | None = None


_OBJ = Format(read_obj, write_obj)
_PLY = Format(read_ply, write_ply)
_GLTF = Format(read_gltf_mesh, write_gltf_mesh, read_gltf_sequence, write_gltf_sequence)
_NPZ = Format(read_npz_mesh, write_npz_mesh, read_npz_sequence, write_npz_sequence)

FORMATS: dict[str, Format] = {
    ".glb": _GLTF,
    ".gltf": _GLTF,
    ".npz": _NPZ,
    ".obj": _OBJ,
    ".obj.gz": _OBJ,
    ".ply": _PLY,
    ".ply.gz": _PLY,
}


def read_mesh(path: str | PathLike[str]) -> Mesh:
    """Read one surface: vertices float64 in the file's own order and count, in its own frame and unit.

    Raises:
        MissingFileError: no such file (a MeshError and a FileNotFoundError).
        MeshFormatError: a suffix without a reader, or a file that is not what its format says.
    """
    return _capability(path, "read_mesh")(existing_file(path))


def write_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write one surface in the format of the suffix; the file appears whole or not at all.

    Raises:
        MeshFormatError: a suffix without a writer.
    """
    _capability(path, "write_mesh")(mesh, Path(path))


def read_sequence(path: str | PathLike[str]) -> MeshSequence:
    """Read frames over a fixed topology; a .glb with a weights animation is baked to frames.

    Raises:
        MissingFileError: no such file (a MeshError and a FileNotFoundError).
        MeshFormatError: a suffix without a reader, or a file that is not what its format says.
    """
    return _capability(path, "read_sequence")(existing_file(path))


def write_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write frames over a fixed topology in the format of the suffix.

    Raises:
        MeshFormatError: a suffix without a writer.
        MeshError: more frames than the format takes.
    """
    _capability(path, "write_sequence")(sequence, Path(path))


def format_suffix(path: str | PathLike[str]) -> str:
    """The suffix that decides the format, in lower case, with .gz where the file is compressed."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _capability(path: str | PathLike[str], name: str) -> Callable:
    suffix = format_suffix(path)
    action = getattr(FORMATS.get(suffix), name, None)
    if action is None:
        known = ", ".join(known for known, entry in FORMATS.items() if getattr(entry, name) is not None)
        raise MeshFormatError(path, "suffix", f"one that {name} knows ({known})", repr(suffix))
    return action
