"""One table from file suffix to reader and writer; the four calls that all users make."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeVar

from mesh4d.errors import MeshFormatError
from mesh4d.io.bnt import read_bnt
from mesh4d.io.gltf import read_gltf_mesh, read_gltf_sequence, write_gltf_mesh, write_gltf_sequence
from mesh4d.io.npz import read_npz_mesh, read_npz_sequence, write_npz_mesh, write_npz_sequence
from mesh4d.io.obj import read_obj, write_obj
from mesh4d.io.off import read_off, write_off
from mesh4d.io.ply import read_ply, write_ply
from mesh4d.io.point_cache import read_mdd, read_pc2, write_mdd, write_pc2
from mesh4d.io.sources import bare_name, existing_file
from mesh4d.io.stl import read_stl, write_stl
from mesh4d.io.usd import read_usd_mesh, read_usd_sequence, write_usd_mesh, write_usd_sequence
from mesh4d.io.wrl import read_wrl
from mesh4d.io.wrl_write import write_wrl
from mesh4d.io.zarr_store import read_zarr_sequence, write_zarr_sequence
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

Source = str | PathLike[str] | bytes | BinaryIO
Result = TypeVar("Result", Mesh, MeshSequence)


@dataclass(frozen=True)
class Format:
    """What can be done with the files of one suffix; None where the format has no such thing."""

    read_mesh: Callable[[Path], Mesh] | None = None
    write_mesh: Callable[[Mesh, Path], None] | None = None
    read_sequence: Callable[[Path], MeshSequence] | None = None
    write_sequence: Callable[[MeshSequence, Path], None] | None = None
    read_cache: Callable[[Path, Mesh], MeshSequence] | None = None
    """Frames of a file that holds positions alone, over a topology from elsewhere."""
    is_folder: bool = False
    """What it reads and writes are folders."""


def _over_mesh_beside(read_cache: Callable[[Path, Mesh], MeshSequence]) -> Callable[[Path], MeshSequence]:
    """The reader of a vertex cache whose mesh lies beside it under the same name."""

    def read(path: Path) -> MeshSequence:
        for suffix, entry in FORMATS.items():
            beside = path.with_name(bare_name(path) + suffix)
            if entry.read_mesh is not None and beside.is_file():
                return read_cache(path, entry.read_mesh(beside))
        name = f"{bare_name(path)}.obj"
        raise MeshFormatError(path, "topology", f"a mesh beside it, such as {name}, or the argument topology", "none")

    return read


_OBJ = Format(read_obj, write_obj)
_PLY = Format(read_ply, write_ply)
_STL = Format(read_stl, write_stl)
_OFF = Format(read_off, write_off)
_WRL = Format(read_wrl, write_wrl)
_BNT = Format(read_bnt)
_GLTF = Format(read_gltf_mesh, write_gltf_mesh, read_gltf_sequence, write_gltf_sequence)
_NPZ = Format(read_npz_mesh, write_npz_mesh, read_npz_sequence, write_npz_sequence)
_USD = Format(read_usd_mesh, write_usd_mesh, read_usd_sequence, write_usd_sequence)
_PC2 = Format(None, None, _over_mesh_beside(read_pc2), write_pc2, read_pc2)
_MDD = Format(None, None, _over_mesh_beside(read_mdd), write_mdd, read_mdd)

FORMATS: dict[str, Format] = {
    ".bnt": _BNT,
    ".bnt.gz": _BNT,
    ".glb": _GLTF,
    ".glb.gz": Format(read_gltf_mesh, None, read_gltf_sequence),
    ".gltf": _GLTF,
    ".mdd": _MDD,
    ".mdd.gz": _MDD,
    ".npz": _NPZ,
    ".obj": _OBJ,
    ".obj.gz": _OBJ,
    ".off": _OFF,
    ".off.gz": _OFF,
    ".pc2": _PC2,
    ".pc2.gz": _PC2,
    ".ply": _PLY,
    ".ply.gz": _PLY,
    ".stl": _STL,
    ".stl.gz": _STL,
    ".usd": _USD,
    ".usda": _USD,
    ".usdc": _USD,
    ".wrl": _WRL,
    ".wrl.gz": _WRL,
    ".zarr": Format(None, None, read_zarr_sequence, write_zarr_sequence, is_folder=True),
}


def read_mesh(source: Source, suffix: str | None = None) -> Mesh:
    """Read one surface: vertices float64 in the file's own order and count, in its own frame and unit.

    Args:
        source: a path, the bytes of a file, or a file opened for reading bytes. Bytes have no folder, so textures and
            buffers that would lie beside the file are not found.
        suffix: the format, such as ".wrl" or ".obj.gz"; needed for bytes.

    Raises:
        MissingFileError: no such file (a MeshError and a FileNotFoundError).
        MeshFormatError: a suffix without a reader, or a file that is not what its format says.
    """
    return _read(source, suffix, lambda path, kind: _capability(path, "read_mesh", kind)(existing_file(path)))


def write_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write one surface in the format of the suffix; the file appears whole or not at all.

    Raises:
        MeshFormatError: a suffix without a writer.
    """
    _capability(path, "write_mesh")(mesh, Path(path))


