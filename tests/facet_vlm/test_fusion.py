"""CVSA and MTGF: what must not matter, and what must."""

import pytest
import torch

from facet_vlm.network.fusion import CrossViewAggregation, TextGuidedFusion, mean_over_present, sine_places

B, N, D, K = 3, 5, 16, 4


@pytest.fixture
def parts() -> tuple[CrossViewAggregation, TextGuidedFusion]:
    torch.manual_seed(0)
    return CrossViewAggregation(D, 4, 1, 0.1).eval(), TextGuidedFusion(D, 4).eval()


@pytest.fixture
def scene() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(B, N, D, generator=generator)
    patches = torch.randn(B, N, D, 2, 3, generator=generator)
    angles = torch.rand(B, N, 2, generator=generator) * 90 - 45
    texts = torch.nn.functional.normalize(torch.randn(K, D, generator=generator), dim=-1)
    return features, patches, angles, texts


@torch.no_grad()
def fuse(parts, features, patches, angles, texts, present):
    tokens = parts[0](features, patches, angles, present)
    return parts[1](tokens, texts, present)


def test_view_order_does_not_matter(parts, scene) -> None:
    features, patches, angles, texts = scene
    present = torch.tensor([[True] * N, [True, False, True, True, False], [False, True, True, True, True]])
    order = torch.tensor([3, 0, 4, 2, 1])
    fused, weights = fuse(parts, features, patches, angles, texts, present)
    again, moved = fuse(parts, features[:, order], patches[:, order], angles[:, order], texts, present[:, order])
    torch.testing.assert_close(again, fused, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved, weights[:, :, order], atol=1e-5, rtol=1e-5)


def test_what_a_missing_view_holds_does_not_matter(parts, scene) -> None:
    features, patches, angles, texts = scene
    present = torch.ones(B, N, dtype=torch.bool)
    present[:, 2] = False
    fused, weights = fuse(parts, features, patches, angles, texts, present)
    features[:, 2], patches[:, 2], angles[:, 2] = 50.0, -50.0, 80.0
    again, _ = fuse(parts, features, patches, angles, texts, present)
    torch.testing.assert_close(again, fused, atol=0, rtol=0)
    assert (weights[:, :, 2] == 0).all()
    kept = [0, 1, 3, 4]
    alone, _ = fuse(parts, features[:, kept], patches[:, kept], angles[:, kept], texts, present[:, kept])
    torch.testing.assert_close(alone, fused, atol=1e-5, rtol=1e-5)


def test_where_a_view_looks_from_matters(parts, scene) -> None:
    features, patches, angles, texts = scene
    present = torch.ones(B, N, dtype=torch.bool)
    fused, _ = fuse(parts, features, patches, angles, texts, present)
    again, _ = fuse(parts, features, patches, angles + 30, texts, present)
    assert (again - fused).abs().max() > 1e-3


def test_a_text_does_not_feel_the_other_texts(parts, scene) -> None:
    features, patches, angles, texts = scene
    present = torch.ones(B, N, dtype=torch.bool)
    fused, weights = fuse(parts, features, patches, angles, texts, present)
    alone, _ = fuse(parts, features, patches, angles, texts[1:2], present)
    torch.testing.assert_close(alone[:, 0], fused[:, 1], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, K))
    torch.testing.assert_close(fused.norm(dim=-1), torch.ones(B, K))


def test_mean_over_present_is_the_mean() -> None:
    features = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    present = torch.tensor([[True, True, False]])
    assert mean_over_present(features, present).item() == 2.0


def test_places_differ() -> None:
    places = sine_places(3, 4, D)
    assert places.shape == (12, D)
    assert torch.cdist(places, places).add(torch.eye(12)).min() > 0.1
