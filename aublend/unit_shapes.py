"""The 32 AU shapes on the embedded head: summed on the base mesh per population group, then carried to an identity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from aublend.anatomy import HeadParts, anatomy_field, anatomy_mask, eye_centre
from aublend.eyelids import LidGuard, lid_guard
from aublend.makehuman import GROUPS, MakeHumanHead
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
    lids: tuple[LidGuard, ...]
    lash_anchor: Int[np.ndarray, "lashes 4"]
    """Skin vertices each lash vertex rides on."""
    lash_weight: Float[np.ndarray, "lashes 4"]


def build_template_shapes(head: MakeHumanHead, parts: HeadParts, topology: Mesh) -> TemplateShapes:
    """Sum the recipes of action_units.toml for every group, make them mirror-symmetric, and let solids be solid."""
    faces = topology.faces
    part_of_face = np.zeros(len(faces), int) if topology.part_of_face is None else topology.part_of_face
    outer = np.isin(part_of_face, [topology.part_names.index(name) for name in ("skin", "lips")])
    deltas = np.stack([_group_deltas(head, parts, group) for group in GROUPS])
    skin = np.zeros(len(head.base_vertices), bool)
    skin[parts.skin] = True
    distance, neighbour = KDTree(head.base_vertices[parts.skin]).query(head.base_vertices[parts.lashes], k=4)
    weight = 1 / np.maximum(distance, 1e-3)
    skin_faces = faces[skin[faces].all(axis=1)]
    return TemplateShapes(
        rest=head.base_vertices,
        faces=skin_faces,
        deltas=deltas,
        transfer=DeformationTransfer(head.base_vertices, skin_faces, (deltas == 0.0).all(axis=(0, 3))),
        guard=cavity_guard(head.base_vertices, parts.cavity, faces[outer]),
        lids=tuple(
            lid_guard(head.base_vertices, eye, np.setdiff1d(parts.skin, parts.socket))
            for eye in (parts.left_eye, parts.right_eye)
        ),
        lash_anchor=parts.skin[neighbour],
        lash_weight=weight / weight.sum(axis=1, keepdims=True),
    )


def identity_deltas(
    shapes: TemplateShapes,
    parts: HeadParts,
    neutral: Float[np.ndarray, "V 3"],
    groups: Float[np.ndarray, "G"],
) -> Float[np.ndarray, "A V 3"]:
    """The 32 AU shapes of one identity, in mm.

    Skin: deformation transfer of the groups' blended shapes. Lower teeth and tongue: the template's jaw motion,
    scaled to this jaw. Eyeballs: rotations about this head's eye centres. Lashes: carried by the lids.

    Args:
        neutral: the identity's vertices on the embedded topology, in its own frame.
        groups: share of each population group, in GROUPS' order.
    """
    source = np.tensordot(groups, shapes.deltas, axes=1)
    gradients = deformation_gradients(shapes.rest, source, shapes.faces)
    deltas = shapes.transfer.carry(gradients, neutral)
    deltas = with_anatomy(shapes, neutral, deltas)
    jaw = np.concatenate([parts.lower_teeth, parts.tongue])
    fit = similarity_align(shapes.rest[jaw], neutral[jaw])
    deltas[:, jaw] = source[:, jaw] @ (fit.scale * fit.rotation).T
    deltas[:, parts.upper_teeth] = 0.0
    riding = np.einsum("mk,amkc->amc", shapes.lash_weight, source[:, shapes.lash_anchor])
    carried = np.einsum("mk,amkc->amc", shapes.lash_weight, deltas[:, shapes.lash_anchor])
    deltas[:, parts.lashes] = source[:, parts.lashes] - riding + carried
    for eye in (parts.left_eye, parts.right_eye):
        deltas[:, eye] = eyeball_deltas(neutral[eye], eye_centre(neutral, eye))
    return deltas


def with_anatomy(
    shapes: TemplateShapes, neutral: Float[np.ndarray, "V 3"], deltas: Float[np.ndarray, "A V 3"]
) -> Float[np.ndarray, "A V 3"]:
    """The nearest displacements that keep the mouth's walls under the skin and the lids outside the eyeballs."""
    kept = np.empty_like(deltas)
    for row, delta in enumerate(deltas):
        moved = shapes.guard.push_inside(neutral + delta)
        for lids in shapes.lids:
            moved = lids.push_outside(moved, neutral)
        kept[row] = moved - neutral
    return kept


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
    flip = np.array([-1.0, 1.0, 1.0])
    mirrored = deltas[:, head.mirror] * flip
    partner = np.arange(N_UNITS)
    for one, other in MIRRORED_UNITS.items():
        partner[[AU_INDEX[one], AU_INDEX[other]]] = AU_INDEX[other], AU_INDEX[one]
    deltas = (deltas + mirrored[partner]) / 2
    for row in range(N_UNITS):
        deltas[row, parts.lower_teeth] = _rigid_motion(
            head.base_vertices[parts.lower_teeth], deltas[row, parts.lower_teeth]
        )
    deltas[:, parts.upper_teeth] = 0.0
    for eye in (parts.left_eye, parts.right_eye):
        deltas[:, eye] = eyeball_deltas(head.base_vertices[eye], eye_centre(head.base_vertices, eye))
    deltas[np.linalg.norm(deltas, axis=2) < SNAP_MM] = 0.0
    return deltas


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


def _rigid_motion(rest: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The rigid motion nearest to a displacement field."""
    if not np.any(delta):
        return delta
    return similarity_align(rest, rest + delta, with_scale=False).apply(rest) - rest
