"""Frames at one rate from time stamps that are rounded, have gaps or jitter."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from aublend.curve_files.csv_table import CsvTable
from mesh4d.errors import MeshFormatError

USUAL_RATES = (30.0, 25.0, 60.0, 24.0, 50.0, 15.0, 30000 / 1001, 24000 / 1001, 60000 / 1001)
ROUNDING_S = 0.00101
"""Time stamps with three decimals are this far from the truth at most, counted between two of them."""
LONGEST_GROWTH = 20
"""A file may lack so many times the frames it has, not more: a wild time stamp must not fill the memory."""


@dataclass(frozen=True)
class EvenFrames:
    """Values at a constant rate."""

    values: Float[np.ndarray, "T C"]
    fps: float
    measured: Bool[np.ndarray, " T"]
    """False where a frame was filled in from its neighbours."""


def even_frames(
    table: CsvTable,
    column: str,
    seconds: Float[np.ndarray, " rows"],
    values: Float[np.ndarray, "rows C"],
    known: Bool[np.ndarray, " rows"],
) -> EvenFrames:
    """Rows as they are where their times are regular; lost ones, and gaps, by linear interpolation over time.

    Args:
        column: where the times stand, for messages.
        seconds: time of each row.
        known: rows whose values may be used.

    Raises:
        MeshFormatError: when times do not rise, leap out of all proportion, or no row is known.
    """
    if not known.any():
        raise MeshFormatError(table.path, "rows", "at least one frame with a tracked face", f"{len(known)} without")
    steps = np.diff(seconds)
    if len(steps) == 0:
        return EvenFrames(values, USUAL_RATES[0], known)
    if steps.min() <= 0:
        late = int(np.flatnonzero(steps <= 0)[0]) + 1
        place = f"line {table.lines[late]}, column {column}"
        raise MeshFormatError(table.path, place, "a later time than before", f"{seconds[late]:.4f} s")
    step = float(steps[steps < 1.5 * np.median(steps)].mean())
    count = round((seconds[-1] - seconds[0]) / step)
    if count > LONGEST_GROWTH * len(seconds):
        widest = int(steps.argmax()) + 1
        place = f"line {table.lines[widest]}, column {column}"
        raise MeshFormatError(table.path, place, "a gap of seconds at most", f"{steps[widest - 1]:.1f} s")
    step = float(seconds[-1] - seconds[0]) / count
    fps = _usual_rate(seconds, step)
    grid = seconds[0] + step * np.arange(count + 1)
    regular = count == len(steps) and bool((np.abs(seconds - grid) < step / 2).all())
    if regular:
        at, measured = seconds, known
    else:
        at, measured = grid, _has_known_row(grid, seconds[known], step)
    filled = np.stack([np.interp(at, seconds[known], column_values) for column_values in values[known].T], axis=1)
    return EvenFrames(np.where(known[:, None], values, filled) if regular else filled, fps, measured)


def _has_known_row(
    grid: Float[np.ndarray, " T"], times: Float[np.ndarray, " rows"], step: float
) -> Bool[np.ndarray, " T"]:
    """Whether a known row lies within half a step of each frame."""
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1) if len(times) > 1 else np.zeros(len(grid), int)
    nearest = np.minimum(np.abs(times[after] - grid), np.abs(times[np.maximum(after - 1, 0)] - grid))
    return nearest <= 0.501 * step


def _usual_rate(seconds: Float[np.ndarray, " rows"], step: float) -> float:
    """The usual frame rate that explains the stamps up to their rounding, else the one they average to."""
    for rate in USUAL_RATES:
        frames = np.round((seconds - seconds[0]) * rate)
        if abs(step * rate - 1) < 0.05 and (np.abs(seconds - seconds[0] - frames / rate) < ROUNDING_S).all():
            return round(rate, 3)
    return round(1 / step, 3)
