"""Where things are on the embedded head, found from its own geometry, and the fields that no artist's unit gives."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from aublend.makehuman import SKIN_AREAS, MakeHumanHead
from aublend.seams import LIPS, margin_loops, seam_of_loop
from mesh4d.mesh import Mesh

BROW_KNIT_MM = 3.5
"""How far the corrugator draws each inner brow towards the middle at full intensity."""
LIP_SKIN_MM, TUCK_MM = 0.6, 1.6
"""Where the border of a sucked-in lip comes to lie: this far on its side of the meeting line, this far before it."""
WALL_BACK_MM = 7.0
"""How far the mouth's wall behind a sucked-in lip makes room for it."""
SUCK_REACH_MM = {1: 12.0, -1: 20.0}
"""How far the skin above the upper (1) and below the lower lip (-1) follows."""
CORNER_FADE = 0.25
"""Share of the mouth's width from a corner inwards over which lips begin to turn in."""
IRIS_DEG, PUPIL_DEG = 24.0, 12.0
"""Angular radius of the vertex rings of MakeHuman's eyeball that bound iris and pupil."""
PART_NAMES = ("skin", "lips", "mouth", "eyes", "iris", "pupil", "teeth", "tongue", "lashes")
PART_OF_AREA = {"face": "skin", "lips": "lips", "mouth": "mouth", "socket": "skin"}


@dataclass(frozen=True)
class HeadParts:
    """Vertex ids of the pieces of the embedded head that are not skin."""

    left_eye: Int[np.ndarray, " left"]
    right_eye: Int[np.ndarray, " right"]
    upper_teeth: Int[np.ndarray, " upper"]
    lower_teeth: Int[np.ndarray, " lower"]
    tongue: Int[np.ndarray, " tongue"]
    lashes: Int[np.ndarray, " lashes"]
    skin: Int[np.ndarray, " skin"]
    cavity: Int[np.ndarray, " cavity"]
    """Skin vertices of the mouth's inside that no outer face shares."""
    socket: Int[np.ndarray, " socket"]
    """Skin vertices of the eye sockets' insides, behind the lids, that no outer face shares."""


def head_parts(head: MakeHumanHead) -> HeadParts:
    """Find the pieces by MakeHuman's group names."""

    def ids(*needles: str) -> np.ndarray:
        wanted = [row for row, name in enumerate(head.group_names) if any(needle in name for needle in needles)]
        return np.unique(head.quads[np.isin(head.group_of_quad, wanted)])

    return HeadParts(
        left_eye=np.setdiff1d(ids("helper-l-eye"), ids("l-eyelashes")),
        right_eye=np.setdiff1d(ids("helper-r-eye"), ids("r-eyelashes")),
        upper_teeth=ids("upper-teeth"),
        lower_teeth=ids("lower-teeth"),
        tongue=ids("tongue"),
        lashes=ids("eyelashes"),
        skin=ids("body"),
        cavity=_only_in_area(head, "mouth"),
        socket=_only_in_area(head, "socket"),
    )


def _only_in_area(head: MakeHumanHead, area: str) -> np.ndarray:
    """Vertices that only faces of one skin area use."""
    inside = head.area_of_quad == SKIN_AREAS.index(area)
    return np.setdiff1d(head.quads[inside], head.quads[~inside])


def eye_centre(vertices: Float[np.ndarray, "V 3"], eye: Int[np.ndarray, " eye"]) -> Float[np.ndarray, "3"]:
    """The centre of an eyeball: the middle of its opposite vertices."""
    return (vertices[eye].min(axis=0) + vertices[eye].max(axis=0)) / 2


def template_mesh(head: MakeHumanHead, vertices: Float[np.ndarray, "V 3"]) -> Mesh:
    """The cropped base mesh as triangles that remember their quads, with parts a renderer can colour."""
    quads = head.quads
    faces = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    part_of_group = {"helper-upper-teeth": "teeth", "helper-lower-teeth": "teeth", "helper-tongue": "tongue"}
    part = np.empty(len(quads), int)
    for row, name in enumerate(head.group_names):
        here = head.group_of_quad == row
        if name == "body":
            areas = np.array([PART_NAMES.index(PART_OF_AREA[area]) for area in SKIN_AREAS])
            part[here] = areas[head.area_of_quad[here]]
        elif name in ("helper-l-eye", "helper-r-eye"):
            angle = _angle_from_axis_deg(head.base_vertices, np.unique(quads[here]))
            widest = angle[quads[here]].max(axis=1)
            ring = np.where(widest < PUPIL_DEG, "pupil", np.where(widest < IRIS_DEG, "iris", "eyes"))
            part[here] = [PART_NAMES.index(name) for name in ring]
        else:
            part[here] = PART_NAMES.index(part_of_group.get(name, "lashes"))
    return Mesh(
        vertices,
        faces,
        polygon_of_face=np.repeat(np.arange(len(quads)), 2),
        part_of_face=np.repeat(part, 2),
        part_names=PART_NAMES,
    )


def anatomy_field(name: str, head: MakeHumanHead) -> Float[np.ndarray, "V 3"]:
    """A displacement field in mm of this module, by the name it has in action_units.toml."""
    fields = {"brow_knit": _brow_knit, "lip_suck": _lip_suck}
    return fields[name](head)


