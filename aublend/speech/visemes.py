"""Visemes in action units: the reviewed table, brought to the size and shapes of one rig."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float

from aublend.speech.lips import Lips
from aublend.speech.phones import PHONE_INDEX, PHONES
from aublend.units import AU_INDEX, N_UNITS, parse_unit
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

Contact = Literal["", "lips", "teeth"]

JAW_UNITS = ("AU26", "AU27")
PARTING_UNITS = ("AU25", "AU16")
"""Units that are scaled together until the lips stand as far apart as the table says."""


@dataclass(frozen=True)
class Viseme:
    """One row of visemes.toml."""

    phone: str
    group: str
    jaw_mm: float
    opening_mm: float
    units: dict[str, float]
    contact: Contact
    lip_dominance: float
    jaw_dominance: float
    lead_s: float
    glide: str
    glide_share: float


@lru_cache(maxsize=1)
def visemes() -> dict[str, Viseme]:
    """The reviewed table, one viseme per phone in the order of PHONES.

    Raises:
        SpecError: when a phone is missing, or a row names an unknown unit, group or glide.
    """
    spec = load_toml("visemes")
    rows = spec["phone"]
    if set(rows) != set(PHONES):
        raise SpecError(f"visemes.toml: expected a row for each phone; differs in {sorted(set(rows) ^ set(PHONES))}")
    table = {}
    for phone in PHONES:
        row = rows[phone]
        glide = row.get("glide", {"phone": "", "share": 0.0})
        for unit in row["units"]:
            parse_unit(unit)
        if row["class"] not in spec["classes"] or (glide["phone"] and glide["phone"] not in rows):
            raise SpecError(f"visemes.toml: {phone} names an unknown class or glide")
        lips, jaw = row["dominance"]
        table[phone] = Viseme(
            phone, row["class"], row["jaw_mm"], row["opening_mm"], dict(row["units"]), row.get("contact", ""),
            lips, jaw, row.get("lead_s", 0.0), glide["phone"], glide["share"],
        )  # fmt: skip
    return table


def viseme_groups() -> tuple[str, ...]:
    """The groups that accuracy is counted in; silence first."""
    return tuple(load_toml("visemes")["classes"])


def group_of_phone() -> np.ndarray:
    """Row in `viseme_groups` of each phone in PHONES."""
    groups = viseme_groups()
    return np.array([groups.index(viseme.group) for viseme in visemes().values()])


def rig_targets(lips: Lips) -> Float[np.ndarray, "phones A"]:
    """Unit weights of every phone on this rig, at normal loudness, in the order of PHONES.

    The jaw weight is what drops this rig's lower lip by the table's millimetres; then jaw, AU25 and AU16 are scaled by
    one factor until the inner lips stand as far apart in the middle as the table says (both times the mouth's size).
    """
    targets = np.zeros((len(PHONES), N_UNITS))
    for phone, viseme in visemes().items():
        row = targets[PHONE_INDEX[phone]]
        for unit, weight in viseme.units.items():
            row[AU_INDEX[unit]] = weight
        jaw = jaw_weights(lips, viseme.jaw_mm * lips.scale)
        for name, weight in jaw.items():
            row[AU_INDEX[name]] = weight
        if not viseme.contact and viseme.opening_mm > 0:
            _open_to(lips, row, viseme.opening_mm * lips.scale)
    return targets


def jaw_weights(lips: Lips, drop_mm: float) -> dict[str, float]:
    """AU26, and AU27 beyond it, that lower the middle of the lower lip by some mm on this rig."""
    middle = lips.column_points(lips.middle, 1)
    slopes = lips.points.slopes(np.zeros((2, N_UNITS)))
    per_unit = {name: -float(slopes[AU_INDEX[name], middle, 1].mean()) for name in JAW_UNITS}
    drop = max(per_unit["AU26"], 1e-6)
    first = min(drop_mm / drop, 1.0)
    beyond = (drop_mm - first * drop) / max(per_unit["AU27"] - drop, 1e-6)
    beyond = float(np.clip(beyond, 0, 1))
    # AU27 is the wide end of the same motion: it replaces AU26 rather than adding to it.
    return {"AU26": first * (1 - beyond), "AU27": beyond}


def _open_to(lips: Lips, row: Float[np.ndarray, " A"], opening_mm: float) -> None:
    """Scale the opening units of one target (in place) until the middle gap is `opening_mm`."""
    scaled = [AU_INDEX[name] for name in (*JAW_UNITS, *PARTING_UNITS)]
    base = row[scaled].copy()
    low, high = 0.0, 2.5
    for _ in range(18):
        factor = (low + high) / 2
        row[scaled] = np.minimum(base * factor, 1.0)
        gap = lips.gaps(np.broadcast_to(row, (1, 2, N_UNITS)))[0, lips.middle]
        low, high = (factor, high) if gap < opening_mm else (low, factor)
