"""Temporal models on held-out identities, and beside them what the 3D network says without a temporal module."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facet_vlm.evaluation.metrics import (
    accuracy,
    confusion_matrix,
    f1_of_counts,
    label_counts,
    recall_of_counts,
    unweighted_average_recall,
)
from facet_vlm.faces.sequence_set import SequenceSet
from facet_vlm.faces.sequences import KINDS, categories
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.predict import apex
from facet_vlm.training.temporal import TemporalTexts, score_sequences
from mesh4d.datasets.labels import EXPRESSIONS

WAYS = ("apex frame", "mean of frames", "max of frames")
"""Rules over the 3D network's own reading of each frame."""


@dataclass(frozen=True)
class SequenceScores:
    """Scores of one way to read sequences."""

    expressions: Float[np.ndarray, "B K"]
    """The largest one wins."""
    categories: Float[np.ndarray, "B C"]
    """A category is said to be there from its threshold on."""
    thresholds: Float[np.ndarray, " C"]


@dataclass(frozen=True)
class SequenceMetrics:
    """Recognition of sequences, from predictions pooled over all identities."""

    macro_accuracy: float
    """Eight expressions, macro takes."""
    macro_uar: float
    micro_uf1: float
    """Mean over categories of 2 TP / (2 TP + FP + FN), micro takes, multi-label."""
    micro_uar: float
    """Mean over categories of TP / (TP + FN)."""
    micro_balanced: float
    """Mean over categories of the mean of the recalls of presence and of absence; saying all is there gives 0.5."""
    micro_expression_uar: float
    """UAR of the eight expressions among micro takes that show one."""
    f1_by_category: dict[str, float]


def temporal_scores(
    network: TemporalNetwork, sequences: SequenceSet, texts: TemporalTexts, tuned_on: SequenceSet
) -> SequenceScores:
    """What a temporal model says; its scores are logits.

    Args:
        tuned_on: as for `frame_rule_scores`.
    """
    expressions, found = score_sequences(network, sequences, texts)
    return SequenceScores(expressions, found, tuned_thresholds(score_sequences(network, tuned_on, texts)[1], tuned_on))


def frame_rule_scores(way: str, sequences: SequenceSet, scale: float, tuned_on: SequenceSet) -> SequenceScores:
    """What a rule over frames says: the apex frame speaks for all, or scores are averaged, or the largest counts.

    Args:
        way: one of WAYS.
        scale: the 3D network's inverse temperature.
        tuned_on: validation sequences; each category's threshold is the one of the largest F1 there.
    """
    here, there = _joined(way, sequences, scale), _joined(way, tuned_on, scale)
    count = len(EXPRESSIONS)
    return SequenceScores(here[:, :count], here[:, count:], tuned_thresholds(there[:, count:], tuned_on))


def sequence_metrics(scores: SequenceScores, truth: SequenceSet) -> SequenceMetrics:
    """All measures of one way."""
    macro, micro = (truth.kinds == KINDS.index(kind) for kind in ("macro", "micro"))
    clear = truth.targets.max(axis=1, initial=0.0) >= 1.0
    whole = _confusion(scores, truth, macro & clear)
    counts = label_counts(
        (truth.categories[micro] >= 0.5).astype(float), scores.categories[micro] > scores.thresholds
    ).sum(axis=0)
    f1, recall = (np.nan_to_num(found(counts)) for found in (f1_of_counts, recall_of_counts))
    absent = recall_of_counts(counts[:, [3, 2, 1, 0]])
    return SequenceMetrics(
        macro_accuracy=accuracy(whole),
        macro_uar=unweighted_average_recall(whole),
        micro_uf1=float(f1.mean()),
        micro_uar=float(recall.mean()),
        micro_balanced=float((0.5 * recall + 0.5 * np.nan_to_num(absent)).mean()),
        micro_expression_uar=unweighted_average_recall(_confusion(scores, truth, micro & clear)),
        f1_by_category={name: float(value) for name, value in zip(categories(), f1, strict=True)},
    )


def tuned_thresholds(scores: Float[np.ndarray, "B C"], truth: SequenceSet) -> Float[np.ndarray, " C"]:
    """Of each category the threshold of the largest F1 on micro takes."""
    micro = truth.kinds == KINDS.index("micro")
    there = truth.categories[micro] >= 0.5
    return np.array([best_threshold(*column) for column in zip(scores[micro].T, there.T, strict=True)], np.float32)


def best_threshold(scores: Float[np.ndarray, " B"], there: Bool[np.ndarray, " B"]) -> float:
    """The threshold above which saying yes has the largest F1."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(there[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + there.sum())
    last = int(f1.argmax())
    following = scores[order[last + 1]] if last + 1 < len(order) else scores[order[last]] - 1.0
    return float((scores[order[last]] + following) / 2)


def _joined(way: str, sequences: SequenceSet, scale: float) -> Float[np.ndarray, "B J"]:
    """One score per label and sequence from those of its frames."""
    cosines, count = sequences.cosines.astype(np.float32), len(EXPRESSIONS)
    if way == "mean of frames":
        weight = sequences.present[:, :, None]
        return np.where(weight, cosines, 0.0).sum(axis=1) / weight.sum(axis=1)
    if way == "max of frames":
        return np.where(sequences.present[:, :, None], cosines, -np.inf).max(axis=1)
    rows = []
    for frames, present in zip(cosines, sequences.present, strict=True):
        kept = frames[present]
        rows.append(kept[apex(scale * kept[:, :count], EXPRESSIONS)])
    return np.stack(rows)


def _confusion(scores: SequenceScores, truth: SequenceSet, rows: Bool[np.ndarray, " B"]) -> Int[np.ndarray, "K K"]:
    found = scores.expressions[rows].argmax(axis=1)
    return confusion_matrix(truth.targets[rows].argmax(axis=1), found, len(EXPRESSIONS))
