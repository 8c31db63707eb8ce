"""Closed forms of the objectives."""

import math

import pytest
import torch

from facet_vlm.config import LossWeights
from facet_vlm.training import objectives


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


def test_per_view_loss_skips_missing_views() -> None:
    logits = torch.tensor([[[9.0, 0.0], [0.0, 9.0]]])
    labels, present = torch.tensor([0]), torch.tensor([[True, False]])
    seen = objectives.per_view_classification(logits, labels, present, 0.0).item()
    assert seen == pytest.approx(math.log(1 + math.exp(-9)), rel=1e-2, abs=1e-5)
    assert objectives.per_view_classification(logits, labels, ~present, 0.0).item() > 8


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


def test_total_weighs_by_name() -> None:
    ones = objectives.Losses(*(torch.tensor(1.0) for _ in range(6)))
    weights = LossWeights(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert ones.total(weights).item() == 21
