"""AUCurves: action unit weights over time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.units import AU_INDEX, N_UNITS, parse_unit
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class AUCurves:
    """One column per named unit (halves such as AU12L allowed), one row per frame."""

    names: tuple[str, ...]
    weights: Float[np.ndarray, "T A"]
    fps: float

    def __post_init__(self) -> None:
        if self.weights.shape[1] != len(self.names):
            raise MeshError(f"expected {len(self.names)} columns, one per name; found {self.weights.shape[1]}")
        if not self.fps > 0:
            raise MeshError(f"fps must be positive, found {self.fps}")
        for name in self.names:
            parse_unit(name)

    def __len__(self) -> int:
        return len(self.weights)

    def halves(self) -> Float[np.ndarray, "T 2 A"]:
        """Weights of all 32 units for the subject's left (0) and right (1) half, per frame."""
        bad = np.argwhere(~np.isfinite(self.weights))
        if len(bad):
            frame, column = bad[0]
            raise MeshError(f"the weight of {self.names[column]} must be finite, found it is not in frame {frame}")
        of_halves = np.zeros((len(self.names), 2, N_UNITS))
        for row, name in enumerate(self.names):
            of_halves[row] = half_weights({name: 1.0})
        return (self.weights @ of_halves.reshape(len(self.names), 2 * N_UNITS)).reshape(-1, 2, N_UNITS)


def half_weights(weights: Mapping[str, float]) -> Float[np.ndarray, "2 A"]:
    """Named weights as one row for the left half and one for the right.

    "AU12" sets both halves, "AU12L" adds to the left one only, "AU12C" stands for the letter's intensity times
    the value.
    """
    left, right = [0.0] * N_UNITS, [0.0] * N_UNITS
    for name, value in weights.items():
        index = AU_INDEX.get(name)
        index, side, intensity = parse_unit(name) if index is None else (index, "both", 1.0)
        if not math.isfinite(value):
            raise MeshError(f"the weight of {name} must be a finite number, found {value}")
        if side != "right":
            left[index] += intensity * value
        if side != "left":
            right[index] += intensity * value
    return np.array([left, right])


def neutral_apex_neutral(
    apex: Mapping[str, float],
    fps: float = 25.0,
    onset_s: float = 0.6,
    hold_s: float = 0.5,
    offset_s: float = 0.9,
    rest_s: float = 0.2,
) -> AUCurves:
    """An expression that rises, holds and falls, with zero velocity at each end (smootherstep).

    Args:
        apex: unit weights at the apex.
        onset_s, hold_s, offset_s: seconds from neutral to apex, at apex, and back.
        rest_s: neutral time before and after.
    """
    time = np.arange(round((2 * rest_s + onset_s + hold_s + offset_s) * fps) + 1) / fps
    rise = np.clip((time - rest_s) / onset_s, 0, 1)
    fall = np.clip((time - rest_s - onset_s - hold_s) / offset_s, 0, 1)
    envelope = _smootherstep(rise) * (1 - _smootherstep(fall))
    return AUCurves(tuple(apex), np.outer(envelope, np.array(list(apex.values()), float)), fps)


def joined(curves: Sequence[AUCurves]) -> AUCurves:
    """Curves played one after another, over the union of their units."""
    names = tuple(dict.fromkeys(name for curve in curves for name in curve.names))
    rows = []
    for curve in curves:
        block = np.zeros((len(curve), len(names)))
        block[:, [names.index(name) for name in curve.names]] = curve.weights
        rows.append(block)
    return AUCurves(names, np.concatenate(rows), curves[0].fps)


def _smootherstep(t: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Perlin's 6t^5 - 15t^4 + 10t^3: zero first and second derivative at both ends."""
    return t * t * t * (t * (6 * t - 15) + 10)
