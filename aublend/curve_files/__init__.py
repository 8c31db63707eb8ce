"""Action unit curves in and out: our CSV, Live Link Face, OpenFace 2 and 3, py-feat."""

import logging
from os import PathLike
from pathlib import Path
from typing import Literal

from aublend.arkit import arkit_from_au, au_from_arkit
from aublend.curve_files.csv_table import CsvTable, read_table
from aublend.curve_files.live_link import is_live_link, live_link_curves, read_live_link, write_live_link
from aublend.curve_files.openface import is_openface, openface_track, read_openface, write_openface
from aublend.curve_files.openface3 import is_openface3, openface3_track, read_openface3
from aublend.curve_files.pyfeat import is_pyfeat, pyfeat_track, read_pyfeat
from aublend.curve_files.tracked import TrackedCurves
from aublend.curve_files.unit_csv import is_unit_csv, unit_csv_curves, write_unit_csv
from aublend.curves import AUCurves
from mesh4d.errors import MeshError, MeshFormatError

__all__ = [
    "CurveFormat",
    "TrackedCurves",
    "read_curves",
    "read_live_link",
    "read_openface",
    "read_openface3",
    "read_pyfeat",
    "write_curves",
    "write_live_link",
    "write_openface",
]

CurveFormat = Literal["au", "livelink", "openface"]

_log = logging.getLogger(__name__)


def read_curves(path: str | PathLike[str]) -> AUCurves:
    """Action unit curves from a CSV file; its header says which format it is.

    Ours (`time_s,AU1,...`); Live Link Face (ARKit's shapes, turned into units by `aublend.arkit.au_from_arkit`);
    OpenFace 2 (`AU01_r` to 5) and 3 (a list `action_units`); py-feat (`AU01` to 1). Frames that a tracker lost are
    filled in, and logged; the readers of each format (`read_live_link`, `read_openface`, `read_openface3`,
    `read_pyfeat`) return more than curves.

    Raises:
        MeshFormatError: with the line that is wrong, or when the header is that of none of the formats.
    """
    table = read_table(path)
    if is_unit_csv(table):
        return unit_csv_curves(table)
    if is_live_link(table):
        return au_from_arkit(live_link_curves(table))
    if is_openface(table):
        return _curves_of(openface_track(table), table)
    if is_openface3(table):
        return _curves_of(openface3_track(table), table)
    if is_pyfeat(table):
        return _curves_of(pyfeat_track(table), table)
    raise MeshFormatError(
        table.path,
        f"line {table.header_line}",
        "the header of AU curves (time_s,AU1,...), Live Link Face, OpenFace 2 or 3, or py-feat",
        repr(",".join(table.header)[:80]),
    )


def write_curves(curves: AUCurves, path: str | PathLike[str], format: CurveFormat = "au") -> None:
    """Write curves as CSV.

    Args:
        format: "au" keeps everything; "livelink" writes the nearest 52 ARKit shapes; "openface" writes the 17 units
            that OpenFace measures, without sides. What a format cannot hold is logged.

    Raises:
        MeshError: for another format.
    """
    if format == "au":
        write_unit_csv(curves, path)
    elif format == "livelink":
        write_live_link(arkit_from_au(curves), path)
    elif format == "openface":
        write_openface(curves, path)
    else:
        raise MeshError(f"{Path(path)}: expected format 'au', 'livelink' or 'openface', found {format!r}")


def _curves_of(track: TrackedCurves, table: CsvTable) -> AUCurves:
    if not track.tracked.all():
        _log.warning("%s: %s", table.path, track.report())
    return track.curves
