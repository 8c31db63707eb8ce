"""The 32 AU shapes on the embedded head: summed on the base mesh per population group, then carried to an identity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from aublend.anatomy import HeadParts, anatomy_field, anatomy_mask, eye_centre
from aublend.eyelids import Eyeball
from aublend.fissures import Fissures, NeutralFissures, fissures_of_template, gaze_turn
from aublend.lashes import LashRide, lash_ride
from aublend.makehuman import GROUPS, SKIN_AREAS, MakeHumanHead
from aublend.mouth_cavity import CavityGuard, cavity_guard
from aublend.rigid_parts import EYE_NOD_DEG, EYE_TURN_DEG
from aublend.units import ACTION_UNITS, AU_INDEX, N_UNITS
from mesh4d.geometry.deformation_transfer import DeformationTransfer, deformation_gradients
from mesh4d.geometry.rigid import similarity_align
from mesh4d.mesh import Mesh

MIRRORED_UNITS = {"AU30L": "AU30R", "AU61": "AU62"}
"""Units that are each other's mirror image; every other unit is its own."""
SNAP_MM = 0.02
"""Displacements below this are the targets' rounding, not motion."""


@dataclass(frozen=True)
class TemplateShapes:
    """AU displacement fields on the base mesh, one set per population group, in mm."""

    rest: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    """Skin triangles: what deformation transfer works on."""
    deltas: Float[np.ndarray, "G A V 3"]
    transfer: DeformationTransfer
    """What a unit leaves alone on the template, in every group, it leaves alone on everybody."""
    guard: CavityGuard
    fissures: Fissures
    lashes: LashRide
    eyes: tuple[Int[np.ndarray, " left"], Int[np.ndarray, " right"]]
    lower_teeth: Int[np.ndarray, " lower"]

    def at_rest(self, neutral: Float[np.ndarray, "V 3"]) -> NeutralFissures:
        """Mouth and eyes of a neutral head on this topology."""
        left, right = (Eyeball(eye_centre(neutral, eye), neutral[eye]) for eye in self.eyes)
        return NeutralFissures(self.fissures, neutral, (left, right))


def build_template_shapes(head: MakeHumanHead, parts: HeadParts, topology: Mesh) -> TemplateShapes:
    """Sum the recipes of action_units.toml for every group, make them mirror-symmetric, and let solids be solid."""
    faces = topology.faces
    part_of_face = np.zeros(len(faces), int) if topology.part_of_face is None else topology.part_of_face
    outer = np.isin(part_of_face, [topology.part_names.index(name) for name in ("skin", "lips")])
    deltas = np.stack([_group_deltas(head, parts, group) for group in GROUPS])
    rest = head.base_vertices
    skin = np.zeros(len(rest), bool)
    skin[parts.skin] = True
    on_skin = skin[faces].all(axis=1)
    area_of_face = np.repeat(head.area_of_quad, 2)
    areas = {name: faces[on_skin & (area_of_face == row)] for row, name in enumerate(SKIN_AREAS)}
    eyes = (parts.left_eye, parts.right_eye)
    eyeballs = [Eyeball(eye_centre(rest, eye), rest[eye]) for eye in eyes]
    fissures = fissures_of_template(rest, areas, eyeballs, np.setdiff1d(parts.skin, parts.socket))
    at_rest = NeutralFissures(fissures, rest, (eyeballs[0], eyeballs[1]))
    deltas = np.stack([_mirror_symmetric(head, with_fissures(at_rest, of_group)) for of_group in deltas])
    return TemplateShapes(
        rest=rest,
        faces=faces[on_skin],
        deltas=deltas,
        transfer=DeformationTransfer(rest, faces[on_skin], (deltas == 0.0).all(axis=(0, 3))),
        guard=cavity_guard(rest, parts.cavity, faces[outer]),
        fissures=fissures,
        lashes=lash_ride(rest, parts.lashes, fissures.lids),
        eyes=eyes,
        lower_teeth=parts.lower_teeth,
    )


def identity_deltas(
    shapes: TemplateShapes,
    parts: HeadParts,
    neutral: Float[np.ndarray, "V 3"],
    groups: Float[np.ndarray, "G"],
) -> Float[np.ndarray, "A V 3"]:
    """The 32 AU shapes of one identity, in mm.

    Skin: deformation transfer of the groups' blended shapes. Lower teeth and tongue: the template's jaw motion,
    scaled to this jaw. Eyeballs: rotations about this head's eye centres.

    Args:
        neutral: the identity's vertices on the embedded topology, in its own frame.
        groups: share of each population group, in GROUPS' order.
    """
    source = np.tensordot(groups, shapes.deltas, axes=1)
    gradients = deformation_gradients(shapes.rest, source, shapes.faces)
    deltas = shapes.transfer.carry(gradients, neutral)
    jaw = np.concatenate([parts.lower_teeth, parts.tongue])
    fit = similarity_align(shapes.rest[jaw], neutral[jaw])
    deltas[:, jaw] = source[:, jaw] @ (fit.scale * fit.rotation).T
    deltas[:, parts.upper_teeth] = 0.0
    deltas = with_anatomy(shapes, neutral, deltas)
    for eye in (parts.left_eye, parts.right_eye):
        deltas[:, eye] = eyeball_deltas(neutral[eye], eye_centre(neutral, eye))
    return deltas


