"""The embedded head's skin as a gauge of unit shapes: anatomy, and besides locality and symmetry."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from aublend.anatomy_measures import ANATOMY_MEASURES, AnatomyGauge
from aublend.fissures import NeutralFissures
from aublend.head_model import HeadModel
from aublend.unit_areas import unit_masks
from aublend.unit_shapes import MIRRORED_UNITS
from aublend.units import AU_INDEX, AU_NAMES
from mesh4d.geometry.normals import vertex_areas

MOVED_MM = 0.1
"""Asymmetry is averaged over the vertices that the unit moves further than this."""
SKIN_PARTS = ("skin", "lips", "mouth")
UNIT_MEASURES = {
    "outside_share": "share of the energy (area times squared displacement) outside the areas the unit may move",
    "asymmetry_mm": "mean distance from the mirrored shape of the mirrored unit",
} | ANATOMY_MEASURES
"""Every measure of a single unit that needs no ground truth; NaN where it says nothing of the unit."""


@dataclass(frozen=True)
class EmbeddedSkin:
    """What does not change from head to head: the embedded topology's skin, its mirror image, the units' areas."""

    faces: Int[np.ndarray, "F 3"]
    shows: Bool[np.ndarray, " F"]
    teeth: Int[np.ndarray, "T 3"]
    outer: Bool[np.ndarray, " V"]
    """Skin that shows: neither in the mouth nor behind the lids."""
    mirror: Int[np.ndarray, " V"]
    may_move: Float[np.ndarray, "A V"]

    @property
    def outer_faces(self) -> Int[np.ndarray, "G 3"]:
        """Triangles of skin that shows."""
        return self.faces[self.shows]


def embedded_skin(model: HeadModel) -> EmbeddedSkin:
    """The skin of the embedded head."""
    topology, parts = model.topology, model.parts
    part_of_face = np.zeros(len(topology.faces), int) if topology.part_of_face is None else topology.part_of_face
    names = np.array(topology.part_names)[part_of_face]
    outer = np.zeros(topology.n_vertices, bool)
    outer[parts.skin] = True
    outer[parts.cavity] = outer[parts.socket] = False
    faces = topology.faces[np.isin(names, SKIN_PARTS)]
    return EmbeddedSkin(
        faces=faces,
        shows=np.all(outer[faces], axis=1),
        teeth=topology.faces[names == "teeth"],
        outer=outer,
        mirror=model.makehuman.mirror,
        may_move=unit_masks(topology.vertices),
    )


@dataclass(frozen=True)
class EmbeddedGauge:
    """Measures the unit shapes of one neutral head on the embedded topology. Face frame, mm."""

    skin: EmbeddedSkin
    rest: NeutralFissures

    @cached_property
    def anatomy(self) -> AnatomyGauge:
        """The part of it that any topology has."""
        return AnatomyGauge(self.rest, self.skin.faces, self.skin.shows, self.skin.teeth)

    def of_units(self, deltas: Float[np.ndarray, "A V 3"]) -> dict[str, Float[np.ndarray, " A"]]:
        """UNIT_MEASURES of every unit."""
        own = {"outside_share": self.outside_share(deltas), "asymmetry_mm": self.asymmetry(deltas)}
        return own | self.anatomy.of_units(deltas)

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
        moved = (np.linalg.norm(deltas, axis=2) > MOVED_MM) & self.skin.outer
        apart = np.linalg.norm(deltas - mirrored, axis=2)
        return (apart * moved).sum(axis=1) / np.maximum(moved.sum(axis=1), 1)

    @cached_property
    def _areas(self) -> Float[np.ndarray, " V"]:
        return vertex_areas(self.rest.vertices, self.skin.outer_faces) * self.skin.outer
