"""The training objectives: what a step saw, and small classes that each find one fault with it.

The paper's abstract names a multiview consistency loss; the formulas are our own choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import nn

from facet_vlm.config import Config, Mining
from facet_vlm.training.batches import Batch
from facet_vlm.training.mining import mined_contrast, mined_targets

CAPTION_LEVELS = ("unit", "region", "summary")


@dataclass(frozen=True)
class CaptionScores:
    """Faces (rows) against captions (columns), each face's own on the diagonal."""

    logits: Float[torch.Tensor, "B B"]
    fit: Float[torch.Tensor, "B B"]
    """How well each caption fits each face, 0 to 1."""
    texts: Float[torch.Tensor, "B D"]
    """Unit embeddings of the captions."""


@dataclass(frozen=True)
class Step:
    """What the network said about one batch."""

    batch: Batch
    fused: Float[torch.Tensor, "B K"]
    """Logits of the classes after CVSA and MTGF."""
    views: Float[torch.Tensor, "B N K"]
    """Logits of each view by itself."""
    view_features: Float[torch.Tensor, "B N D"]
    pooled: Float[torch.Tensor, "B D"]
    """The face's own embedding."""
    view_units: Float[torch.Tensor, "B N 2 A"]
    """Action unit weights as each view guesses them."""
    units: Float[torch.Tensor, "B 2 A"]
    """The same from all views."""
    caption_units: Float[torch.Tensor, "C 2 A"]
    """The same from sentences about units."""
    captioned: Float[torch.Tensor, "C 2 A"]
    """The weights that those sentences speak of."""
    captions: Mapping[str, CaptionScores] = field(default_factory=dict)
    """By level of caption."""


@runtime_checkable
class Objective(Protocol):
    """A loss of one step."""

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]: ...


@dataclass(frozen=True)
class FusedClassification:
    """Cross entropy of the fused prediction with the (perhaps soft) label."""

    smoothing: float

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        return soft_cross_entropy(step.fused, step.batch.targets, self.smoothing)


@dataclass(frozen=True)
class PerViewClassification:
    """Cross entropy of each view's own prediction, mean over the views that are there."""

    smoothing: float

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        present = step.batch.present
        targets = step.batch.targets[:, None].expand(*present.shape, -1)
        return soft_cross_entropy(step.views[present], targets[present], self.smoothing)


@dataclass(frozen=True)
class PredictionConsistency:
    """Views and their fusion should say the same."""

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        return prediction_consistency(step.fused, step.views, step.batch.present)


@dataclass(frozen=True)
class FeatureConsistency:
    """Views should feel like the face that they belong to."""

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        return feature_consistency(step.view_features, step.pooled, step.batch.present)


@dataclass(frozen=True)
class UnitRegression:
    """Squared error of the action units, as each view, all views, and sentences tell them, summed over units."""

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        halves, present = step.batch.halves, step.batch.present
        alone = (step.view_units - halves[:, None])[present].square().sum(dim=(-1, -2)).mean()
        together = (step.units - halves).square().sum(dim=(-1, -2)).mean()
        told = (step.caption_units - step.captioned).square().sum(dim=(-1, -2))
        return (alone + together + (told.mean() if len(told) else 0.0)) / 3


@dataclass(frozen=True)
class CaptionContrast:
    """Each face finds its caption of one level, each caption its face."""

    level: str

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        scores = step.captions[self.level]
        return caption_contrast(scores.logits, scores.fit)


@dataclass(frozen=True)
class MinedCaptionContrast:
    """The same where nobody knows how well captions fit: likeness of captions, and of faces, tells."""

    level: str
    mining: Mining

    def __call__(self, step: Step) -> Float[torch.Tensor, ""]:
        scores = step.captions[self.level]
        return mined_contrast(scores.logits, mined_targets(step.pooled, scores.texts, self.mining))


def objectives_of(config: Config) -> dict[str, tuple[float, Objective]]:
    """The objectives of a run with their weights, by name: those that count, captions only with text."""
    settings = config.train
    levels = CAPTION_LEVELS if config.model.text else ()
    mining = settings.mining
    contrast = CaptionContrast if mining is None else partial(MinedCaptionContrast, mining=mining)
    made: dict[str, Objective] = {
        "fused": FusedClassification(settings.label_smoothing),
        "per_view": PerViewClassification(settings.label_smoothing),
        "prediction_consistency": PredictionConsistency(),
        "feature_consistency": FeatureConsistency(),
        "units": UnitRegression(),
        **{f"{level}_captions": contrast(level) for level in levels},
    }
    weights = {name: getattr(settings.loss, name) for name in made}
    return {name: (weight, made[name]) for name, weight in weights.items() if weight > 0}


def soft_cross_entropy(
    logits: Float[torch.Tensor, "R K"], targets: Float[torch.Tensor, "R K"], smoothing: float
) -> Float[torch.Tensor, ""]:
    """Mean cross entropy over the rows that have a label; 0 where none has."""
    known = targets.sum(dim=-1) > 0
    if not bool(known.any()):
        return logits.sum() * 0.0
    return nn.functional.cross_entropy(logits[known], targets[known], label_smoothing=smoothing)


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
