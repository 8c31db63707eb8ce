"""Directions in which a template may change shape: who it is, what it expresses, and what no statistics foresaw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SMOOTH_SCALES_MM = ((70.0, 6.0), (30.0, 3.0))
"""Correlation length and standard deviation of the smooth deformations that are added to the statistics."""
SMOOTH_ONLY_SCALES_MM = ((110.0, 8.0), (60.0, 5.0), (32.0, 2.5))
"""The same for a template without statistics: they have to do all."""
SMOOTH_MODES, SMOOTH_ONLY_MODES = 60, 60
"""Scalar modes kept; each serves all three axes."""
SWELLING, SWELLING_MM = 0.15, 22.0
"""Standard deviation of an eye's relative size beyond the statistics (drawn faces have large eyes), and its reach."""
INDUCING_POINTS = 260
EXPRESSION_SPREAD = 0.4
"""Standard deviation of an expression weight: a "neutral" head is expected to be about neutral."""
LARGEST_EXPRESSION = 1.25


@dataclass(frozen=True)
class ShapeModes:
    """Modes of K directions: identity first, then smooth deformations, then expressions.

    Coefficients are in standard deviations of identity and smooth modes, and in weights (0 to about 1) of expressions.
    """

    directions: Float[np.ndarray, "K V 3"]
    n_identity: int
    n_smooth: int
    names: tuple[str, ...] = ()
    """Of the expressions."""
    poses: tuple[tuple[str, ...], ...] = ()
    """Sets of expressions that change a face so much that a fit must be started from each: jaw down, eyes shut."""

    @property
    def identity(self) -> slice:
        return slice(0, self.n_identity)

    @property
    def smooth(self) -> slice:
        return slice(self.n_identity, self.n_identity + self.n_smooth)

    @property
    def expression(self) -> slice:
        return slice(self.n_identity + self.n_smooth, len(self.directions))

    @property
    def stiffness(self) -> Float[np.ndarray, " K"]:
        """1 / variance of each coefficient."""
        stiffness = np.ones(len(self.directions))
        stiffness[self.expression] = EXPRESSION_SPREAD**-2
        return stiffness

    def only(self, *parts: slice) -> "ShapeModes":
        """The same modes with all parts but the named ones removed."""
        kept = [self.identity if self.identity in parts else slice(0, 0)]
        kept += [self.smooth if self.smooth in parts else slice(0, 0)]
        kept += [self.expression if self.expression in parts else slice(0, 0)]
        return ShapeModes(
            np.concatenate([self.directions[part] for part in kept]),
            kept[0].stop - kept[0].start,
            kept[1].stop - kept[1].start,
            self.names if self.expression in parts else (),
            self.poses if self.expression in parts else (),
        )

    def displacement(self, coefficients: Float[np.ndarray, " K"]) -> Float[np.ndarray, "V 3"]:
        """What the coefficients do to the template, mm."""
        return np.tensordot(coefficients, self.directions, axes=1)


def no_modes(n_vertices: int) -> ShapeModes:
    """A template that does not change."""
    return ShapeModes(np.zeros((0, n_vertices, 3)), 0, 0)


def smooth_modes(
    points: Float[np.ndarray, "V 3"],
    anchors: Float[np.ndarray, "P 3"],
    scales_mm: tuple[tuple[float, float], ...],
    count: int,
) -> Float[np.ndarray, "K V 3"]:
    """The leading modes of a Gaussian process of smooth displacements, one standard deviation long.

    k(x, y) = sum_s a_s^2 exp(-|x - y|^2 / (2 l_s^2)) for each axis on its own, by Nystrom's method on some of the
    anchors (Luethi et al., "Gaussian Process Morphable Models", PAMI 2018, section 4).

    Args:
        points: where displacements are wanted.
        anchors: the surface whose variance the modes should hold.
    """
    chosen = anchors[farthest_points(anchors, min(INDUCING_POINTS, len(anchors)))]
    values, vectors = np.linalg.eigh(_kernel(chosen, chosen, scales_mm))
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    scalar = (_kernel(points, chosen, scales_mm) @ vectors / np.sqrt(np.maximum(values, 1e-9))).T
    modes = np.zeros((len(scalar), 3, len(points), 3))
    for axis in range(3):
        modes[:, axis, :, axis] = scalar
    return modes.reshape(-1, len(points), 3)


def swelling_modes(
    points: Float[np.ndarray, "V 3"], centres: Sequence[Float[np.ndarray, "3"]]
) -> Float[np.ndarray, "K V 3"]:
    """What makes everything around each centre larger: w (x - c), with w falling with the distance."""
    modes = np.zeros((len(centres), *points.shape))
    for mode, centre in zip(modes, centres, strict=True):
        arm = points - centre
        mode += SWELLING * np.exp(-(arm**2).sum(axis=1) / (2 * SWELLING_MM**2))[:, None] * arm
    return modes


def _kernel(x: np.ndarray, y: np.ndarray, scales_mm: tuple[tuple[float, float], ...]) -> np.ndarray:
    squared = np.maximum((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T, 0)
    return sum((sd * sd * np.exp(-squared / (2 * length**2)) for length, sd in scales_mm), np.zeros(squared.shape))


def farthest_points(points: Float[np.ndarray, "P 3"], count: int) -> np.ndarray:
    """Rows of points that lie evenly: each is the one farthest from those before it, the first from the middle."""
    chosen = np.empty(count, np.int64)
    distance = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    for row in range(count):
        chosen[row] = distance.argmax()
        away = ((points - points[chosen[row]]) ** 2).sum(axis=1)
        distance = away if row == 0 else np.minimum(distance, away)
    return chosen
