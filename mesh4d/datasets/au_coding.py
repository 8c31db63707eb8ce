"""Action units coded frame by frame in CSV files, as BP4D has them. 9 means unknown: it becomes None, never 0."""

import csv
from pathlib import Path

from mesh4d.errors import MeshFormatError
from mesh4d.io.sources import read_bytes

UNKNOWN = 9
MOST_ROWS = 1_000_000
AUCoding = dict[int, float | None]
"""Frame number -> value of one unit."""


def read_occurrence_coding(path: Path) -> dict[str, AUCoding]:
    """Presence (0, 1, None) of each unit: a header row of unit numbers, then frame number and one value per unit.

    Raises:
        MeshFormatError: naming the line.
    """
    rows = _rows(path)
    header = rows[0][1][1:]
    units = [_whole(path, rows[0][0], text.strip().upper().removeprefix("AU"), "a unit's number") for text in header]
    if not units or len(set(units)) != len(units):
        raise MeshFormatError(path, f"line {rows[0][0]}", "different unit numbers", ",".join(header)[:60])
    names = [f"AU{unit}" for unit in units]
    found: dict[str, AUCoding] = {name: {} for name in names}
    for line, cells in rows[1:]:
        if len(cells) != len(names) + 1:
            raise MeshFormatError(path, f"line {line}", f"{len(names) + 1} values", str(len(cells)))
        frame = _frame(path, line, cells[0], found[names[0]])
        for name, text in zip(names, cells[1:], strict=True):
            found[name][frame] = _value(path, line, text, (0, 1))
    return found


def read_intensity_coding(path: Path) -> AUCoding:
    """Intensity (0 to 5, None) of one unit: frame number and value; a header row is passed over.

    Raises:
        MeshFormatError: naming the line.
    """
    rows = _rows(path)
    if not rows[0][1][0].strip().isdecimal():
        rows = rows[1:]
    found: AUCoding = {}
    for line, cells in rows:
        if len(cells) != 2:
            raise MeshFormatError(path, f"line {line}", "frame number and value", str(len(cells)) + " values")
        frame = _frame(path, line, cells[0], found)
        found[frame] = _value(path, line, cells[1], (0, 1, 2, 3, 4, 5))
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of the lines that hold something."""
    data = read_bytes(path)
    if data.count(b"\n") + data.count(b"\r") > MOST_ROWS:
        raise MeshFormatError(path, "file", f"at most {MOST_ROWS} lines", "more")
    lines = data.decode("utf-8-sig", "replace").splitlines()
    try:
        rows = [(number, cells) for number, cells in enumerate(csv.reader(lines), 1) if any(c.strip() for c in cells)]
    except csv.Error as error:
        raise MeshFormatError(path, "file", "comma-separated values", str(error)) from error
    if not rows:
        raise MeshFormatError(path, "file", "coded frames", "nothing")
    return rows


def _frame(path: Path, line: int, text: str, known: AUCoding) -> int:
    frame = _whole(path, line, text.strip(), "a frame number")
    if frame in known:
        raise MeshFormatError(path, f"line {line}", "each frame once", f"frame {frame} again")
    return frame


def _value(path: Path, line: int, text: str, allowed: tuple[int, ...]) -> float | None:
    value = _whole(path, line, text.strip(), "a value")
    if value == UNKNOWN:
        return None
    if value not in allowed:
        raise MeshFormatError(path, f"line {line}", f"one of {allowed} or {UNKNOWN} (unknown)", str(value))
    return float(value)


def _whole(path: Path, line: int, text: str, expected: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise MeshFormatError(path, f"line {line}", expected, repr(text[:40]))
    return int(text)
