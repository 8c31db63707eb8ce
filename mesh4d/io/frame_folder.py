"""A folder of meshes, one file per frame: raw 4D scans, each frame with its own topology, read when asked for."""

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np

from mesh4d.errors import MeshFormatError, TopologyError
from mesh4d.io.atomic import atomic_folder
from mesh4d.io.registry import FORMATS, format_suffix, read_mesh, write_mesh
from mesh4d.io.sources import bare_name
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

DEFAULT_FPS = 25.0
"""That of BU-4DFE and BP4D; the files themselves do not say."""
AHEAD = 4
"""Frames kept ready before they are asked for."""


@dataclass(frozen=True)
class FrameFolder:
    """The frames of a folder in the order of their numbers. Frames are read on access, none is kept.

    Iterating reads ahead in a few threads. `numbers` are those in the file names; they need not begin at 0 nor be
    complete (see `missing`).
    """

    folder: Path
    paths: tuple[Path, ...]
    numbers: tuple[int, ...]
    fps: float = DEFAULT_FPS

    @classmethod
    def open(
        cls,
        folder: str | PathLike[str],
        *,
        suffix: str | None = None,
        prefix: str | None = None,
        fps: float = DEFAULT_FPS,
    ) -> "FrameFolder":
        """Find the frames: files `PREFIX<number>SUFFIX`, numbers of any length (099, 100; 0999, 1000).

        Other files are passed over.

        Args:
            folder: where they lie.
            suffix: format of the frames, such as ".wrl"; needed where a folder has several.
            prefix: what stands before the number; needed where names differ in it.
            fps: frames per second.

        Raises:
            MeshFormatError: no folder, no frames, several kinds of frames, one number twice.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise MeshFormatError(folder, "path", "a folder of frames", "a file" if folder.exists() else "nothing")
        found = _numbered_meshes(folder, suffix, prefix)
        if not found:
            wanted = f"{prefix or ''}<number>{suffix or ' with the suffix of a mesh format'}"
            raise MeshFormatError(folder, "folder", f"files {wanted}", "none")
        if len(found) > 1:
            kinds = ", ".join(f"{name}<number>{kind}" for name, kind in sorted(found)[:8])
            raise MeshFormatError(folder, "folder", "one kind of frames (pass suffix or prefix)", kinds)
        ((_, frames),) = found.items()
        frames.sort()
        for (number, path), (following, other) in pairwise(frames):
            if number == following:
                raise MeshFormatError(folder, f"frame {number}", "one file", f"{path.name} and {other.name}")
        return cls(folder, tuple(path for _, path in frames), tuple(number for number, _ in frames), fps)

    @property
    def missing(self) -> tuple[range, ...]:
        """Runs of numbers between the first and the last frame that have no file."""
        return tuple(range(before + 1, after) for before, after in pairwise(self.numbers) if after > before + 1)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, frame: int) -> Mesh:
        """Frame by position, from 0 (`numbers[frame]` is the number in its name).

        Raises:
            MeshFormatError: naming the file of the frame.
        """
        return read_mesh(self.paths[frame])

    def __iter__(self) -> Iterator[Mesh]:
        return self.prefetch()

    def prefetch(self, workers: int | None = None, ahead: int = AHEAD) -> Iterator[Mesh]:
        """All frames in order, read in threads before they are asked for.

        At most `ahead` frames wait in memory. An error in a frame is raised when its turn comes.

        Args:
            workers: threads; one per core, up to 4, by default.
            ahead: frames being read or waiting.
        """
        waiting: deque[Future[Mesh]] = deque()
        pool = ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1), "mesh4d-frames")
        try:
            for path in self.paths:
                waiting.append(pool.submit(read_mesh, path))
                if len(waiting) >= max(ahead, 1):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def to_sequence(self) -> MeshSequence:
        """The frames over the topology of the first.

        Raises:
            TopologyError: a frame has other faces or another number of vertices.
        """
        frames: list[np.ndarray] = []
        topology = None
        for path, mesh in zip(self.paths, self, strict=True):
            topology = topology or mesh
            if mesh.n_vertices != topology.n_vertices or not np.array_equal(mesh.faces, topology.faces):
                raise TopologyError(
                    f"{path} has {mesh.n_vertices} vertices and {mesh.n_faces} faces, and the first frame "
                    f"{topology.n_vertices} and {topology.n_faces} or others: frames of different topologies are "
                    "read one by one (FrameFolder)"
                )
            frames.append(mesh.vertices)
        if topology is None:
            raise TopologyError(f"{self.folder}: no frames")
        return MeshSequence(topology, np.stack(frames), self.fps)


def _numbered_meshes(
    folder: Path, suffix: str | None, prefix: str | None
) -> dict[tuple[str, str], list[tuple[int, Path]]]:
    """Number and path of the frames for each prefix and suffix; a None takes any."""
    found: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    for path in sorted(folder.iterdir()):
        name = re.fullmatch(r"(.*?)([0-9]{1,12})", bare_name(path), re.DOTALL)
        kind = format_suffix(path)
        readable = kind in FORMATS and FORMATS[kind].read_mesh is not None
        if name and readable and suffix in (None, kind) and prefix in (None, name[1]) and path.is_file():
            found.setdefault((name[1], kind), []).append((int(name[2]), path))
    return found


def write_frames(
    frames: Iterable[Mesh], folder: str | PathLike[str], *, suffix: str = ".obj", digits: int = 3, first: int = 0
) -> FrameFolder:
    """Write one file per frame, numbered with leading zeros.

    A folder that is not there appears with all its frames or not at all; in one that is there, each file does.

    Args:
        frames: meshes, or a MeshSequence.
        folder: where to.
        suffix: a mesh format.
        digits: shortest length of the numbers.
        first: number of the first frame.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext(folder) if folder.exists() else atomic_folder(folder) as place:
        for number, mesh in enumerate(frames, first):
            write_mesh(mesh, place / f"{number:0{digits}d}{suffix}")
    return FrameFolder.open(folder, suffix=suffix)
