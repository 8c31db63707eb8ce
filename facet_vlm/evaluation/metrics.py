"""Recognition metrics: pure functions of true and predicted label rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num


def confusion_matrix(
    truth: Int[np.ndarray, " B"], predicted: Int[np.ndarray, " B"], n_classes: int
) -> Int[np.ndarray, "K K"]:
    """Counts; rows are the true class, columns the predicted one."""
    matrix = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def accuracy(confusion: Int[np.ndarray, "K K"]) -> float:
    """Share of all samples that are right; weighted average recall (WAR) in the literature. NaN without samples."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def unweighted_average_recall(confusion: Int[np.ndarray, "K K"]) -> float:
    """Mean over the classes that occur of the share that is right (UAR)."""
    counts = confusion.sum(axis=1)
    recalls = np.diag(confusion)[counts > 0] / counts[counts > 0]
    return float(recalls.mean()) if len(recalls) else float("nan")


def macro_f1(confusion: Int[np.ndarray, "K K"]) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN), over the classes that occur or are predicted."""
    scores = f1_per_class(confusion)
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def f1_per_class(confusion: Int[np.ndarray, "K K"]) -> Float[np.ndarray, " K"]:
    """F1 of each class; NaN for a class that neither occurs nor is predicted."""
    involved = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.where(involved > 0, 2 * np.diag(confusion) / np.maximum(involved, 1), np.nan)


def label_counts(truth: Float[np.ndarray, "B K"], told: Bool[np.ndarray, "B K"]) -> Int[np.ndarray, "B K 4"]:
    """Hits, false alarms, misses and right rejections of every sample and label; all 0 where truth is unknown (NaN).

    Sums over samples (of a subject, of all folds) are all that the F1 scores need.
    """
    known, shown = np.isfinite(truth), np.nan_to_num(truth) > 0
    kinds = [shown & told, ~shown & told, shown & ~told, ~shown & ~told]
    return np.stack([kind & known for kind in kinds], axis=-1).astype(np.int64)


def f1_of_counts(counts: Num[np.ndarray, "*S K 4"]) -> Float[np.ndarray, "*S K"]:
    """2 TP / (2 TP + FP + FN) of each label; NaN for one that is neither shown nor told."""
    hits, alarms, misses = (counts[..., column].astype(np.float64) for column in range(3))
    involved = 2 * hits + alarms + misses
    return np.divide(2 * hits, involved, out=np.full(hits.shape, np.nan), where=involved > 0)


def recall_of_counts(counts: Num[np.ndarray, "*S K 4"]) -> Float[np.ndarray, "*S K"]:
    """TP / (TP + FN) of each label; NaN for one that is never shown."""
    hits, shown = counts[..., 0].astype(np.float64), (counts[..., 0] + counts[..., 2]).astype(np.float64)
    return np.divide(hits, shown, out=np.full(hits.shape, np.nan), where=shown > 0)


def war_of_counts(counts: Num[np.ndarray, "*S K 4"]) -> Float[np.ndarray, "*S"]:
    """Share of shown labels that were told: the accuracy (WAR) where every sample shows exactly one."""
    hits, shown = counts[..., 0].sum(axis=-1), (counts[..., 0] + counts[..., 2]).sum(axis=-1)
    return np.divide(hits, shown, out=np.full(np.shape(shown), np.nan), where=shown > 0)


def agreement_of_counts(counts: Num[np.ndarray, "*S K 4"]) -> Float[np.ndarray, "*S"]:
    """Share of all known labels, shown or not, that were told right: high by itself where labels are rare."""
    right, every = (counts[..., 0] + counts[..., 3]).sum(axis=-1), counts.sum(axis=(-2, -1))
    return np.divide(right, every, out=np.full(np.shape(every), np.nan), where=every > 0)


def brier_score(probabilities: Float[np.ndarray, "B K"], truth: Float[np.ndarray, "B K"]) -> float:
    """Mean over samples of the squared error summed over labels (Brier 1950); unknown labels (NaN) are left out."""
    return float(np.nansum((probabilities - truth) ** 2, axis=1).mean()) if len(truth) else float("nan")


@dataclass(frozen=True)
class Calibration:
    """How often what is told with a certain confidence is so, in bins of equal width."""

    count: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    """Mean in each bin; NaN in an empty one."""
    frequency: Float[np.ndarray, " bins"]

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap of confidence and frequency, weighted by the bins' counts."""
        total = self.count.sum()
        if not total:
            return float("nan")
        return float(np.nansum(self.count * np.abs(self.confidence - self.frequency)) / total)


def calibration(confidence: Float[np.ndarray, " B"], right: Bool[np.ndarray, " B"], bins: int = 15) -> Calibration:
    """Bins of confidence (Guo et al. 2017)."""
    place = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, confidence, bins) / count
        frequency = np.bincount(place, right.astype(np.float64), bins) / count
    return Calibration(count, mean, frequency)
