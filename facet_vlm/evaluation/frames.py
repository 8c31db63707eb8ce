"""Which meshes of a data set are looked at: every scan, and chosen frames of each sequence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.folds import Fold
from mesh4d.datasets.record import Record

SCANS_A_CLIP = 16


@dataclass(frozen=True)
class Clip:
    """Meshes that are read in one go: the chosen frames of a sequence, or a handful of scans."""

    root: Path
    paths: tuple[str, ...]
    """Relative to the root."""
    is_sequence: bool
    """One head in motion."""


@dataclass(frozen=True)
class FramePlan:
    """All meshes of a run, each once, and where those of each record are among them."""

    clips: tuple[Clip, ...]
    rows: Mapping[str, tuple[int, ...]]
    """Record (see `record_key`) -> its rows in the clips' meshes, in order of time."""
    seconds: tuple[float, ...]
    """Of every mesh, since its sequence's first frame; 0 for a scan."""

    def __len__(self) -> int:
        return sum(len(clip.paths) for clip in self.clips)


def record_key(record: Record) -> str:
    """A record's name across data sets."""
    return f"{record.dataset}:{record.name}"


def plan_frames(records: Iterable[Record], datasets: Sequence[Dataset], frames: int) -> FramePlan:
    """Which meshes to read for these records.

    Args:
        records: repetitions count once.
        datasets: those that the records come from; their kinds differ.
        frames: of each sequence, evenly spaced from its first to its last; its labelled onset and apex come on top.
    """
    roots = {dataset.kind: dataset.root for dataset in datasets}
    unique = {record_key(record): record for record in records}
    clips: list[Clip] = []
    rows: dict[str, tuple[int, ...]] = {}
    row_of: dict[tuple[str, str], int] = {}
    scans: dict[str, list[str]] = {kind: [] for kind in roots}
    seconds: list[float] = []
    count = 0
    for key, record in unique.items():
        if not record.is_sequence:
            continue
        chosen = chosen_frames(record, frames)
        paths = tuple(record.frames[frame] for frame in chosen)
        seconds += [frame / (record.fps or 1.0) for frame in chosen]
        clips.append(Clip(roots[record.dataset], paths, True))
        rows[key] = tuple(range(count, count + len(paths)))
        row_of |= {(record.dataset, path): row for path, row in zip(paths, rows[key], strict=True)}
        count += len(paths)
    for record in unique.values():
        if not record.is_sequence and (record.dataset, record.frames[0]) not in row_of:
            row_of[record.dataset, record.frames[0]] = -1
            scans[record.dataset].append(record.frames[0])
    for kind, paths in scans.items():
        for start in range(0, len(paths), SCANS_A_CLIP):
            some = tuple(paths[start : start + SCANS_A_CLIP])
            clips.append(Clip(roots[kind], some, False))
            row_of |= {(kind, path): count + place for place, path in enumerate(some)}
            count += len(some)
    for key, record in unique.items():
        rows.setdefault(key, (row_of[record.dataset, record.frames[0]],))
    return FramePlan(tuple(clips), rows, (*seconds, *[0.0] * (count - len(seconds))))


def single_frames(plan: FramePlan, chosen: Mapping[str, int]) -> FramePlan:
    """The plan with one mesh of each record, those of sequences in clips of their own: for what looks at no motion.

    Args:
        plan: of all frames.
        chosen: record -> the row of its mesh in `plan`.
    """
    wanted, place_of = set(chosen.values()), {}
    clips: list[Clip] = []
    seconds: list[float] = []
    row = 0
    for clip in plan.clips:
        rows = range(row, row + len(clip.paths))
        row += len(clip.paths)
        parts = [(clip, rows)]
        if clip.is_sequence:
            parts = [
                (Clip(clip.root, (path,), False), range(at, at + 1))
                for path, at in zip(clip.paths, rows, strict=True)
                if at in wanted
            ]
        for part, kept in parts:
            place_of |= {at: len(seconds) + number for number, at in enumerate(kept)}
            seconds += [plan.seconds[at] for at in kept]
            clips.append(part)
    return FramePlan(tuple(clips), {key: (place_of[at],) for key, at in chosen.items()}, tuple(seconds))


def chosen_frames(record: Record, count: int) -> tuple[int, ...]:
    """Evenly spaced frames of a sequence, with its labelled onset and apex among them."""
    last = len(record.frames) - 1
    spaced = np.linspace(0, last, min(count, last + 1)).round().astype(int).tolist()
    known = [place for place in (record.onset, record.apex) if place is not None]
    return tuple(sorted({*spaced, *known}))


def thinned(folds: Sequence[Fold], every: int) -> list[Fold]:
    """The folds with every so many frames of those records that are frames of a sequence ("F001/T1#12").

    The folds' names say so.
    """
    if every <= 1:
        return list(folds)
    return [
        Fold(f"{fold.name} (frames 0, {every}, {2 * every}, ...)", _kept(fold.train, every), _kept(fold.test, every))
        for fold in folds
    ]


def _kept(records: Sequence[Record], every: int) -> tuple[Record, ...]:
    return tuple(record for record in records if int(record.name.rpartition("#")[2]) % every == 0)
