"""What is taken from each mesh of a run (pictures, landmarks, unit weights), kept on disk: taken once, by any number
of processes, and again only when a file or a setting changed.

A shard per clip, `NAME-<settings>/<files>.npz`, where <files> is a hash of the meshes' paths, sizes and times: written
when the clip is done, whole or not at all, so that a run that was killed goes on where it stood. A mesh that cannot be
read, or that is refused, has its reason in the shard.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from facet_vlm.evaluation.frames import Clip, FramePlan
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import read_mesh
from mesh4d.io.atomic import atomic_write
from mesh4d.io.npz import read_arrays
from mesh4d.io.sources import read_bytes
from mesh4d.mesh import Mesh
from mesh4d.scale_out import run_items

LONGEST_REASON = 300


@runtime_checkable
class Reading(Protocol):
    """Something that is taken from a mesh; picklable."""

    @property
    def name(self) -> str:
        """Of the folder."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the result, ready for JSON."""
        ...

    @property
    def layout(self) -> str:
        """Kind of number and axes of one clip's values, as in `mesh4d.io.npz.SHAPES`."""
        ...

    def of_clip(self, is_sequence: bool) -> Callable[[Mesh], np.ndarray]:
        """A function that takes it from the meshes of one clip, called in their order."""
        ...


@dataclass(frozen=True)
class Shard:
    """What was taken from one clip."""

    values: Shaped[np.ndarray, "F ..."]
    """Zero where a mesh failed."""
    reasons: tuple[str, ...]
    """Why a mesh failed; empty where it did not."""
    digests: tuple[str, ...]
    """SHA-256 of each mesh's file; empty where it could not be read."""


@dataclass(frozen=True)
class ReadingStore:
    """The shards of one reading in one folder."""

    folder: Path
    """Of the reading and its settings."""
    reading: Reading

    @classmethod
    def at(cls, cache: Path, reading: Reading) -> "ReadingStore":
        """The store below a cache folder that holds this reading with these settings."""
        settings = json.dumps(dict(reading.settings), sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
        return cls(cache / f"{reading.name}-{digest}", reading)

    def fill(self, plan: FramePlan, workers: int = 1, scheduler: str | None = None) -> int:
        """Take what is missing; how many clips that were.

        Args:
            plan: what to read.
            workers: processes on this machine.
            scheduler: address of a dask scheduler whose workers see the same folders.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / "settings.json", text=True) as file:
            json.dump(dict(self.reading.settings), file, indent=1, sort_keys=True)
        return run_items(
            partial(_take, self),
            plan.clips,
            is_done=lambda clip: self.path_of(clip).is_file(),
            workers=workers,
            scheduler=scheduler,
            label=self.reading.name,
        )

    def shards(self, plan: FramePlan) -> Iterator[Shard]:
        """The clips' shards, one after the other.

        Raises:
            MeshFormatError: a shard that is missing or broken.
        """
        layout = {"values": self.reading.layout, "reasons": "UF", "digests": "UF"}
        for clip in plan.clips:
            path = self.path_of(clip)
            arrays = read_arrays(path, layout)
            missing = sorted(set(layout) - set(arrays))
            if missing or len(arrays["reasons"]) != len(clip.paths):
                raise MeshFormatError(path, "arrays", f"{len(clip.paths)} rows of {', '.join(layout)}", f"no {missing}")
            yield Shard(arrays["values"], tuple(arrays["reasons"].tolist()), tuple(arrays["digests"].tolist()))

    def path_of(self, clip: Clip) -> Path:
        """Where a clip's shard lies; another name when one of its files has changed."""
        parts = [str(clip.is_sequence)]
        for path in clip.paths:
            file = clip.root / path
            state = file.stat() if file.is_file() else None
            parts.append(f"{path}\0{state and (state.st_size, state.st_mtime_ns)}")
        return self.folder / f"{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:24]}.npz"


def read_clip(reading: Reading, clip: Clip) -> Shard:
    """Take a reading from the meshes of a clip."""
    take = reading.of_clip(clip.is_sequence)
    values: list[np.ndarray | None] = []
    reasons, digests = [], []
    for path in clip.paths:
        value, reason, digest = None, "", ""
        try:
            digest = hashlib.sha256(read_bytes(clip.root / path)).hexdigest()
            value = take(read_mesh(clip.root / path))
        except (MeshError, OSError, np.linalg.LinAlgError) as failure:
            reason = (str(failure).replace(f"{clip.root}/", "") or type(failure).__name__)[:LONGEST_REASON]
        values.append(value)
        reasons.append(reason)
        digests.append(digest)
    known = next((value for value in values if value is not None), None)
    empty = _nothing(reading.layout) if known is None else np.zeros_like(known)
    stack = np.stack([empty if value is None else value for value in values])
    return Shard(stack, tuple(reasons), tuple(digests))


def _take(store: ReadingStore, clip: Clip) -> None:
    """Read the meshes of a clip and write its shard."""
    found = read_clip(store.reading, clip)
    with atomic_write(store.path_of(clip)) as file:
        np.savez_compressed(file, values=found.values, reasons=np.array(found.reasons), digests=np.array(found.digests))


def _nothing(layout: str) -> np.ndarray:
    """The smallest array of a layout, for a clip of which every mesh failed."""
    kinds = {"f": np.float32, "u": np.uint8}
    return np.zeros([int(axis) if axis.isdigit() else 1 for axis in layout[2:]], kinds[layout[0]])
