"""Styles of moving a face: one set of parameters that reshapes all of a rig's units, by name or learned from examples.

A style acts on the shapes in the face frame, before lids and lips are brought to meet, so a styled rig keeps its
anatomy: a subtle blink still closes the eye.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from aublend.units import ACTION_UNITS, AU_INDEX, AU_NAMES
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

REGIONS = tuple(dict.fromkeys(unit.region for unit in ACTION_UNITS))
CRISPNESS_LIMIT = 0.9
CRISPNESS_GRID = np.linspace(-CRISPNESS_LIMIT, CRISPNESS_LIMIT, 37)
"""What is tried when a style is learned."""
FULL_CLOSURES = ("AU45",)
"""Units whose reach is their meaning: half a blink is no subtle blink."""
FAINT_SHARE = 0.02
"""Motion below this share of the peak fades out when a style spreads it."""
GAZE = ("AU61", "AU62", "AU63", "AU64")
"""Lids follow the eyeballs, which no style turns further."""


@dataclass(frozen=True)
class Style:
    """How a face moves.

    Attributes:
        reach: size of each region's units, 1 as built; regions not named are 1.
        crispness: -0.9 to 0.9; above 0 motion is drawn together around its strongest point, below 0 it spreads.
        brings: unit -> {companion: share}, the companions that show with a unit at full weight.
    """

    name: str
    description: str = ""
    reach: Mapping[str, float] = field(default_factory=dict)
    crispness: float = 0.0
    brings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := set(self.reach) - set(REGIONS):
            raise SpecError(f"style {self.name}: expected regions {', '.join(REGIONS)}, found {', '.join(unknown)}")
        if not -CRISPNESS_LIMIT <= self.crispness <= CRISPNESS_LIMIT:
            raise SpecError(f"style {self.name}: expected crispness within 0.9 of 0, found {self.crispness}")
        named = set(self.brings) | {unit for companions in self.brings.values() for unit in companions}
        if unknown := named - set(AU_NAMES):
            raise SpecError(f"style {self.name}: unknown action units {', '.join(sorted(unknown))}")

    def shaped(self, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "A V 3"]:
        """The units' shapes in this style, from their natural ones, in any one frame."""
        own = np.stack([self._own_shape(row, delta) for row, delta in enumerate(deltas)])
        styled = own.copy()
        for unit, companions in self.brings.items():
            for companion, share in companions.items():
                styled[AU_INDEX[unit]] += share * own[AU_INDEX[companion]]
        return styled

    def _own_shape(self, row: int, delta: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
        unit = ACTION_UNITS[row]
        if unit.name in GAZE:
            return delta
        reach = 1.0 if unit.name in FULL_CLOSURES else self.reach.get(unit.region, 1.0)
        return reach * _drawn_together(delta, self.crispness)


def styles() -> dict[str, Style]:
    """The styles that come with the toolkit, by name."""
    return {name: Style(name, **row) for name, row in load_toml("styles").items()}


def style_named(name: str) -> Style:
    """A style of data_specs/styles.toml.

    Raises:
        SpecError: when there is none of that name.
    """
    known = styles()
    if name not in known:
        raise SpecError(f"unknown style {name!r}; expected one of {', '.join(known)}")
    return known[name]


def learn_style(
    deltas: Float[np.ndarray, "A V 3"],
    weights: Float[np.ndarray, "T A"],
    displacements: Float[np.ndarray, "T V 3"],
    name: str = "learned",
) -> Style:
    """The style that best explains examples of one person's expressions.

    Reach per region is found by non-negative least squares, crispness by trying a grid of values; companions are
    left out, since examples with known weights show them as weights of their own.

    Args:
        deltas: the person's natural shapes.
        weights: what the units did in each example (as FACS coders or a script say).
        displacements: how far each vertex was from the neutral; same frame as `deltas`.

    Raises:
        SpecError: when the examples move no region.
    """
    if not np.any(weights):
        raise SpecError("learning a style needs examples in which some unit is active")

    def reach_and_error(crispness: float) -> tuple[np.ndarray, float]:
        shapes = Style(name, crispness=crispness).shaped(deltas)
        columns = np.stack([_region_part(region, weights, shapes) for region in REGIONS], axis=1)
        fixed = np.einsum("ta,avc->tvc", weights * _without_reach(), shapes).ravel()
        reach, error = nnls(columns, displacements.ravel() - fixed)
        return reach, float(error)

    crispness = float(min(CRISPNESS_GRID, key=lambda value: reach_and_error(value)[1]))
    reach, _ = reach_and_error(crispness)
    seen = {region: value for region, value in zip(REGIONS, reach, strict=True) if _moves(region, weights)}
    return replace(Style(name), reach={key: float(value) for key, value in seen.items()}, crispness=crispness)


def _drawn_together(delta: Float[np.ndarray, "V 3"], crispness: float) -> Float[np.ndarray, "V 3"]:
    """Motion m at each vertex becomes peak * (m / peak)^(1 + crispness): the strongest point keeps its motion."""
    motion = np.linalg.norm(delta, axis=1, keepdims=True)
    peak = motion.max()
    if peak == 0.0 or crispness == 0.0:
        return delta
    relative = np.maximum(motion / peak, 1e-4)  # below 0 the power would lift the faintest motion without bound
    return delta * relative**crispness * np.clip(motion / (FAINT_SHARE * peak), 0, 1)


def _without_reach() -> Float[np.ndarray, " A"]:
    """1 for units that no reach scales."""
    return np.array([float(unit.name in GAZE + FULL_CLOSURES) for unit in ACTION_UNITS])


def _in_region(region: str) -> Float[np.ndarray, " A"]:
    return np.array([float(unit.region == region) for unit in ACTION_UNITS]) * (1 - _without_reach())


def _region_part(region: str, weights: np.ndarray, shapes: np.ndarray) -> Float[np.ndarray, " D"]:
    return np.einsum("ta,avc->tvc", weights * _in_region(region), shapes).ravel()


def _moves(region: str, weights: Sequence[Sequence[float]] | np.ndarray) -> bool:
    return bool(np.any(np.asarray(weights) * _in_region(region)))