def read_sequence(source: Source, suffix: str | None = None, *, topology: Mesh | None = None) -> MeshSequence:
    """Read frames over a fixed topology; a .glb with a weights animation is baked to frames.

    Args:
        source: a path, the bytes of a file, a file opened for reading bytes, or a folder with a mesh for each frame
            (all of one topology; FrameFolder reads others, frame by frame), or a .zarr folder.
        suffix: the format, such as ".glb"; needed for bytes.
        topology: the mesh that a vertex cache (.pc2, .mdd) moves; by default the mesh of the same name beside it.

    Raises:
        MissingFileError: no such file (a MeshError and a FileNotFoundError).
        MeshFormatError: a suffix without a reader, or a file that is not what its format says.
        TopologyError: a folder whose frames differ in topology.
    """
    kind = (suffix or (format_suffix(source) if isinstance(source, str | PathLike) else "")).lower()
    is_folder = kind in FORMATS and FORMATS[kind].is_folder
    if isinstance(source, str | PathLike) and Path(source).is_dir() and not is_folder:
        from mesh4d.io.frame_folder import FrameFolder  # which reads each frame by this table

        return FrameFolder.open(source, suffix=suffix).to_sequence()

    def read(path: Path, kind: str | None) -> MeshSequence:
        if topology is not None:
            return _capability(path, "read_cache", kind)(existing_file(path), topology)
        return _capability(path, "read_sequence", kind)(path if is_folder else existing_file(path))

    return _read(source, suffix, read)


def write_sequence(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write frames over a fixed topology in the format of the suffix; without a suffix, a folder of numbered OBJs.

    Raises:
        MeshFormatError: a suffix without a writer.
        MeshError: more frames than the format takes.
    """
    if not Path(path).suffix:
        from mesh4d.io.frame_folder import write_frames

        write_frames(sequence, path)
        return
    _capability(path, "write_sequence")(sequence, Path(path))


def format_suffix(path: str | PathLike[str]) -> str:
    """The suffix that decides the format, in lower case, with .gz where the file is compressed."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _read(source: Source, suffix: str | None, read: Callable[[Path, str | None], Result]) -> Result:
    """Read a path; or bytes, from a folder of their own, so that what they refer to can only be what they hold."""
    if isinstance(source, str | PathLike):
        return read(Path(source), suffix)
    content = source if isinstance(source, bytes) else source.read()
    name = getattr(source, "name", None)
    name = Path(name).name if isinstance(name, str) else "bytes"
    kind = (suffix or format_suffix(name)).lower()
    if kind not in FORMATS:
        raise MeshFormatError(name, "suffix", f"the argument suffix, one of {', '.join(FORMATS)}", repr(kind))
    with tempfile.TemporaryDirectory(prefix="mesh4d-") as folder:
        path = Path(folder) / f"mesh{kind}"
        path.write_bytes(content)
        try:
            return read(path, None)
        except MeshFormatError as error:
            raise MeshFormatError(name, error.place, error.expected, error.found) from error


def _capability(path: str | PathLike[str], name: str, suffix: str | None = None) -> Callable:
    suffix = (suffix or format_suffix(path)).lower()
    action = getattr(FORMATS.get(suffix), name, None)
    if action is None:
        known = ", ".join(known for known, entry in FORMATS.items() if getattr(entry, name) is not None)
        raise MeshFormatError(path, "suffix", f"one that {name} knows ({known})", repr(suffix))
    return action
