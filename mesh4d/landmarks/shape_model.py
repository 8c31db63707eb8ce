"""How landmarks lie to each other on heads: a mean and directions of variation, for checks and for what is hidden."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.geometry.rigid import Similarity, similarity_align

ROUNDS = 8


@dataclass(frozen=True)
class LandmarkShapes:
    """Convention: the face frame (+x the subject's left, +y up, +z out of the face), mm."""

    mean: Float[np.ndarray, "68 3"]
    basis: Float[np.ndarray, "K 68 3"]
    """Orthogonal directions, each scaled to one standard deviation."""
    noise_mm: float
    """Standard deviation, per coordinate, of what the basis leaves."""

    def aligned(
        self, points: Float[np.ndarray, "68 3"], weights: Float[np.ndarray, "68"], tolerance: float = 0.08
    ) -> Similarity:
        """The similarity from the model to the points, little moved by wrong ones.

        Args:
            tolerance: distance at which a point counts half, over the size of the face.
        """
        pose = similarity_align(self.mean, points, weights + 1e-9)
        scale_mm = tolerance * float(np.sqrt(np.mean(np.sum((self.mean - self.mean.mean(axis=0)) ** 2, axis=1))))
        for _ in range(ROUNDS):
            residual = np.linalg.norm(pose.inverse().apply(points) - self.mean, axis=1)
            pose = similarity_align(self.mean, points, weights / (1 + (residual / scale_mm) ** 2) + 1e-9)
        return pose

    def plausible(
        self, points: Float[np.ndarray, "68 3"], weights: Float[np.ndarray, "68"], spread_mm: float = 2.5
    ) -> tuple[Float[np.ndarray, "68 3"], Float[np.ndarray, "68"], float]:
        """The likeliest face given uncertain points: robust least squares in the basis with its normal prior.

        Args:
            weights: trust, 0 to 1.
            spread_mm: error expected of a trusted point.

        Returns:
            Points in the frame of the input, distance of each input point from them (mm of the model), and the root
            mean square coefficient (1 is typical).
        """
        pose = self.aligned(points, weights)
        seen = pose.inverse().apply(points)
        flat = self.basis.reshape(len(self.basis), -1)
        guess, coefficients, trust = self.mean, np.zeros(len(flat)), weights
        for _ in range(ROUNDS):
            scaled = np.repeat(trust / spread_mm**2, 3)
            normal = (flat * scaled) @ flat.T + np.eye(len(flat))
            coefficients = np.linalg.solve(normal, (flat * scaled) @ (seen - self.mean).ravel())
            guess = self.mean + (coefficients @ flat).reshape(-1, 3)
            residual = np.linalg.norm(seen - guess, axis=1)
            trust = weights / (1 + (residual / (2 * spread_mm)) ** 2)
        return pose.apply(guess), residual, float(np.sqrt(np.mean(coefficients**2)))


def fit_landmark_shapes(samples: Float[np.ndarray, "N 68 3"], directions: int) -> LandmarkShapes:
    """Principal components of landmark sets after they are rigidly aligned to their mean (sizes kept)."""
    mean = samples.mean(axis=0)
    for _ in range(4):
        aligned = np.stack([similarity_align(s, mean, with_scale=False).apply(s) for s in samples])
        mean = aligned.mean(axis=0)
    offsets = (aligned - mean).reshape(len(aligned), -1)
    _, strengths, rows = np.linalg.svd(offsets, full_matrices=False)
    deviations = strengths / np.sqrt(len(aligned))
    left = np.sqrt(np.sum(deviations[directions:] ** 2) / mean.size)
    basis = (deviations[:directions, None] * rows[:directions]).reshape(directions, *mean.shape)
    return LandmarkShapes(mean, basis, float(left))
