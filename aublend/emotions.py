"""Emotions as action units: prototypes, graded intensities, and the varied instances that data sets are made of."""

from dataclasses import dataclass

import numpy as np

from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

EMOTIONS: tuple[str, ...] = tuple(load_toml("emotions")["order"])


@dataclass(frozen=True)
class Emotion:
    """One row of emotions.toml."""

    name: str
    units: dict[str, float]
    optional: dict[str, float]
    valence: float
    arousal: float
    mirrored: bool
    source: str
    """Where the set of units comes from."""
    rates: dict[str, float]
    """Probability of optional units in sampled instances; one half for those that are not named."""


def emotion(name: str) -> Emotion:
    """The emotion called `name`.

    Raises:
        MeshError: when emotions.toml has no such emotion.
    """
    table = load_toml("emotions")["emotion"]
    if name not in table:
        raise MeshError(f"unknown emotion {name!r}; expected one of {', '.join(EMOTIONS)}")
    row = table[name]
    return Emotion(
        name,
        units=dict(row["units"]),
        optional=dict(row["optional"]),
        valence=row["valence"],
        arousal=row["arousal"],
        mirrored=row.get("mirrored", False),
        source=row["source"],
        rates=dict(row.get("rates", {})),
    )


def emotion_weights(name: str, intensity: float = 1.0) -> dict[str, float]:
    """Unit weights of the prototype at an intensity from 0 to 1."""
    return {unit: weight * intensity for unit, weight in emotion(name).units.items()}


def sample_emotion_weights(
    name: str, intensity: float, rng: np.random.Generator, *, co_occurrence: float = 1.0, asymmetry: float = 0.06
) -> dict[str, float]:
    """One person's way of showing an emotion: units vary in strength, optional ones come and go, sides differ.

    Args:
        intensity: scales every unit; 1 is full.
        rng: the only source of chance.
        co_occurrence: factor on the rates at which optional units come along; 0 shows prototypes only.
        asymmetry: standard deviation of half the difference between the sides, as a share of the weight.
    """
    kind = emotion(name)
    weights = {unit: weight * rng.uniform(0.75, 1.15) for unit, weight in kind.units.items()}
    for unit, weight in kind.optional.items():
        if rng.random() < co_occurrence * kind.rates.get(unit, 0.5):
            weights[unit] = weight * rng.uniform(0.3, 1.0)
    if kind.mirrored and rng.random() < 0.5:
        weights = {swap_side(unit): weight for unit, weight in weights.items()}
    skewed: dict[str, float] = {}
    for unit, weight in weights.items():
        weight = float(np.clip(weight * intensity, 0, 1))
        if unit[-1] in "LR" or unit in ("AU61", "AU62", "AU63", "AU64"):
            skewed[unit] = weight
            continue
        tilt = rng.normal(0, asymmetry)
        skewed[f"{unit}L"] = float(np.clip(weight * (1 + tilt), 0, 1))
        skewed[f"{unit}R"] = float(np.clip(weight * (1 - tilt), 0, 1))
    return skewed


def swap_side(unit: str) -> str:
    """The same unit on the other side of the face."""
    return unit[:-1] + {"L": "R", "R": "L"}[unit[-1]] if unit[-1] in "LR" else unit
