"""Closed forms of the objectives."""

import dataclasses
import math

import pytest
import torch

from facet_vlm.config import Config, LossWeights, Mining, ModelConfig, TrainConfig
from facet_vlm.training import objectives
from facet_vlm.training.batches import Batch


def test_consistency_is_zero_for_equal_predictions_and_symmetric_kl_otherwise() -> None:
    fused = torch.tensor([[0.0, math.log(3.0)]])  # 1/4, 3/4
    views = torch.stack([fused, torch.zeros(1, 2)], dim=1)  # the same, and 1/2, 1/2
    present = torch.tensor([[True, False]])
    assert objectives.prediction_consistency(fused, views, present).item() == pytest.approx(0, abs=1e-7)
    kl = lambda p, q: sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))  # noqa: E731
    expected = kl((0.25, 0.75), (0.5, 0.5)) + kl((0.5, 0.5), (0.25, 0.75))
    assert objectives.prediction_consistency(fused, views, ~present).item() == pytest.approx(expected, rel=1e-5)


def test_feature_consistency_leads_views_to_the_face_only() -> None:
    views = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    pooled = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = objectives.feature_consistency(views, pooled, torch.ones(1, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert pooled.grad is None and views.grad is not None


def step_of(logits: torch.Tensor, targets: torch.Tensor, present: torch.Tensor) -> objectives.Step:
    """A step of which the class scores matter; rows and views as many as the scores have."""
    count, views = present.shape
    batch = Batch(
        images=torch.zeros(count, views, 3, 4, 4, dtype=torch.uint8),
        angles_deg=torch.zeros(count, views, 2),
        present=present,
        targets=targets,
        intensities=torch.ones(count),
        halves=torch.zeros(count, 2, 32),
    )
    return objectives.Step(
        batch,
        logits.mean(dim=1),
        logits,
        torch.zeros(count, views, 4),
        torch.zeros(count, 4),
        torch.zeros(count, views, 2, 32),
        batch.halves,
        batch.halves,
        batch.halves,
    )


def test_per_view_loss_skips_missing_views() -> None:
    logits = torch.tensor([[[9.0, 0.0], [0.0, 9.0]]])
    targets, present = torch.tensor([[1.0, 0.0]]), torch.tensor([[True, False]])
    loss = objectives.PerViewClassification(smoothing=0.0)
    assert loss(step_of(logits, targets, present)).item() == pytest.approx(math.log(1 + math.exp(-9)), abs=1e-5)
    assert loss(step_of(logits, targets, ~present)).item() > 8


def test_faces_without_a_label_teach_no_class() -> None:
    logits = torch.tensor([[1.0, 0.0], [5.0, 0.0]], requires_grad=True)
    targets = torch.tensor([[0.5, 0.5], [0.0, 0.0]])
    loss = objectives.soft_cross_entropy(logits, targets, 0.0)
    p = 1 / (1 + math.exp(-1))
    assert loss.item() == pytest.approx(-0.5 * (math.log(p) + math.log(1 - p)), rel=1e-5)
    loss.backward()
    assert logits.grad is not None and (logits.grad[1] == 0).all()
    assert objectives.soft_cross_entropy(logits, torch.zeros(2, 2), 0.0).item() == 0


def test_soft_targets_count_equal_captions_as_right() -> None:
    halves = torch.zeros(3, 2, 4)
    halves[2, :, 1] = 1.0
    targets = objectives.soft_caption_targets(halves, range(4), temperature=0.5)
    far = math.exp(-math.sqrt(2) / 0.5)
    torch.testing.assert_close(targets, torch.tensor([[1, 1, far], [1, 1, far], [far, far, 1]]))
    torch.testing.assert_close(objectives.soft_caption_targets(halves, [0], 0.5), torch.ones(3, 3))


def test_contrast_is_symmetric_and_least_at_the_targets() -> None:
    targets = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    matched = objectives.caption_contrast(targets.log(), targets)
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert matched.item() == pytest.approx(entropy, rel=1e-5)
    logits = torch.tensor([[2.0, 0.0], [1.0, 0.5]])
    ways = objectives.caption_contrast(logits, targets), objectives.caption_contrast(logits.T, targets)
    torch.testing.assert_close(*ways)
    assert ways[0] > matched


def test_objectives_of_weight_zero_and_captions_without_text_are_left_out() -> None:
    loss = LossWeights(feature_consistency=0.0)
    config = Config(train=TrainConfig(loss=loss))
    made = objectives.objectives_of(config)
    assert "feature_consistency" not in made and made["fused"][0] == 1.0 and "region_captions" in made
    assert set(made) <= {field.name for field in dataclasses.fields(LossWeights)}
    mute = dataclasses.replace(config, model=ModelConfig(text=False))
    assert not any(name.endswith("captions") for name in objectives.objectives_of(mute))


def test_a_run_may_mine_instead_of_knowing_the_weights() -> None:
    """The objective reads likeness, not the known fit; without a mined share it is plain InfoNCE."""
    faces = torch.nn.functional.normalize(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    scores = objectives.CaptionScores(logits=10 * faces @ faces.T, fit=torch.full((4, 4), torch.nan), texts=faces)
    step = step_of(torch.zeros(4, 1, 2), torch.ones(4, 2), torch.ones(4, 1, dtype=torch.bool))
    step = dataclasses.replace(step, pooled=faces, captions={"unit": scores})
    plain = objectives.MinedCaptionContrast("unit", Mining(share=0.0))(step)
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(scores.logits, torch.arange(4)))
    mined = objectives.objectives_of(Config(train=TrainConfig(mining=Mining())))["unit_captions"][1]
    assert isinstance(mined, objectives.MinedCaptionContrast)
    assert isinstance(objectives.objectives_of(Config())["unit_captions"][1], objectives.CaptionContrast)
