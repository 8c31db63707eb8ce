"""Confidence intervals by a bootstrap over subjects: samples of one person are not independent, people are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A number with its bounds; NaN bounds where there are fewer than two people."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not np.isfinite(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def is_degenerate(self) -> bool:
        """All people were alike, so that drawing them again says nothing."""
        return bool(self.low == self.high)


def resampled(
    counts: Int[np.ndarray, "S *K"], resamples: int = RESAMPLES, seed: int = 0
) -> Float[np.ndarray, "resamples *K"]:
    """Summed counts of people drawn with replacement; the same draws for the same number of people and seed."""
    people = len(counts)
    draws = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), resamples)
    return np.tensordot(draws.astype(np.float64), counts.astype(np.float64), 1)


def interval(
    statistic: Callable[[np.ndarray], np.ndarray], counts: Int[np.ndarray, "S *K"], drawn: Float[np.ndarray, "r *K"]
) -> Interval:
    """Percentile interval of a statistic of summed counts.

    Args:
        statistic: of counts, such as (..., K, 4) by label and kind.
        counts: of each person.
        drawn: from `resampled`.
    """
    value = float(statistic(counts.sum(axis=0)))
    if len(counts) < 2:
        return Interval(value, float("nan"), float("nan"))
    low, high = bounds(statistic(drawn))
    return Interval(value, low, high)


def mean_interval(values: Float[np.ndarray, " S"]) -> Interval:
    """The mean of one value per person, with bounds over people drawn with replacement."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = bounds(values[draws].mean(axis=1)) if len(values) > 1 else (float("nan"), float("nan"))
    return Interval(float(values.mean()), low, high)


def bounds(values: Float[np.ndarray, " r"]) -> tuple[float, float]:
    """The middle 95 % of resampled values."""
    good = values[np.isfinite(values)]
    if not len(good):
        return float("nan"), float("nan")
    low, high = np.quantile(good, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
