"""The margin of labels that training never named."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from facet_vlm import load
from facet_vlm.config import ModelConfig
from facet_vlm.evaluation import unseen
from facet_vlm.evaluation.gestures import LabelledFaces, gesture_sentences
from facet_vlm.faces.expression_set import ExpressionSet
from mesh4d.datasets.labels import EXPRESSIONS

NEW = [name for name in gesture_sentences() if name != unseen.AT_REST]


def expression_faces(count: int) -> ExpressionSet:
    labels = np.arange(count) % len(EXPRESSIONS)
    return ExpressionSet(
        images=np.zeros((count, 1, 3, 4, 4), np.uint8),
        angles_deg=np.zeros((count, 1, 2)),
        labels=labels,
        targets=np.eye(len(EXPRESSIONS))[labels],
        subjects=np.zeros(count, int),
        intensities=np.ones(count),
        halves=np.zeros((count, 2, 32)),
    )


def gestures_faces() -> LabelledFaces:
    count = len(NEW)
    return LabelledFaces(
        tuple(NEW),
        np.arange(count),
        np.zeros((count, 1, 3, 4, 4), np.uint8),
        np.zeros(count, int),
        np.zeros((count, 2, 32)),
    )


def test_it_is_what_lets_unnamed_labels_through_and_keeps_the_named_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named labels win their own faces by 0.5; gestures lose theirs by 0.205: from 0.21 to 0.49 both are found."""
    faces = expression_faces(16)
    named = np.full((16, len(EXPRESSIONS) + len(NEW)), 0.0)
    named[np.arange(16), faces.labels] = 0.5
    own = np.zeros((len(NEW), len(EXPRESSIONS) + len(NEW)))
    own[:, 0] = 0.505
    own[np.arange(len(NEW)), len(EXPRESSIONS) + np.arange(len(NEW))] = 0.3
    answers = iter([SimpleNamespace(fused=named), SimpleNamespace(fused=own)])
    monkeypatch.setattr(unseen, "score_images", lambda *_: next(answers))
    network = load("facet-mini", "cpu").network
    assert unseen.best_margin(network, ModelConfig(), faces, gestures_faces(), EXPRESSIONS) == 0.21


def test_a_new_label_is_helped_and_those_of_training_are_not() -> None:
    model = load("facet-mini", "cpu")
    model.card = dataclasses.replace(model.card, unseen_margin=0.2, held_out_labels=["contempt"])
    assert model.margins(["anger", "wink", "contempt"]).tolist() == [0.0, 0.2, 0.2]
    images = np.full((1, 7, 3, 96, 96), 128, np.uint8)
    labels = {"happiness": "a smile", "wink": "one eye closes"}
    _, helped = model.score(images, labels)
    model.card = dataclasses.replace(model.card, unseen_margin=0.0)
    _, plain = model.score(images, labels)
    np.testing.assert_array_equal(helped.fused, plain.fused)
    np.testing.assert_allclose(helped.logits - plain.logits, [[0.0, 0.2 * plain.scale]], atol=1e-5)
