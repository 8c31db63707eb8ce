"""Closed forms of positive mining."""

import math

import numpy as np
import pytest
import torch

from facet_vlm.config import Mining
from facet_vlm.language.tokenizer import split_words
from facet_vlm.language.vocabulary import known_words
from facet_vlm.training.mining import MinedTargets, mined_contrast, mined_positives, mined_targets, soft_targets
from facet_vlm.training.step import UNHEARD_OF, with_hidden_words

SIMILARITY = torch.tensor([[1.0, 0.95, 0.2], [0.95, 1.0, 0.5], [0.2, 0.5, 1.0]])


def test_nothing_shared_is_plain_infonce() -> None:
    targets = soft_targets(SIMILARITY, Mining(share=0.0, threshold=None))
    torch.testing.assert_close(targets, torch.eye(3))
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]])
    labels = torch.arange(3)
    expected = 0.5 * (
        torch.nn.functional.cross_entropy(logits, labels) + torch.nn.functional.cross_entropy(logits.T, labels)
    )
    torch.testing.assert_close(mined_contrast(logits, MinedTargets(targets, targets)), expected)


def test_targets_follow_the_equation() -> None:
    targets = soft_targets(SIMILARITY, Mining(share=0.4, temperature=0.1, threshold=0.9))
    near = math.exp(0.95 / 0.1) / (math.exp(0.95 / 0.1) + math.exp(1 / 0.1))
    assert targets[0, 1].item() == pytest.approx(0.4 * near, rel=1e-5)
    assert targets[0, 0].item() == pytest.approx(0.6 + 0.4 * (1 - near), rel=1e-5)
    assert targets[0, 2] == 0 and targets[2].tolist() == [0, 0, pytest.approx(1)]
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(3))


def test_a_temperature_without_end_spreads_evenly_over_what_is_mined() -> None:
    targets = soft_targets(SIMILARITY, Mining(share=1.0, temperature=1e6, threshold=None, top_k=2))
    torch.testing.assert_close(targets, torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]), atol=1e-5, rtol=0)


def test_the_sample_itself_is_always_kept_even_among_copies() -> None:
    kept = mined_positives(torch.ones(4, 4), Mining(threshold=None, top_k=1))
    torch.testing.assert_close(kept, torch.eye(4, dtype=torch.bool))
    assert mined_positives(-torch.ones(2, 2), Mining(threshold=0.9)).tolist() == [[True, False], [False, True]]
    assert mined_positives(SIMILARITY, Mining(threshold=None, top_k=99)).all()


def test_each_direction_is_guided_by_the_other_modality() -> None:
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # the same caption
    faces = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # different faces
    targets = mined_targets(faces, texts, Mining(share=1.0, temperature=0.1))
    torch.testing.assert_close(targets.by_face, torch.full((2, 2), 0.5))
    torch.testing.assert_close(targets.by_text, torch.eye(2))


def test_mining_teaches_no_gradient_through_the_targets() -> None:
    faces = torch.nn.functional.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    faces.requires_grad_()
    targets = mined_targets(faces, faces, Mining())
    assert not targets.by_face.requires_grad and not targets.by_text.requires_grad


def test_equal_captions_are_not_pushed_apart() -> None:
    """With the mined targets the gradient at two identical pairs is zero; InfoNCE's is not."""
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    logits = torch.zeros(2, 2, requires_grad=True)
    mined_contrast(logits, mined_targets(texts, texts, Mining(share=1.0))).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(2, 2))
    other = torch.zeros(2, 2, requires_grad=True)
    mined_contrast(other, mined_targets(texts, texts, Mining(share=0.0))).backward()
    assert other.grad is not None and other.grad.abs().max() > 0.2


def test_a_row_does_not_depend_on_the_order_of_the_batch() -> None:
    order = torch.tensor([2, 0, 1])
    mining = Mining(top_k=2, threshold=0.3)
    torch.testing.assert_close(
        soft_targets(SIMILARITY[order][:, order], mining), soft_targets(SIMILARITY, mining)[order][:, order]
    )


def test_hidden_words_are_words_that_no_vocabulary_has() -> None:
    sentence, rng = "brows raised, lips apart", np.random.default_rng(0)
    assert with_hidden_words(sentence, 0.0, rng) == sentence
    assert split_words(with_hidden_words(sentence, 1.0, rng)) == [UNHEARD_OF] * 4
    assert UNHEARD_OF not in known_words()
    kept = [with_hidden_words(sentence, 0.5, rng).split().count(UNHEARD_OF) for _ in range(200)]
    assert 1.8 < np.mean(kept) < 2.2
