"""Anatomy of the rig of any head: what can be measured where there is no ground truth."""

import numpy as np
from jaxtyping import Float

from aublend.anatomy_measures import AnatomyGauge
from aublend.carried_fissures import fissures_of_fit
from aublend.combinations import COMBINATIONS
from aublend.predict import Method, rig_of_fit
from aublend.registration import HeadFit
from aublend.units import AU_INDEX
from mesh4d.registration.visibility import vertex_components


def measure_head(
    fit: HeadFit, method: Method = "net"
) -> tuple[dict[str, Float[np.ndarray, " A"]], dict[str, Float[np.ndarray, " P"]]]:
    """ANATOMY_MEASURES of the units and the pairs of units that a method predicts for a head, in its own topology.

    Skin is the head's largest piece without its eyeballs; which pieces are teeth is not known, so no tooth is measured.
    """
    upright = rig_of_fit(fit, method).moved(fit.to_mesh.inverse())
    piece = vertex_components(fit.mesh.vertices, fit.mesh.faces)
    skin = piece == np.bincount(piece[fit.mesh.faces[:, 0]]).argmax()
    skin[np.concatenate([fit.left_eye, fit.right_eye])] = False
    faces = fit.mesh.faces[skin[fit.mesh.faces].all(axis=1)]
    gauge = AnatomyGauge(fissures_of_fit(fit), faces, np.ones(len(faces), bool), np.empty((0, 3), faces.dtype))
    deltas = upright.deltas.astype(np.float64)
    sums = np.stack([deltas[[AU_INDEX[unit] for unit in pair.units]].sum(axis=0) for pair in COMBINATIONS])
    return gauge.of_units(deltas), gauge.of_pairs(sums + upright.correctives)
