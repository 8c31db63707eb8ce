"""MIDAS: mixtures of motions and labels against their closed form."""

import numpy as np
import pytest

from aublend.midas import LabelledMotion, hard_label, midas, midas_mixtures, smoothed_label
from mesh4d import Mesh, MeshError, MeshSequence, TopologyError

HAPPY, SAD = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


def mesh(seed: int) -> Mesh:
    return Mesh(np.random.default_rng(seed).normal(size=(5, 3)), np.array([[0, 1, 2], [2, 3, 4]]))


def motion(frames: int, label: np.ndarray, seed: int = 0, phases: tuple[int, int, int] | None = None):
    return LabelledMotion(np.random.default_rng(seed).normal(size=(frames, 5, 3)), label, 25.0, phases)


def test_motion_is_taken_off_one_person_and_put_on_another():
    own, other = mesh(1), mesh(2)
    frames = own.vertices + np.random.default_rng(3).normal(size=(4, 5, 3))
    taken = LabelledMotion.of(MeshSequence(own, frames, 25.0), own, HAPPY)
    np.testing.assert_allclose(taken.on(own).frames, frames)
    np.testing.assert_allclose(taken.on(other).frames - other.vertices, frames - own.vertices)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_motion_and_label_are_mixed_alike(share):
    first, second = motion(6, HAPPY, 1), motion(6, SAD, 2)
    mixed = midas(first, second, share)
    np.testing.assert_allclose(mixed.displacements, share * first.displacements + (1 - share) * second.displacements)
    np.testing.assert_allclose(mixed.label, [share, 1 - share, 0])


def test_a_mixture_with_itself_is_itself():
    one = motion(7, HAPPY, 4, (1, 3, 5))
    np.testing.assert_allclose(midas(one, one, 0.37).displacements, one.displacements)


def test_lengths_are_matched_from_end_to_end():
    ramp = np.linspace(0, 1, 11)[:, None, None] * np.ones((1, 5, 3))
    long = LabelledMotion(ramp, HAPPY, 25.0)
    short = LabelledMotion(ramp[::5], SAD, 25.0)
    np.testing.assert_allclose(midas(long, short, 0.5).displacements, ramp)
    assert midas(short, long, 0.5).displacements.shape == (3, 5, 3)


def test_apexes_meet_where_phases_are_known():
    def peak(frames: int, at: int) -> np.ndarray:
        envelope = np.interp(np.arange(frames), [1, at, frames - 2], [0, 1, 0])
        return envelope[:, None, None] * np.ones((1, 5, 3))

    early = LabelledMotion(peak(12, 3), HAPPY, 25.0, (1, 3, 10))
    late = LabelledMotion(peak(20, 15), SAD, 25.0, (1, 15, 18))
    assert midas(early, late, 0.5).displacements[3] == pytest.approx(1.0)
    np.testing.assert_allclose(midas(early, late, 0.0).displacements[[0, 1, 3, 10, 11]], peak(12, 3)[[0, 1, 3, 10, 11]])
    blurred = midas(LabelledMotion(peak(12, 3), HAPPY, 25.0), LabelledMotion(peak(20, 15), SAD, 25.0), 0.5)
    assert blurred.displacements.max() < 0.9


def test_drawn_mixtures_are_reproducible_and_convex():
    motions = [motion(5, HAPPY, 1), motion(8, SAD, 2), motion(6, np.array([0.2, 0.3, 0.5]), 3)]
    drawn = list(midas_mixtures(motions, 40, np.random.default_rng(7)))
    again = list(midas_mixtures(motions, 40, np.random.default_rng(7)))
    assert all(np.array_equal(a.displacements, b.displacements) for a, b in zip(drawn, again, strict=True))
    labels = np.stack([one.label for one in drawn])
    np.testing.assert_allclose(labels.sum(axis=1), 1)
    assert labels.min() >= 0 and len(np.unique(labels.round(6), axis=0)) > 30


def test_baselines():
    np.testing.assert_array_equal(hard_label(np.array([0.2, 0.5, 0.3])), [0, 1, 0])
    np.testing.assert_allclose(smoothed_label(HAPPY, 0.3), [0.8, 0.1, 0.1])


def test_what_cannot_be_mixed_is_refused():
    one = motion(4, HAPPY)
    with pytest.raises(MeshError, match="0 to 1"):
        midas(one, one, 1.5)
    with pytest.raises(MeshError, match="same classes"):
        midas(one, LabelledMotion(one.displacements, np.array([0.5, 0.5]), 25.0), 0.5)
    with pytest.raises(TopologyError, match="same vertices"):
        midas(one, LabelledMotion(np.zeros((4, 6, 3)), HAPPY, 25.0), 0.5)
    with pytest.raises(MeshError, match="sum to 1"):
        motion(4, np.array([0.5, 0.2, 0.0]))
    with pytest.raises(MeshError, match="ascend"):
        motion(4, HAPPY, 0, (2, 1, 3))
    with pytest.raises(TopologyError):
        LabelledMotion.of(
            MeshSequence(mesh(1), np.zeros((2, 5, 3)), 25.0), Mesh(mesh(1).vertices[:4], mesh(1).faces[:1]), HAPPY
        )
