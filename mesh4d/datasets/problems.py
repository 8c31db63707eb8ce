"""What indexing a copy of a data set finds amiss, and the error that lists it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mesh4d.errors import MeshError

Severity = Literal["note", "error"]
Trouble = Literal["stray", "missing", "contradiction", "duplicate", "unreadable", "unverified"]
MOST_LISTED = 40


@dataclass(frozen=True)
class Problem:
    """One thing that is not as the layout says.

    A note is tolerated (stray files, absent frames or landmarks). An error costs a record or makes its label doubtful.
    """

    severity: Severity
    trouble: Trouble
    place: str
    """Path relative to the data set's folder."""
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.trouble}: {self.place}: {self.message}"


class DatasetError(MeshError):
    """A copy of a data set that contradicts itself or lacks what its records need; `problems` has the whole list."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MOST_LISTED]]
        if len(self.problems) > MOST_LISTED:
            lines.append(f"... and {len(self.problems) - MOST_LISTED} more")
        super().__init__(f"{source}: {len(self.problems)} problems\n  " + "\n  ".join(lines))


def note(trouble: Trouble, place: str, message: str) -> Problem:
    """A problem that is tolerated."""
    return Problem("note", trouble, place, message)


def error(trouble: Trouble, place: str, message: str) -> Problem:
    """A problem that costs a record or makes its label doubtful."""
    return Problem("error", trouble, place, message)


def strays(paths: Sequence[str]) -> list[Problem]:
    """One note per folder for files that belong to no record, with the first names."""
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        by_folder.setdefault(folder or ".", []).append(name)
    return [
        note("stray", folder, f"{len(names)} passed over: {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}")
        for folder, names in by_folder.items()
    ]


def runs(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, neighbours joined: '3, 7-9'."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in parts[:12]]
    return ", ".join(shown) + (", ..." if len(parts) > 12 else "")
