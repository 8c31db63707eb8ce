"""ROC AUC with intervals over people: scores become ranks in bins, so that a bootstrap only adds up counts."""

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import rankdata

BINS = 256


def roc_auc(scores: Float[np.ndarray, " B"], positive: Bool[np.ndarray, " B"]) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative, ties half. NaN without either."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def rank_counts(
    scores: Float[np.ndarray, "R K"], truth: Float[np.ndarray, "R K"], person: Int[np.ndarray, " R"], people: int
) -> Int[np.ndarray, "S K 2 bins"]:
    """How many negatives and positives of each person fall into each bin of a label's ranks.

    Bins hold equally many of all scores; where there are no more different scores than bins nothing is lost.

    Args:
        scores: NaN where there is none, which is left out.
        truth: above 0 is positive; NaN is unknown and left out.
        person: whose each row is, below `people`.
    """
    counts = np.zeros((people, scores.shape[1], 2, BINS), np.int64)
    for label in range(scores.shape[1]):
        rows = np.flatnonzero(np.isfinite(scores[:, label]) & np.isfinite(truth[:, label]))
        values = scores[rows, label]
        place = rankdata(values, "dense").astype(np.int64) - 1
        if len(values) and place.max() >= BINS:
            place = ((rankdata(values) - 1) * BINS / len(values)).astype(np.int64)
        positive = (truth[rows, label] > 0).astype(np.int64)
        np.add.at(counts[:, label], (person[rows], positive, place), 1)
    return counts


def auc_of_counts(counts: Num[np.ndarray, "*S K 2 bins"]) -> Float[np.ndarray, "*S K"]:
    """AUC of each label, scores in one bin counting as ties; NaN for one that has no positive or no negative."""
    negative, positive = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    below = np.cumsum(negative, axis=-1) - negative
    won = (positive * (below + 0.5 * negative)).sum(axis=-1)
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return np.divide(won, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)
