"""The inverse of driving: which unit weights explain the vertices that are seen."""

import numpy as np
from jaxtyping import Bool, Float

from aublend.rig import AURig
from mesh4d.errors import TopologyError
from mesh4d.geometry.rigid import similarity_align
from mesh4d.geometry.topology import same_triangles
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

STILL_SHARE = 0.002
"""A vertex counts as skull when no unit moves it further than this share of the largest motion."""
FEWEST_STILL = 50
ITERATIONS = 1500
RIDGE = 1e-6
"""Relative ridge: decides between units that move alike without biasing the others."""


def solve_weights(rig: AURig, frames: Float[np.ndarray, "T V 3"]) -> Float[np.ndarray, "T A"]:
    """Box-constrained least squares, min_w ||N + w.D - R^-1(V)||^2 with 0 <= w <= 1, for every frame at once.

    The head's rigid motion is removed first by aligning the vertices that no unit moves. Solved by accelerated
    projected gradient (FISTA; Beck & Teboulle 2009) on the 32 x 32 normal equations. Eyeballs are left out: gaze
    is read from the lids that follow it.

    Raises:
        TopologyError: when the frames have another vertex count than the rig.
    """
    flexible, observed = flexible_displacements(rig, frames)
    basis = rig.deltas[:, flexible].reshape(len(rig.deltas), -1).astype(np.float64)
    return fit_basis(basis, observed.reshape(len(frames), -1))


def observed_frames(rig: AURig, observed: Mesh | MeshSequence) -> tuple[Float[np.ndarray, "T V 3"], float]:
    """Frames and their rate, of a mesh (one frame, at 25 fps) or sequence on the rig's own topology.

    Raises:
        TopologyError: other vertices, or the same number of vertices behind other triangles: another order.
    """
    topology = observed if isinstance(observed, Mesh) else observed.topology
    if topology.n_vertices != rig.neutral.n_vertices:
        raise TopologyError(f"expected the rig's {rig.neutral.n_vertices} vertices, found {topology.n_vertices}")
    if not same_triangles(topology.faces, rig.neutral.faces):
        raise TopologyError("expected the rig's triangles, found others: the vertices may stand in another order")
    if isinstance(observed, Mesh):
        return observed.vertices[None], 25.0
    return observed.frames, observed.fps


def flexible_displacements(
    rig: AURig, frames: Float[np.ndarray, "T V 3"]
) -> tuple[Bool[np.ndarray, " V"], Float[np.ndarray, "T M 3"]]:
    """Which vertices deform, and how far each is from the neutral once the head's rigid motion is taken out.

    Raises:
        TopologyError: when the frames have another vertex count than the rig.
    """
    if frames.shape[1:] != rig.neutral.vertices.shape:
        raise TopologyError(f"expected {rig.neutral.n_vertices} vertices, found {frames.shape[1]}")
    still = skull_vertices(rig)
    rest = rig.neutral.vertices
    observed = np.stack(
        [similarity_align(frame[still], rest[still], with_scale=False).apply(frame) - rest for frame in frames]
    )
    flexible = np.ones(rig.neutral.n_vertices, bool)
    for part in rig.rigid_parts:  # their chords are only exact at 0 and 1; the lids show the gaze as well
        flexible[part.vertex_ids] = False
    return flexible, observed[:, flexible]


def fit_basis(basis: Float[np.ndarray, "B D"], observed: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T B"]:
    """argmin_{0<=w<=1} ||w . basis - observed||^2 for every row, with a slight ridge."""
    gram = basis @ basis.T
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return _box_least_squares(gram, observed @ basis.T)


def skull_vertices(rig: AURig) -> Bool[np.ndarray, " V"]:
    """Vertices that stay with the skull under every unit; the stillest ones where none is quite still."""
    motion = np.linalg.norm(rig.deltas, axis=2).max(axis=0)
    bound = max(STILL_SHARE * motion.max(), np.sort(motion)[min(FEWEST_STILL, len(motion)) - 1])
    return motion <= bound


def _box_least_squares(gram: Float[np.ndarray, "A A"], right: Float[np.ndarray, "T A"]) -> Float[np.ndarray, "T A"]:
    """argmin_{0<=w<=1} w G w / 2 - b w for each row b, in coordinates where G has a unit diagonal."""
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-12))
    matrix, target = gram * scale[:, None] * scale, right * scale
    step = 1 / np.linalg.eigvalsh(matrix)[-1]
    upper = 1 / scale
    weights = momentum = np.zeros_like(target)
    t = 1.0
    for _ in range(ITERATIONS):
        new = np.clip(momentum - step * (momentum @ matrix - target), 0, upper)
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        momentum = new + (t - 1) / t_new * (new - weights)
        weights, t = new, t_new
    return weights * scale
