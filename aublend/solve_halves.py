"""The inverse of driving, side by side: which halves of which units explain the vertices that are seen."""

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves
from aublend.rig import AURig
from aublend.sided_curves import SAME_WITHIN, sided_curves
from aublend.solve import RIDGE, fit_basis, flexible_displacements, observed_frames
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

NOISE_SIGMAS = 5.0
"""A difference between halves must exceed so many standard deviations of what noise alone would make of it."""


def solve_halves(rig: AURig, observed: Mesh | MeshSequence) -> AUCurves:
    """Unit weights in [0, 1] with AU12L and AU12R where a unit's halves differ, AU12 where they do not.

    They differ when they do by more than 0.02 in some frame, and by more than the noise explains that the fit leaves
    over (white noise on every coordinate is assumed).
    As `aublend.solve.solve_weights`, over the 64 halves m_L * D and m_R * D; a mesh gives one row at 25 fps.

    Raises:
        TopologyError: when the vertices are not the rig's.
    """
    frames, fps = observed_frames(rig, observed)
    flexible, displacements = flexible_displacements(rig, frames)
    deltas = rig.deltas[:, flexible].astype(np.float64)
    share = rig.left_weight[flexible][:, None]
    basis = np.concatenate([deltas * share, deltas * (1 - share)]).reshape(2 * len(deltas), -1)
    seen = displacements.reshape(len(frames), -1)
    weights = fit_basis(basis, seen)
    bound = np.maximum(SAME_WITHIN, NOISE_SIGMAS * _difference_deviation(basis, seen - weights @ basis))
    return sided_curves(weights.reshape(len(frames), 2, -1), fps, same_within=bound)


def _difference_deviation(
    basis: Float[np.ndarray, "halves D"], residual: Float[np.ndarray, "T D"]
) -> Float[np.ndarray, " A"]:
    """Standard deviation of w_L - w_R per unit under white noise of the residual's size: sigma^2 (B B^T)^-1."""
    gram = basis @ basis.T
    covariance = np.linalg.inv(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))) * np.mean(residual**2)
    left, right = np.arange(len(gram)).reshape(2, -1)
    variance = covariance[left, left] + covariance[right, right] - 2 * covariance[left, right]
    return np.sqrt(np.maximum(variance, 0.0))
