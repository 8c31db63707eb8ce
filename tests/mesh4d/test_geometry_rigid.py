import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle, similarity_align


def random_similarity(seed: int) -> Similarity:
    rng = np.random.default_rng(seed)
    rotation = rotation_from_axis_angle(rng.normal(size=3) * 2)
    return Similarity(float(rng.uniform(0.2, 5)), rotation, rng.normal(size=3) * 100)


def test_rotation_about_z_by_a_quarter_turn():
    np.testing.assert_allclose(
        rotation_from_axis_angle(np.array([0, 0, np.pi / 2])), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15
    )


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 0.3, np.pi - 1e-7, np.pi, 5.0])
def test_rotations_are_proper_and_turn_by_their_angle(angle: float):
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    rotation = rotation_from_axis_angle(angle * axis)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    np.testing.assert_allclose(rotation @ axis, axis, atol=1e-14)
    np.testing.assert_allclose(np.trace(rotation), 1 + 2 * np.cos(angle), atol=1e-14)


def test_rotation_batches_are_as_single_rotations():
    vectors = np.random.default_rng(0).normal(size=(2, 4, 3))
    rotations = rotation_from_axis_angle(vectors)
    assert rotations.shape == (2, 4, 3, 3)
    np.testing.assert_array_equal(rotations[1, 2], rotation_from_axis_angle(vectors[1, 2]))


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_similarity_laws(seed: int):
    first, second = random_similarity(seed), random_similarity(seed + 1)
    points = np.random.default_rng(seed).normal(size=(5, 3))
    np.testing.assert_allclose(second.compose(first).apply(points), second.apply(first.apply(points)), atol=1e-9)
    np.testing.assert_allclose(first.inverse().apply(first.apply(points)), points, atol=1e-9)
    np.testing.assert_allclose(Similarity.identity().apply(points), points)


@pytest.mark.parametrize("flat", [False, True])
def test_alignment_finds_the_similarity_back(flat: bool):
    points = np.random.default_rng(3).normal(size=(9, 3))
    if flat:
        points[:, 2] = 0.0
    truth = random_similarity(5)
    found = similarity_align(points, truth.apply(points))
    np.testing.assert_allclose(found.scale, truth.scale)
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, truth.translation, atol=1e-10)


def test_alignment_never_reflects_and_is_least_squares():
    rng = np.random.default_rng(4)
    points = rng.normal(size=(8, 3))
    mirrored = points * [-1, 1, 1] + 0.05 * rng.normal(size=points.shape)
    best = similarity_align(points, mirrored)
    assert np.linalg.det(best.rotation) == pytest.approx(1.0)
    error = np.sum((best.apply(points) - mirrored) ** 2)
    for seed in range(40):
        nudge = Similarity(
            1 + 0.02 * rng.normal(), rotation_from_axis_angle(0.02 * rng.normal(size=3)), 0.02 * rng.normal(size=3)
        )
        assert np.sum((nudge.compose(best).apply(points) - mirrored) ** 2) > error, seed


def test_weights_of_zero_leave_pairs_out_and_rigid_keeps_scale():
    rng = np.random.default_rng(6)
    points = rng.normal(size=(6, 3))
    truth = random_similarity(7)
    target = truth.apply(points)
    target[5] += 50.0
    found = similarity_align(points, target, weights=np.array([1.0, 2, 1, 3, 1, 0]))
    np.testing.assert_allclose(found.apply(points[:5]), target[:5], atol=1e-9)
    assert similarity_align(points, target, with_scale=False).scale == 1.0


def test_undetermined_alignments_are_refused():
    line = np.outer(np.arange(5.0), [1.0, 2.0, 3.0])
    with pytest.raises(MeshError, match="one line"):
        similarity_align(line, line)
    with pytest.raises(MeshError, match="3 weighted pairs"):
        similarity_align(line[:2], line[:2])
    with pytest.raises(MeshError, match="at least 0"):
        similarity_align(line, line, weights=np.array([1.0, 1, 1, 1, -1]))
