"""Consensus: one point per landmark from its viewing rays, robust against views that are wrong.

Iteratively reweighted least squares over the rays of all views (the least-squares intersection of lines), with a
gentle pull to where the rays meet the surface; outlying rays lose their say as in a Cauchy M-estimator.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.landmarks.reading import Reading

ROUNDS = 10
HIT_SHARE = 0.15
"""Say of a ray's depth on the surface beside its direction."""
LEAST_TRUST = 1e-3


@dataclass(frozen=True)
class Consensus:
    """Where the views agree that the landmarks are."""

    points: Float[np.ndarray, "68 3"]
    support: Float[np.ndarray, "68"]
    """Mean trust of the three best views that agree, 0 to 1."""
    disagreement: Float[np.ndarray, "68"]
    """Weighted mean distance of the rays from the point, in the surface's unit."""


def intersect(reading: Reading, tolerance: float, start: Float[np.ndarray, "68 3"] | None = None) -> Consensus:
    """The points nearest to their rays.

    Args:
        tolerance: distance from which a ray counts less, in the surface's unit.
        start: a guess; by default the intersection with every ray counted by its trust alone.
    """
    origins, back = reading.origins(), reading.directions()
    across = np.eye(3) - np.einsum("ni,nj->nij", back, back)
    along = np.eye(3) - across
    hits = reading.hits()
    struck = np.isfinite(hits[..., 0])
    hits = np.where(struck[..., None], hits, 0.0)
    trust = reading.trust() + LEAST_TRUST
    depth_trust = HIT_SHARE * np.where(struck, reading.visible, 0.0) * trust
    points = start
    ray_weight, hit_weight = trust, depth_trust
    for _ in range(ROUNDS):
        if points is not None:
            ray_weight = trust / (1 + (_ray_distance(points, origins, back) / tolerance) ** 2)
            gap = np.einsum("nlc,nc->nl", points - hits, back)
            hit_weight = depth_trust / (1 + (gap / tolerance) ** 2)
        system = np.einsum("nl,nij->lij", ray_weight, across) + np.einsum("nl,nij->lij", hit_weight, along)
        goal = np.einsum("nl,nij,nlj->li", ray_weight, across, origins)
        goal += np.einsum("nl,nij,nlj->li", hit_weight, along, hits)
        points = np.linalg.solve(system + 1e-9 * np.eye(3), goal[..., None])[..., 0]
    if points is None:
        raise AssertionError("at least one round runs")
    distance = _ray_distance(points, origins, back)
    agreeing = trust / (1 + (distance / (2 * tolerance)) ** 2)
    best = np.sort(agreeing, axis=0)[-min(3, len(agreeing)) :].mean(axis=0)
    return Consensus(points, best, (ray_weight * distance).sum(axis=0) / ray_weight.sum(axis=0))


def _ray_distance(points: np.ndarray, origins: np.ndarray, back: np.ndarray) -> Float[np.ndarray, "N 68"]:
    offset = points - origins
    along = np.einsum("nlc,nc,nd->nld", offset, back, back)
    return np.linalg.norm(offset - along, axis=2)
