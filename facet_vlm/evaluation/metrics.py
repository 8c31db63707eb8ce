"""Recognition metrics: pure functions of true and predicted label rows."""

import numpy as np
from jaxtyping import Float, Int


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
