"""Magnification: closed forms, laws, and what noise and head motion do to it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesh4d.errors import MeshError
from mesh4d.magnification import head_size, magnified, saturated, smoothed_along
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

GRID = 24


@pytest.fixture(scope="module")
def sheet() -> Mesh:
    """A gently curved sheet, so that it has a pose, 1 unit between neighbours."""
    x, y = (axis.ravel() - GRID / 2 for axis in np.meshgrid(np.arange(GRID), np.arange(GRID)))
    corner = np.arange(GRID * GRID).reshape(GRID, GRID)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return Mesh(np.stack([x, y, 0.02 * (x**2 - y**2)], axis=1).astype(float), faces)


@pytest.fixture(scope="module")
def bump(sheet) -> np.ndarray:
    """A smooth displacement of height 1 in the middle of the sheet."""
    far = np.square(sheet.vertices[:, :2]).sum(axis=1)
    return np.exp(-far / 30.0)[:, None] * np.array([0.0, 0.0, 1.0])


def moving(sheet: Mesh, bump: np.ndarray, height: float, count: int = 25, fps: float = 50.0) -> MeshSequence:
    shown = height * np.sin(np.pi * np.linspace(0, 1, count)) ** 2
    return MeshSequence(sheet, sheet.vertices + shown[:, None, None] * bump, fps)


def test_small_lengths_grow_by_the_factor_and_none_beyond_the_limit():
    lengths = np.array([1e-6, 0.5, 2.0, 5.0, 9.0])
    found = np.linalg.norm(saturated(np.outer(lengths, [0.6, 0.0, 0.8]), 8.0, 5.0), axis=1)
    np.testing.assert_allclose(found, [8e-6, 0.5 * 8 / 1.7, 2 * 8 / 3.8, 5.0, 9.0], rtol=1e-4)


def test_saturation_keeps_directions_and_order():
    rng = np.random.default_rng(0)
    moves = rng.normal(0, 2, (200, 3))
    found = saturated(moves, 6.0, 4.0)
    cosine = (found * moves).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(moves, axis=1)
    np.testing.assert_allclose(cosine, 1.0)
    order = np.argsort(np.linalg.norm(moves, axis=1))
    assert (np.diff(np.linalg.norm(found, axis=1)[order]) > -1e-12).all()


def test_factor_one_without_smoothing_changes_nothing(sheet, bump):
    sequence = moving(sheet, bump, 0.3)
    still = (bump[:, 2] < 1e-3).astype(float)
    found = magnified(sequence, 1.0, weights=still, smooth_s=0.0, smooth_edges=0.0)
    np.testing.assert_allclose(found.frames, sequence.frames, atol=1e-3)


def test_a_small_motion_grows_by_the_factor(sheet, bump):
    still = np.exp(-np.square(sheet.vertices[:, :2]).sum(axis=1) / 30.0) < 1e-3
    found = magnified(moving(sheet, bump, 0.05), 4.0, weights=still.astype(float), limit=100.0)
    peak = np.abs(found.frames - found.frames[0]).max()
    assert 0.8 * 0.2 < peak < 1.02 * 0.2  # the filters take some


def test_head_motion_is_not_magnified(sheet, bump):
    still = (np.square(sheet.vertices[:, :2]).sum(axis=1) > 80).astype(float)
    calm = moving(sheet, bump, 0.2)
    turns = Rotation.from_euler("y", np.linspace(0, 10, len(calm))[:, None], degrees=True)
    turned = np.stack([turn.apply(frame) + k for k, (turn, frame) in enumerate(zip(turns, calm.frames, strict=True))])
    found = magnified(MeshSequence(sheet, turned, calm.fps), 5.0, weights=still)
    np.testing.assert_allclose(found.frames, magnified(calm, 5.0, weights=still).frames, atol=1e-3)


def test_noise_is_not_magnified_with_the_motion(sheet, bump):
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.05, (25, sheet.n_vertices, 1)) * np.array([0.0, 0.0, 1.0])
    clean = moving(sheet, bump, 0.3)
    noisy = MeshSequence(sheet, clean.frames + noise, clean.fps)
    filtered = magnified(noisy, 6.0).frames[12] - magnified(clean, 6.0).frames[12]
    raw = magnified(noisy, 6.0, smooth_s=0.0, smooth_edges=0.0).frames[12]
    raw = raw - magnified(clean, 6.0, smooth_s=0.0, smooth_edges=0.0).frames[12]
    assert filtered.std() < 0.4 * raw.std()


def test_the_onset_frame_stays_and_another_onset_turns_the_motion_round(sheet, bump):
    sequence = moving(sheet, bump, 0.1)
    found = magnified(sequence, 5.0, onset=12)
    middle = np.argmax(bump[:, 2])
    assert found.frames[0, middle, 2] < found.frames[12, middle, 2]
    np.testing.assert_allclose(found.frames[12], sequence.frames[12], atol=0.02)


def test_smoothing_along_the_surface_keeps_constants_and_the_integral(sheet):
    from mesh4d.geometry.operators import cotangent_laplacian

    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, sheet.n_vertices, 3))
    mass = cotangent_laplacian(sheet.vertices, sheet.faces).mass
    smooth = smoothed_along(sheet, values, 2.0)
    np.testing.assert_allclose(np.einsum("v,tvc->tc", mass, smooth), np.einsum("v,tvc->tc", mass, values), atol=1e-8)
    np.testing.assert_allclose(smoothed_along(sheet, np.ones((1, sheet.n_vertices, 3)), 2.0), 1.0)
    assert smooth.std() < 0.5 * values.std()


def test_unit_of_the_file_does_not_matter(sheet, bump):
    sequence = moving(sheet, bump, 0.2)
    metres = MeshSequence(sheet.with_vertices(sheet.vertices / 1000), sequence.frames / 1000, sequence.fps)
    np.testing.assert_allclose(
        1000 * magnified(metres, 6.0).frames, magnified(sequence, 6.0).frames, atol=1e-6 * head_size(sheet.vertices)
    )


@pytest.mark.parametrize(
    "wrong", [{"factor": -1.0}, {"factor": 1e4}, {"onset": 25}, {"smooth_s": -0.1}, {"limit": 0.0}]
)
def test_what_makes_no_sense_is_refused(sheet, bump, wrong):
    with pytest.raises(MeshError):
        magnified(moving(sheet, bump, 0.1), **({"factor": 2.0} | wrong))


def test_frames_that_are_not_finite_are_refused(sheet, bump):
    frames = moving(sheet, bump, 0.1).frames.copy()
    frames[3, 0, 0] = np.nan
    with pytest.raises(MeshError, match="finite"):
        magnified(MeshSequence(sheet, frames, 50.0), 2.0)
