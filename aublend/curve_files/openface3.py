"""OpenFace 3's CSV (`openface detect-video`): one column `action_units` with a list of eight numbers per frame.

Source: openface/demo.py of the package openface-test 0.1.26, which writes no unit names. The eight are taken to be
those of DISFA, on which its network is trained, in DISFA's order; the numbers are cosines, of which the positive ones
mean the unit. `timestamp` is the clock time of the computation; frames are counted by `frame_index`, and nothing says
how many there are in a second. OpenFace's units have no sides.
"""

import json
from os import PathLike

import numpy as np

from aublend.curve_files.csv_table import CsvTable, read_table
from aublend.curve_files.tracked import TrackedCurves, tracked_curves
from mesh4d.errors import MeshFormatError

MEASURED = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
"""DISFA's units that OpenFace 3 gives, in the order of its lists."""
COLUMN, FRAME = "action_units", "frame_index"
DEFAULT_FPS = 30.0


def is_openface3(table: CsvTable) -> bool:
    """Whether there is a column of lists of action units."""
    return COLUMN in table.header and "face_id" in table.header


def read_openface3(path: str | PathLike[str], fps: float = DEFAULT_FPS) -> TrackedCurves:
    """Read an OpenFace 3 file; see `openface3_track`."""
    return openface3_track(read_table(path), fps)


def openface3_track(table: CsvTable, fps: float = DEFAULT_FPS) -> TrackedCurves:
    """Curves of the one face in the file; frames without a face are filled in.

    Args:
        fps: the video's frame rate.

    Raises:
        MeshFormatError: for broken cells, several faces, frames that do not rise, or another header.
    """
    if not is_openface3(table):
        found = repr(",".join(table.header)[:80])
        raise MeshFormatError(table.path, f"line {table.header_line}", f"columns face_id and {COLUMN}", found)
    faces = sorted({cell for cell in table.texts("face_id") if cell})
    if len(faces) > 1:
        raise MeshFormatError(table.path, "column face_id", "one face", f"{len(faces)}: {', '.join(faces[:5])}")
    cells = [_units(table, row, cell) for row, cell in enumerate(table.texts(COLUMN))]
    units = CsvTable(table.path, MEASURED, tuple(cells), table.lines, table.header_line)
    rows = table.numbers([FRAME])[:, 0] if FRAME in table.header else np.arange(len(table), dtype=np.float64)
    named = {name: name for name in MEASURED}
    return tracked_curves(units, named, 1.0, (FRAME, rows / fps), np.ones(len(table), bool))


def _units(table: CsvTable, row: int, cell: str) -> tuple[str, ...]:
    """The eight numbers of a row as cells, negative ones as 0; empty cells where no face was found."""
    if not cell:
        return ("",) * len(MEASURED)
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError):
        values = None
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # a batch of one
    numbers = [value for value in values if isinstance(value, int | float)] if isinstance(values, list) else []
    if not isinstance(values, list) or not len(numbers) == len(values) == len(MEASURED):
        place = f"line {table.lines[row]}, column {COLUMN}"
        raise MeshFormatError(table.path, place, f"a list of {len(MEASURED)} numbers", repr(cell[:60]))
    return tuple(repr(max(float(value), 0.0)) if value == value else "nan" for value in numbers)
