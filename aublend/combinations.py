"""Pairs of units that do not simply add: what a head under both differs from the sum of the two.

After the corrective shapes of production rigs: a pair's shape is applied times the product of its drivers' weights.
What a pair lacks is said in data_specs/combinations.toml in terms of the rig's own shapes, so that it can be worked
out on any head and topology.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.fissures import NeutralFissures, gaze_turn
from aublend.lashes import LashRide
from aublend.units import AU_INDEX, LidsGoal, LipsGoal
from mesh4d.specs import load_toml

FULL_SHARE = 0.5
"""A vertex is wholly `within` a unit where the unit moves it by at least this share of its largest motion."""


@dataclass(frozen=True)
class Addition:
    """A share of one unit's own shape."""

    unit: str
    weight: float
    within: str | None = None
    """Only where this unit moves the head."""
    axis: str | None = None
    """Only along this axis of the face frame."""

    def field(self, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "V 3"]:
        """The displacement, from the units' shapes in the face frame."""
        field = self.weight * deltas[AU_INDEX[self.unit]]
        if self.axis is not None:
            field = field * (np.arange(3) == "xyz".index(self.axis))
        if self.within is not None:
            motion = np.linalg.norm(deltas[AU_INDEX[self.within]], axis=1)
            t = np.clip(motion / max(FULL_SHARE * motion.max(), 1e-9), 0, 1)
            field = field * (t * t * (3 - 2 * t))[:, None]
        return field


@dataclass(frozen=True)
class Combination:
    """Two units that change each other."""

    units: tuple[str, str]
    why: str
    additions: tuple[Addition, ...]
    lips: LipsGoal
    lids: LidsGoal

    @property
    def name(self) -> str:
        """E.g. "AU6+AU45"."""
        return "+".join(self.units)


def _combination(row: dict) -> Combination:
    one, other = sorted(row["units"], key=AU_INDEX.__getitem__)
    additions = tuple(Addition(**addition) for addition in row.get("add", []))
    return Combination((one, other), row["why"], additions, row.get("lips", "as neutral"), row.get("lids", "free"))


COMBINATIONS: tuple[Combination, ...] = tuple(_combination(row) for row in load_toml("combinations")["pair"])


def pair_deltas(
    rest: NeutralFissures,
    deltas: Float[np.ndarray, "A V 3"],
    lashes: LashRide | None = None,
    combinations: Sequence[Combination] = COMBINATIONS,
) -> Float[np.ndarray, "P V 3"]:
    """The shape of every pair on one head, face frame, mm.

    Args:
        lashes: what rides on the lids, also where a pair moves them.
    """
    shapes = []
    for combination in combinations:
        plain = sum(deltas[AU_INDEX[unit]] for unit in combination.units)
        wanted = plain + sum((addition.field(deltas) for addition in combination.additions), np.zeros_like(plain))
        turns = [turn for turn in map(gaze_turn, combination.units) if turn is not None]
        held = rest.under(wanted, combination.lips, combination.lids, turns[0] if turns else None)
        if lashes is not None:
            held = lashes.riding(rest.vertices, held[None])[0]
        shapes.append(held - plain)
    return np.stack(shapes)
