"""What anatomy says of a head's unit shapes, measured on the embedded topology without any ground truth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from aublend.combinations import COMBINATIONS
from aublend.eyelids import Eyeball
from aublend.fissures import NeutralFissures, gaze_turn
from aublend.head_model import HeadModel, head_model
from aublend.seams import Seam
from aublend.unit_areas import unit_masks
from aublend.unit_shapes import MIRRORED_UNITS
from aublend.units import ACTION_UNITS, AU_INDEX, AU_NAMES
from mesh4d.geometry.normals import vertex_areas
from mesh4d.geometry.self_intersections import crossing_depths, intersecting_triangles, new_intersections

STIR_MM = 0.1
"""Asymmetry is averaged over the vertices that the unit moves further than this."""
SKIN_PARTS = ("skin", "lips", "mouth")
"""What is tested for passing through itself; eyeballs, lashes and teeth are measured otherwise or lie hidden."""
CONTACT_MM = 0.1
"""Triangles that reach through each other by less only touch, as closed lips and lids do."""
UNIT_MEASURES = {
    "outside_share": "share of the energy (area times squared displacement) outside the areas the unit may move",
    "asymmetry_mm": "mean distance from the mirrored shape of the mirrored unit",
    "lid_gap_mm": "mean |gap| along both fissures, where the lids shall meet",
    "lid_gap_worst_mm": "greatest |gap| along both fissures, where the lids shall meet",
    "lip_seal_mm": "mean |gap| along the mouth, where the lips shall be sealed",
    "lip_seal_worst_mm": "greatest |gap| along the mouth, where the lips shall be sealed",
    "lip_parting_mm": "greatest gap along the mouth under AU25",
    "lip_crossing_mm": "how far the lips cross, more than at rest",
    "eyeball_depth_mm": "how deep lid skin lies in the eyeball, more than at rest",
    "intersections": "pairs of skin triangles that reach through each other by more than 0.1 mm, and do not cross at rest",
}
"""Every measure of a single unit; NaN where it says nothing of the unit."""
PAIR_MEASURES = tuple(
    name for name in UNIT_MEASURES if name not in ("outside_share", "asymmetry_mm", "lip_parting_mm")
)


@dataclass(frozen=True)
class EmbeddedSkin:
    """What does not change from head to head: the embedded topology's skin, its mirror image, the units' areas."""

    faces: Int[np.ndarray, "F 3"]
    outer: Bool[np.ndarray, " V"]
    """Skin that shows: neither in the mouth nor behind the lids."""
    outer_faces: Int[np.ndarray, "G 3"]
    mirror: Int[np.ndarray, " V"]
    may_move: Float[np.ndarray, "A V"]
    lid_edges: tuple[Int[np.ndarray, "E 2"], Int[np.ndarray, "E2 2"]]
    """Edges and, as edges without length, vertices of the skin over each eyeball."""


def embedded_skin(model: HeadModel) -> EmbeddedSkin:
    """The skin of the embedded head."""
    topology, parts = model.topology, model.parts
    part_of_face = np.zeros(len(topology.faces), int) if topology.part_of_face is None else topology.part_of_face
    faces = topology.faces[np.isin(part_of_face, [topology.part_names.index(name) for name in SKIN_PARTS])]
    outer = np.zeros(topology.n_vertices, bool)
    outer[parts.skin] = True
    outer[parts.cavity] = outer[parts.socket] = False
    left, right = (_edges_within(faces, guard.lid, topology.n_vertices) for guard in model.shapes.fissures.guards)
    return EmbeddedSkin(
        faces=faces,
        outer=outer,
        outer_faces=faces[outer[faces].all(axis=1)],
        mirror=model.makehuman.mirror,
        may_move=unit_masks(topology.vertices),
        lid_edges=(left, right),
    )


@dataclass(frozen=True)
class HeadGauge:
    """Measures the unit shapes of one neutral head. Face frame, mm."""

    skin: EmbeddedSkin
    rest: NeutralFissures

    def unit_measures(self, deltas: Float[np.ndarray, "A V 3"]) -> dict[str, Float[np.ndarray, " A"]]:
        """UNIT_MEASURES of every unit."""
        rows = []
        for unit, delta in zip(ACTION_UNITS, deltas, strict=True):
            held = self._held(delta, unit.lips == "sealed", unit.lids == "closed", gaze_turn(unit.name))
            parting = self._mouth_gap(self.rest.vertices + delta).max() if unit.name == "AU25" else np.nan
            rows.append(held | {"lip_parting_mm": float(parting)})
        measures = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        measures["outside_share"] = self.outside_share(deltas)
        measures["asymmetry_mm"] = self.asymmetry(deltas)
        return {name: measures[name] for name in UNIT_MEASURES}

    def pair_measures(self, shapes: Float[np.ndarray, "P V 3"]) -> dict[str, Float[np.ndarray, " P"]]:
        """PAIR_MEASURES of every pair of data_specs/combinations.toml, given the head's displacement under it."""
        rows = []
        for pair, shape in zip(COMBINATIONS, shapes, strict=True):
            turns = [turn for turn in map(gaze_turn, pair.units) if turn is not None]
            rows.append(self._held(shape, pair.lips == "sealed", pair.lids == "closed", turns[0] if turns else None))
        return {name: np.array([row[name] for row in rows]) for name in PAIR_MEASURES}

    def outside_share(self, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, " A"]:
        """Locality: the share of each unit's energy on showing skin that lies outside the unit's areas."""
        energy = (deltas**2).sum(axis=2) * self._areas
        return (energy * (1 - self.skin.may_move)).sum(axis=1) / np.maximum(energy.sum(axis=1), 1e-12)

    def asymmetry(self, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, " A"]:
        """Mean distance, over what the unit moves, between its shape and the mirror image of its partner's."""
        partner = np.arange(len(AU_NAMES))
        for one, other in MIRRORED_UNITS.items():
            partner[[AU_INDEX[one], AU_INDEX[other]]] = AU_INDEX[other], AU_INDEX[one]
        mirrored = deltas[partner][:, self.skin.mirror] * np.array([-1.0, 1.0, 1.0])
        moved = (np.linalg.norm(deltas, axis=2) > STIR_MM) & self.skin.outer
        apart = np.linalg.norm(deltas - mirrored, axis=2)
        return (apart * moved).sum(axis=1) / np.maximum(moved.sum(axis=1), 1)

    def _held(
        self, delta: Float[np.ndarray, "V 3"], sealed: bool, closed: bool, turn: Rotation | None
    ) -> dict[str, float]:
        """How well one displacement of the head respects lips, lids, eyeballs and itself."""
        moved = self.rest.vertices + delta
        fissures = self.rest.fissures
        unmeasured = (np.nan, np.nan)
        lids = [np.abs(seam.gaps(moved).height) for seam in fissures.lids] if closed else []
        lid_gap = (np.concatenate(lids).mean(), np.concatenate(lids).max()) if closed else unmeasured
        stirs_mouth = bool(np.abs(delta[fissures.mouth.weight > 0]).max() > STIR_MM)
        mouth = self._mouth_gap(moved) if stirs_mouth or sealed else self._mouth_at_rest
        seal = (np.abs(mouth).mean(), np.abs(mouth).max()) if sealed else unmeasured
        crossing = np.maximum(np.maximum(-mouth, 0) - np.maximum(-self._mouth_at_rest, 0), 0).max()
        return {
            "lid_gap_mm": float(lid_gap[0]),
            "lid_gap_worst_mm": float(lid_gap[1]),
            "lip_seal_mm": float(seal[0]),
            "lip_seal_worst_mm": float(seal[1]),
            "lip_crossing_mm": float(crossing),
            "eyeball_depth_mm": max(
                _deeper(self.rest.vertices, moved, edges, ball, turn)
                for edges, ball in zip(self.skin.lid_edges, self.rest.eyeballs, strict=True)
            ),
            "intersections": self._intersections(moved),
        }

    def _intersections(self, moved: Float[np.ndarray, "V 3"]) -> float:
        pairs = new_intersections(self.rest.vertices, moved, self.skin.faces, self._crossing_at_rest)
        return float((crossing_depths(moved, self.skin.faces, pairs) > CONTACT_MM).sum())

    def _mouth_gap(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " S"]:
        mouth: Seam = self.rest.fissures.mouth
        return mouth.gaps(vertices).height

    @cached_property
    def _mouth_at_rest(self) -> Float[np.ndarray, " S"]:
        return self._mouth_gap(self.rest.vertices)

    @cached_property
    def _areas(self) -> Float[np.ndarray, " V"]:
        return vertex_areas(self.rest.vertices, self.skin.outer_faces) * self.skin.outer

    @cached_property
    def _crossing_at_rest(self) -> Int[np.ndarray, "P 2"]:
        return intersecting_triangles(self.rest.vertices, self.skin.faces)


def head_gauge(neutral: Float[np.ndarray, "V 3"], skin: EmbeddedSkin) -> HeadGauge:
    """The gauge of one neutral head on the embedded topology."""
    return HeadGauge(skin, head_model().shapes.at_rest(neutral))


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
    return float(np.maximum(np.maximum(after, 0) - np.maximum(before, 0), 0).max())


def _depth(points: Float[np.ndarray, "P 3"], eyeball: Eyeball, turn: Rotation | None) -> Float[np.ndarray, " P"]:
    """How deep points lie under the eyeball's surface; negative outside."""
    ray = points - eyeball.centre
    distance = np.linalg.norm(ray, axis=1)
    return eyeball.radius_along(ray / distance[:, None], turn) - distance
