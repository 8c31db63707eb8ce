"""Action unit weights to words: one sentence for the whole face and one for each region.

The captions are exact, because the faces are made from the weights they speak of.
"""

from functools import cache

import numpy as np
from jaxtyping import Float

from aublend.units import ACTION_UNITS, AU_INDEX
from mesh4d.specs import load_toml

REGIONS: tuple[str, ...] = tuple(dict.fromkeys(unit.region for unit in ACTION_UNITS))
"""Regions of the face in the order of action_units.toml: brow, lid, cheek, nose, lip, jaw, eye."""

MIRRORED_UNITS = {"AU30L": "AU30R", "AU30R": "AU30L", "AU61": "AU62", "AU62": "AU61"}
"""Units that a mirrored face shows in place of each other."""


@cache
def region_rows(region: str) -> tuple[int, ...]:
    """Rows of the units whose motion lies in a region."""
    return tuple(row for row, unit in enumerate(ACTION_UNITS) if unit.region == region)


def face_caption(halves: Float[np.ndarray, "2 A"]) -> str:
    """One sentence that names the strongest units of the face.

    Args:
        halves: weights of the subject's left (0) and right (1) half, as `aublend.curves.half_weights` gives them.
    """
    spec = load_toml("prompts")["caption"]
    order = np.argsort(-halves.max(axis=0), kind="stable")[: spec["global_phrases"]]
    return _joined(halves, order.tolist()) or spec["rest"]


def region_caption(halves: Float[np.ndarray, "2 A"], region: str) -> str:
    """One sentence about one region of REGIONS."""
    spec = load_toml("prompts")["caption"]
    rows = sorted(region_rows(region), key=lambda row: -halves[:, row].max())[: spec["global_phrases"]]
    return _joined(halves, rows) or spec["region_rest"].format(region=region)


def mirrored_halves(halves: Float[np.ndarray, "*B 2 A"]) -> Float[np.ndarray, "*B 2 A"]:
    """The weights of the mirrored face."""
    partner = np.arange(len(ACTION_UNITS))
    for one, other in MIRRORED_UNITS.items():
        partner[AU_INDEX[one]] = AU_INDEX[other]
    return halves[..., ::-1, :][..., partner]


def _joined(halves: Float[np.ndarray, "2 A"], rows: list[int]) -> str:
    """The phrases of the visible units among `rows`, joined by commas."""
    visible_from = load_toml("prompts")["caption"]["visible_from"]
    return ", ".join(_phrase(row, *halves[:, row].tolist()) for row in rows if halves[:, row].max() >= visible_from)


def _phrase(row: int, left: float, right: float) -> str:
    """A unit's phrase with its intensity word, and its side where one half moves much more."""
    spec = load_toml("prompts")["caption"]
    strongest = max(left, right)
    word = next(step["word"] for step in spec["intensities"] if strongest < step["below"])
    side = ""
    if strongest > spec["side_ratio"] * min(left, right):
        side = f" {spec['left']}" if left > right else f" {spec['right']}"
    return f"{spec['phrases'][ACTION_UNITS[row].name]} {word}{side}"