def anatomy_mask(name: str, head: MakeHumanHead) -> Float[np.ndarray, " V"]:
    """A mask of this module, 0 to 1, by the name it has in action_units.toml."""
    if name == "nasolabial":
        return _nasolabial(head)
    raise KeyError(name)


def _brow_knit(head: MakeHumanHead) -> np.ndarray:
    """Corrugator: the inner brows move towards the middle and the skin between them bulges a little."""
    field = np.zeros_like(head.base_vertices)
    for side, target in (
        (1.0, "units/caucasian/eyebrows-left-inner-up"),
        (-1.0, "units/caucasian/eyebrows-right-inner-up"),
    ):
        bump = _bump(head, _strongest(head, target), radius_mm=13.0)
        field += bump[:, None] * np.array([-side * BROW_KNIT_MM, -0.5, 0.8])
    return field


def _lip_suck(head: MakeHumanHead) -> np.ndarray:
    """The red of both lips turned in over the teeth, its outer border drawn to the line where the lips meet.

    Each lip's red keeps its order from border to mouth, squeezed behind the border; the skin above and below follows.
    """
    vertices = head.base_vertices
    faces = {name: _skin_triangles(head, name) for name in SKIN_AREAS}
    (rim,) = margin_loops(faces["mouth"], faces["lips"])
    (border,) = margin_loops(faces["lips"], faces["face"])
    seam = seam_of_loop(vertices, np.concatenate(list(faces.values())), rim, LIPS)
    field = np.zeros_like(vertices)
    for side in (1, -1):
        edge, inner = (
            loop[(seam.side[loop] == side) & (seam.across[loop] > 0.01) & (seam.across[loop] < 0.99)]
            for loop in (border, rim)
        )
        own = np.flatnonzero(seam.side == side)
        on_edge, on_rim = (_at_width(vertices, chain, vertices[own, 0]) for chain in (edge, inner))
        to_edge = np.linalg.norm((vertices[own] - on_edge)[:, 1:], axis=1)
        to_rim = np.linalg.norm((vertices[own] - on_rim)[:, 1:], axis=1)
        meeting = on_rim + np.array([0.0, side * LIP_SKIN_MM, TUCK_MM])
        red = np.isin(own, np.setdiff1d(faces["lips"], faces["face"])) | np.isin(own, edge)
        share = to_edge / np.maximum(to_edge + to_rim, 1e-9)
        tucked = meeting + share[:, None] * (on_rim - meeting) - vertices[own]
        t = np.clip(1 - to_edge / SUCK_REACH_MM[side], 0, 1)
        skin = (t * t * (3 - 2 * t))[:, None] * (meeting - on_edge)
        outside = ~red & ~np.isin(own, faces["mouth"])
        field[own[red]] = tucked[red]
        field[own[outside]] = skin[outside]
        inside = np.isin(own, np.setdiff1d(faces["mouth"], faces["lips"]))
        t = np.clip(1 - to_rim / SUCK_REACH_MM[side], 0, 1)
        field[own[inside], 2] = -WALL_BACK_MM * (t * t * (3 - 2 * t))[inside]
    to_corner = np.minimum(seam.across, 1 - seam.across)
    return field * np.clip(to_corner / CORNER_FADE, 0, 1)[:, None]


def _at_width(vertices: np.ndarray, chain: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The point of a chain of vertices at each x."""
    chain = chain[np.argsort(vertices[chain, 0])]
    return np.stack([np.interp(across, vertices[chain, 0], vertices[chain, axis]) for axis in range(3)], axis=1)


def _skin_triangles(head: MakeHumanHead, area: str) -> np.ndarray:
    """The body's triangles in one skin area."""
    body = head.group_of_quad == head.group_names.index("body")
    quads = head.quads[body & (head.area_of_quad == SKIN_AREAS.index(area))]
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _nasolabial(head: MakeHumanHead) -> np.ndarray:
    """Around the upper middle part of the nasolabial furrow, where zygomaticus minor inserts; not the lip corners."""
    mask = np.zeros(len(head.base_vertices))
    for side in ("Left", "Right"):
        wing = _strongest(head, f"arkit/noseSneer{side}")
        corner = _strongest(head, f"arkit/mouthSmile{side}")
        mask = np.maximum(mask, _bump(head, 0.6 * wing + 0.4 * corner, radius_mm=15.0))
    return mask


def _strongest(head: MakeHumanHead, target: str) -> np.ndarray:
    """The place on the base mesh that a unit moves most: the mean of its strongest twentieth."""
    motion = np.linalg.norm(head.target(target), axis=1)
    moved = np.flatnonzero(motion > 0)
    strongest = moved[np.argsort(motion[moved])[-max(1, len(moved) // 20) :]]
    return head.base_vertices[strongest].mean(axis=0)


def _bump(head: MakeHumanHead, centre: np.ndarray, radius_mm: float) -> np.ndarray:
    """A smooth bump, 1 at the centre, e^-2 at the radius."""
    return np.exp(-2 * ((head.base_vertices - centre) ** 2).sum(axis=1) / radius_mm**2)


def _angle_from_axis_deg(vertices: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Angle between the forward axis and each eye vertex seen from the eye's centre (180 elsewhere)."""
    angle = np.full(len(vertices), 180.0)
    ray = vertices[eye] - eye_centre(vertices, eye)
    angle[eye] = np.degrees(np.arccos(ray[:, 2] / np.linalg.norm(ray, axis=1)))
    return angle
