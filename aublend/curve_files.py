"""AU curves as CSV: a header of unit names behind a time column, one row per frame."""

import csv
from os import PathLike
from pathlib import Path

import numpy as np

from aublend.curves import AUCurves
from aublend.units import parse_unit
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import atomic_write


def write_curves(curves: AUCurves, path: str | PathLike[str]) -> None:
    """Write `time_s,AU1,...`: seconds with six decimals, weights with five."""
    with atomic_write(path, text=True) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time_s", *curves.names])
        for frame, row in enumerate(curves.weights):
            writer.writerow([f"{frame / curves.fps:.6f}", *(f"{weight:.5f}" for weight in row)])


def read_curves(path: str | PathLike[str]) -> AUCurves:
    """Read curves written by `write_curves`; columns may stand in any order.

    Raises:
        MeshFormatError: with the line that is wrong.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if not rows or "time_s" not in (header := [name.strip() for name in rows[0]]):
        raise MeshFormatError(path, "line 1", "a header with time_s and unit names", repr(rows[0][:5] if rows else ""))
    names = tuple(name for name in header if name != "time_s")
    try:
        for name in names:
            parse_unit(name)
    except MeshError as error:
        raise MeshFormatError(path, "line 1", "names of action units", str(error)) from error
    values = np.empty((len(rows) - 1, len(header)))
    for line, row in enumerate(rows[1:], start=2):
        try:
            numbers = [float(cell) for cell in row]
        except ValueError:
            numbers = []
        if len(numbers) != len(header):
            raise MeshFormatError(path, f"line {line}", f"{len(header)} numbers", repr(",".join(row)[:80]))
        values[line - 2] = numbers
    if not np.isfinite(values).all():
        raise MeshFormatError(path, "values", "finite numbers", "others")
    time = values[:, header.index("time_s")]
    steps = np.diff(time)
    if len(steps) and (steps.min() <= 0 or np.ptp(steps) > 0.02 * steps.mean()):
        raise MeshFormatError(
            path, "column time_s", "evenly rising times", f"steps {steps.min():.4f} to {steps.max():.4f}"
        )
    fps = round(1 / float(steps.mean()), 3) if len(steps) else 25.0
    return AUCurves(names, values[:, [header.index(name) for name in names]], fps)
