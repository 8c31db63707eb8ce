"""Areas of the face, and which of them each action unit may move: what data_specs/unit_areas.toml says, on a head."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from aublend.units import AU_NAMES
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

RIM = 0.25
"""An area fades out over this share of its ellipsoids' radii."""


@dataclass(frozen=True)
class UnitArea:
    """What FACS says of where one unit acts."""

    moves: tuple[str, ...]
    still: str
    """What must not move, in words."""


@cache
def unit_areas() -> dict[str, UnitArea]:
    """Every unit's areas.

    Raises:
        SpecError: when the table does not hold the 32 units, or names an area that it does not describe.
    """
    table = load_toml("unit_areas")
    areas = {name: UnitArea(tuple(row["moves"]), row["still"]) for name, row in table["unit"].items()}
    if tuple(areas) != AU_NAMES:
        raise SpecError(f"unit_areas.toml: expected a row for each of {AU_NAMES}, found {tuple(areas)}")
    if unknown := {name for area in areas.values() for name in area.moves} - set(table["area"]):
        raise SpecError(f"unit_areas.toml: expected areas among {tuple(table['area'])}, found {sorted(unknown)}")
    return areas


def area_masks(average: Float[np.ndarray, "V 3"]) -> dict[str, Float[np.ndarray, " V"]]:
    """How much each vertex belongs to each area, 0 to 1; areas overlap.

    Args:
        average: vertices of the average embedded head (`head_model().topology`), face frame, mm.
    """
    return {
        name: np.maximum.reduce(
            [_ellipsoid(average, np.array(row["centre"]), np.array(row["radii"])) for row in area["ellipsoids"]]
        )
        for name, area in load_toml("unit_areas")["area"].items()
    }


def unit_masks(average: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "A V"]:
    """Where each unit may move the head, 0 to 1: the union of its areas."""
    masks = area_masks(average)
    return np.stack([np.maximum.reduce([masks[name] for name in unit_areas()[unit].moves]) for unit in AU_NAMES])


def _ellipsoid(vertices: np.ndarray, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """1 inside the ellipsoid and its mirror image, fading to 0 over the rim."""
    mirrored = np.stack([np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]], axis=1)
    reach = np.linalg.norm((mirrored - centre) / radii, axis=1)
    t = np.clip((1 + RIM - reach) / RIM, 0, 1)
    return t * t * (3 - 2 * t)
