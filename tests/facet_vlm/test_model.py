"""Invariances of the whole network, and its construction."""

import numpy as np
import pytest
import torch

from facet_vlm.config import ModelConfig, preset
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.inference import resolve_device, score_images, softmax
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork, build_network
from mesh4d.errors import SpecError

SENTENCES = label_sentences()


def test_a_row_does_not_depend_on_its_batch(network: FacetNetwork, samples: ExpressionSet, angles) -> None:
    together = score_images(network, samples.images, angles, SENTENCES)
    alone = score_images(network, samples.images[5:6], angles, SENTENCES)
    np.testing.assert_allclose(alone.fused[0], together.fused[5], atol=2e-6)
    np.testing.assert_allclose(alone.per_view[0], together.per_view[5], atol=2e-6)
    assert np.ptp(together.fused, axis=0).max() > 1e-3  # rows do differ


def test_view_order_does_not_matter(network: FacetNetwork, samples: ExpressionSet, angles) -> None:
    order = np.array([6, 2, 0, 5, 1, 4, 3])
    first = score_images(network, samples.images[:4], angles, SENTENCES)
    second = score_images(network, samples.images[:4, order], angles[order], SENTENCES)
    np.testing.assert_allclose(second.fused, first.fused, atol=5e-6)
    np.testing.assert_allclose(second.view_weights, first.view_weights[:, order], atol=5e-6)
    wrong = score_images(network, samples.images[:4, order], angles, SENTENCES)
    assert np.abs(wrong.fused - first.fused).max() > 1e-5  # the angles do matter


def test_missing_views_do_not_matter(network: FacetNetwork, samples: ExpressionSet, angles) -> None:
    present = np.ones((4, 7), bool)
    present[:, [1, 5]] = False
    images = samples.images[:4].copy()
    first = score_images(network, images, angles, SENTENCES, present)
    images[:, [1, 5]] = 77
    second = score_images(network, images, angles, SENTENCES, present)
    np.testing.assert_array_equal(first.fused, second.fused)
    assert (first.view_weights[:, [1, 5]] == 0).all()
    kept = [0, 2, 3, 4, 6]
    alone = score_images(network, images[:, kept], angles[kept], SENTENCES)
    np.testing.assert_allclose(alone.fused, first.fused, atol=5e-6)


def test_a_new_label_leaves_the_scores_of_the_others(network: FacetNetwork, samples: ExpressionSet, angles) -> None:
    more = SENTENCES | {"wink": ("one eye closes",)}
    first = score_images(network, samples.images[:2], angles, SENTENCES)
    second = score_images(network, samples.images[:2], angles, more)
    np.testing.assert_allclose(second.fused[:, :8], first.fused, atol=5e-6)
    assert second.probabilities.shape == (2, 9)


def test_scoring_leaves_training_mode_and_statistics(network: FacetNetwork, samples: ExpressionSet, angles) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    score_images(network, samples.images[:2], angles, SENTENCES)
    assert network.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def test_same_seed_same_network_and_no_trace_in_the_global_state(tiny) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    one, two, other = (build_network(tiny.model, seed) for seed in (5, 5, 6))
    torch.testing.assert_close(torch.rand(3), expected, atol=0, rtol=0)
    pairs = list(zip(one.parameters(), two.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_any_open_clip_model_fits() -> None:
    config = ModelConfig(clip="ViT-S-32-alt", tokenizer="open_clip", image_size=64)
    network = build_network(config).eval()
    images = np.random.default_rng(0).integers(0, 256, (1, 2, 3, 64, 64)).astype(np.uint8)
    scores = score_images(network, images, np.array([[0.0, 0.0], [25.0, 0.0]], np.float32), {"smile": ("a smile",)})
    assert scores.fused.shape == (1, 1) and np.isfinite(scores.fused).all()


def test_unknown_presets_and_vocabularies_are_refused() -> None:
    with pytest.raises(SpecError, match="facet-mini"):
        preset("facet-giant")
    with pytest.raises(SpecError, match="vocabulary"):
        build_network(ModelConfig(clip="ViT-S-32-alt", image_size=32))


def test_softmax_rows_sum_to_one_and_do_not_overflow() -> None:
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0], [0.0, np.log(3.0)]])), [[0.5, 0.5], [0.25, 0.75]])
    assert resolve_device("cpu").type == "cpu"
