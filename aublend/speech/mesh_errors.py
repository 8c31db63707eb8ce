"""LVE and FDD: the two vertex errors of the speech-animation literature, in mm.

Richard et al., MeshTalk (2021): the lip vertex error is the mean over frames of the largest squared distance of a lip
vertex. Xing et al., CodeTalker (2023): the upper-face dynamics deviation is the mean over upper-face vertices of the
difference of the temporal standard deviations of their squared motion. As in `torchmetrics.multimodal`.
"""

import numpy as np
from jaxtyping import Float

from aublend.rig import AURig
from aublend.speech.lips import Lips


def lip_vertex_error_mm(
    lips: Lips, reference: Float[np.ndarray, "T 2 A"], weights: Float[np.ndarray, "T 2 A"]
) -> float:
    """LVE between two animations of one rig, over its lip points, in square millimetres."""
    return lip_vertex_error(lips.points.at(reference), lips.points.at(weights))


def lip_vertex_error(reference: Float[np.ndarray, "T P 3"], points: Float[np.ndarray, "T P 3"]) -> float:
    """mean_t max_p |x_tp - y_tp|^2 over lip points."""
    return float(((reference - points) ** 2).sum(axis=2).max(axis=1).mean())


def upper_face_deviation_mm(
    rig: AURig, reference: Float[np.ndarray, "T 2 A"], weights: Float[np.ndarray, "T 2 A"]
) -> float:
    """FDD between two animations of one rig, over the vertices of its brows and lids, in millimetres."""
    regions = rig.regions()
    upper = np.flatnonzero(np.maximum(regions["brow"], regions["lid"]) > 0.3)
    unit_mm = 1000.0 * rig.unit_m
    rest = rig.neutral.vertices[upper]
    one, other = ((rig.poses(halves)[:, upper] - rest) * unit_mm for halves in (reference, weights))
    return upper_face_deviation(one, other)


def upper_face_deviation(reference: Float[np.ndarray, "T P 3"], motion: Float[np.ndarray, "T P 3"]) -> float:
    """mean_p (std_t |m_ref|^2 - std_t |m|^2) over upper-face displacements from the neutral face."""
    spread = [np.std((m**2).sum(axis=2), axis=0) for m in (reference, motion)]
    return float((spread[0] - spread[1]).mean())
