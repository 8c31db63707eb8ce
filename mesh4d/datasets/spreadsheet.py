"""Label tables: .xlsx (first sheet) and .csv as rows of text under named columns."""

import csv
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh4d.errors import MeshFormatError
from mesh4d.io.sources import expansion_limit, read_bytes

MOST_ROWS = 100_000
MOST_COLUMNS = 500
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
    SyntaxError,  # what the XML parser raises
    RuntimeError,  # encrypted, or compressed in a way that is not implemented
    KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, StopIteration,
)  # fmt: skip
"""What zipfile, the XML parser and openpyxl raise on damaged workbooks, as fuzzing found."""


@dataclass(frozen=True)
class Row:
    """One row below the header."""

    number: int
    """In the file, from 1; the header is the first that is not empty."""
    cells: dict[str, str]
    """Column name -> text without spaces around it; "" where the cell is empty or absent."""


def read_spreadsheet(path: Path, columns: Sequence[str]) -> list[Row]:
    """The named columns of a table; column names are compared without case and surrounding spaces.

    Raises:
        MeshFormatError: another format, or a column that is absent.
    """
    rows = _xlsx_rows(path) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    filled = [(number, cells) for number, cells in enumerate(rows, 1) if any(cells)]
    if not filled:
        raise MeshFormatError(path, "file", "a header row", "nothing")
    header = [text.casefold() for text in filled[0][1]]
    absent = [name for name in columns if name.casefold() not in header]
    if absent:
        raise MeshFormatError(path, f"row {filled[0][0]}", f"columns {', '.join(absent)}", ", ".join(header)[:120])
    place = {name: header.index(name.casefold()) for name in columns}
    return [
        Row(number, {name: cells[at] if at < len(cells) else "" for name, at in place.items()})
        for number, cells in filled[1:]
    ]


def _csv_rows(path: Path) -> list[list[str]]:
    lines = read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    if len(lines) > MOST_ROWS:
        raise MeshFormatError(path, "file", f"at most {MOST_ROWS} rows", str(len(lines)))
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines)]
    except csv.Error as error:
        raise MeshFormatError(path, "file", "comma-separated values", str(error)) from error


def _xlsx_rows(path: Path) -> list[list[str]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    data = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            grown = sum(entry.file_size for entry in archive.infolist())
        if grown > expansion_limit(len(data)):
            raise MeshFormatError(path, "archive", f"at most {expansion_limit(len(data))} bytes", str(grown))
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        cells = sheet.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS, values_only=True)
        return [[_text(value) for value in row] for row in _until_empty(cells)]
    except MeshFormatError:
        raise
    except (*BROKEN, InvalidFileException) as error:
        raise MeshFormatError(path, "file", "an .xlsx workbook", str(error)[:120]) from error


def _until_empty(rows: Iterable[tuple], patience: int = 100) -> Iterable[tuple]:
    """Rows up to the last filled one; a sheet may claim a million empty ones."""
    waiting: list[tuple] = []
    for row in rows:
        waiting.append(row)
        if any(value is not None for value in row):
            yield from waiting
            waiting = []
        elif len(waiting) > patience:
            return


def _text(value: object) -> str:
    """A cell as text; whole numbers without a point, as the sheet shows them."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
