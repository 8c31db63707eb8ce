"""Curves and moving meshes over time: resampling, and smoothing that keeps what is motion.

All functions work along the first axis of any array: curves (T, A), points (T, L, 3), vertices (T, V, 3).
"""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.signal import savgol_filter

from mesh4d.errors import MeshError
from mesh4d.sequence import MeshSequence


def resample(
    values: Float[np.ndarray, "T *rest"], fps: float, new_fps: float, cubic: bool = True
) -> Float[np.ndarray, "N *rest"]:
    """The values at another rate, from the first frame to the last.

    Args:
        cubic: by cubic splines, which may overshoot a little; False is linear, which never does.

    Raises:
        MeshError: for a rate that is not positive or values without a frame.
    """
    _check(values, fps)
    if not new_fps > 0:
        raise MeshError(f"new_fps must be positive, found {new_fps}")
    count = len(values)
    times = np.arange(int(np.floor((count - 1) / fps * new_fps + 1e-9)) + 1) / new_fps * fps
    if count == 1:
        return np.repeat(values, 1, axis=0)
    if cubic and count > 3:
        return CubicSpline(np.arange(count), values, axis=0)(times)
    before = np.minimum(times.astype(np.int64), count - 2)
    share = (times - before).reshape(-1, *([1] * (values.ndim - 1)))
    return (1 - share) * values[before] + share * values[before + 1]


def savitzky_golay(
    values: Float[np.ndarray, "T *rest"], fps: float, window_s: float = 0.2, order: int = 2
) -> Float[np.ndarray, "T *rest"]:
    """Each frame replaced by a polynomial fitted to the frames around it (Savitzky & Golay, 1964).

    Polynomials up to `order` pass unchanged, also at the ends. Windows shorter than order + 2 frames change nothing.

    Args:
        window_s: length of the window in seconds.
    """
    _check(values, fps)
    window = min(round(window_s * fps) // 2 * 2 + 1, (len(values) - 1) // 2 * 2 + 1)
    if window < order + 2:
        return values.copy()
    return np.asarray(savgol_filter(values, window, order, axis=0, mode="interp"))


def one_euro(
    values: Float[np.ndarray, "T *rest"],
    fps: float,
    min_cutoff_hz: float = 1.5,
    beta: float = 0.05,
    derivative_cutoff_hz: float = 1.0,
) -> Float[np.ndarray, "T *rest"]:
    """A causal low-pass whose cutoff rises with speed: still things stand still, fast ones do not lag.

    cutoff = min_cutoff + beta |dx/dt| (Casiez, Roussel & Vogel, "1 Euro Filter", CHI 2012, equations 1 to 8).

    Args:
        beta: in Hz per unit of the values and second.
    """
    _check(values, fps)
    smooth = np.empty(values.shape)
    smooth[0] = values[0]
    speed = np.zeros(values.shape[1:])
    by_speed = _share(derivative_cutoff_hz, fps)
    for frame in range(1, len(values)):
        speed = speed + by_speed * ((values[frame] - values[frame - 1]) * fps - speed)
        share = _share(min_cutoff_hz + beta * np.abs(speed), fps)
        smooth[frame] = smooth[frame - 1] + share * (values[frame] - smooth[frame - 1])
    return smooth


def jitter(frames: Float[np.ndarray, "T P C"]) -> float:
    """Standard deviation of independent noise that would explain the frames' second differences, in their unit.

    Noise of deviation s on every coordinate and frame gives second differences of deviation s sqrt(6). The median
    over points is taken; true acceleration counts as jitter too, so on moving faces it is an upper bound.
    """
    if len(frames) < 3:
        return 0.0
    second = frames[2:] - 2 * frames[1:-1] + frames[:-2]
    return float(np.median(np.sqrt((second**2).mean(axis=(0, 2)) / 6)))


def smoothed(sequence: MeshSequence, window_s: float = 0.2, order: int = 2) -> MeshSequence:
    """The sequence with each vertex smoothed over time; see `savitzky_golay`."""
    frames = savitzky_golay(np.asarray(sequence.frames, np.float64), sequence.fps, window_s, order)
    return MeshSequence(sequence.topology, frames, sequence.fps)


def resampled(sequence: MeshSequence, fps: float) -> MeshSequence:
    """The sequence at another frame rate; see `resample`."""
    frames = resample(np.asarray(sequence.frames, np.float64), sequence.fps, fps)
    return MeshSequence(sequence.topology, frames, fps)


def _share(cutoff_hz, fps: float):
    """How much of the new value a first-order low-pass takes."""
    turn = 2 * np.pi * cutoff_hz / fps
    return turn / (turn + 1)


def _check(values: np.ndarray, fps: float) -> None:
    if not fps > 0:
        raise MeshError(f"fps must be positive, found {fps}")
    if len(values) == 0:
        raise MeshError("expected at least one frame, found none")
