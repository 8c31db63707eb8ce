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
    flat = np.ascontiguousarray(heat, np.float32).reshape(*heat.shape[:2], -1)
    best = flat.argmax(axis=2)
    highest = np.take_along_axis(flat, best[..., None], axis=2)
    whole = np.exp(flat - highest).sum(axis=2, dtype=np.float64)
    row, column = best // size, best % size
    picture, landmark = np.indices(best.shape)
    total, x, y = np.zeros(best.shape), np.zeros(best.shape), np.zeros(best.shape)
    for dy in range(-REACH_PX, REACH_PX + 1):
        for dx in range(-REACH_PX, REACH_PX + 1):
            at_row, at_column = row + dy, column + dx
            within = (at_row >= 0) & (at_row < size) & (at_column >= 0) & (at_column < size)
            place = np.clip(at_row, 0, size - 1) * size + np.clip(at_column, 0, size - 1)
            share = within * np.exp(flat[picture, landmark, place] - highest[..., 0]) / whole
            total += share
            x += share * dx
            y += share * dy
    places = np.stack([column + 0.5 + x / total, row + 0.5 + y / total], axis=2) / size
    return Peaks(places, total)
