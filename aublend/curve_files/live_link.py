"""Live Link Face's CSV: a time code, 52 ARKit shapes, 9 rotations in radians; 63 columns.

Source: real takes in alexdjulin/LiveLinkFace-CSV-Retarget-For-Motionbuilder. JawRight stands before JawLeft and
MouthRight before MouthLeft; other programs write the left first, so columns are found by name only. The time code is
HH:MM:SS:FF.sss, with FF counting sixtieths of a second even at 30 frames a second.
"""

import csv
import re
from os import PathLike

import numpy as np
from jaxtyping import Float

from aublend.arkit import ARKIT_NAMES, ROTATION_NAMES, ArkitCurves
from aublend.curve_files.csv_table import CsvTable, read_table
from aublend.curve_files.even_frames import even_frames
from mesh4d.errors import MeshFormatError
from mesh4d.io import atomic_write

TIME, COUNT = "Timecode", "BlendShapeCount"
SHAPE_OF_COLUMN = {name[0].upper() + name[1:]: name for name in (*ARKIT_NAMES, *ROTATION_NAMES)}
HEADER = (TIME, COUNT, *SHAPE_OF_COLUMN)
"""The 63 column names, exactly as the app writes them."""
TICKS_PER_SECOND = 60
OTHER_TICKS = (24, 25, 30)
"""Bases of FF that other writers use."""
MAY_LACK = ("tongueOut", *ROTATION_NAMES)
"""What other writers of this format leave out."""
DAY_S = 86400.0


def is_live_link(table: CsvTable) -> bool:
    """Whether the file has time codes."""
    return TIME.lower() in (name.lower() for name in table.header)


def read_live_link(path: str | PathLike[str]) -> ArkitCurves:
    """Read a Live Link Face file; see `live_link_curves`."""
    return live_link_curves(read_table(path))


def live_link_curves(table: CsvTable) -> ArkitCurves:
    """Shape weights as recorded, slightly beyond 1 included, and rotations in radians.

    Rows with empty cells and dropped frames are filled in by linear interpolation.

    Raises:
        MeshFormatError: for missing columns, a broken time code or cell, with the line.
    """
    column_of = {name.lower(): name for name in table.header}
    if len(column_of) < len(table.header) or TIME.lower() not in column_of:
        found = repr(",".join(table.header)[:80])
        raise MeshFormatError(table.path, f"line {table.header_line}", f"{TIME} and each shape once", found)
    present = [name for name in (*ARKIT_NAMES, *ROTATION_NAMES) if name.lower() in column_of]
    missing = [name for name in ARKIT_NAMES if name not in present and name not in MAY_LACK]
    if missing:
        raise MeshFormatError(
            table.path, f"line {table.header_line}", "the 52 ARKit shapes", f"no {', '.join(missing)[:120]}"
        )
    values = table.numbers([column_of[name.lower()] for name in present], blank=True)
    known = np.asarray(np.isfinite(values).all(axis=1))
    frames = even_frames(table, TIME, _seconds(table, column_of[TIME.lower()]), values, known)
    names = tuple(name for name in present if name in ARKIT_NAMES)
    rotations = None
    if all(name in present for name in ROTATION_NAMES):
        rotations = frames.values[:, [present.index(name) for name in ROTATION_NAMES]]
    return ArkitCurves(names, frames.values[:, [present.index(name) for name in names]], frames.fps, rotations)


def write_live_link(curves: ArkitCurves, path: str | PathLike[str]) -> None:
    """Write the app's 63 columns with ten decimals; time codes start at zero, unknown rotations are zero."""
    rotations = np.zeros((len(curves), len(ROTATION_NAMES))) if curves.rotations is None else curves.rotations
    values = np.concatenate([np.stack([curves.weight(name) for name in ARKIT_NAMES], axis=1), rotations], axis=1)
    with atomic_write(path, text=True) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for frame, row in enumerate(values):
            writer.writerow([timecode(frame / curves.fps), len(row), *(f"{value:.10f}" for value in row)])


def timecode(seconds: float) -> str:
    """Seconds since midnight as HH:MM:SS:FF.sss, FF in sixtieths."""
    ticks = round(seconds * TICKS_PER_SECOND * 1000)
    whole, thousandths = divmod(ticks, 1000)
    total, frame = divmod(whole, TICKS_PER_SECOND)
    return f"{total // 3600 % 24:02d}:{total // 60 % 60:02d}:{total % 60:02d}:{frame:02d}.{thousandths:03d}"


def _seconds(table: CsvTable, column: str) -> Float[np.ndarray, " rows"]:
    """Seconds of each row's time code; a take may pass midnight."""
    fields = []
    for line, text in zip(table.lines, table.texts(column), strict=True):
        match = re.fullmatch(r"(\d{1,2}):([0-5]?\d):([0-5]?\d)[:;](\d{1,3}(?:\.\d{1,9})?)", text, re.ASCII)
        if match is None:
            raise MeshFormatError(table.path, f"line {line}, column {column}", "HH:MM:SS:FF.sss", repr(text[:40]))
        fields.append([float(field) for field in match.groups()])
    hours, minutes, seconds, ticks = np.array(fields).T
    whole = hours * 3600 + minutes * 60 + seconds
    time = whole + ticks / _ticks_per_second(whole, ticks)
    return time + DAY_S * np.concatenate([[0.0], np.cumsum(np.diff(time) < -DAY_S / 2)])


def _ticks_per_second(whole: Float[np.ndarray, " rows"], ticks: Float[np.ndarray, " rows"]) -> int:
    """The app's sixtieths, unless a full second of the take shows a count that ends at 24, 25 or 30."""
    highest = int(np.floor(ticks.max()))
    if len(np.unique(whole)) >= 3:
        for base in OTHER_TICKS:
            if highest < base:
                return base
    return max(TICKS_PER_SECOND, highest + 1)
