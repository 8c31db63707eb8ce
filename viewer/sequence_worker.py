"""`python -m viewer.sequence_worker IN OUT NAME RIG [FPS]`: a stranger's sequence becomes the curves that move a rig.

IN is a sequence of any format, a folder of frames, a vertex cache over the rig's own vertices, or an archive of frames.
Frames of other topologies are registered, seconds each. The process bounds its own memory; whoever started it bounds
its time.
"""

import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence
from viewer.head_worker import MEMORY_BYTES, bound_resources, say
from viewer.openings import CACHES

if TYPE_CHECKING:
    from aublend.rig import AURig
    from mesh4d.io.frame_folder import FrameFolder

MOST_FRAMES = 20_000
DIGITS = 5
"""Of the weights that the page gets."""


def main() -> None:
    """Solve one file; exit code 2 when it is no sequence of this head."""
    bound_resources()
    source, target, name, rig = sys.argv[1:5]
    try:
        say(stage="reading")
        Path(target).write_text(json.dumps(solved(Path(source), Path(rig), *map(float, sys.argv[5:6]))))
    except MemoryError:
        say(error=f"{name}: needs more than {MEMORY_BYTES >> 30} GiB of memory")
        raise SystemExit(2) from None
    except (MeshError, OSError) as error:
        said = str(error).replace(source, name).replace(rig, "the head")
        say(error=re.sub(re.escape(f"{Path(source).parent}/") + r"[^/: ]*", name, said))  # no path of this machine
        raise SystemExit(2) from None


def solved(source: Path, rig_file: Path, fps: float | None = None) -> dict[str, object]:
    """The curves of a sequence, as the page reads them.

    Args:
        fps: of frames that lie in files of their own, which do not say.
    """
    from aublend import read_rig
    from aublend.raw_sequences import on_rig
    from aublend.solve import solve
    from viewer.messages import DenseCurves, SolvedCurves

    rig = read_rig(rig_file)
    notes = ["The frames were registered to this head, so small weights are less sure."]
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        frames = _frames(source, rig, Path(folder))
        if not 1 <= len(frames) <= MOST_FRAMES:
            raise MeshFormatError(source, "frames", f"1 to {MOST_FRAMES}", str(len(frames)))
        if fps is not None:
            frames = dataclasses.replace(frames, fps=fps)
        if _is_on(rig, frames):
            notes = []
            observed = frames if isinstance(frames, MeshSequence) else frames.to_sequence()  # type: ignore[union-attr]
        else:
            observed = on_rig(rig, Counted(frames), frames.fps)
        say(stage=f"solving {len(frames)} frames")
        curves = solve(rig, observed)
    rows = tuple(tuple(round(float(weight), DIGITS) for weight in row) for row in curves.weights)
    moving = [column for column in range(len(curves.names)) if any(row[column] for row in rows)]
    dense = DenseCurves(
        tuple(curves.names[column] for column in moving), tuple(tuple(row[column] for column in moving) for row in rows)
    )
    return dataclasses.asdict(SolvedCurves(float(curves.fps), dense, tuple(notes)))


def _frames(source: Path, rig: "AURig", folder: Path) -> "MeshSequence | FrameFolder":
    from mesh4d import read_sequence
    from mesh4d.io.frame_folder import FrameFolder
    from mesh4d.io.registry import FORMATS, format_suffix
    from viewer.frame_archive import ARCHIVE_SUFFIXES, unpack

    suffix = format_suffix(source)
    if source.is_dir() and suffix not in FORMATS:
        return FrameFolder.open(source)
    if suffix in ARCHIVE_SUFFIXES:
        say(stage="unpacking")
        unpack(source, folder)
        files = sorted(folder.iterdir())
        moving = [file for file in files if FORMATS[format_suffix(file)].read_cache is not None]
        if len(moving) == 1:
            has_mesh = len(files) > 1
            return read_sequence(moving[0]) if has_mesh else read_sequence(moving[0], topology=rig.neutral)
        if len(files) == 1:
            return _frames(files[0], rig, folder)
        return FrameFolder.open(folder)
    return read_sequence(source, topology=rig.neutral) if suffix in CACHES else read_sequence(source)


def _is_on(rig: "AURig", frames: "MeshSequence | FrameFolder") -> bool:
    """Whether the frames have the rig's vertices: those of scans have each their own."""
    from aublend.raw_sequences import shares_topology

    return shares_topology(rig, frames[0]) and shares_topology(rig, frames[len(frames) - 1])


class Counted(Sequence[Mesh]):
    """Frames that say which of them is looked at."""

    def __init__(self, frames: "MeshSequence | FrameFolder") -> None:
        self._frames = frames
        self._furthest = 0

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, index: int) -> Mesh: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mesh]: ...
    def __getitem__(self, index: int | slice) -> Mesh | Sequence[Mesh]:
        if isinstance(index, slice):
            return [self[frame] for frame in range(*index.indices(len(self)))]
        if index >= len(self):
            raise IndexError(index)
        self._furthest = max(self._furthest, index)
        say(stage=f"registering frame {index + 1} of {len(self)}")
        return self._frames[index]


if __name__ == "__main__":
    main()
