"""Shapes to learn from: identities and expressions of the embedded head, mixed, exaggerated and bent.

One generator has one idea of a head. Bending whole heads smoothly and resizing their features gives proportions that
it never draws; labels ride along because they are places on the mesh.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.blendset import BlendSet
from aublend.halves import MidPlane
from aublend.units import AU_INDEX, N_UNITS

JAW_UNITS, LIPS_APART = ("AU26", "AU27"), "AU25"
Bend = Callable[[Float[np.ndarray, "P 3"]], Float[np.ndarray, "P 3"]]


@dataclass(frozen=True)
class ShapeSource:
    """The identities of one part of the split."""

    neutrals: Float[np.ndarray, "N V 3"]
    deltas: Float[np.ndarray, "N A V 3"]
    mean: Float[np.ndarray, "V 3"]
    left_share: Float[np.ndarray, " V"]

    @classmethod
    def of(cls, blendset: BlendSet) -> "ShapeSource":
        """The source over a set of identities."""
        mean = blendset.neutrals.mean(axis=0, dtype=np.float64)
        return cls(blendset.neutrals, blendset.deltas, mean, MidPlane.of_face_frame().left_weight(mean))

    def neutral(self, rng: np.random.Generator) -> tuple[int, Float[np.ndarray, "V 3"]]:
        """An identity, or an exaggerated mix of two, and whose expressions to use."""
        row, other = rng.integers(len(self.neutrals), size=2)
        if rng.random() < 0.35:
            return int(row), self.neutrals[row].astype(np.float64)
        one, two = rng.uniform(0.3, 1.6), rng.uniform(-0.5, 0.6)
        mixed = self.mean + one * (self.neutrals[row] - self.mean) + two * (self.neutrals[other] - self.mean)
        return int(row), mixed

    def shape(self, rng: np.random.Generator) -> Float[np.ndarray, "V 3"]:
        """A head with an expression, in the face frame (mm)."""
        row, neutral = self.neutral(rng)
        left, right = random_expression(rng)
        moved = np.zeros_like(neutral)
        for share, weights in ((self.left_share, left), (1 - self.left_share, right)):
            for unit in np.flatnonzero(weights):
                moved += (weights[unit] * share)[:, None] * self.deltas[row, unit]
        return neutral + moved


def random_expression(rng: np.random.Generator) -> Float[np.ndarray, "2 A"]:
    """Unit weights of the left and the right half: a fifth neutral, often an open mouth, sometimes closed eyes."""
    weights = np.zeros(N_UNITS)
    if rng.random() < 0.8:
        chosen = rng.choice(N_UNITS, rng.integers(1, 6), replace=False)
        weights[chosen] = rng.uniform(0.1, 1.1, len(chosen))
    if rng.random() < 0.3:
        weights[AU_INDEX[JAW_UNITS[rng.integers(2)]]] = rng.uniform(0.2, 1.1)
        weights[AU_INDEX[LIPS_APART]] = rng.uniform(0.3, 1.0)
    if rng.random() < 0.2:
        weights[AU_INDEX["AU45"]] = rng.uniform(0.5, 1.0)
    halves = np.stack([weights, weights])
    if rng.random() < 0.25:
        halves *= rng.uniform(0.2, 1.0, (2, 1))
    return halves


def random_bend(rng: np.random.Generator, points: Float[np.ndarray, "68 3"], strength: float = 1.0) -> Bend:
    """A smooth deformation of space around a face with these landmarks, mostly symmetric.

    It stretches along the axes, sends long waves through the head, resizes eyes, nose, mouth, chin and cranium each
    on its own, and pushes a few places in or out.
    """
    size = rng.normal(0, 0.08 * strength, 3)
    linear = np.diag(np.exp(size - size.mean() / 2)) + rng.normal(0, 0.025 * strength, (3, 3))
    steps: list[Bend] = [_waves(rng, 0.03 * strength), *_features(rng, points, strength)]
    if rng.random() < 0.5:
        steps.append(_pushes(rng, points, strength))
    symmetric = rng.random() < 0.75

    def bend(places: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        moved = places @ linear.T if not symmetric else places * np.diag(linear)
        for step in steps:
            shift = step(moved)
            if symmetric:
                flip = np.array([-1.0, 1.0, 1.0])
                shift = 0.5 * (shift + flip * step(moved * flip))
            moved = moved + shift
        return moved

    return bend


def _waves(rng: np.random.Generator, slope: float) -> Bend:
    length = rng.uniform(130, 450, 5)
    direction = rng.normal(size=(5, 3))
    vectors = 2 * np.pi * direction / np.linalg.norm(direction, axis=1, keepdims=True) / length[:, None]
    heights = rng.normal(0, 0.5 * slope, (5, 3)) * length[:, None]
    phases = rng.uniform(0, 2 * np.pi, 5)
    return lambda places: np.sin(places @ vectors.T + phases) @ heights


def _features(rng: np.random.Generator, points: Float[np.ndarray, "68 3"], strength: float) -> list[Bend]:
    """Resize features about their middles: (middle, radius, spread of the logarithm of the size)."""
    nose, mouth, chin = (points[ids].mean(axis=0) for ids in (range(27, 36), range(48, 68), [8]))
    eye_size, eye_shift = rng.normal(0, 0.13, 3), rng.normal(0, 2.0, 3)
    left, right = points[42:48].mean(axis=0), points[36:42].mean(axis=0)
    flip = np.array([-1.0, 1.0, 1.0])
    return [
        _resize(left, 22.0, eye_size * strength, eye_shift * strength),
        _resize(right, 22.0, eye_size * strength, eye_shift * flip * strength),
        _resize(nose, 28.0, rng.normal(0, 0.13, 3) * strength, rng.normal(0, 2.5, 3) * strength),
        _resize(mouth, 30.0, rng.normal(0, 0.13, 3) * strength, rng.normal(0, 3.0, 3) * strength),
        _resize(chin, 40.0, rng.normal(0, 0.10, 3) * strength, rng.normal(0, 4.0, 3) * strength),
        _resize(np.array([0.0, 60.0, -70.0]), 75.0, rng.normal(0, 0.15, 3), rng.normal(0, 8.0, 3)),
        _resize(np.array([0.0, -130.0, -60.0]), 45.0, rng.normal(0, 0.2, 3), np.zeros(3)),
    ]


def _resize(middle: np.ndarray, radius: float, log_size: np.ndarray, shift: np.ndarray) -> Bend:
    def step(places: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        from_middle = places - middle
        share = np.exp(-0.5 * np.einsum("pc,pc->p", from_middle, from_middle) / radius**2)
        return share[:, None] * (from_middle * np.expm1(log_size) + shift)

    return step


def _pushes(rng: np.random.Generator, points: Float[np.ndarray, "68 3"], strength: float) -> Bend:
    count = rng.integers(1, 6)
    middles = points[rng.integers(len(points), size=count)] + rng.normal(0, 15, (count, 3))
    steps: Sequence[Bend] = [
        _resize(middle, radius, np.zeros(3), rng.normal(0, 0.12 * strength * radius, 3))
        for middle, radius in zip(middles, rng.uniform(15, 45, count), strict=True)
    ]
    return lambda places: sum((step(places) for step in steps), np.zeros_like(places))
