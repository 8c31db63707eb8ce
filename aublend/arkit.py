"""Action units <-> ARKit's 52 face shapes: approximate, named gaps, and no bijection.

The table is data_specs/arkit.toml. Sixty-four half units meet 52 shapes: AU11 has no shape, AU23 and AU25 borrow
those of other units, AU26 and AU27 share jawOpen, AU1 and the middle of the mouth have no sides there; mouthLeft,
mouthRight and tongueOut have no unit here. Everything is found by name, never by position: tools disagree on the order.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves
from aublend.sided_curves import sided_curves
from aublend.units import AU_INDEX, N_UNITS
from mesh4d.errors import MeshError, SpecError
from mesh4d.specs import load_toml

ARKIT_NAMES: tuple[str, ...] = tuple(load_toml("arkit")["shapes"])
"""The 52 shapes in the order of the app Live Link Face (right before left for jaw and mouth)."""
ROTATION_NAMES: tuple[str, ...] = tuple(load_toml("arkit")["rotations"])
"""Head and eyeball rotations that travel beside the shapes, in radians."""
ARKIT_WITHOUT_UNIT: dict[str, str] = dict(load_toml("arkit")["unmatched"])
"""Shapes that no unit stands for, and why."""

Match = Literal["own", "several", "shared", "one-way", "none"]
READABLE: tuple[Match, ...] = ("own", "several", "shared")
"""Kinds of match that are read back."""


@dataclass(frozen=True)
class ArkitRow:
    """How one unit is made of ARKit shapes, and how closely."""

    name: str
    match: Match
    left: dict[str, float] = field(default_factory=dict)
    right: dict[str, float] = field(default_factory=dict)
    middle: dict[str, float] = field(default_factory=dict)
    """Shapes without sides: the mean of the unit's halves drives them."""
    read: tuple[str, ...] = ()
    """Shapes that the unit is read back from; all of its shapes when empty."""
    note: str = ""

    def __post_init__(self) -> None:
        unknown = ({*self.left, *self.right, *self.middle, *self.read} - set(ARKIT_NAMES)) | (
            {self.name} - set(AU_INDEX)
        )
        if unknown:
            raise SpecError(f"data_specs/arkit.toml: unit {self.name}: unknown names {', '.join(sorted(unknown))}")

    def shares(self, side: int) -> dict[str, float]:
        """Shapes that show this half (0 left, 1 right) of the unit at full weight."""
        shapes = (self.left, self.right)[side] | self.middle
        return {name: share for name, share in shapes.items() if not self.read or name in self.read}


ARKIT_TABLE: dict[str, ArkitRow] = {
    row["name"]: ArkitRow(**row | {"read": tuple(row.get("read", ()))}) for row in load_toml("arkit")["unit"]
}
"""One row for each of the 32 units."""


@dataclass(frozen=True)
class ArkitCurves:
    """ARKit shape weights over time, keyed by name; rotations of head and eyeballs beside them.

    Weights are what a file holds: captures go slightly beyond 1. They are clamped where they are used.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, "T S"]
    fps: float
    rotations: Float[np.ndarray, "T 9"] | None = None
    """Radians, in ROTATION_NAMES' order; None where nothing is known of them."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in ARKIT_NAMES]
        if unknown or len(set(self.names)) != len(self.names):
            raise MeshError(f"expected ARKit shape names, each once; found {unknown or self.names}")
        if self.weights.shape[1] != len(self.names):
            raise MeshError(f"expected {len(self.names)} columns, one per name; found {self.weights.shape[1]}")
        if self.rotations is not None and len(self.rotations) != len(self.weights):
            raise MeshError(f"expected {len(self.weights)} rows of rotations, found {len(self.rotations)}")
        if not self.fps > 0:
            raise MeshError(f"fps must be positive, found {self.fps}")

    def __len__(self) -> int:
        return len(self.weights)

    def weight(self, name: str) -> Float[np.ndarray, " T"]:
        """One shape's weight over time, zero where these curves do not have it.

        Raises:
            MeshError: for a name that is none of the 52.
        """
        if name not in ARKIT_NAMES:
            raise MeshError(f"unknown ARKit shape {name!r}; expected one of {', '.join(ARKIT_NAMES)}")
        return self.weights[:, self.names.index(name)] if name in self.names else np.zeros(len(self))


def arkit_from_au(curves: AUCurves) -> ArkitCurves:
    """The 52 shapes that come nearest to the units, in 0..1, with mouthClose <= jawOpen.

    Eyeball and head rotations are not derived: the units have none.
    """
    halves = curves.halves()
    shapes = {name: np.zeros(len(curves)) for name in ARKIT_NAMES}
    for unit in ARKIT_TABLE.values():
        left, right = halves[:, 0, AU_INDEX[unit.name]], halves[:, 1, AU_INDEX[unit.name]]
        for source, share_of in ((left, unit.left), (right, unit.right), ((left + right) / 2, unit.middle)):
            for name, share in share_of.items():
                shapes[name] += share * source
    shapes = {name: np.clip(values, 0.0, 1.0) for name, values in shapes.items()}
    shapes["mouthClose"] = np.minimum(shapes["mouthClose"], shapes["jawOpen"])
    return ArkitCurves(ARKIT_NAMES, np.stack([shapes[name] for name in ARKIT_NAMES], axis=1), curves.fps)


def au_from_arkit(curves: ArkitCurves) -> AUCurves:
    """The units that the shapes show: those that ARKit can tell, with L and R where the halves differ.

    AU11, AU23 and AU25 are left out: no shape is theirs. None of the 32 units closes the lips over an open jaw
    as mouthClose does; where neither AU24 nor AU28 explains it, the jaw comes back as far up as the lips closed.
    """
    shapes = {name: np.clip(curves.weight(name), 0.0, 1.0) for name in ARKIT_NAMES}
    halves = np.zeros((len(curves), 2, N_UNITS))
    for unit in ARKIT_TABLE.values():
        if unit.match in ("own", "several"):
            for side in (0, 1):
                seen = [shapes[name] / share for name, share in unit.shares(side).items()]
                halves[:, side, AU_INDEX[unit.name]] = np.mean(seen, axis=0)
    closed = np.minimum(shapes["mouthClose"], shapes["jawOpen"])
    sealing = halves[:, :, [AU_INDEX["AU24"], AU_INDEX["AU28"]]].sum(axis=2).mean(axis=1)
    jaw = np.clip(shapes["jawOpen"] - np.maximum(closed - sealing, 0.0), 0.0, 1.0)
    for name, weight in jaw_units(jaw).items():
        halves[:, :, AU_INDEX[name]] = weight[:, None]
    return sided_curves(halves, curves.fps, [name for name in AU_INDEX if ARKIT_TABLE[name].match in READABLE])


def jaw_units(jaw_open: Float[np.ndarray, " T"]) -> dict[str, Float[np.ndarray, " T"]]:
    """The jaw's two units for ARKit's one shape: AU26 up to its share of jawOpen, then AU27 takes over from it.

    Convention: share26 * AU26 + share27 * AU27 = jawOpen throughout, and either unit alone at 1 comes back as itself.
    """
    drop, stretch = (ARKIT_TABLE[name].middle["jawOpen"] for name in ("AU26", "AU27"))
    beyond = np.clip((jaw_open - drop) / (stretch - drop), 0.0, 1.0)
    return {"AU26": np.clip(jaw_open / drop, 0.0, 1.0) - beyond, "AU27": beyond}
