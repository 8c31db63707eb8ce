"""Learners on features whose truth is known."""

import dataclasses

import numpy as np
import pytest

from facet_vlm.evaluation.features import FeatureTable, tower_outputs
from facet_vlm.evaluation.items import Examples, Items, pooled_items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.fusion_tuning import FusionTuning, TuningSettings
from facet_vlm.evaluation.learners.learner import best_thresholds, held_out
from facet_vlm.evaluation.learners.peers import frontal_probe, landmark_mlp, mean_probe, unit_forest
from facet_vlm.evaluation.learners.zero_shot import AskedOnce, ZeroShot, questions_of, single_views
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import score_images
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import build_network
from mesh4d.datasets.labels import BASIC_EXPRESSIONS
from mesh4d.errors import SpecError

LABELS = ("happiness", "anger", "surprise")


@pytest.fixture(scope="module")
def model(tiny) -> JudgedModel:
    return JudgedModel("tiny", tiny.model, build_network(tiny.model, seed=3).eval(), "0" * 64, True)


@pytest.fixture(scope="module")
def examples(model: JudgedModel) -> Examples:
    """Three classes that differ in the towers' features, 8 people; landmarks and units know the class too."""
    rng = np.random.default_rng(0)
    dim, channels = model.network.encoders.embed_dim, model.network.encoders.patch_channels
    labels = np.arange(72) % 3
    marks = rng.normal(size=(3, dim))
    views = (0.6 * marks[labels][:, None] + rng.normal(size=(72, 7, dim))).astype(np.float32)
    patches = rng.normal(size=(72, 7, channels, 1, 1)).astype(np.float16)
    seen = (2.0 * np.eye(3)[labels] + 0.3 * rng.normal(size=(72, 3))).astype(np.float32)
    items = Items(views, patches, np.zeros(72, bool), seen, seen)
    people = tuple(f"p{n // 9}" for n in range(72))
    return Examples(items, np.eye(3)[labels], np.ones((72, 3), bool), people, exclusive=True)


def questions() -> dict:
    return questions_of("expression", LABELS)


def all_learners(model: JudgedModel) -> list:
    tuning = FusionTuning(model, questions(), TuningSettings(epochs=20, learning_rate=2e-3))
    return [tuning, frontal_probe(2), mean_probe(), landmark_mlp(), unit_forest()]


PLACES = [pytest.param(0, marks=pytest.mark.slow), *range(1, 5)]
"""The first learner tunes the fusion: half a minute each time."""


@pytest.mark.parametrize("place", PLACES)
def test_learns_and_says_so_of_other_people(model: JudgedModel, examples: Examples, place: int) -> None:
    learner = all_learners(model)[place]
    train, test = examples.take(np.arange(54)), examples.take(np.arange(54, 72))
    scores = learner.fit(train, np.random.default_rng(0)).score(test.items)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == test.targets.argmax(axis=1)).mean() > 0.7


@pytest.mark.parametrize("place", PLACES)
def test_a_test_item_neither_changes_others_nor_the_scaling(model: JudgedModel, examples: Examples, place: int) -> None:
    """Scalers and statistics know training people only: wild neighbours in the test part change nothing."""
    learner = all_learners(model)[place]
    train, test = examples.take(np.arange(54)), examples.items.take(np.arange(54, 72))
    fitted = learner.fit(train, np.random.default_rng(0))
    wild = Items(
        np.concatenate([test.views[:4], 1e3 + test.views[4:]]), test.patches, test.failed,
        np.concatenate([test.landmarks[:4], 1e3 + test.landmarks[4:]]),
        np.concatenate([test.units[:4], 1e3 + test.units[4:]]),
    )  # fmt: skip
    np.testing.assert_allclose(fitted.score(test)[:4], fitted.score(wild)[:4], atol=1e-5)
    np.testing.assert_allclose(fitted.score(test)[:1], fitted.score(test.take(np.array([0]))), atol=1e-5)


