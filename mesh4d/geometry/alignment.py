"""Head motion taken out of moving faces: rigid alignment on the part of a head that does not move with expression."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import Similarity, similarity_align

ROBUST_ROUNDS = 5


@dataclass(frozen=True)
class Stabilised:
    """Frames in the reference's pose, and the motion that was taken out."""

    frames: Float[np.ndarray, "T V 3"]
    poses: tuple[Similarity, ...]
    """Reference -> each frame as it came."""


def stabilise(
    frames: Float[np.ndarray, "T V 3"],
    reference: Float[np.ndarray, "V 3"],
    weights: Float[np.ndarray, " V"],
    with_scale: bool = False,
    robust: bool = True,
) -> Stabilised:
    """Procrustes-align every frame to a reference on a weighted region (Umeyama 1991).

    Args:
        reference: the same topology, usually the neutral head.
        weights: say of each vertex, at least 0: forehead, nose bridge and skull, not lips and jaw.
        robust: vertices that do not follow the rigid motion lose their say (Geman-McClure, scale from the median).

    Raises:
        MeshError: when fewer than three vertices have weight, or they lie on one line.
    """
    if len(weights) != len(reference) or frames.shape[1:] != reference.shape:
        raise MeshError(
            f"expected frames and weights of {len(reference)} vertices, found {frames.shape}, {len(weights)}"
        )
    ids = np.flatnonzero(weights > 0)
    poses = tuple(_aligned(reference[ids], frame[ids], weights[ids], with_scale, robust) for frame in frames)
    still = np.stack([pose.inverse().apply(frame) for pose, frame in zip(poses, frames, strict=True)])
    return Stabilised(still, poses)


def _aligned(rest: np.ndarray, moved: np.ndarray, weights: np.ndarray, with_scale: bool, robust: bool) -> Similarity:
    pose = similarity_align(rest, moved, weights, with_scale)
    for _ in range(ROBUST_ROUNDS if robust else 0):
        away = np.linalg.norm(pose.apply(rest) - moved, axis=1)
        scale = 2.0 * float(np.median(away))
        if not scale > 1e-12 * float(np.abs(rest).max()):
            break
        pose = similarity_align(rest, moved, weights / (1 + (away / scale) ** 2) ** 2, with_scale)
    return pose
