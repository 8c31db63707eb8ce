"""Identities: what a person's neutral head is made of, and how a seed draws one.

A head is MakeHuman's base mesh plus macro targets (sex, age, muscle, weight, population group, multilinear) plus
local traits (signed axes such as nose-hump decr/incr). The ranges are ours: wide enough to cover adult heads,
narrow enough that no drawn head is a caricature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from aublend.makehuman import GROUPS, IDENTITY_FOLDERS

AGE_STAGES = {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0}
LEVELS = {"min": 0.0, "average": 0.5, "max": 1.0}
OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
EXCLUDED = re.compile(r"head/head-trans|neck/neck-trans|asym/asymm-|head/head-angle|ears/.*pointed")
"""Targets that pose or displace the head instead of shaping it, or leave the range of human heads."""

TRAIT_SPREAD = {"head": 0.11, "forehead": 0.16, "neck": 0.12, "ears": 0.25, "eyes": 0.22, "asym": 0.1}
"""Standard deviation of a local trait by folder; 1 is the artist's extreme. Folders not named: OTHER_SPREAD."""
OTHER_SPREAD = 0.2
ASYMMETRY_SPREAD = 0.05
"""Independent part of left and right traits."""


@dataclass(frozen=True)
class Trait:
    """A signed axis of local shape: weight +w uses `positive`, weight -w uses `negative` (None: one-sided)."""

    name: str
    positive: str
    negative: str | None
    tied_to: str
    """Traits with one `tied_to` share their symmetric part (left and right of the same detail)."""


@dataclass(frozen=True)
class Identity:
    """The parameters of one neutral head."""

    male: float
    """0 female to 1 male."""
    age: float
    """0 baby, 0.1875 child, 0.5 young adult, 1 old."""
    muscle: float
    weight: float
    groups: Float[np.ndarray, "3"]
    """Share of each population group in GROUPS' order; sums to 1."""
    traits: Float[np.ndarray, " traits"]
    """One weight per trait of `identity_traits`, about -1 to 1."""


@cache
def identity_traits(target_names: tuple[str, ...]) -> tuple[Trait, ...]:
    """Pair the identity targets into signed axes, in the order of their first target."""
    names = [n for n in target_names if n.split("/")[0] in IDENTITY_FOLDERS and not EXCLUDED.search(n)]
    known = set(names)
    traits = []
    for name in names:
        negative = None
        for low, high in OPPOSITES:
            if name.endswith(f"-{low}") and f"{name.removesuffix(low)}{high}" in known:
                negative = ""
            if name.endswith(f"-{high}") and f"{name.removesuffix(high)}{low}" in known:
                negative = f"{name.removesuffix(high)}{low}"
        if negative == "":
            continue  # the low end of a pair; its high end makes the trait
        if match := re.fullmatch(r"(asym/.*)-([lr])", name):
            if match[2] == "r":
                continue
            negative = f"{match[1]}-r"
        traits.append(Trait(name, name, negative, re.sub(r"/[lr]-", "/", name)))
    return tuple(traits)


def sample_identity(seed: int, target_names: tuple[str, ...]) -> Identity:
    """Draw an adult head. The same seed gives the same head on every machine.

    Args:
        seed: the identity's number; identities are named by it in every split.
        target_names: the targets that exist, as in MakeHumanHead.target_names.
    """
    rng = np.random.default_rng([seed, 0xFACE])
    male = float(np.clip(rng.beta(0.6, 0.6), 0, 1))
    age = float(rng.uniform(0.38, 1.0))
    muscle, weight = (float(v) for v in rng.beta(3, 3, size=2))
    groups = rng.dirichlet([0.45, 0.45, 0.45])
    traits = identity_traits(target_names)
    symmetric: dict[str, float] = {}
    weights = np.empty(len(traits))
    for row, trait in enumerate(traits):
        spread = TRAIT_SPREAD.get(trait.name.split("/")[0], OTHER_SPREAD)
        value = symmetric.setdefault(trait.tied_to, float(rng.normal(0, spread)))
        own = rng.normal(0, ASYMMETRY_SPREAD) if trait.tied_to != trait.name else 0.0
        weights[row] = np.clip(value + own, -1, 1) if trait.negative else np.clip(abs(value) - spread, 0, 0.6)
    return Identity(male, age, muscle, weight, groups, weights)


def average_identity(target_names: tuple[str, ...]) -> Identity:
    """The head in the middle of every range."""
    return Identity(0.5, 0.6, 0.5, 0.5, np.full(3, 1 / 3), np.zeros(len(identity_traits(target_names))))


def target_weights(identity: Identity, target_names: tuple[str, ...]) -> Float[np.ndarray, " targets"]:
    """The weight of every target for one identity (zero for expression targets)."""
    index = {name: row for row, name in enumerate(target_names)}
    weights = np.zeros(len(target_names))
    ages = _stage_weights(identity.age, AGE_STAGES)
    muscles = _stage_weights(identity.muscle, LEVELS)
    fats = _stage_weights(identity.weight, LEVELS)
    for sex, sex_weight in (("female", 1 - identity.male), ("male", identity.male)):
        for age, age_weight in ages.items():
            for group, group_weight in zip(GROUPS, identity.groups, strict=True):
                weights[index[f"macro/{group}-{sex}-{age}"]] = sex_weight * age_weight * group_weight
            for muscle, muscle_weight in muscles.items():
                for fat, fat_weight in fats.items():
                    name = f"macro/universal-{sex}-{age}-{muscle}muscle-{fat}weight"
                    if name in index:  # the average of all has no target: it is the base mesh
                        weights[index[name]] = sex_weight * age_weight * muscle_weight * fat_weight
    for trait, value in zip(identity_traits(target_names), identity.traits, strict=True):
        if value > 0:
            weights[index[trait.positive]] += value
        elif trait.negative is not None:
            weights[index[trait.negative]] -= value
    return weights


def _stage_weights(value: float, stages: dict[str, float]) -> dict[str, float]:
    """Piecewise linear weights of the two stages around `value`."""
    names: Sequence[str] = list(stages)
    positions = np.array(list(stages.values()))
    value = float(np.clip(value, positions[0], positions[-1]))
    high = int(np.clip(np.searchsorted(positions, value), 1, len(names) - 1))
    share = (value - positions[high - 1]) / (positions[high] - positions[high - 1])
    return {names[high - 1]: 1 - float(share), names[high]: float(share)}
