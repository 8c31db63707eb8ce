"""OpenFace 2's CSV: AU01_r ... AU45_r from 0 to 5, AU28_c 0 or 1, one row per frame and face.

Source: the wiki page Output-Format of TadasBaltrusaitis/OpenFace. Older files have a space behind each comma.
OpenFace's units have no sides.
"""

import csv
import logging
import re
from os import PathLike

import numpy as np
from jaxtyping import Float

from aublend.curve_files.csv_table import CsvTable, read_table
from aublend.curve_files.tracked import TrackedCurves, tracked_curves
from aublend.curves import AUCurves
from aublend.padded_names import unit_of
from aublend.units import AU_INDEX, AU_NAMES
from mesh4d.errors import MeshFormatError
from mesh4d.io import atomic_write

FULL_SCALE = 5.0
MEASURED = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23",
            "AU25", "AU26", "AU45")  # fmt: skip
"""The units that OpenFace gives an intensity for."""
NOT_IN_CURVES = ("gaze_angle_x", "gaze_angle_y", "pose_Rx", "pose_Ry", "pose_Rz")
"""Columns (radians) that readers of such files ask for and unit curves know nothing of."""
LOWEST_CONFIDENCE = 0.5
DEFAULT_FPS = 30.0
"""For rows without usable times, as from a folder of pictures."""

_log = logging.getLogger(__name__)


def is_openface(table: CsvTable) -> bool:
    """Whether a column looks like AU12_r."""
    return any(re.fullmatch(r"AU\d\d_r", name) for name in table.header)


def read_openface(path: str | PathLike[str]) -> TrackedCurves:
    """Read an OpenFace 2 file; see `openface_track`."""
    return openface_track(read_table(path))


def openface_track(table: CsvTable) -> TrackedCurves:
    """Curves (AU_r / 5) of the one face in the file, and which frames it was seen in.

    A frame counts as lost when success is 0 or confidence below 0.5. AU28 has only a presence: 0 or 1 is its weight.

    Raises:
        MeshFormatError: for broken cells, several faces, times that do not rise, or no AU columns.
    """
    if not is_openface(table):
        found = repr(",".join(table.header)[:80])
        raise MeshFormatError(table.path, f"line {table.header_line}", "columns such as AU01_r", found)
    if "face_id" in table.header:
        faces = sorted(set(table.texts("face_id")))
        if len(faces) > 1:
            raise MeshFormatError(table.path, "column face_id", "one face", f"{len(faces)}: {', '.join(faces[:5])}")
    seen = np.ones(len(table), bool)
    if "success" in table.header:
        seen &= table.numbers(["success"])[:, 0] > 0
    if "confidence" in table.header:
        seen &= table.numbers(["confidence"])[:, 0] >= LOWEST_CONFIDENCE
    columns = {name: unit for name in table.header if name.endswith("_r") and (unit := unit_of(name[:-2]))}
    track = tracked_curves(table, columns, FULL_SCALE, _seconds(table), seen)
    if "AU28_c" not in table.header or "AU28" in track.curves.names:
        return track
    presence = tracked_curves(table, {"AU28_c": "AU28"}, 1.0, _seconds(table), seen).curves
    weights = np.concatenate([track.curves.weights, presence.weights], axis=1)
    curves = AUCurves((*track.curves.names, "AU28"), weights, track.curves.fps)
    return TrackedCurves(curves, track.tracked)


def write_openface(curves: AUCurves, path: str | PathLike[str]) -> None:
    """Write the columns that programs driven by OpenFace ask for: frame, times, success, pose, gaze and AU_r.

    The mean of both halves is written; head pose and gaze are zero, for unit curves know neither. Units that
    OpenFace does not measure are left out, and logged where they are active.
    """
    halves = curves.halves()
    both = np.clip(halves.mean(axis=1), 0.0, 1.0) * FULL_SCALE
    left_out = [name for name in AU_NAMES if name not in MEASURED and halves[:, :, AU_INDEX[name]].any()]
    if left_out:
        _log.warning("%s: OpenFace has no intensity for %s: left out", path, ", ".join(left_out))
    columns = [AU_INDEX[name] for name in MEASURED]
    with atomic_write(path, text=True) as file:
        writer = csv.writer(file, lineterminator="\n")
        header = ["frame", "face_id", "timestamp", "confidence", "success", *NOT_IN_CURVES]
        writer.writerow([*header, *(f"AU{int(name[2:]):02d}_r" for name in MEASURED)])
        for frame, row in enumerate(both):
            start = [frame + 1, 0, f"{frame / curves.fps:.4f}", "1.00", 1, *("0.000" for _ in NOT_IN_CURVES)]
            writer.writerow([*start, *(f"{value:.4f}" for value in row[columns])])


def _seconds(table: CsvTable) -> tuple[str, Float[np.ndarray, " rows"]]:
    """Times of the rows: the timestamp column, unless it never moves."""
    rows = np.arange(len(table)) / DEFAULT_FPS
    if "timestamp" not in table.header:
        return "frame", rows
    stamps = table.numbers(["timestamp"])[:, 0]
    return ("timestamp", stamps) if np.ptp(stamps) > 0 else ("frame", rows)
