"""The training objectives: each a function of scores and truth, and their weighted sum.

The paper's abstract names a multiview consistency loss; the formulas are our own choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import nn

from facet_vlm.config import LossWeights


@dataclass(frozen=True)
class Losses:
    """Named scalars of one step; the names are those of LossWeights."""

    fused: Float[torch.Tensor, ""]
    per_view: Float[torch.Tensor, ""]
    prediction_consistency: Float[torch.Tensor, ""]
    feature_consistency: Float[torch.Tensor, ""]
    captions: Float[torch.Tensor, ""]
    region_captions: Float[torch.Tensor, ""]

    def total(self, weights: LossWeights) -> Float[torch.Tensor, ""]:
        """The weighted sum."""
        return torch.stack([getattr(weights, field.name) * getattr(self, field.name) for field in fields(self)]).sum()


def fused_classification(
    logits: Float[torch.Tensor, "B K"], labels: Int[torch.Tensor, " B"], smoothing: float
) -> Float[torch.Tensor, ""]:
    """Cross entropy of the fused prediction."""
    return nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def per_view_classification(
    logits: Float[torch.Tensor, "B N K"],
    labels: Int[torch.Tensor, " B"],
    present: Bool[torch.Tensor, "B N"],
    smoothing: float,
) -> Float[torch.Tensor, ""]:
    """Cross entropy of each view's own prediction, mean over the views that are there."""
    return nn.functional.cross_entropy(
        logits[present], labels[:, None].expand(present.shape)[present], label_smoothing=smoothing
    )


def prediction_consistency(
    fused: Float[torch.Tensor, "B K"], views: Float[torch.Tensor, "B N K"], present: Bool[torch.Tensor, "B N"]
) -> Float[torch.Tensor, ""]:
    """Symmetric Kullback-Leibler divergence, KL(p|q) + KL(q|p), of each view's prediction and the fused one."""
    p, q = fused.log_softmax(dim=-1)[:, None], views.log_softmax(dim=-1)
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=-1)[present].mean()


def feature_consistency(
    views: Float[torch.Tensor, "B N D"], pooled: Float[torch.Tensor, "B D"], present: Bool[torch.Tensor, "B N"]
) -> Float[torch.Tensor, ""]:
    """1 - cosine of each view's feature with the face's embedding, which is held fixed so that it leads."""
    return (1.0 - (views * pooled.detach()[:, None]).sum(dim=-1))[present].mean()


def caption_contrast(
    logits: Float[torch.Tensor, "B B"], targets: Float[torch.Tensor, "B B"]
) -> Float[torch.Tensor, ""]:
    """Symmetric contrast of faces (rows) and captions (columns) with soft targets, each way a cross entropy."""
    by_face = nn.functional.cross_entropy(logits, targets / targets.sum(dim=1, keepdim=True))
    by_text = nn.functional.cross_entropy(logits.T, targets.T / targets.T.sum(dim=1, keepdim=True))
    return 0.5 * (by_face + by_text)


def soft_caption_targets(
    halves: Float[torch.Tensor, "B 2 A"], units: Sequence[int], temperature: float
) -> Float[torch.Tensor, "B B"]:
    """How well each caption fits each face: exp(-distance of the weights of `units` / temperature).

    Faces with near-identical action units have near-identical captions; to push them apart would be to teach noise.
    """
    weights = halves[:, :, list(units)].flatten(1)
    distance = (weights[:, None] - weights[None]).square().sum(dim=-1).sqrt()
    return torch.exp(-distance / temperature)
