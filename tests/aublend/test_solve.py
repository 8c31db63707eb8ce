"""Weights found again: pairs, halves, noise, gaze, head motion, and scans without our topology."""

import dataclasses

import numpy as np
import pytest

from aublend import AU_NAMES
from aublend.solve_evidence import evidence_of, rigid_modes
from aublend.units import AU_INDEX
from mesh4d import Mesh
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.sequence import MeshSequence

HEAD_TURN = Similarity(1.0, rotation_from_axis_angle(np.array([0.1, -0.2, 0.05])), np.array([5.0, -3.0, 8.0]))
ONE_PIECE = [AU_INDEX["AU30L"], AU_INDEX["AU30R"]]


def seen(rig, halves, noise_mm=0.0, seed=0):
    """The head under these weights, moving as a whole, with noise."""
    frames = HEAD_TURN.apply(rig.poses(halves))
    return MeshSequence(rig.neutral, frames + np.random.default_rng(seed).normal(0, 1, frames.shape) * noise_mm, 25.0)


def alike(weights):
    return np.repeat(weights[:, None], 2, axis=1)


def random_sets(seed, frames=12, share=1.0, *, apart=False):
    rng = np.random.default_rng(seed)
    halves = rng.random((frames, 2, 32)) * (rng.random((frames, 1, 32)) < share)
    if not apart:
        return alike(halves[:, 0])
    halves[:, 1, ONE_PIECE] = halves[:, 0, ONE_PIECE]
    return halves


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_random_sets_with_their_pairs(rig, share, apart):
    truth = random_sets(1, share=share, apart=apart)
    solved = rig.solve(seen(rig, truth))
    np.testing.assert_allclose(solved.halves(), truth, atol=0.01)
    assert apart == any(name not in AU_NAMES for name in solved.names)
    noisy = rig.solve(seen(rig, truth, 0.3)).halves()
    assert np.abs(noisy - truth).mean() < 0.03


def test_each_unit_alone_is_that_unit_alone(rig):
    truth = alike(0.6 * np.eye(32))
    noisy = rig.solve(seen(rig, truth, 0.3), smooth=False)
    assert noisy.names == AU_NAMES
    np.testing.assert_allclose(noisy.halves(), truth, atol=0.12)
    assert (noisy.weights[truth[:, 0] == 0] > 0.05).mean() < 0.01, "noise switches units on"


def test_a_rested_jaw_is_not_two_jaws(rig):
    """Under AU27 = 1 the pair AU26+AU27 takes AU26 back: any AU26 fits, and none is the answer."""
    solved = rig.solve(rig.drive({"AU27": 1.0}))
    assert solved.weights[0, AU_INDEX["AU27"]] == pytest.approx(1.0, abs=0.01)
    assert solved.weights[0, AU_INDEX["AU26"]] < 0.02


def test_opposite_gazes_are_told_apart(rig):
    truth = np.zeros((4, 32))
    for row, unit in enumerate(("AU61", "AU62", "AU63", "AU64")):
        truth[row, AU_INDEX[unit]] = 0.5
    np.testing.assert_allclose(rig.solve(seen(rig, alike(truth), 0.1), smooth=False).halves(), alike(truth), atol=0.05)


def test_gaze_is_read_from_the_eyeballs(rig):
    """Lids that do not follow: only the eyeballs show where the eyes look."""
    posed = rig.neutral.vertices.copy()
    looking = rig.drive({"AU61": 0.7}).vertices
    for part in rig.rigid_parts:
        posed[part.vertex_ids] = looking[part.vertex_ids]
    stiff = np.array(rig.deltas)
    soft = np.setdiff1d(np.arange(rig.neutral.n_vertices), np.concatenate([p.vertex_ids for p in rig.rigid_parts]))
    stiff[AU_INDEX["AU61"] : AU_INDEX["AU61"] + 4, soft] = 0
    solved = dataclasses.replace(rig, deltas=stiff).solve(rig.neutral.with_vertices(posed))
    assert solved.weights[0, AU_INDEX["AU61"]] == pytest.approx(0.7, abs=0.01)
    assert solved.weights[0].sum() == pytest.approx(0.7, abs=0.02)


