"""From a run's saved predictions to its numbers; nothing else is looked at.

What failed counts as wrong: where labels exclude each other it is a miss of its label and no other label's alarm;
where they do not, every known label of it is told wrong. Calibration and AUC leave it out, for it has no probability.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facet_vlm.evaluation.intervals import Interval, bounds, interval, resampled
from facet_vlm.evaluation.metrics import (
    Calibration,
    agreement_of_counts,
    brier_score,
    calibration,
    f1_of_counts,
    label_counts,
    recall_of_counts,
    war_of_counts,
)
from facet_vlm.evaluation.ranking import auc_of_counts, rank_counts
from facet_vlm.evaluation.run_predictions import RunPredictions


@dataclass(frozen=True)
class LearnerScores:
    """What one learner reached, from predictions pooled over all folds, rounds and seeds."""

    name: str
    title: str
    group: str
    """See `facet_vlm.evaluation.learners.learner.Group`."""
    headline: Interval
    """Accuracy (WAR) where labels exclude each other; UF1 where they do not."""
    accuracy: Interval
    """WAR, or the share of all known labels told right."""
    uar: Interval
    """Mean over the classes of recall (mean sensitivity)."""
    uar_sd: float
    """Standard deviation of recall over the classes."""
    uf1: Interval
    """Mean over the classes of F1."""
    auc: Interval | None
    """Mean over the classes of the area under the ROC curve; None where labels exclude each other."""
    auc_of: Float[np.ndarray, " K"]
    """Of each class, from records that could be read; NaN where labels exclude each other."""
    gap: Interval | None
    """Headline minus the reference's ('tuned' where there is one, of single views 'zero-shot'), resampling the same
    people for both; None for the reference itself."""
    fold_mean: float
    """Mean over folds of the headline: for comparison with papers that report it."""
    fold_sd: float
    recall: Float[np.ndarray, " K"]
    f1: Float[np.ndarray, " K"]
    counts: Int[np.ndarray, "K 4"]
    confusion: Int[np.ndarray, "K columns"] | None
    """Rows are the true class; the last column counts what failed. None where labels do not exclude each other."""
    by_person: Float[np.ndarray, " S"]
    """Headline of each person; NaN for one who shows nothing."""
    by_fold: Float[np.ndarray, " folds"]
    """Headline of each fold, all seeds together; NaN for folds that were not run."""
    calibration: Calibration
    ece: float
    brier: float
    judged: int
    failed: int
    seconds_a_fold: float
    chosen: dict[str, float]


def run_scores(run: RunPredictions) -> tuple[LearnerScores, ...]:
    """The numbers of every learner."""
    names = [learner["name"] for learner in run.header["learners"]]
    main = names.index("tuned") if "tuned" in names else 0
    # What a view tells alone is held against all views at once, asked in the same way.
    reference = [names.index("zero-shot") if learner.get("group") == "view" and "zero-shot" in names else main
                 for learner in run.header["learners"]]  # fmt: skip
    parts = [run.of_learner(place) for place in range(len(names))]
    counts = [sample_counts(part) for part in parts]
    by_person = [_summed(c, part.person, len(run.header["people"])) for c, part in zip(counts, parts, strict=True)]
    # People are resampled among those who were tested; all learners judged the same records.
    tested = np.unique(run.person)
    drawn = [resampled(c[tested]) for c in by_person]
    statistic = war_of_counts if run.exclusive else mean_f1
    base = {other: (statistic(drawn[other]), float(statistic(by_person[other].sum(axis=0)))) for other in {*reference}}
    scores = []
    for place, part in enumerate(parts):
        gap = None
        if place != reference[place]:
            others, whole = base[reference[place]]
            value = float(statistic(by_person[place].sum(axis=0))) - whole
            gap = Interval(value, *bounds(statistic(drawn[place]) - others))
        scores.append(_scores(part, counts[place], by_person[place][tested], drawn[place], gap, place))
    return tuple(scores)


def macro_auc(counts: np.ndarray) -> np.ndarray:
    """Mean AUC over the classes that have positives and negatives."""
    return _nanmean(auc_of_counts(counts))


def told_labels(part: RunPredictions) -> Bool[np.ndarray, "R K"]:
    """Which labels were told of each row; none where a row failed."""
    chance = np.nan_to_num(part.probabilities, nan=-1.0)
    if part.exclusive:
        told = np.arange(chance.shape[1]) == chance.argmax(axis=1)[:, None]
    else:
        told = chance >= part.thresholds
    return told & ~part.failed[:, None]


def sample_counts(part: RunPredictions) -> Int[np.ndarray, "R K 4"]:
    """Hits, alarms, misses, right rejections of every row."""
    told = told_labels(part)
    if not part.exclusive:
        told[part.failed] = ~(np.nan_to_num(part.truth[part.failed]) > 0)  # wrong about every label
    return label_counts(part.truth, told)


def mean_f1(counts: np.ndarray) -> np.ndarray:
    """UF1: mean over the classes that are shown or told."""
    return _nanmean(f1_of_counts(counts))


def mean_recall(counts: np.ndarray) -> np.ndarray:
    """UAR: mean over the classes that are shown."""
    return _nanmean(recall_of_counts(counts))


def _scores(
    part: RunPredictions,
    counts: Int[np.ndarray, "R K 4"],
    by_person: Int[np.ndarray, "S K 4"],
    drawn: Float[np.ndarray, "r K 4"],
    gap: Interval | None,
    place: int,
) -> LearnerScores:
    learner, total = part.header["learners"][place], counts.sum(axis=0)
    accuracy = interval(war_of_counts if part.exclusive else agreement_of_counts, by_person, drawn)
    uf1 = interval(mean_f1, by_person, drawn)
    statistic = war_of_counts if part.exclusive else mean_f1
    by_fold = statistic(_summed(counts, part.fold, len(part.header["folds"])))
    recall = recall_of_counts(total)
    bins, brier = _calibration(part)
    auc, auc_of = None, np.full(len(part.classes), np.nan)
    if not part.exclusive:
        people = np.unique(part.person, return_inverse=True)[1]
        ranks = rank_counts(part.probabilities, part.truth, people, len(by_person))
        auc, auc_of = interval(macro_auc, ranks, resampled(ranks)), auc_of_counts(ranks.sum(axis=0))
    return LearnerScores(
        name=learner["name"],
        title=learner["title"],
        group=learner.get("group", "own"),
        headline=accuracy if part.exclusive else uf1,
        accuracy=accuracy,
        uar=interval(mean_recall, by_person, drawn),
        uar_sd=float(np.nanstd(recall)) if np.isfinite(recall).any() else float("nan"),
        uf1=uf1,
        auc=auc,
        auc_of=auc_of,
        gap=gap,
        fold_mean=float(_nanmean(by_fold)),
        fold_sd=float(np.nanstd(by_fold)) if np.isfinite(by_fold).any() else float("nan"),
        recall=recall,
        f1=f1_of_counts(total),
        counts=total,
        confusion=_confusion(part) if part.exclusive else None,
        by_person=statistic(by_person),
        by_fold=by_fold,
        calibration=bins,
        ece=bins.error,
        brier=brier,
        judged=len(part.record),
        failed=int(part.failed.sum()),
        seconds_a_fold=float(learner.get("seconds_a_fold", float("nan"))),
        chosen=dict(learner.get("chosen", {})),
    )


def _confusion(part: RunPredictions) -> Int[np.ndarray, "K columns"]:
    """Counts, with a last column for what failed."""
    count = len(part.classes)
    truth = np.nan_to_num(part.truth).argmax(axis=1)
    told = np.where(part.failed, count, np.nan_to_num(part.probabilities, nan=-1.0).argmax(axis=1))
    matrix = np.zeros((count, count + 1), np.int64)
    np.add.at(matrix, (truth, told), 1)
    return matrix


def _calibration(part: RunPredictions) -> tuple[Calibration, float]:
    """Of the label that was told where labels exclude each other; of every label's own probability elsewhere."""
    good = ~part.failed
    chance, truth = part.probabilities[good], part.truth[good]
    if part.exclusive:
        rows, told = np.arange(len(chance)), chance.argmax(axis=1) if len(chance) else np.zeros(0, np.int64)
        return calibration(chance[rows, told], truth[rows, told] > 0), brier_score(chance, truth)
    known = np.isfinite(truth)
    return calibration(chance[known], truth[known] > 0), brier_score(chance, truth)


def _summed(counts: Int[np.ndarray, "R K 4"], group: Int[np.ndarray, " R"], size: int) -> Int[np.ndarray, "S K 4"]:
    summed = np.zeros((size, *counts.shape[1:]), np.int64)
    np.add.at(summed, group, counts)
    return summed


def _nanmean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is no NaN; NaN where there is nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=-1))
