"""A CSV file as a header and rows that remember their lines."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshFormatError


@dataclass(frozen=True)
class CsvTable:
    """Column names, stripped of the spaces that some writers put behind commas, and cells as text."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """Where each row stands in the file, for error messages."""
    header_line: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    def texts(self, column: str) -> list[str]:
        """One column's cells."""
        position = self.header.index(column)
        return [row[position] for row in self.rows]

    def numbers(self, columns: Sequence[str], *, blank: bool = False) -> Float[np.ndarray, "T C"]:
        """Columns as numbers.

        Args:
            blank: whether a cell may be empty or nan (a tracker that lost the face); it becomes NaN.

        Raises:
            MeshFormatError: with the line and column of a cell that is no finite number.
        """
        positions = [self.header.index(column) for column in columns]
        values = np.empty((len(self.rows), len(columns)))
        for row, cells in enumerate(self.rows):
            for k, position in enumerate(positions):
                values[row, k] = self._number(row, position, cells[position], blank)
        return values

    def _number(self, row: int, position: int, cell: str, blank: bool) -> float:
        if blank and cell.lower() in ("", "nan"):
            return math.nan
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            place = f"line {self.lines[row]}, column {self.header[position]}"
            raise MeshFormatError(self.path, place, "finite values", repr(cell[:40]))
        return value


def read_table(path: str | PathLike[str]) -> CsvTable:
    """Read a CSV file with a header; empty lines are skipped, all rows are as wide as the header.

    Raises:
        MeshFormatError: for a file that is no such table, with the line.
    """
    path = Path(path)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            for cells in reader:
                if not cells:
                    continue
                if rows and len(cells) != len(rows[0]):
                    found = f"{len(cells)}: {','.join(cells)[:60]!r}"
                    raise MeshFormatError(path, f"line {reader.line_num}", f"{len(rows[0])} cells", found)
                rows.append(tuple(cell.strip() for cell in cells))
                lines.append(reader.line_num)
        except (csv.Error, UnicodeDecodeError) as error:
            place = f"line {reader.line_num + 1}"
            raise MeshFormatError(path, place, "comma separated values in UTF-8", str(error)[:120]) from error
    if len(rows) < 2:
        raise MeshFormatError(path, f"line {len(rows) + 1}", "a header and at least one row", "the end of the file")
    header = rows[0]
    twice = sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise MeshFormatError(path, f"line {lines[0]}", "each column once", f"{', '.join(twice)[:80]!r} twice")
    return CsvTable(path, header, tuple(rows[1:]), tuple(lines[1:]), lines[0])
