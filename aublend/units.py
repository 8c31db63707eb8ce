"""The 32 action units: names, order, facts. The only place where a unit becomes an index."""

import re
from dataclasses import dataclass
from typing import Literal

from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

Side = Literal["both", "left", "right"]
LipsGoal = Literal["sealed", "as neutral", "free"]
"""Whether the lips meet at full intensity, keep the gap they have at rest, or go where the unit takes them."""
LidsGoal = Literal["closed", "free"]
"""Whether the lids meet at full intensity."""

INTENSITY_LETTERS = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8, "E": 1.0}
"""FACS intensity letters on our 0..1 scale; evenly spaced by convention, though FACS's intervals are not."""


@dataclass(frozen=True)
class ActionUnit:
    """What FACS says of one unit, in our words, and how the embedded head makes its shape."""

    name: str
    facs_name: str
    muscle: str
    group: str
    region: str
    description: str
    shape: dict[str, float]
    lips: LipsGoal = "as neutral"
    lids: LidsGoal = "free"


ACTION_UNITS: tuple[ActionUnit, ...] = tuple(ActionUnit(**row) for row in load_toml("action_units")["unit"])
AU_NAMES: tuple[str, ...] = tuple(unit.name for unit in ACTION_UNITS)
AU_INDEX: dict[str, int] = {name: index for index, name in enumerate(AU_NAMES)}
N_UNITS = len(AU_NAMES)


def parse_unit(text: str) -> tuple[int, Side, float]:
    """Read "AU12", "AU12L", "AU12C" or "AU12LC" as (index, side, intensity).

    Convention: L and R are the subject's own; AU30L and AU30R are units of their own. Without a letter the
    intensity is 1.

    Raises:
        MeshError: for a unit that is not among the 32.
    """
    if text in AU_INDEX:
        return AU_INDEX[text], "both", 1.0
    match = re.fullmatch(r"(AU\d+)([LR]?)([A-E]?)", text)
    if match:
        name, side, letter = match.groups()
        intensity = INTENSITY_LETTERS.get(letter, 1.0)
        if name + side in AU_INDEX:
            return AU_INDEX[name + side], "both", intensity
        if name in AU_INDEX:
            sides: dict[str, Side] = {"": "both", "L": "left", "R": "right"}
            return AU_INDEX[name], sides[side], intensity
    raise MeshError(f"unknown action unit {text!r}; expected one of {', '.join(AU_NAMES)}, with L, R or A to E behind")
