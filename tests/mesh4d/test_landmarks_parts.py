"""The pieces of landmark detection, each against what can be worked out by hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesh4d import MeshFormatError
from mesh4d.landmarks.consensus import intersect
from mesh4d.landmarks.heatmaps import peaks
from mesh4d.landmarks.pictures import (
    DEPTH_LIMIT,
    Surface,
    Window,
    mirrored,
    picture,
    quarter_turned,
    smooth_normals,
    surface_of,
)
from mesh4d.landmarks.points68 import (
    N_POINTS,
    base_mesh_places,
    interocular_distance,
    landmark_names,
    landmark_regions,
    mirror_order,
)
from mesh4d.landmarks.reading import Reading
from mesh4d.landmarks.search import AXES, _facing, _rolled
from mesh4d.landmarks.shape_model import LandmarkShapes, fit_landmark_shapes
from mesh4d.landmarks.weights import load_model, shipped_model
from mesh4d.landmarks.windows import HALF_OVER_SPREAD, face_window, view_rotation

RNG = np.random.default_rng(5)
WINDOW = Window(view_rotation(20.0, 10.0), np.array([3.0, -10.0, 5.0]), 90.0)


def test_points_are_those_of_ibug():
    names, order = landmark_names(), mirror_order()
    assert len(set(names)) == N_POINTS == 68
    assert [landmark_regions().count(r) for r in ("jaw", "brow", "nose", "eye", "mouth")] == [17, 10, 9, 12, 20]
    assert np.array_equal(order[order], np.arange(68))
    assert [i for i in range(68) if order[i] == i] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    assert order[36] == 45 and order[48] == 54 and order[60] == 64 and order[17] == 26 and order[0] == 16
    for number, name in enumerate(names):
        swapped = name.replace("left", "L").replace("right", "left").replace("L", "right")
        assert names[order[number]] == swapped
    ids, weights = base_mesh_places()
    assert ids.min() >= 0 and ids.max() < 19158
    assert np.allclose(weights.sum(axis=1), 1) and weights.min() >= 0


def test_interocular_distance_is_between_outer_corners():
    points = np.zeros((68, 3))
    points[45] = [3.0, 4.0, 0.0]
    assert interocular_distance(points) == pytest.approx(5.0)


def test_peaks_are_finer_than_a_pixel():
    size = 32
    places = RNG.uniform(0.2, 0.8, (2, 68, 2))
    centres = (np.arange(size) + 0.5) / size
    x, y = places[..., 0, None, None], places[..., 1, None, None]
    heat = -0.5 * size**2 * ((centres[None, None, None, :] - x) ** 2 + (centres[None, None, :, None] - y) ** 2)
    found = peaks(heat)
    assert np.abs(found.places - places).max() * size < 0.06
    assert found.mass.min() > 0.85
    assert peaks(np.zeros((1, 68, size, size))).mass.max() < 0.05  # nothing known: nothing claimed


def test_window_and_rays_are_inverse():
    points = RNG.normal(0, 40, (50, 3))
    at = WINDOW.to_picture(points)
    back = WINDOW.rays(at[:, :2]) - at[:, 2:] * WINDOW.half * WINDOW.rotation[2]
    assert np.allclose(back, points)


def test_view_rotation_looks_from_the_named_side():
    for yaw, axis in ((90.0, [1, 0, 0]), (0.0, [0, 0, 1])):
        assert np.allclose(view_rotation(yaw, 0.0)[2], axis)
    assert np.allclose(view_rotation(0.0, 90.0)[2], [0, 1, 0], atol=1e-12)
    assert np.allclose(view_rotation(0.0, 0.0, 90.0)[0], [0, 1, 0], atol=1e-12)
    turned = view_rotation(33.0, -20.0, 17.0)
    assert np.allclose(turned @ turned.T, np.eye(3)) and np.linalg.det(turned) == pytest.approx(1)


def test_face_window_scales_with_the_face():
    points = RNG.normal(0, 30, (68, 3))
    small, large = face_window(points, np.eye(3)), face_window(10 * points + 5, np.eye(3))
    assert large.half == pytest.approx(10 * small.half)
    assert np.allclose(large.centre, 10 * small.centre + 5)
    assert HALF_OVER_SPREAD > 1


def test_picture_of_a_slanted_plane(head):
    corners = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    corners[:, 2] = 0.5 * corners[:, 0]  # rises to the right, towards the viewer
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    surface = Surface(corners, faces, smooth_normals(corners, faces))
    shown = picture(surface, Window(np.eye(3), np.zeros(3), 2.0), 64)
    assert shown.shape == (5, 64, 64)
    assert shown[4, 20, 20] == 1 and shown[4, 0, 0] == 0 and shown[0, 0, 0] == DEPTH_LIMIT
    columns = (np.arange(20, 44) + 0.5) / 32 - 1
    assert np.allclose(shown[0, 32, 20:44], -0.5 * columns, atol=1e-3)
    assert np.allclose(shown[1:4, 32, 32], np.array([-0.5, 0, 1]) / np.sqrt(1.25), atol=1e-6)
    flipped = Surface(corners, faces[:, ::-1].copy(), -surface.normals)  # seen from behind it looks the same
    assert np.allclose(picture(flipped, Window(np.eye(3), np.zeros(3), 2.0), 64), shown, atol=1e-6)


def test_pictures_turn_and_flip_as_cameras_do(head):
    surface = surface_of(head)
    shown = picture(surface, WINDOW, 64)
    for turns in range(4):
        assert np.allclose(quarter_turned(shown[None], turns)[0], picture(surface, _rolled(WINDOW, turns), 64))
    flip = np.array([-1.0, 1, 1])
    other = Surface(surface.vertices * flip, surface.faces[:, ::-1].copy(), surface.normals * flip)
    window = Window(view_rotation(-20.0, 10.0), WINDOW.centre * flip, WINDOW.half)
    assert np.mean(np.abs(mirrored(shown[None])[0] - picture(other, window, 64)) > 1e-3) < 1e-3
    for axis in AXES:
        assert np.allclose(_facing(axis)[2], axis) and np.linalg.det(_facing(axis)) == pytest.approx(1)


def test_loose_triangles_look_like_shared_ones(head):
    loose = head.vertices[head.faces].reshape(-1, 3)
    faces = np.arange(len(loose), dtype=np.int32).reshape(-1, 3)
    shared = surface_of(head)
    assert np.allclose(smooth_normals(loose, faces), shared.normals[head.faces].reshape(-1, 3), atol=1e-9)


def reading_of(points, views, wrong=None):
    windows = tuple(Window(view_rotation(yaw, pitch), np.zeros(3), 100.0) for yaw, pitch in views)
    places = np.stack([window.to_picture(points)[:, :2] for window in windows])
    if wrong is not None:
        places[wrong] += 0.2
    count = len(views)
    ones = np.ones((count, 68))
    empty = np.full((count, 5, 16, 16), DEPTH_LIMIT, np.float32)
    return Reading(windows, places, 0.9 * ones, ones, np.ones(count), empty)


def test_consensus_is_exact_and_survives_a_wrong_view():
    points = RNG.normal(0, 30, (68, 3))
    views = ((0.0, 0.0), (30.0, 0.0), (-30.0, 10.0), (0.0, 20.0), (50.0, -10.0))
    clean = intersect(reading_of(points, views), 2.0)
    assert np.abs(clean.points - points).max() < 0.01
    assert clean.support.min() > 0.85 and clean.disagreement.max() < 0.01
    spoilt = intersect(reading_of(points, views, wrong=3), 2.0)
    assert np.linalg.norm(spoilt.points - points, axis=1).max() < 2.0


def shapes_of(count=300):
    mean = RNG.normal(0, 35, (68, 3))
    basis = RNG.normal(0, 1.5, (6, 68, 3))
    samples = mean + np.einsum("nk,klc->nlc", RNG.normal(size=(count, 6)), basis)
    return fit_landmark_shapes(samples, 10), samples


def test_shape_model_replaces_what_is_wrong():
    shapes, samples = shapes_of()
    assert shapes.basis.shape == (10, 68, 3)
    turn = Rotation.from_rotvec([0.4, -1.0, 2.0]).as_matrix()
    true = 0.02 * samples[0] @ turn.T + [5.0, 6.0, 7.0]
    seen, trust = true.copy(), np.ones(68)
    seen[[3, 40]] += 2.0
    guess, misfit, oddity = shapes.plausible(seen, trust, 1.0)
    assert np.linalg.norm(guess - true, axis=1).max() < 0.02 * 5
    assert set(np.argsort(misfit)[-2:]) == {3, 40} and misfit[[3, 40]].min() > 20
    assert oddity < 2
    pose = shapes.aligned(true, trust)
    assert pose.scale == pytest.approx(0.02, rel=0.05)


def test_shape_model_keeps_sizes_apart_from_noise():
    mean = RNG.normal(0, 35, (68, 3))
    shapes = LandmarkShapes(mean, np.zeros((1, 68, 3)) + 1e-6, 0.1)
    guess, misfit, _ = shapes.plausible(mean * 3 + 1, np.ones(68))
    assert np.allclose(guess, mean * 3 + 1, atol=1e-3) and misfit.max() < 1e-3


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(MeshFormatError, match=r"landmarks\.safetensors.*found nothing"):
        load_model(tmp_path / "landmarks.safetensors")


def test_weights_without_their_architecture_are_refused(tmp_path):
    path = tmp_path / "landmarks.safetensors"
    path.write_bytes(b"\x00" * 64)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(MeshFormatError, match="architecture"):
        load_model(path)


def test_a_picture_is_judged_alone(head):
    """A row's result does not depend on its batch."""
    import torch

    model = shipped_model()
    shown = torch.from_numpy(np.stack([picture(surface_of(head), WINDOW, 128) * k for k in (1.0, 0.5, 0.2)]))
    with torch.inference_mode():
        together, alone = model.reader(shown).heat[1], model.reader(shown[1:2]).heat[0]
    assert torch.allclose(together, alone, atol=1e-3)
