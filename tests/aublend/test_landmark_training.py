"""Labels, scenes and pictures that the landmark networks learn from."""

import numpy as np
import pytest
import torch

from aublend.blendset import BlendSet
from aublend.landmark_training.companions import Piece
from aublend.landmark_training.labels import landmark_places
from aublend.landmark_training.not_faces import faceless
from aublend.landmark_training.objectives import bumps, landmark_loss
from aublend.landmark_training.samples import FINDER_VIEWS, READER_VIEWS, draw_samples, visibility
from aublend.landmark_training.scenes import SceneMaker, clustered, with_holes
from aublend.landmark_training.shapes import ShapeSource, random_bend, random_expression
from aublend.landmark_training.train import TrainConfig, train
from mesh4d.landmarks.network import HeatmapNet, NetConfig, NetOutput
from mesh4d.landmarks.pictures import Window, picture, surface_of
from mesh4d.landmarks.points68 import interocular_distance, mirror_order
from mesh4d.landmarks.windows import face_window, view_rotation

SMALL = NetConfig((8, 8, 12, 12), 0, 64)


@pytest.fixture(scope="module")
def maker(model):
    seeds = (0, 1)
    neutrals = np.stack([model.identity(seed).vertices for seed in seeds]).astype(np.float32)
    deltas = np.stack([model.deltas(model.parameters(seed)) for seed in seeds]).astype(np.float16)
    return SceneMaker(model, ShapeSource.of(BlendSet(seeds, neutrals, deltas, "test")))


@pytest.fixture(scope="module")
def places(model):
    return landmark_places(model)


def test_labels_lie_where_their_names_say(model, places):
    points = places.on(model.topology.vertices)
    x, y, z = points.T
    assert np.abs(points[mirror_order()] * [-1, 1, 1] - points).max() < 0.02
    assert x[36] < x[39] < 0 < x[42] < x[45]  # the subject's right eye has the lower numbers
    assert (np.diff(y[:9]) < 0).all() and (np.diff(y[8:17]) > 0).all()
    assert (np.diff(x[:17]) > 0).all() and z[30] == z.max()
    assert (np.diff(y[27:31]) < 0).all() and y[33] < y[30]
    assert y[51] > y[62] >= y[66] > y[57] > y[8]
    assert (y[[37, 38, 43, 44]] > y[[41, 40, 47, 46]]).all()
    assert (y[17:27] > y[[37, 38, 43, 44]].max()).all()
    assert 75 < interocular_distance(points) < 100


def test_labels_follow_the_face(model, places):
    rig = model.rig(1)
    rest = places.on(rig.neutral.vertices)
    opened = places.on(rig.drive({"AU27": 1.0, "AU25": 1.0}).vertices)
    gap = lambda points: points[62, 1] - points[66, 1]  # noqa: E731
    assert gap(opened) > gap(rest) + 8
    assert opened[8, 1] < rest[8, 1] - 5 and np.abs(opened[27:31] - rest[27:31]).max() < 2
    closed = places.on(rig.drive({"AU45": 1.0}).vertices)
    lid = lambda points: points[37, 1] - points[41, 1]  # noqa: E731
    assert lid(closed) < 0.35 * lid(rest)


def test_a_bend_keeps_a_face_a_face(model, places):
    rng = np.random.default_rng(3)
    points = places.on(model.topology.vertices)
    sizes = []
    for _ in range(20):
        bent = random_bend(rng, points)(model.topology.vertices)
        moved = places.on(bent)
        sizes.append(interocular_distance(moved))
        assert moved[45, 0] > moved[36, 0] and moved[27, 1] > moved[8, 1]
    assert np.std(sizes) > 3  # it widens what heads there are
    assert min(sizes) > 40 and max(sizes) < 160


def test_expressions_are_sometimes_one_sided():
    halves = [random_expression(np.random.default_rng(seed)) for seed in range(60)]
    assert any(not np.array_equal(left, right) for left, right in halves)
    assert any(not left.any() for left, _ in halves)


