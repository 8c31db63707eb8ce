"""py-feat's Fex table as CSV: columns AU01, AU02, ... AU43 from 0 to 1, one row per frame.

Source: py-feat 2's documentation. AU43 (eyes closed) is read as AU45. The table holds no frame rate.
"""

import re
from os import PathLike

import numpy as np

from aublend.curve_files.csv_table import CsvTable, read_table
from aublend.curve_files.tracked import TrackedCurves, tracked_curves
from aublend.padded_names import unit_of
from mesh4d.errors import MeshFormatError

DEFAULT_FPS = 30.0


def is_pyfeat(table: CsvTable) -> bool:
    """Whether a column looks like AU01."""
    return any(re.fullmatch(r"AU\d\d", name) for name in table.header)


def read_pyfeat(path: str | PathLike[str], fps: float = DEFAULT_FPS) -> TrackedCurves:
    """Read a py-feat file; see `pyfeat_track`."""
    return pyfeat_track(read_table(path), fps)


def pyfeat_track(table: CsvTable, fps: float = DEFAULT_FPS) -> TrackedCurves:
    """Curves of the one face in the file; rows with empty AU cells, and frames left out, are filled in.

    Args:
        fps: the video's frame rate: the `frame` column counts its frames.

    Raises:
        MeshFormatError: for broken cells, frames that do not rise (several faces), or no AU columns.
    """
    columns: dict[str, str] = {}
    for name in table.header:
        unit = unit_of(name)
        if unit is not None and unit not in columns.values():
            columns[name] = unit
    if not columns or not is_pyfeat(table):
        found = repr(",".join(table.header)[:80])
        raise MeshFormatError(table.path, f"line {table.header_line}", "columns such as AU01", found)
    frames = table.numbers(["frame"])[:, 0] if "frame" in table.header else np.arange(len(table), dtype=np.float64)
    return tracked_curves(table, columns, 1.0, ("frame", frames / fps), np.ones(len(table), bool))
