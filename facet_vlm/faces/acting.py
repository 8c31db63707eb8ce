"""What a synthesised face shows: an expression in one of many ways, any action units at all, or a mixture of two.

Heads of other makers do not show sadness with the same units at the same strengths as our table does, so a model that
saw the table alone would know one actor. Variants, missing units, uneven strengths and wandering eyes are the rest.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.curves import half_weights
from aublend.emotions import sample_emotion_weights, swap_side
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.specs import load_toml

MAX_STRAY_UNITS = 3
VARIANT_SHARE = 0.5
"""Of draws that follow a row of expression_variants.toml instead of the prototype."""
DROPPED_SHARE = 0.15
"""Of draws with three units and more in which one of them does not show."""
UNEVEN = 0.2
"""Standard deviation of the logarithm of each unit's strength."""
ASYMMETRY = 0.08
GAZE_UNITS = ("AU61", "AU62", "AU63", "AU64")
LIDS_LOW = 0.25
"""Largest weight of AU45 with which a relaxed face looks out."""


@dataclass(frozen=True)
class Showing:
    """Action units of both halves, and what they mean."""

    halves: Float[np.ndarray, "2 A"]
    """Action unit weights of the subject's left and right half."""
    target: Float[np.ndarray, " K"]
    """Probability of each of EXPRESSIONS; all zero where the units mean none of them."""
    intensity: float
    """0 for neutral."""

    @property
    def label(self) -> int:
        """Row of the likeliest expression; -1 where there is none."""
        return int(self.target.argmax()) if self.target.any() else -1

    def with_hard_label(self) -> "Showing":
        """The same face called by its likeliest expression alone."""
        return Showing(self.halves, np.eye(len(self.target), dtype=np.float32)[self.label], self.intensity)


def prototype(name: str, intensity: float, residual: float, rng: np.random.Generator) -> Showing:
    """An expression as emotions.toml has it, with its chance, over a face that is not quite at rest."""
    halves = stray_weights(residual, rng)
    if name != "neutral":
        halves = np.clip(halves + half_weights(sample_emotion_weights(name, intensity, rng)), 0, 1)
    return Showing(halves.astype(np.float32), _certain(name), intensity if name != "neutral" else 0.0)


def any_way(name: str, intensity: float, residual: float, rng: np.random.Generator) -> Showing:
    """An expression in one of the ways that people and animators show it, the eyes looking anywhere."""
    base = prototype(name, intensity, residual, rng).halves.astype(float)
    if name != "neutral" and rng.random() < VARIANT_SHARE:
        base = np.clip(stray_weights(residual, rng) + half_weights(variant_weights(name, intensity, rng)), 0, 1)
    elif name == "neutral" and rng.random() < 0.5:
        base[:, AU_INDEX["AU25"]] = rng.uniform(0, 0.15)
    return Showing(looking_about(base, rng).astype(np.float32), _certain(name), intensity if name != "neutral" else 0.0)


def variant_weights(name: str, intensity: float, rng: np.random.Generator) -> dict[str, float]:
    """Unit weights of one row of expression_variants.toml: uneven, perhaps without one unit, sides not quite alike."""
    table = load_toml("expression_variants")[name]
    rows = table["variants"]
    units = dict(rows[rng.integers(len(rows))])
    if len(units) >= 3 and rng.random() < DROPPED_SHARE:
        del units[rng.choice(list(units))]
    if table.get("mirrored", False) and rng.random() < 0.5:
        units = {swap_side(unit) if unit[:-1] in AU_NAMES else unit: weight for unit, weight in units.items()}
    weights: dict[str, float] = {}
    for unit, weight in units.items():
        strength = weight * intensity * float(np.exp(rng.normal(0, UNEVEN)))
        if unit in AU_NAMES:
            tilt = rng.normal(0, ASYMMETRY)
            weights |= {
                f"{unit}L": float(np.clip(strength * (1 + tilt), 0, 1)),
                f"{unit}R": float(np.clip(strength * (1 - tilt), 0, 1)),
            }
        else:
            weights[unit] = float(np.clip(strength, 0, 1))
    return weights


def anything(residual: float, rng: np.random.Generator) -> Showing:
    """Two to five units of no known meaning, for captions alone; three in ten on one side, none beside its opposite."""
    halves = stray_weights(residual, rng)
    barred: set[str] = set()
    pairs = load_toml("antagonists")["pairs"]
    for name in rng.permutation(AU_NAMES)[: rng.integers(2, 6)].tolist():
        if name in barred:
            continue
        barred |= {b for pair in pairs for a, b in (pair, pair[::-1]) if a == name}
        weight = rng.uniform(0.3, 1.0)
        sides = [int(rng.integers(2))] if rng.random() < 0.3 else [0, 1]
        halves[sides, AU_INDEX[name]] = weight
    return Showing(halves.astype(np.float32), np.zeros(len(EXPRESSIONS), np.float32), float(halves.max()))


def mixture(first: Showing, second: Showing, share: float) -> Showing:
    """MIDAS on still faces: share x first + (1 - share) x second, units and meaning alike (see aublend.midas)."""
    return Showing(
        (share * first.halves + (1 - share) * second.halves).astype(np.float32),
        (share * first.target + (1 - share) * second.target).astype(np.float32),
        share * first.intensity + (1 - share) * second.intensity,
    )


def stray_weights(largest: float, rng: np.random.Generator) -> Float[np.ndarray, "2 A"]:
    """A few units at random, weakly, as no face is ever quite at rest."""
    halves = np.zeros((2, N_UNITS))
    rows = rng.choice(N_UNITS, rng.integers(0, MAX_STRAY_UNITS + 1), replace=False)
    halves[:, rows] = rng.uniform(0, largest, len(rows))
    return halves


def looking_about(halves: Float[np.ndarray, "2 A"], rng: np.random.Generator) -> Float[np.ndarray, "2 A"]:
    """The same face with its eyes turned somewhere in half of the cases, and its lids a little lower in some."""
    changed = halves.copy()
    if rng.random() < 0.5:
        for pair in (GAZE_UNITS[:2], GAZE_UNITS[2:]):
            unit = AU_INDEX[pair[rng.integers(2)]]
            changed[:, unit] = np.maximum(changed[:, unit], rng.uniform(0, 0.5))
    if rng.random() < 0.25 and not (changed[:, AU_INDEX["AU5"]] > 0.2).any():
        lids = AU_INDEX["AU45"]
        changed[:, lids] = np.maximum(changed[:, lids], rng.uniform(0, LIDS_LOW))
    return changed


def _certain(name: str) -> Float[np.ndarray, " K"]:
    return np.eye(len(EXPRESSIONS), dtype=np.float32)[EXPRESSIONS.index(name)]
