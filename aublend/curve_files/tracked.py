"""What a face tracker's file says: unit curves, and which frames it really saw."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from aublend.curve_files.csv_table import CsvTable
from aublend.curve_files.even_frames import even_frames
from aublend.curves import AUCurves
from mesh4d.errors import MeshFormatError

SLACK = 0.2
"""How far outside its scale a tracker's intensity may lie before the column must mean something else."""


@dataclass(frozen=True)
class TrackedCurves:
    """Curves with the frames that were filled in marked."""

    curves: AUCurves
    tracked: Bool[np.ndarray, " T"]
    """False where the tracker failed or skipped a frame and the weights are interpolated."""

    def report(self) -> str:
        """One line: how many frames were lost, which, and what stands there."""
        lost = np.flatnonzero(~self.tracked)
        if len(lost) == 0:
            return f"all {len(self.tracked)} frames tracked"
        runs = np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1)
        spans = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
        shown = ", ".join(spans[:10]) + (" and more" if len(spans) > 10 else "")
        return f"{len(lost)} of {len(self.tracked)} frames not tracked (frames {shown}, counted from 0): interpolated"


def tracked_curves(
    table: CsvTable,
    columns: Mapping[str, str],
    scale: float,
    seconds: tuple[str, Float[np.ndarray, " rows"]],
    seen: Bool[np.ndarray, " rows"],
) -> TrackedCurves:
    """Unit curves in 0..1 from a tracker's intensity columns.

    Args:
        columns: intensity column -> unit name.
        scale: the intensity that is weight 1.
        seconds: the column that gives times, for messages, and the time of each row.
        seen: rows where the tracker says that it has the face; rows with empty cells are lost besides.

    Raises:
        MeshFormatError: for an intensity far outside 0..scale, or times that do not rise.
    """
    values = table.numbers(list(columns), blank=True) / scale
    known = seen & np.isfinite(values).all(axis=1)
    wild = known[:, None] & ((values < -SLACK) | (values > 1 + SLACK))
    if wild.any():
        row, k = np.argwhere(wild)[0]
        place = f"line {table.lines[row]}, column {list(columns)[k]}"
        raise MeshFormatError(table.path, place, f"an intensity from 0 to {scale:g}", f"{values[row, k] * scale:g}")
    frames = even_frames(table, seconds[0], seconds[1], np.clip(values, 0.0, 1.0), known)
    return TrackedCurves(AUCurves(tuple(columns.values()), frames.values, frames.fps), frames.measured)