def test_scenes_hold_their_landmarks(maker):
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(12):
        scene = maker.scene(rng)
        window = face_window(scene.points, view_rotation(0.0, 0.0))
        shown = picture(scene.surface, window, 96)
        visible, inside = visibility(shown, window.to_picture(scene.points), 6.0 / window.half)
        assert inside.all()
        seen.append(visible.mean())
    assert np.mean(seen) > 0.6


def test_visibility_by_hand(model, places):
    head, points = model.topology, places.on(model.topology.vertices)
    window = face_window(points, view_rotation(75.0, 0.0))  # from the subject's left
    shown = picture(surface_of(head), window, 128)
    visible, _ = visibility(shown, window.to_picture(points), 5.0 / window.half)
    assert visible[[45, 54, 14, 15, 13]].all() and not visible[[36, 0, 1, 2, 17]].any()
    behind = Window(view_rotation(180.0, 0.0), window.centre, window.half)
    shown = picture(surface_of(head), behind, 128)
    assert visibility(shown, behind.to_picture(points), 5.0 / window.half)[0].mean() < 0.1


def test_holes_and_clusters(model):
    skin = Piece(model.topology.vertices, model.topology.faces)
    rng = np.random.default_rng(1)
    holed = with_holes(skin, skin.vertices[:68], rng)
    assert 0 < len(holed.faces) < len(skin.faces)
    coarse = clustered(skin, 6.0)
    assert len(coarse.vertices) < 0.7 * len(skin.vertices)
    assert np.abs(coarse.vertices.max(axis=0) - skin.vertices.max(axis=0)).max() < 6
    assert (coarse.faces[:, 0] != coarse.faces[:, 1]).all()


def test_faceless_things_are_head_sized(model):
    rng = np.random.default_rng(2)
    for _ in range(6):
        size = np.ptp(faceless(model, rng).vertices, axis=0).max()
        assert 50 < size < 500


@pytest.mark.parametrize("views", [FINDER_VIEWS, READER_VIEWS], ids=lambda v: v.name)
def test_samples_are_reproducible_and_consistent(maker, views):
    first, again = (draw_samples(maker, views, 4, 2, 64, np.random.default_rng(9)) for _ in range(2))
    for name in ("pictures", "places", "visible", "inside", "face"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert first.pictures.shape == (8, 5, 64, 64) and first.pictures.dtype == np.float32
    assert np.isfinite(first.pictures).all() and np.abs(first.pictures[:, 0]).max() <= 1.5
    assert not first.visible[first.face == 0].any()
    assert (first.visible <= first.inside).all()


def test_loss_is_least_at_the_labels():
    places = torch.rand(2, 68, 2) * 0.6 + 0.2
    across, down = bumps(places, 32)
    assert torch.allclose(across.sum(dim=-1), torch.ones(2, 68)) and torch.allclose(
        (across * (torch.arange(32) + 0.5)).sum(-1) / 32, places[..., 0], atol=2e-3
    )
    perfect = (across[:, :, None, :] * down[:, :, :, None]).clamp(min=1e-12).log()
    ones, face = torch.ones(2, 68), torch.ones(2)
    right = landmark_loss(NetOutput(perfect, 9 * ones, 9 * face), places, ones, ones, face)
    wrong = landmark_loss(NetOutput(perfect.flip(-1), -9 * ones, -9 * face), places, ones, ones, face)
    assert all(right[name] < wrong[name] for name in right)
    full = -(across[:, :, None, :] * down[:, :, :, None] * perfect).sum(dim=(2, 3)).mean()
    assert right["heat"] == pytest.approx(float(full), rel=1e-3)  # the entropy of the target
    unjudged = landmark_loss(NetOutput(perfect, ones, -9 * face), places, ones, ones, -face)
    assert unjudged["face"] == 0


def test_a_few_steps_lower_the_loss(maker):
    torch.manual_seed(0)
    losses = []
    config = TrainConfig(READER_VIEWS, SMALL, 14, heads=2, views_per_head=3, learning_rate=4e-3)
    network, last = train(config, maker)
    losses.append(last["heat"])
    assert isinstance(network, HeatmapNet) and not network.training
    assert last["heat"] < np.log(32 * 32) + 1.0
    assert np.isfinite(list(last.values())).all()