def test_smoothing_calms_a_course_and_spares_jumps(rig):
    course = np.zeros((40, 32))
    course[:, AU_INDEX["AU12"]] = 0.5 + 0.4 * np.sin(np.linspace(0, 2 * np.pi, 40))
    course[:, AU_INDEX["AU11"]] = 0.4
    truth, jumps = alike(course), random_sets(5, frames=30, share=0.3)
    errors = {
        smooth: np.abs(rig.solve(seen(rig, truth, 0.6), smooth=smooth).halves() - truth)[..., AU_INDEX["AU11"]].mean()
        for smooth in (False, True)
    }
    assert errors[True] < 0.7 * errors[False]
    rough = {
        smooth: np.abs(rig.solve(seen(rig, jumps, 0.3), smooth=smooth).halves() - jumps).mean()
        for smooth in (False, True)
    }
    assert rough[True] < 1.15 * rough[False]


def test_weights_stay_in_the_box(rig):
    beyond = rig.poses(alike(np.full((1, 32), 1.4) * (np.arange(32) == AU_INDEX["AU12"])))[0]
    solved = rig.solve(rig.neutral.with_vertices(beyond)).weights
    assert solved.min() >= 0 and solved.max() <= 1
    assert solved[0, AU_INDEX["AU12"]] == pytest.approx(1.0)


def test_whole_units_on_request(rig):
    solved = rig.solve(rig.drive({"AU12L": 0.8}), sides=False)
    assert solved.names == AU_NAMES


def test_evidence_is_the_squared_distance(rig):
    halves = random_sets(7, frames=2, share=0.3, apart=True)
    frames = rig.poses(halves)
    evidence = evidence_of(rig, frames)
    products = halves[..., rig.pair_units].prod(axis=-1)
    factors = np.concatenate([halves.reshape(2, -1), products.reshape(2, -1)], axis=1)
    left = evidence.energy + np.einsum("ts,ts->t", factors, factors @ evidence.gram - 2 * evidence.right)
    np.testing.assert_allclose(left, 0, atol=1e-6 * evidence.energy.max())


def test_rigid_modes_are_the_small_motions():
    points = np.random.default_rng(0).normal(size=(30, 3))
    modes = rigid_modes(points)
    motion = (np.array([0.1, 0.2, 0.3]) + np.cross([0.3, -0.1, 0.2], points)).reshape(-1)
    np.testing.assert_allclose(modes @ modes.T, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(modes.T @ (modes @ motion), motion, atol=1e-12)


@pytest.mark.slow
def test_a_scan_of_another_topology_is_registered_first(rig):
    """Skin only, subdivided, vertices in random order, elsewhere in space: the smile and the frown are still read."""
    import trimesh

    posed = rig.drive({"AU12": 0.8, "AU4": 0.9})
    skin = np.isin(posed.part_of_face, [posed.part_names.index(name) for name in ("skin", "lips")])
    points, faces = trimesh.remesh.subdivide(HEAD_TURN.apply(posed.vertices), posed.faces[skin])[:2]
    used = np.random.default_rng(0).permutation(np.unique(faces))
    place = np.full(len(points), -1)
    place[used] = np.arange(len(used))
    solved = rig.solve(Mesh(points[used], place[faces])).halves()[0]
    assert set(np.argsort(-solved.mean(axis=0))[:2]) == {AU_INDEX["AU12"], AU_INDEX["AU4"]}
    np.testing.assert_allclose(solved[:, AU_INDEX["AU12"]], 0.8, atol=0.2)
    np.testing.assert_allclose(solved[:, AU_INDEX["AU4"]], 0.9, atol=0.2)
