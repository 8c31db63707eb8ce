"""How the adapters look at folders: level by level, sorted, case of suffixes ignored, links followed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh4d.datasets.problems import DatasetError, Problem, error, note, runs
from mesh4d.io.sources import MissingFileError

HIDDEN = re.compile(r"\.|Thumbs\.db$|desktop\.ini$", re.IGNORECASE)


@dataclass
class Findings:
    """What an adapter has seen so far that belongs to no record."""

    problems: list[Problem] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)


def dataset_folder(root: Path, *names: str) -> Path:
    """The folder below `root` that has one of the names (case ignored), else `root` itself.

    Raises:
        MissingFileError: when `root` is no folder.
    """
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    wanted = {name.casefold() for name in names}
    for path in entries(root):
        if path.is_dir() and path.name.casefold() in wanted:
            return path
    return root


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; the droppings of operating systems are left out."""
    return sorted(path for path in folder.iterdir() if not HIDDEN.match(path.name))


def relative(path: Path, root: Path) -> str:
    """A path as records hold it."""
    return path.relative_to(root).as_posix()


@dataclass(frozen=True)
class Numbered:
    """The files of one folder whose names are a number: suffix -> number -> file."""

    files: dict[str, dict[int, Path]]

    def of(self, *suffixes: str) -> dict[int, Path]:
        """Number -> file, for the first of the suffixes that a number has."""
        found: dict[int, Path] = {}
        for suffix in suffixes:
            for number, path in self.files.get(suffix, {}).items():
                found.setdefault(number, path)
        return dict(sorted(found.items()))


def numbered_files(folder: Path, root: Path, suffixes: Sequence[str], findings: Findings) -> Numbered:
    """Files `<number><suffix>`, any zero padding; one number under two paddings is a contradiction."""
    files: dict[str, dict[int, Path]] = {}
    for path in entries(folder):
        suffix = path.suffix.lower()
        if not re.fullmatch(r"[0-9]{1,9}", path.stem) or suffix not in suffixes or path.is_dir():
            findings.strays.append(relative(path, root))
            continue
        known = files.setdefault(suffix, {})
        other = known.setdefault(int(path.stem), path)
        if other != path:
            findings.problems.append(
                error("contradiction", relative(path, root), f"frame {int(path.stem)} is also {other.name}")
            )
    return Numbered(files)


def gaps(numbers: Iterable[int], place: str) -> list[Problem]:
    """A note on the numbers that are absent between the first and the last."""
    present = sorted(numbers)
    if not present:
        return []
    known = set(present)
    span = present[-1] - present[0] + 1
    if span > 100 * len(present) + 1000:  # a stray number far away is no gap to list
        return [note("missing", place, f"frame numbers leap from {present[0]} to {present[-1]}")]
    absent = [number for number in range(present[0], present[-1]) if number not in known]
    return [note("missing", place, f"{len(absent)} frames: {runs(absent)}")] if absent else []


def absent_frames(kind: str, numbers: Iterable[int], place: str) -> list[Problem]:
    """A note that some frames lack their texture, landmarks, ..."""
    absent = sorted(numbers)
    return [note("missing", place, f"no {kind} for {len(absent)} frames: {runs(absent)}")] if absent else []


def nothing_found(root: Path, expected: str) -> DatasetError:
    """The refusal of a folder that is not the data set at all."""
    found = ", ".join(path.name for path in entries(root)[:8]) or "nothing"
    return DatasetError(str(root), [error("missing", ".", f"expected {expected}; the folder holds {found}")])
