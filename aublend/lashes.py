"""Lashes ride on their lid's margin: each turns and moves as the skin at its root does."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from aublend.seams import Seam

ROOT_MM = 4.0
"""Skin about this near to a lash carries it: wide enough that neighbouring lashes turn alike."""
MOST_ROOTS = 400
"""Skin vertices of one lid that are asked."""


@dataclass(frozen=True)
class LashRide:
    """Which skin vertices carry each lash vertex."""

    lashes: Int[np.ndarray, " M"]
    roots: Int[np.ndarray, " R"]
    weight: Float[np.ndarray, "M R"]
    """Rows sum to 1; a lash has no weight on another lid than its own."""

    def carried(self, rest: Float[np.ndarray, "V 3"], moved: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "M 3"]:
        """Positions of the lashes when the skin goes from rest to moved: the rigid motion nearest to their roots'."""
        one, other = rest[self.roots], moved[self.roots]
        before, after = self.weight @ one, self.weight @ other
        products = (one[:, :, None] * other[:, None, :]).reshape(-1, 9)
        spread = (self.weight @ products).reshape(-1, 3, 3) - before[:, :, None] * after[:, None, :]
        left, _, right = np.linalg.svd(spread)
        turn = np.swapaxes(left @ right, 1, 2)
        right[np.linalg.det(turn) < 0, 2] *= -1
        turn = np.swapaxes(left @ right, 1, 2)
        return after + np.einsum("mij,mj->mi", turn, rest[self.lashes] - before)

    def riding(self, rest: Float[np.ndarray, "V 3"], deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "A V 3"]:
        """The same displacements with the lashes riding on the lids."""
        ridden = deltas.copy()
        for row, delta in enumerate(deltas):
            ridden[row, self.lashes] = self.carried(rest, rest + delta) - rest[self.lashes]
        return ridden


def lash_ride(vertices: Float[np.ndarray, "V 3"], lashes: Int[np.ndarray, " M"], lids: tuple[Seam, Seam]) -> LashRide:
    """Root each lash in the lid it grows on, on a head at rest.

    Both lids are near each other at the corners of the eye, so a lash vertex cannot tell by itself; the nearest
    margin decides for it, and its roots are all of that lid.
    """
    pools = [np.flatnonzero((seam.side == sign) & (seam.weight > 0.5)) for seam in lids for sign in (1, -1)]
    pools = [pool[:: -(-len(pool) // MOST_ROOTS)] for pool in pools if len(pool)]
    apart = [cdist(vertices[lashes], vertices[pool]) for pool in pools]
    own = np.argmin([np.sort(distance, axis=1)[:, :3].mean(axis=1) for distance in apart], axis=0)
    weight = np.concatenate(
        [
            np.where((own == row)[:, None], np.exp(-((distance / ROOT_MM) ** 2)) + 1e-12 / (1 + distance), 0.0)
            for row, distance in enumerate(apart)
        ],
        axis=1,
    )
    return LashRide(lashes, np.concatenate(pools), weight / weight.sum(axis=1, keepdims=True))
