"""What observed vertices say about unit weights: the normal equations of all half shapes, head motion taken out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from aublend.rig import AURig
from aublend.rigid_parts import RigidPart
from mesh4d.errors import TopologyError
from mesh4d.geometry.rigid import similarity_align

STILL_SHARE = 0.002
"""A vertex counts as skull when no unit moves it further than this share of the largest motion."""
FEWEST_STILL = 50
FRAMES_TOGETHER = 64


@dataclass(frozen=True)
class Evidence:
    """|y - phi . S|^2 = energy - 2 right . phi + phi . gram . phi, with S the half shapes and phi their factors.

    S holds the units' left halves, their right halves, the pairs' left and right halves; the factor of a pair is the
    product of its units' weights.
    """

    gram: Float[np.ndarray, "S S"]
    right: Float[np.ndarray, "T S"]
    energy: Float[np.ndarray, " T"]
    observations: int
    """Numbers seen per frame."""
    pair_units: Int[np.ndarray, "P 2"]
    err_together: float = 1.0
    """How many neighbouring vertices share one error: 1 for white noise, more where registration made them."""


def evidence_of(rig: AURig, frames: Float[np.ndarray, "T V 3"], seen: Bool[np.ndarray, " V"] | None = None) -> Evidence:
    """Compare frames on the rig's vertices with its neutral.

    The head's rigid motion is removed by aligning the vertices that no unit moves; what small motion that leaves is
    projected out. Rigid parts (eyeballs) speak through their rotation vectors, in which their units add exactly,
    weighted like the vertices they turn.

    Args:
        seen: vertices to look at; all without it.

    Raises:
        TopologyError: when the frames have another vertex count than the rig.
    """
    if frames.shape[1:] != rig.neutral.vertices.shape:
        raise TopologyError(f"expected {rig.neutral.n_vertices} vertices, found {frames.shape[1]}")
    soft = np.ones(rig.neutral.n_vertices, bool) if seen is None else seen.copy()
    rest, still = rig.neutral.vertices, skull_vertices(rig, soft)
    for part in rig.rigid_parts:
        soft[part.vertex_ids] = False
    rigid = rigid_modes(rest[soft])
    shapes = _half_shapes(rig, soft)
    shapes -= (shapes @ rigid.T) @ rigid
    gram, right, energy = shapes @ shapes.T, np.empty((len(frames), len(shapes))), np.empty(len(frames))
    turns = [_turning(rig, part) for part in rig.rigid_parts]
    for vectors, inertia in turns:
        gram += vectors @ inertia @ vectors.T
    for at in range(0, len(frames), FRAMES_TOGETHER):
        rows = slice(at, at + FRAMES_TOGETHER)
        posed = np.stack([_without_head_motion(frame, rest, still) for frame in frames[rows]])
        moved = (posed - rest)[:, soft].reshape(len(posed), -1)
        moved -= (moved @ rigid.T) @ rigid
        right[rows], energy[rows] = moved @ shapes.T, np.einsum("td,td->t", moved, moved)
        for part, (vectors, inertia) in zip(rig.rigid_parts, turns, strict=True):
            seen = np.stack([_turn(part, frame, rest) for frame in posed])
            right[rows] += seen @ inertia @ vectors.T
            energy[rows] += np.einsum("ti,ij,tj->t", seen, inertia, seen)
    return Evidence(gram, right, energy, int(3 * soft.sum() + 3 * len(turns)), rig.pair_units)


def skull_vertices(rig: AURig, seen: Bool[np.ndarray, " V"]) -> Bool[np.ndarray, " V"]:
    """Vertices that stay with the skull under every unit; the stillest ones where none is quite still."""
    motion = np.linalg.norm(rig.deltas, axis=2).max(axis=0)
    bound = max(STILL_SHARE * motion.max(), np.sort(motion[seen])[min(FEWEST_STILL, seen.sum()) - 1])
    return seen & (motion <= bound)


def rigid_modes(points: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "modes D"]:
    """An orthonormal basis of the small rigid motions of some points, flattened."""
    shifts = np.broadcast_to(np.eye(3)[:, None], (3, *points.shape))
    turns = np.cross(np.eye(3)[:, None], points - points.mean(axis=0))
    modes = np.concatenate([shifts, turns]).reshape(6, -1)
    return np.linalg.qr(modes.T)[0].T


def _without_head_motion(
    frame: Float[np.ndarray, "V 3"], rest: Float[np.ndarray, "V 3"], still: Bool[np.ndarray, " V"]
) -> Float[np.ndarray, "V 3"]:
    return similarity_align(frame[still], rest[still], with_scale=False).apply(frame)


def _half_shapes(rig: AURig, soft: Bool[np.ndarray, " V"]) -> Float[np.ndarray, "S D"]:
    share = rig.left_weight[soft][:, None]
    halves = [
        (shapes[:, soft] * side).reshape(len(shapes), -1)
        for shapes in (rig.deltas, rig.correctives)
        for side in (share, 1 - share)
    ]
    return np.concatenate(halves).astype(np.float64)


def _turning(rig: AURig, part: RigidPart) -> tuple[Float[np.ndarray, "S 3"], Float[np.ndarray, "3 3"]]:
    """What each half shape adds to a part's rotation vector, and what a rotation is worth in squared displacement."""
    units, pairs = len(rig.deltas), len(rig.pairs)
    vectors = np.zeros((2 * (units + pairs), 3))
    start = 0 if part.side == "left" else units
    vectors[start : start + units] = part.rotation_vectors
    arms = rig.neutral.vertices[part.vertex_ids] - part.pivot
    return vectors, (arms**2).sum() * np.eye(3) - arms.T @ arms


def _turn(part: RigidPart, frame: Float[np.ndarray, "V 3"], rest: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "3"]:
    """The rotation vector of a part, wherever it stands."""
    ids = part.vertex_ids
    return Rotation.from_matrix(similarity_align(rest[ids], frame[ids], with_scale=False).rotation).as_rotvec()
