"""Rotations, similarity transforms, and the least-squares similarity between two point sets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError


def rotation_from_axis_angle(axis_angle: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 3 3"]:
    """Rotation matrix R = exp([w]x) by Rodrigues' formula; right-handed about the axis.

    Args:
        axis_angle: axis times angle in radians.
    """
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(np.asarray(axis_angle, np.float64), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    # np.sinc holds the limit at angle 0: sin(a)/a and (1 - cos a)/a^2 = sinc^2(a/2)/2.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @classmethod
    def identity(cls) -> "Similarity":
        """The transform that moves nothing."""
        return cls(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
        """The points, moved."""
        return self.scale * (points @ self.rotation.T) + self.translation

    def inverse(self) -> "Similarity":
        """The transform that undoes this one."""
        rotation = self.rotation.T
        return Similarity(1.0 / self.scale, rotation, -(rotation @ self.translation) / self.scale)

    def compose(self, first: "Similarity") -> "Similarity":
        """This transform after `first`: x -> self(first(x))."""
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, self.apply(first.translation))


def similarity_align(
    source_points: Float[np.ndarray, "P 3"],
    target_points: Float[np.ndarray, "P 3"],
    weights: Float[np.ndarray, " P"] | None = None,
    with_scale: bool = True,
) -> Similarity:
    """The similarity S that minimises sum_i w_i |S(source_i) - target_i|^2.

    Umeyama 1991, equations 40 to 43: never a reflection, also for coplanar points.

    Args:
        source_points: points to move.
        target_points: where each should go, in the same order.
        weights: importance per pair, at least 0; None is equal weights.
        with_scale: False keeps scale at 1 (a rigid motion).

    Raises:
        MeshError: when fewer than three pairs count or all counted source points coincide or lie on one
            line: the rotation is then not determined.
    """
    w = np.ones(len(source_points)) if weights is None else np.asarray(weights, np.float64)
    if (w < 0).any() or not np.isfinite(w).all():
        raise MeshError("weights must be finite and at least 0")
    if np.count_nonzero(w) < 3:
        raise MeshError(f"alignment needs 3 weighted pairs of points, found {np.count_nonzero(w)}")
    w = w / w.sum()
    source_mean, target_mean = w @ source_points, w @ target_points
    source, target = source_points - source_mean, target_points - target_mean
    covariance = (w[:, None] * target).T @ source
    left, singular, right = np.linalg.svd(covariance)
    if not singular[1] > 1e-12 * singular[0]:
        raise MeshError("points coincide or lie on one line; a rotation cannot be determined")
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * signs) @ right
    variance = float(w @ np.einsum("pi,pi->p", source, source))
    scale = float(singular @ signs) / variance if with_scale else 1.0
    return Similarity(scale, rotation, target_mean - scale * (rotation @ source_mean))
