"""The mouth and the two eyes as seams, and what each action unit owes them: to meet, to stay, at least not to cross."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from aublend.eyelids import Eyeball, LidGuard, lid_guard
from aublend.rigid_parts import EYE_NOD_DEG, EYE_TURN_DEG
from aublend.seams import FINE_ROUNDS, LIDS, LIPS, Seam, SeamGaps, margin_loops, seam_of_loop
from aublend.units import LidsGoal, LipsGoal

STIR_MM = 0.01
"""Motion below this disturbs no fissure."""
CLOSING_ROUNDS = 4
SETTLING_ROUNDS = 2
"""Closing lids and lifting them off the eyeball disturb each other a little; so often they take turns."""


@dataclass(frozen=True)
class Fissures:
    """The three openings of a face that skin can close, on any topology."""

    mouth: Seam
    lids: tuple[Seam, Seam]
    """The subject's left eye first."""
    guards: tuple[LidGuard, LidGuard]


@dataclass(frozen=True)
class NeutralFissures:
    """A neutral head with its fissures, its eyeballs, and the gaps it has at rest."""

    fissures: Fissures
    vertices: Float[np.ndarray, "V 3"]
    eyeballs: tuple[Eyeball, Eyeball]

    @cached_property
    def mouth_gaps(self) -> SeamGaps:
        """The mouth's gaps at rest, none of them a crossing."""
        gaps = self.fissures.mouth.gaps(self.vertices)
        return dataclasses.replace(gaps, height=np.maximum(gaps.height, 0.0))

    def under(
        self, delta: Float[np.ndarray, "V 3"], lips: LipsGoal, lids: LidsGoal, turn: Rotation | None = None
    ) -> Float[np.ndarray, "V 3"]:
        """The displacement nearest to `delta` under which lips and lids do what is asked of them.

        Lids stay outside the eyeballs whatever they do; what does not touch a fissure is returned as it is.

        Args:
            turn: how the eyeballs turn meanwhile.
        """
        moved = self.vertices + delta
        if _touches(self.fissures.mouth, delta):
            moved = self._with_lips(moved, lips)
        for seam, guard, eyeball in zip(self.fissures.lids, self.fissures.guards, self.eyeballs, strict=True):
            if not _touches(seam, delta) and turn is None:
                continue
            for _ in range(SETTLING_ROUNDS if lids == "closed" else 1):
                moved = seam.closed(moved, rounds=CLOSING_ROUNDS) if lids == "closed" else seam.uncrossed(moved)
                moved = guard.push_outside(moved, self.vertices, eyeball, turn)
            if lids == "closed":
                moved = seam.closed(moved, rounds=FINE_ROUNDS)
        return moved - self.vertices

    def _with_lips(self, moved: Float[np.ndarray, "V 3"], lips: LipsGoal) -> Float[np.ndarray, "V 3"]:
        if lips == "sealed":
            return self.fissures.mouth.closed(moved, rounds=CLOSING_ROUNDS)
        if lips == "as neutral":
            return self.fissures.mouth.closed(moved, wanted=self.mouth_gaps, rounds=CLOSING_ROUNDS)
        return self.fissures.mouth.uncrossed(moved)


def fissures_of_template(
    vertices: Float[np.ndarray, "V 3"],
    areas: dict[str, Int[np.ndarray, "F 3"]],
    eyeballs: Sequence[Eyeball],
    outer_skin: Int[np.ndarray, " outer"],
) -> Fissures:
    """Find the three seams on the embedded head at rest.

    Args:
        areas: skin triangles by area: "face", "lips", "mouth" (inside), "socket" (behind the lids).
        eyeballs: the subject's left one first.
    """
    skin = np.concatenate(list(areas.values()))
    (mouth,) = margin_loops(areas["mouth"], areas["lips"])
    eyes = sorted(margin_loops(areas["socket"], areas["face"]), key=lambda loop: -vertices[loop, 0].mean())
    left, right = (seam_of_loop(vertices, skin, loop, LIDS) for loop in eyes)
    guards = tuple(lid_guard(vertices, ball, outer_skin) for ball in eyeballs)
    return Fissures(seam_of_loop(vertices, skin, mouth, LIPS), (left, right), (guards[0], guards[1]))


def gaze_turn(unit: str) -> Rotation | None:
    """How a unit turns the eyeballs at full intensity; None for units that do not."""
    if unit in EYE_TURN_DEG:
        return Rotation.from_euler("y", EYE_TURN_DEG[unit], degrees=True)
    if unit in EYE_NOD_DEG:
        return Rotation.from_euler("x", EYE_NOD_DEG[unit], degrees=True)
    return None


def _touches(seam: Seam, delta: Float[np.ndarray, "V 3"]) -> bool:
    """Whether a displacement moves any of a seam's skin."""
    return bool(np.abs(delta[seam.weight > 0]).max(initial=0.0) > STIR_MM)
