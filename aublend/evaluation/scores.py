"""Scores of one method over identities, and how sure their means are."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

MOVED_MM = 0.1
"""Errors are averaged over the vertices that the true shape moves further than this."""
DRAWS = 2000
"""Bootstrap samples."""


@dataclass(frozen=True)
class RigScores:
    """One method's measures, per identity (row) and unit or pair of units (column); NaN where one does not apply."""

    method: str
    units: dict[str, Float[np.ndarray, "N A"]]
    """By name: "mean_mm", "worst_mm", "cosine", and `anatomy_measures.UNIT_MEASURES` where they were asked for."""
    sums: dict[str, Float[np.ndarray, "N P"]] = field(default_factory=dict)
    """Pairs of units as the plain sum of both shapes."""
    pairs: dict[str, Float[np.ndarray, "N P"]] = field(default_factory=dict)
    """Pairs of units with the pair's own shape added."""

    @property
    def mean_mm(self) -> Float[np.ndarray, "N A"]:
        """Mean vertex error over what the true unit moves, mm."""
        return self.units["mean_mm"]

    @property
    def worst_mm(self) -> Float[np.ndarray, "N A"]:
        """Greatest vertex error, mm."""
        return self.units["worst_mm"]

    @property
    def cosine(self) -> Float[np.ndarray, "N A"]:
        """Cosine between predicted and true displacement."""
        return self.units["cosine"]

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """95 % bootstrap interval of the mean error over identities."""
        _, low, high = bootstrap_mean(self.mean_mm.mean(axis=1)[:, None], seed)
        return float(low[0]), float(high[0])


def shape_errors(
    predicted: Float[np.ndarray, "S V 3"], truth: Float[np.ndarray, "S V 3"]
) -> dict[str, Float[np.ndarray, " S"]]:
    """Mean and worst vertex error per shape (mm), and the cosine between the two displacement fields."""
    moved = np.linalg.norm(truth, axis=2) > MOVED_MM
    error = np.linalg.norm(predicted - truth, axis=2)
    mean = (error * moved).sum(axis=1) / np.maximum(moved.sum(axis=1), 1)
    flat, other = predicted.reshape(len(predicted), -1), truth.reshape(len(truth), -1)
    norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(other, axis=1)
    cosine = (flat * other).sum(axis=1) / np.maximum(norms, 1e-12)
    return {"mean_mm": mean, "worst_mm": error.max(axis=1), "cosine": cosine}


def bootstrap_mean(
    per_identity: Float[np.ndarray, "N C"], seed: int = 0
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " C"], Float[np.ndarray, " C"]]:
    """Means of columns over identities, with the ends of their 95 % percentile intervals (Efron 1979).

    Identities are drawn with replacement; all columns see the same draws.
    """
    rng = np.random.default_rng(seed)
    count = len(per_identity)
    times = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    low, high = np.percentile(times @ per_identity / count, [2.5, 97.5], axis=0)
    return per_identity.mean(axis=0), low, high
