"""A page that shows what every action unit and every pair of units does to one head, beside what FACS says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from aublend.combinations import COMBINATIONS, Combination
from aublend.embedded_gauge import EmbeddedSkin, embedded_skin
from aublend.head_model import HeadModel
from aublend.rig import AURig
from aublend.unit_areas import area_masks, unit_areas
from aublend.units import ACTION_UNITS, AU_INDEX, ActionUnit
from mesh4d.geometry.normals import vertex_areas
from mesh4d.io.atomic import atomic_write
from mesh4d.mesh import Mesh
from mesh4d.render import CameraRig, Framing, render_views
from mesh4d.render.contact_sheet import to_bytes

SIDES = CameraRig("three sides", yaws_deg=(0.0, 40.0, 85.0), pitches_deg=(0.0, 0.0, 0.0), fov_deg=15.0)
FACE = Framing(centre=np.array([0.0, -30.0, 0.0]), radius=82.0)
SIZE, JPEG_QUALITY = 232, 82
CONSIDERABLE = 0.05
"""Areas with a smaller share of a unit's energy are not named."""
WEIGHT = 1.0
INTRODUCTION = """# The 32 action units on the embedded head

What each unit is (after the FACS manual, Ekman, Friesen & Hager 2002, in our words), how its shape is made, and what it
does to one head, an identity that no weight was trained on (seed {seed}). Every picture pairs the neutral head on the
left with the unit at full intensity on the right, from the front, from 40° and in profile. Shares of energy are of area
times squared displacement on the skin that shows, by the areas of `data_specs/unit_areas.toml`; areas overlap.

This page is generated: `aublend page units -o docs`. The facts stand in `data_specs/action_units.toml`,
`data_specs/unit_areas.toml` and `data_specs/combinations.toml`; recipes name ARKit units (camelCase), artist-made
expression units of the head's population groups (kebab-case) and fields of `aublend.anatomy` (`anatomy:`).
"""
PAIRS_INTRODUCTION = """# Pairs of units that do not simply add

On the left the plain sum of both units at full intensity, on the right with the pair's own shape, which `drive` applies
times the product of both weights. From the front, from 40° and in profile.
"""


@dataclass(frozen=True)
class Extent:
    """How far a displacement goes, and where."""

    most_mm: float
    shares: dict[str, float]
    """Share of the energy in each area, the greatest first."""

    def __str__(self) -> str:
        areas = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.shares.items())
        return f"at most {self.most_mm:.1f} mm; energy in {areas}" if areas else f"at most {self.most_mm:.1f} mm"


def write_unit_page(model: HeadModel, seed: int, folder: Path) -> dict[str, object]:
    """Write action_units.md and its pictures.

    Args:
        model: the embedded head.
        seed: the identity that shows the units.
        folder: where the page comes to lie; pictures go into its folder `pictures`.
    """
    rig, skin = model.rig(seed), embedded_skin(model)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    at_rest = _photographs(rig.neutral)
    masks = area_masks(model.topology.vertices)
    blocks, written = [INTRODUCTION.format(seed=seed)], 0
    for unit in ACTION_UNITS:
        shown = _photographs(rig.drive({unit.name: WEIGHT}))
        written += _save(_side_by_side(at_rest, shown), pictures / f"{unit.name}.jpg")
        blocks.append(unit_block(unit, extent_of(rig.deltas[AU_INDEX[unit.name]], rig, skin, masks)))
    blocks.append(PAIRS_INTRODUCTION)
    for pair in COMBINATIONS:
        shape = rig.correctives[rig.pairs.index(pair.name)]
        weights = dict.fromkeys(pair.units, WEIGHT)
        both = rig.drive(weights)
        plain = _photographs(both.with_vertices(both.vertices - shape))
        written += _save(_side_by_side(plain, _photographs(both)), pictures / f"{pair.name}.jpg")
        blocks.append(pair_block(pair, extent_of(shape, rig, skin, masks)))
    page = folder / "action_units.md"
    with atomic_write(page, text=True) as file:
        file.write("\n".join(blocks))
    return {"page": str(page), "pictures": len(ACTION_UNITS) + len(COMBINATIONS), "picture_bytes": written}


def unit_block(unit: ActionUnit, extent: Extent) -> str:
    """What the page says of one unit."""
    area = unit_areas()[unit.name]
    recipe = " + ".join(f"{weight:g} `{source}`" for source, weight in unit.shape.items())
    held = [f"lips {unit.lips}"] * (unit.lips != "as neutral") + [f"lids {unit.lids}"] * (unit.lids != "free")
    rows = {
        "Muscle": unit.muscle,
        "Appearance": unit.description,
        "Must not move": area.still,
        "May move": ", ".join(area.moves),
        "Recipe": recipe + (f"; then {', '.join(held)}" if held else ""),
        "Extent": str(extent),
    }
    return _block(f"{unit.name}: {unit.facs_name}", unit.name, rows)


def pair_block(pair: Combination, extent: Extent) -> str:
    """What the page says of one pair."""
    goals = [f"lips {pair.lips}"] * (pair.lips != "as neutral") + [f"lids {pair.lids}"] * (pair.lids != "free")
    additions = [
        f"{one.weight:+g} {one.unit}"
        + (f" along {one.axis}" if one.axis else "")
        + (f" within {one.within}" if one.within else "")
        for one in pair.additions
    ]
    rows = {"Why": pair.why, "Sum changed by": "; ".join([*additions, *goals]) or "nothing", "Extent": str(extent)}
    return _block(pair.name, pair.name, rows)


def extent_of(
    delta: Float[np.ndarray, "V 3"], rig: AURig, skin: EmbeddedSkin, masks: dict[str, Float[np.ndarray, " V"]]
) -> Extent:
    """How far a displacement moves the skin that shows, and the areas it moves."""
    squared = (delta.astype(np.float64) ** 2).sum(axis=1) * skin.outer
    energy = squared * vertex_areas(rig.neutral.vertices, skin.outer_faces)
    shares = {name: float((energy * mask).sum() / max(energy.sum(), 1e-12)) for name, mask in masks.items()}
    ordered = sorted(shares.items(), key=lambda row: -row[1])
    return Extent(float(np.sqrt(squared.max())), {name: share for name, share in ordered if share >= CONSIDERABLE})


def _block(title: str, picture: str, rows: dict[str, str]) -> str:
    lines = [f"## {title}", "", f"![{picture}](pictures/{picture}.jpg)", ""]
    return "\n".join([*lines, *(f"- **{name}**: {text}" for name, text in rows.items()), ""])


def _photographs(mesh: Mesh) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """The head from the three sides."""
    views = render_views(mesh, SIDES, size=SIZE, channels=("shaded",), framing=FACE)
    return [to_bytes(image) for image in views.channel("shaded")]


def _side_by_side(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> UInt8[np.ndarray, "_ _ 3"]:
    """Before and after from each side, in one strip."""
    return np.concatenate([picture for couple in zip(before, after, strict=True) for picture in couple], axis=1)


def _save(picture: UInt8[np.ndarray, "_ _ 3"], path: Path) -> int:
    """Write a JPEG; its size in bytes."""
    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return path.stat().st_size
