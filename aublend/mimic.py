"""The embedded heads as actors for mimics of data sets: they show expressions and know where their landmarks are."""

import dataclasses
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from aublend.curves import half_weights
from aublend.emotions import sample_emotion_weights
from aublend.head_model import head_model
from aublend.rig import AURig
from aublend.units import AU_NAMES
from mesh4d.datasets.performance import NOSE_TIP, Performance, Request
from mesh4d.io.landmark_files import bu_landmark_names
from mesh4d.mesh import Landmarks, Mesh

NEARNESS = 0.15
"""How far aside a point may lie for being a millimetre nearer to the viewer: the skin, not what it hides."""
BROW_MM = (13.0, 50.0)
"""Inner and outer end of a brow, from the middle."""
NOSE_MM = ((9, -2), (9, -14), (12, -26), (18, -38), (12, -46), (4, -48))
"""The subject's right half, from the saddle down; x from the middle outwards."""
MOUTH_MM = (
    (-23, -68), (-15, -62), (-6, -58.5), (0, -60), (6, -58.5), (15, -62), (23, -68),
    (14, -75), (6, -78.5), (0, -79), (-6, -78.5), (-14, -75),
    (-18, -68), (-7, -65.5), (0, -66), (7, -65.5), (18, -68), (7, -70.5), (0, -71), (-7, -70.5),
)  # fmt: skip
NOSE_TIP_MM = (0.0, -36.5)


def embedded_actor(request: Request) -> Performance:
    """What the person of that number shows: an expression as a sampled mixture of action units, or given units."""
    rig = _rig(request.person)
    rng = np.random.default_rng([request.person, request.take])
    weights = dict(request.units)
    if request.expression not in ("", "neutral"):
        weights |= sample_emotion_weights(request.expression, 1.0, rng)
    apex = half_weights(weights)
    shown = [apex * level for level in request.envelope]
    frames = tuple(_marked(rig.neutral.with_vertices(rig.pose(halves))) for halves in shown)
    strongest = np.stack(shown).max(axis=1)
    return Performance(frames, {name: tuple(strongest[:, row].tolist()) for row, name in enumerate(AU_NAMES)})


@lru_cache(maxsize=4)
def _rig(person: int) -> AURig:
    return head_model().rig(person)


def _marked(mesh: Mesh) -> Mesh:
    """The head with its landmarks."""
    names = (*bu_landmark_names(), NOSE_TIP)
    return dataclasses.replace(mesh, landmarks=Landmarks(names, mesh.vertices[landmark_vertex_ids()]))


@lru_cache(maxsize=1)
def landmark_vertex_ids() -> Int[np.ndarray, " L"]:
    """The vertices of the embedded head at the 83 points of BU-3DFE and at the nose tip.

    Which point is where inside a region beyond what is documented (eye and mouth corners, lip middles, chin) is ours.
    """
    model = head_model()
    vertices = model.topology.vertices
    hidden = np.union1d(model.parts.cavity, model.parts.socket)
    outer = np.setdiff1d(model.topology.part_vertices("skin", "lips"), hidden)
    candidates = vertices[outer]
    places = _places_mm()
    aside = np.linalg.norm(candidates[None, :, :2] - places[:, None], axis=2)
    return outer[np.argmin(aside - NEARNESS * candidates[None, :, 2], axis=1)]


def _places_mm() -> Float[np.ndarray, "84 2"]:
    """x and y of the points on the average head, in BU's order; the subject's right eye is first."""
    turn = np.arange(8) * np.pi / 4
    eye = np.stack([29.5 - 14.5 * np.cos(turn), 0.5 + 5.5 * np.sin(turn)], axis=1)  # inner corner first, then above
    along = np.linspace(0, 1, 5)
    x = BROW_MM[0] + (BROW_MM[1] - BROW_MM[0]) * along
    arch = np.sin(np.pi * along)
    brow = np.concatenate([np.stack([x, 21 + 4 * arch], 1), np.stack([x, 16 + 3 * arch], 1)[::-1]])
    nose = np.array(NOSE_MM, float)
    angle = np.pi * (1 - np.arange(15) / 14)
    contour = np.stack([66 * np.cos(angle), -30 - 82 * np.sin(angle)], axis=1)
    right = np.array([-1.0, 1.0])
    parts = [eye * right, eye, brow * right, brow, nose * right, nose[::-1], np.array(MOUTH_MM, float), contour]
    return np.concatenate([*parts, np.array([NOSE_TIP_MM])])
