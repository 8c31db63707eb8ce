"""Heat maps to places: the peak of each map, finer than a pixel, and how sharp it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

REACH_PX = 2
"""Half width of the square around a peak that its place is the centre of mass of."""


@dataclass(frozen=True)
class Peaks:
    """Where landmarks are on pictures."""

    places: Float[np.ndarray, "B L 2"]
    """Column and row, 0 to 1 from the upper left corner."""
    mass: Float[np.ndarray, "B L"]
    """Share of the probability that lies around the peak: near 1 where the network is sure of the place."""


def peaks(heat: Float[np.ndarray, "B L M M"]) -> Peaks:
    """Peaks of logits."""
    size = heat.shape[-1]
    flat = heat.reshape(*heat.shape[:2], -1).astype(np.float64)
    chance = np.exp(flat - flat.max(axis=2, keepdims=True))
    chance = (chance / chance.sum(axis=2, keepdims=True)).reshape(heat.shape)
    best = flat.argmax(axis=2)
    row, column = best // size, best % size
    padded = np.pad(chance, ((0, 0), (0, 0), (REACH_PX, REACH_PX), (REACH_PX, REACH_PX)))
    b, l = np.indices(best.shape)
    total, x, y = np.zeros(best.shape), np.zeros(best.shape), np.zeros(best.shape)
    for dy in range(-REACH_PX, REACH_PX + 1):
        for dx in range(-REACH_PX, REACH_PX + 1):
            share = padded[b, l, row + REACH_PX + dy, column + REACH_PX + dx]
            total += share
            x += share * dx
            y += share * dy
    places = np.stack([column + 0.5 + x / total, row + 0.5 + y / total], axis=2) / size
    return Peaks(places, total)
