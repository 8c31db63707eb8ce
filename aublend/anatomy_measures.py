"""What anatomy says of a head's unit shapes, measured on its own topology without any ground truth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from aublend.combinations import COMBINATIONS
from aublend.eyelids import Eyeball
from aublend.fissures import NeutralFissures, gaze_turn
from aublend.units import ACTION_UNITS
from mesh4d.geometry.self_intersections import crossing_depths, intersecting_triangles, new_intersections

STIR_MM = 0.1
"""A mouth that a unit moves by less is as it is at rest."""
CONTACT_MM = 0.1
"""Triangles that reach through each other by less only touch, as closed lips and lids do."""
ANATOMY_MEASURES = {
    "lid_gap_mm": "mean open gap along both fissures, where the lids shall meet",
    "lid_gap_worst_mm": "greatest open gap along both fissures, where the lids shall meet",
    "lip_seal_mm": "mean |gap| along the mouth, where the lips shall be sealed",
    "lip_seal_worst_mm": "greatest |gap| along the mouth, where the lips shall be sealed",
    "lip_parting_mm": "greatest gap along the mouth under AU25",
    "lip_crossing_mm": "how far the lips cross, more than at rest",
    "eyeball_depth_mm": "how deep lid skin lies in the eyeball, more than at rest",
    "intersections": "pairs of skin triangles that reach through each other by over 0.1 mm and do not cross at rest",
    "teeth_through": "pairs of a tooth's triangle and one of showing skin, likewise",
}
"""Every measure; NaN where it says nothing of a unit or pair."""


@dataclass(frozen=True)
class AnatomyGauge:
    """Measures displacements of one neutral head, of any topology. Face frame, mm."""

    rest: NeutralFissures
    skin: Int[np.ndarray, "F 3"]
    """Triangles of skin, insides of mouth and eye sockets included."""
    shows: Bool[np.ndarray, " F"]
    """Which of them lie neither in the mouth nor behind the lids."""
    teeth: Int[np.ndarray, "T 3"]

    def of_units(self, deltas: Float[np.ndarray, "A V 3"]) -> dict[str, Float[np.ndarray, " A"]]:
        """ANATOMY_MEASURES of all units."""
        rows = [
            self._measure(delta, unit.lips == "sealed", unit.lids == "closed", unit.name == "AU25", (unit.name,))
            for unit, delta in zip(ACTION_UNITS, deltas, strict=True)
        ]
        return {name: np.array([row[name] for row in rows]) for name in ANATOMY_MEASURES}

    def of_pairs(self, shapes: Float[np.ndarray, "P V 3"]) -> dict[str, Float[np.ndarray, " P"]]:
        """ANATOMY_MEASURES of all pairs of data_specs/combinations.toml, given the head's displacement under each."""
        rows = [
            self._measure(shape, pair.lips == "sealed", pair.lids == "closed", False, pair.units)
            for pair, shape in zip(COMBINATIONS, shapes, strict=True)
        ]
        return {name: np.array([row[name] for row in rows]) for name in ANATOMY_MEASURES}

    def _measure(
        self, delta: Float[np.ndarray, "V 3"], sealed: bool, closed: bool, parts: bool, units: tuple[str, ...]
    ) -> dict[str, float]:
        """How well one displacement respects lips, lids, eyeballs, teeth and the skin itself."""
        moved = self.rest.vertices + delta
        row = dict.fromkeys(ANATOMY_MEASURES, np.nan)
        mouth = self._mouth_gap(moved) if self._stirs_mouth(delta) else self._mouth_at_rest
        row["lip_crossing_mm"] = float((np.maximum(-mouth, 0) - np.maximum(-self._mouth_at_rest, 0)).max())
        if parts:
            row["lip_parting_mm"] = float(mouth.max())
        if sealed:
            row["lip_seal_mm"], row["lip_seal_worst_mm"] = float(np.abs(mouth).mean()), float(np.abs(mouth).max())
        if closed:
            gaps = np.maximum(np.concatenate([seam.gaps(moved).height for seam in self.rest.fissures.lids]), 0.0)
            row["lid_gap_mm"], row["lid_gap_worst_mm"] = float(gaps.mean()), float(gaps.max())
        turns = [turn for turn in map(gaze_turn, units) if turn is not None]
        row["eyeball_depth_mm"] = max(
            _deeper(self.rest.vertices, moved, edges, ball, turns[0] if turns else None)
            for edges, ball in zip(self._lid_edges, self.rest.eyeballs, strict=True)
        )
        row["intersections"], row["teeth_through"] = self._crossings(moved)
        return row

    def _crossings(self, moved: Float[np.ndarray, "V 3"]) -> tuple[float, float]:
        """Pairs of skin triangles, and of teeth and showing skin, that cross and did not at rest."""
        surface = self._surface
        pairs = new_intersections(self.rest.vertices, moved, surface, self._crossing_at_rest)
        pairs = pairs[crossing_depths(moved, surface, pairs) > CONTACT_MM]
        is_skin = pairs < len(self.skin)
        first_shows = np.append(self.shows, np.zeros(len(self.teeth), bool))[pairs[:, 0]]
        return float(is_skin.all(axis=1).sum()), float((first_shows & ~is_skin[:, 1]).sum())

    def _stirs_mouth(self, delta: Float[np.ndarray, "V 3"]) -> bool:
        return bool(np.abs(delta[self.rest.fissures.mouth.weight > 0]).max(initial=0.0) > STIR_MM)

    def _mouth_gap(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " S"]:
        return self.rest.fissures.mouth.gaps(vertices).height

    @cached_property
    def _mouth_at_rest(self) -> Float[np.ndarray, " S"]:
        return self._mouth_gap(self.rest.vertices)

    @cached_property
    def _surface(self) -> Int[np.ndarray, "G 3"]:
        return np.concatenate([self.skin, self.teeth])

    @cached_property
    def _crossing_at_rest(self) -> Int[np.ndarray, "P 2"]:
        return intersecting_triangles(self.rest.vertices, self._surface)

    @cached_property
    def _lid_edges(self) -> tuple[Int[np.ndarray, "E 2"], Int[np.ndarray, "E2 2"]]:
        """Edges and, as edges without length, vertices of the skin that may slide over each eyeball."""
        left, right = (
            _edges_within(self.skin, guard.lid, len(self.rest.vertices)) for guard in self.rest.fissures.guards
        )
        return left, right


