"""Postures with exact action unit weights: what AUBlendSet shows of every identity beside its 32 shapes.

A posture is a row of weights for each half of the face; the head under it is `rig.pose(weights)`. Single units at
FACS's intensities, combinations and one-sided ones are the same for everybody; the random ones are drawn anew for each
identity, from its seed alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float

from aublend.combinations import COMBINATIONS
from aublend.curves import half_weights
from aublend.emotions import EMOTIONS, emotion_weights
from aublend.units import AU_INDEX, AU_NAMES, INTENSITY_LETTERS, N_UNITS

ONE_SIDED_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU9", "AU10", "AU12", "AU14", "AU15", "AU16", "AU20", "AU45")
ONE_SIDED_WEIGHT = 0.8
RANDOM_POSTURES = 24
FEWEST, MOST = 2, 6
"""Units that a random posture combines."""
UNLIKE_SHARE = 0.3
"""Random postures whose halves differ."""
EXCLUSIVE = (("AU26", "AU27"), ("AU30L", "AU30R"), ("AU61", "AU62"), ("AU63", "AU64"), ("AU5", "AU45"))
"""Units of which a random posture holds at most one: the other is its opposite or its continuation."""

Row = tuple[str, str, Float[np.ndarray, "2 A"]]
"""Name, kind and weights of a posture."""


@dataclass(frozen=True)
class Postures:
    """Named rows of weights. Sides are the subject's own, the left half first; weights run from 0 to 1."""

    names: tuple[str, ...]
    """Such as AU12C, AU6+AU12, happiness, AU45L, random 3."""
    kinds: tuple[str, ...]
    """single, combination, emotion, one-sided or random."""
    weights: Float[np.ndarray, "P 2 A"]


def postures_of(seed: int) -> Postures:
    """The postures of the identity that `seed` names; the same on every machine."""
    rows = chain(_singles(), _pairs(), _emotions(), _one_sided(), _random(seed))
    names, kinds, weights = zip(*rows, strict=True)
    return Postures(names, kinds, np.stack(weights).astype(np.float32))


def _singles() -> Iterator[Row]:
    for unit in AU_NAMES:
        for letter, weight in INTENSITY_LETTERS.items():
            yield unit + letter, "single", half_weights({unit: weight})


def _pairs() -> Iterator[Row]:
    for pair in COMBINATIONS:
        yield pair.name, "combination", half_weights(dict.fromkeys(pair.units, 1.0))


def _emotions() -> Iterator[Row]:
    for emotion in EMOTIONS:
        if weights := emotion_weights(emotion, 1.0):
            yield emotion, "emotion", half_weights(weights)


def _one_sided() -> Iterator[Row]:
    for unit in ONE_SIDED_UNITS:
        for side in "LR":
            yield unit + side, "one-sided", half_weights({unit + side: ONE_SIDED_WEIGHT})


def _random(seed: int) -> Iterator[Row]:
    rng = np.random.default_rng([seed, 0xAC7])
    for number in range(RANDOM_POSTURES):
        weights = np.zeros((2, N_UNITS))
        chosen = rng.choice(N_UNITS, rng.integers(FEWEST, MOST + 1), replace=False)
        weights[:, chosen] = rng.uniform(0.1, 1.0, len(chosen)).round(3)
        for one, other in EXCLUSIVE:
            if np.all(weights[0, [AU_INDEX[one], AU_INDEX[other]]] > 0):
                weights[:, AU_INDEX[other]] = 0.0
        if rng.random() < UNLIKE_SHARE:
            quieter = rng.integers(2)
            weights[quieter] = (weights[quieter] * rng.uniform(0.0, 0.7)).round(3)
        yield f"random {number}", "random", weights
