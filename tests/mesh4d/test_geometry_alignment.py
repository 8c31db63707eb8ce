"""Stabilising: the motion put in is taken out, and what moves by itself has no say."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesh4d.errors import MeshError
from mesh4d.geometry.alignment import stabilise
from mesh4d.geometry.rigid import Similarity

RNG = np.random.default_rng(0)
HEAD = RNG.normal(size=(200, 3)) * 80
POSES = [Similarity(1.0, Rotation.random(random_state=k).as_matrix(), RNG.normal(size=3) * 50) for k in range(4)]


def test_rigid_motion_is_undone():
    frames = np.stack([pose.apply(HEAD) for pose in POSES])
    still = stabilise(frames, HEAD, np.ones(200))
    np.testing.assert_allclose(still.frames, np.broadcast_to(HEAD, frames.shape), atol=1e-8)
    np.testing.assert_allclose(still.poses[2].rotation, POSES[2].rotation, atol=1e-9)


@pytest.mark.parametrize("robust", [True, False])
def test_a_moving_jaw_is_left_to_move(robust):
    shape = HEAD.copy()
    shape[:40] += [0.0, -20.0, 0.0]
    frames = np.stack([pose.apply(shape) for pose in POSES])
    weights = np.ones(200)
    if not robust:
        weights[:40] = 0.0  # known to move
    still = stabilise(frames, HEAD, weights, robust=robust)
    np.testing.assert_allclose(still.frames, np.broadcast_to(shape, frames.shape), atol=0.2 if robust else 1e-8)


def test_too_little_to_align_on_is_refused():
    weights = np.zeros(200)
    weights[:2] = 1.0
    with pytest.raises(MeshError, match="3 weighted pairs"):
        stabilise(HEAD[None], HEAD, weights)