def with_anatomy(
    shapes: TemplateShapes, neutral: Float[np.ndarray, "V 3"], deltas: Float[np.ndarray, "A V 3"]
) -> Float[np.ndarray, "A V 3"]:
    """The nearest displacements that anatomy allows.

    The mouth's walls stay under the skin, lids outside the eyeballs; lids and lips meet, or stay, as each unit's
    definition says; lashes ride on their lids, and the lower teeth move as a solid.
    """
    met = with_fissures(shapes.at_rest(neutral), deltas)
    inside = np.stack([shapes.guard.push_inside(neutral + delta) - neutral for delta in met])
    for delta in inside:
        delta[shapes.lower_teeth] = rigid_motion(neutral[shapes.lower_teeth], delta[shapes.lower_teeth])
    return shapes.lashes.riding(neutral, inside)


def with_fissures(rest: NeutralFissures, deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "A V 3"]:
    """The nearest displacements of the 32 units that treat mouth and eyes as FACS describes them, on any topology."""
    return np.stack(
        [
            rest.under(delta, unit.lips, unit.lids, gaze_turn(unit.name))
            for unit, delta in zip(ACTION_UNITS, deltas, strict=True)
        ]
    )


def eyeball_deltas(rest: Float[np.ndarray, "M 3"], centre: Float[np.ndarray, "3"]) -> Float[np.ndarray, "A M 3"]:
    """Displacement of an eyeball's vertices at full intensity of each unit."""
    deltas = np.zeros((N_UNITS, *rest.shape))
    for angles, axis in ((EYE_TURN_DEG, "y"), (EYE_NOD_DEG, "x")):
        for unit, angle in angles.items():
            turned = Rotation.from_euler(axis, angle, degrees=True).apply(rest - centre) + centre
            deltas[AU_INDEX[unit]] = turned - rest
    return deltas


def _group_deltas(head: MakeHumanHead, parts: HeadParts, group: str) -> np.ndarray:
    """All unit shapes of one population group on the base mesh."""
    deltas = np.stack([_recipe_sum(head, unit.shape, group) for unit in ACTION_UNITS])
    deltas = _mirror_symmetric(head, deltas)
    for row in range(N_UNITS):
        deltas[row, parts.lower_teeth] = rigid_motion(
            head.base_vertices[parts.lower_teeth], deltas[row, parts.lower_teeth]
        )
    deltas[:, parts.upper_teeth] = 0.0
    for eye in (parts.left_eye, parts.right_eye):
        deltas[:, eye] = eyeball_deltas(head.base_vertices[eye], eye_centre(head.base_vertices, eye))
    deltas[np.linalg.norm(deltas, axis=2) < SNAP_MM] = 0.0
    return deltas


def _mirror_symmetric(head: MakeHumanHead, deltas: np.ndarray) -> np.ndarray:
    """The mean of every unit's shape and the mirror image of its partner's, mostly itself."""
    mirrored = deltas[:, head.mirror] * np.array([-1.0, 1.0, 1.0])
    partner = np.arange(N_UNITS)
    for one, other in MIRRORED_UNITS.items():
        partner[[AU_INDEX[one], AU_INDEX[other]]] = AU_INDEX[other], AU_INDEX[one]
    return (deltas + mirrored[partner]) / 2


def _recipe_sum(head: MakeHumanHead, recipe: dict[str, float], group: str) -> np.ndarray:
    """The weighted sum that action_units.toml states for a unit."""
    total = np.zeros_like(head.base_vertices)
    for source, weight in recipe.items():
        if source.startswith("anatomy:"):
            mask, _, field = source.removeprefix("anatomy:").rpartition("*")
            if mask:
                total += weight * anatomy_mask(mask, head)[:, None] * head.target(f"units/{group}/{field}")
            else:
                total += weight * anatomy_field(field, head)
        elif "-" in source:
            total += weight * head.target(f"units/{group}/{source}")
        else:
            total += weight * head.target(f"arkit/{source}")
    return total


def rigid_motion(rest: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The rigid motion nearest to a displacement field."""
    if not np.any(delta):
        return delta
    return similarity_align(rest, rest + delta, with_scale=False).apply(rest) - rest
