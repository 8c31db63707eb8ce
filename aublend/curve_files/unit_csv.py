"""Our own curve file: a header of unit names behind a time column, one row per frame."""

import csv
from os import PathLike

import numpy as np

from aublend.curve_files.csv_table import CsvTable
from aublend.curves import AUCurves
from aublend.units import parse_unit
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import atomic_write

TIME = "time_s"


def write_unit_csv(curves: AUCurves, path: str | PathLike[str]) -> None:
    """Write `time_s,AU1,...`: seconds with six decimals, weights with five."""
    with atomic_write(path, text=True) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([TIME, *curves.names])
        for frame, row in enumerate(curves.weights):
            writer.writerow([f"{frame / curves.fps:.6f}", *(f"{weight:.5f}" for weight in row)])


def is_unit_csv(table: CsvTable) -> bool:
    """Whether the header is ours."""
    return TIME in table.header


def unit_csv_curves(table: CsvTable) -> AUCurves:
    """Read curves written by `write_unit_csv`; columns may stand in any order.

    Raises:
        MeshFormatError: with the line that is wrong.
    """
    names = tuple(name for name in table.header if name != TIME)
    try:
        for name in names:
            parse_unit(name)
    except MeshError as error:
        raise MeshFormatError(table.path, f"line {table.header_line}", "names of action units", str(error)) from error
    time = table.numbers([TIME])[:, 0]
    steps = np.diff(time)
    if len(steps) and (steps.min() <= 0 or np.ptp(steps) > 0.02 * steps.mean()):
        worst = int(np.abs(steps - np.median(steps)).argmax()) + 1
        place, found = f"line {table.lines[worst]}, column {TIME}", f"steps {steps.min():.4f} to {steps.max():.4f}"
        raise MeshFormatError(table.path, place, "evenly rising times", found)
    fps = round(1 / float(steps.mean()), 3) if len(steps) else 25.0
    return AUCurves(names, table.numbers(names), fps)