def _edges_within(faces: np.ndarray, vertices: np.ndarray, n_vertices: int) -> Int[np.ndarray, "E 2"]:
    """Edges between the vertices given, and each of these twice."""
    inside = np.zeros(n_vertices, bool)
    inside[vertices] = True
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    return np.concatenate([edges[inside[edges].all(axis=1)], np.repeat(vertices[:, None], 2, axis=1)])


def _deeper(
    rest: Float[np.ndarray, "V 3"],
    moved: Float[np.ndarray, "V 3"],
    edges: Int[np.ndarray, "E 2"],
    eyeball: Eyeball,
    turn: Rotation | None,
) -> float:
    """How much deeper in the eyeball the deepest middle of an edge lies than it does at rest, mm."""
    if turn is None:
        edges = edges[(rest != moved).any(axis=1)[edges].any(axis=1)]
    if len(edges) == 0:
        return 0.0
    before = _depth(rest[edges].mean(axis=1), eyeball, None)
    after = _depth(moved[edges].mean(axis=1), eyeball, turn)
    return float((np.maximum(after, 0) - np.maximum(before, 0)).max().clip(0))


def _depth(points: Float[np.ndarray, "P 3"], eyeball: Eyeball, turn: Rotation | None) -> Float[np.ndarray, " P"]:
    """How deep points lie under the eyeball's surface; negative outside."""
    ray = points - eyeball.centre
    distance = np.linalg.norm(ray, axis=1)
    return eyeball.radius_along(ray / distance[:, None], turn) - distance
