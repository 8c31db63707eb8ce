"""What `mesh4d-viewer FILE` shows: a rig as it is, or heads and motion that the server works on by itself.

A client names an opening by its number in the server's own list, never by a path.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.glb import read_document
from mesh4d.io.registry import FORMATS, format_suffix
from mesh4d.io.sources import existing_file
from mesh4d.mesh import Mesh
from viewer.messages import OpeningInfo
from viewer.scene import GLB_MAGIC, embedded_head, embedded_seed, glb_of_file, glb_of_mesh, npz_names

CACHES = (".pc2", ".mdd", ".pc2.gz", ".mdd.gz")
SCAN_FPS = 1.0
"""Of a neutral scan and one with an expression, as two frames: a second from the one to the other."""


@dataclass(frozen=True)
class Opening:
    """A head that gets a rig, and what moves it."""

    info: OpeningInfo
    head: Path
    """A mesh of any format, or a sequence, whose first frame is taken."""
    frames: tuple[Path, ...] = ()
    """What is solved to curves of that head: one file that moves, or a mesh a frame; none for a still head."""
    fps: float | None = None


@dataclass(frozen=True)
class Shown:
    """What the page begins with, and what the server can open besides."""

    title: str
    glb: bytes
    seed: int | None = None
    openings: tuple[Opening, ...] = ()
    opens: int | None = None
    """The opening that the page asks for at once."""


def shown(path: str | os.PathLike[str] | None) -> Shown:
    """What a command line names.

    Args:
        path: a rig, a mesh of any format, a sequence (a file or a folder of frames), a data set's folder, or None.

    Raises:
        MeshError: for what is none of these, or cannot be read.
    """
    if path is None:
        return Shown(f"Embedded head {embedded_seed()}", embedded_head(), embedded_seed())
    path = Path(path)
    if path.is_dir() and format_suffix(path) not in FORMATS:
        return _shown_folder(path)
    if not path.is_dir():
        existing_file(path)
        if _is_rig(path):
            return Shown(path.name, glb_of_file(path))
    moves = _moves(path)
    return _begun(Opening(_info(path.name, moves=moves), path, (path,) if moves else ()))


def first_mesh(path: Path) -> Mesh:
    """The surface of a mesh file, or of a sequence's first frame.

    Raises:
        MeshError: for a file that is neither.
    """
    from mesh4d import read_mesh, read_sequence

    return read_sequence(path)[0] if _moves(path) else read_mesh(path)


def _begun(opening: Opening) -> Shown:
    """A page that shows the bare surface until its rig is there."""
    return Shown(opening.info.name, glb_of_mesh(first_mesh(opening.head)), openings=(opening,), opens=0)


def _shown_folder(folder: Path) -> Shown:
    from mesh4d.datasets.synthetic import TABLE
    from mesh4d.io.frame_folder import FrameFolder

    if not (folder / TABLE).is_file():
        try:
            frames = FrameFolder.open(folder)
        except MeshFormatError:  # no frames: a data set, or nothing that we know
            pass
        else:
            return _begun(Opening(_info(folder.name, moves=True), frames.paths[0], frames.paths, frames.fps))
    openings = _openings_of_dataset(folder)
    return Shown(folder.resolve().name, embedded_head(), embedded_seed(), openings)


def _openings_of_dataset(root: Path) -> tuple[Opening, ...]:
    """The records of a data set; a scan with an expression moves the head of the same subject's neutral one."""
    from mesh4d.datasets.problems import DatasetError
    from mesh4d.datasets.registry import detect_kind, open_dataset

    try:
        dataset = open_dataset(detect_kind(root), root, keep_going=True)
    except DatasetError as error:
        raise MeshError(f"{root}: expected a sequence's numbered frames, or a data set\n{error}") from error
    neutral = {
        record.subject: dataset.path_of(record.frames[0])
        for record in reversed(dataset.records)
        if record.expression == "neutral" and not record.is_sequence
    }

    def opening(record) -> Opening:
        paths = tuple(dataset.path_of(frame) for frame in record.frames)
        rest = neutral.get(record.subject)
        still = not record.is_sequence and (rest is None or record.expression == "neutral")
        label = record.expression or record.source_label
        info = OpeningInfo(record.name, record.subject, label, not still)
        if still:
            return Opening(info, paths[0])
        if record.is_sequence:
            return Opening(info, rest or paths[0], paths, record.fps)
        return Opening(info, rest or paths[0], (*(() if rest is None else (rest,)), *paths), SCAN_FPS)

    return tuple(opening(record) for record in dataset)


def _info(name: str, *, moves: bool) -> OpeningInfo:
    return OpeningInfo(name, "", "", moves)


def _is_rig(path: Path) -> bool:
    """Whether a file has shapes of its own to move by, and is shown as it is."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return "deltas.npy" in npz_names(path)
    if suffix != ".glb":
        return False
    content = path.read_bytes()
    if content[:4] != GLB_MAGIC:
        raise MeshFormatError(path, "byte 0", "the magic 'glTF'", repr(content[:4]))
    meshes = read_document(content, path).table("meshes")
    return any(primitive.items("targets") for mesh in meshes for primitive in mesh.items("primitives"))


def _moves(path: Path) -> bool:
    """Whether what is no rig is a sequence."""
    suffix = format_suffix(path)
    if suffix == ".npz":
        return "frames.npy" in npz_names(path)
    if suffix in CACHES or (suffix in FORMATS and FORMATS[suffix].is_folder):
        return True
    if suffix in (".usd", ".usda", ".usdc"):
        from mesh4d import read_sequence

        return len(read_sequence(path)) > 1
    return False


def linked_frames(paths: Sequence[Path], folder: Path) -> Path:
    """A folder inside `folder` that leads to frames lying anywhere, numbered in their order; the files stay there."""
    frames = folder / "frames"
    frames.mkdir()
    for number, path in enumerate(paths):
        (frames / f"{number:06d}{format_suffix(path)}").symlink_to(path.resolve())
    return frames