@pytest.mark.parametrize("place", range(5))
def test_same_seed_same_probabilities(model: JudgedModel, examples: Examples, place: int) -> None:
    learner = all_learners(model)[place]
    one, two = (learner.fit(examples, np.random.default_rng(5)).score(examples.items) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_tuning_leaves_the_judged_model_as_it_was(model: JudgedModel, examples: Examples) -> None:
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    all_learners(model)[0].fit(examples, np.random.default_rng(0))
    for name, value in model.network.state_dict().items():
        assert (value == before[name]).all(), name
    assert not model.network.training


@pytest.mark.parametrize("place", range(5))
def test_unknown_labels_teach_nothing(model: JudgedModel, examples: Examples, place: int) -> None:
    """Whatever stands in the targets where a label is unknown, and however it is wrong."""
    learner = all_learners(model)[place]
    known = np.random.default_rng(2).random(examples.targets.shape) < 0.7
    many = dataclasses.replace(examples, exclusive=False, known=known)
    lies = dataclasses.replace(many, targets=np.where(known, many.targets, 1 - many.targets))
    one, two = (learner.fit(some, np.random.default_rng(5)) for some in (many, lies))
    np.testing.assert_array_equal(one.score(examples.items), two.score(examples.items))
    assert one.thresholds is not None and two.thresholds is not None
    np.testing.assert_array_equal(one.thresholds, two.thresholds)


def test_failures_get_no_probability(model: JudgedModel, examples: Examples) -> None:
    items = dataclasses.replace(examples.items, failed=np.arange(72) == 3)
    nothing = dataclasses.replace(items, landmarks=None)
    for learner in (ZeroShot(model, questions(), True), *all_learners(model)[:2]):
        scores = learner.fit(examples, np.random.default_rng(0)).score(items)
        assert np.isnan(scores[3]).all() and np.isfinite(np.delete(scores, 3, axis=0)).all()
    blind = dataclasses.replace(examples, items=nothing)
    assert np.isnan(landmark_mlp().fit(blind, np.random.default_rng(0)).score(nothing)).all()


def test_zero_shot_is_the_networks_own_answer(model: JudgedModel) -> None:
    """Features from the cache give what the pictures give."""
    images = np.random.default_rng(0).integers(0, 256, (6, 7, 3, 32, 32), dtype=np.uint8)
    views, patches = tower_outputs(model.network, images)
    table = FeatureTable(views, patches, np.zeros(6, bool))
    items = pooled_items(table, [(row,) for row in range(6)], np.zeros(6), "apex")
    found = ZeroShot(model, questions_of("expression", BASIC_EXPRESSIONS), True).score(items)
    direct = score_images(model.network, images, view_angles("fer7"), label_sentences(BASIC_EXPRESSIONS))
    np.testing.assert_allclose(found, direct.probabilities, atol=5e-3)


def test_one_view_alone_is_the_network_without_the_others(model: JudgedModel, examples: Examples) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 7, 3, 32, 32), dtype=np.uint8)
    views, patches = tower_outputs(model.network, images)
    items = pooled_items(FeatureTable(views, patches, np.zeros(4, bool)), [(r,) for r in range(4)], np.zeros(4), "apex")
    asked = ZeroShot(model, questions_of("expression", BASIC_EXPRESSIONS), True)
    only = np.zeros((4, 7), bool)
    only[:, 5] = True
    direct = score_images(model.network, images, view_angles("fer7"), label_sentences(BASIC_EXPRESSIONS), only)
    view = single_views(asked)[5]
    np.testing.assert_allclose(view.score(items), direct.probabilities, atol=5e-3)
    assert view.group == "view" and "pitch +20" in view.title
    some = items.take(np.array([3, 1]))
    np.testing.assert_array_equal(
        AskedOnce(view, items).fit(examples, np.random.default_rng(0)).score(some), view.score(items)[[3, 1]]
    )


def test_apex_mean_and_failed_frames(model: JudgedModel) -> None:
    dim = 4
    table = FeatureTable(
        np.arange(6, dtype=np.float32)[:, None, None] * np.ones((6, 1, dim), np.float32),
        np.zeros((6, 1, 2, 1, 1), np.float16), np.array([False, False, True, False, False, True]),
    )  # fmt: skip
    calm = np.array([0.9, 0.2, 0.0, 0.5, 0.1, 0.3])
    frames = [(0, 1, 2), (3, 4), (5,)]
    apex = pooled_items(table, frames, calm, "apex")
    assert apex.views[:, 0, 0].tolist()[:2] == [1, 4] and apex.failed.tolist() == [False, False, True]
    assert pooled_items(table, frames, calm, "mean").views[:2, 0, 0].tolist() == [0.5, 3.5]
    assert pooled_items(table, frames, calm, "max").views[:2, 0, 0].tolist() == [1, 4]
    assert apex.frames == ((0, 1), (3, 4), ())


def test_thresholds_and_who_is_held_out() -> None:
    chance = np.array([[0.1, 0.3], [0.2, 0.2], [0.35, 0.1], [0.4, 0.4]])
    targets = np.array([[0, 0], [0, 0], [1, 0], [1, 0]], float)
    found = best_thresholds(chance, targets, np.ones((4, 2), bool))
    assert 0.2 < found[0] <= 0.35 and found[1] == 0.5
    people = tuple(f"p{n % 5}" for n in range(20))
    aside = held_out(people, np.random.default_rng(0))
    assert aside is not None and len({p for p, out in zip(people, aside, strict=True) if out}) == 1
    kept = {p for p, out in zip(people, aside, strict=True) if not out}
    assert kept.isdisjoint({p for p, out in zip(people, aside, strict=True) if out})
    assert held_out(("a", "a"), np.random.default_rng(0)) is None


def test_questions() -> None:
    assert [*questions_of("categories", ("positive", "others"))["others"]] == ["AU4", "AU7", "AU23"]
    assert "lip" in questions_of("units", ("AU12",))["AU12"]["AU12"][0]
    with pytest.raises(SpecError, match="bliss"):
        questions_of("categories", ("bliss",))
