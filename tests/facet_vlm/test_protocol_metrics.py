"""Closed forms, published vectors and parity of the scores that protocols are reported by."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score, recall_score, roc_auc_score

from facet_vlm.evaluation.intervals import interval, resampled
from facet_vlm.evaluation.metrics import (
    agreement_of_counts,
    brier_score,
    calibration,
    f1_of_counts,
    label_counts,
    recall_of_counts,
    war_of_counts,
)
from facet_vlm.evaluation.ranking import BINS, auc_of_counts, rank_counts
from facet_vlm.evaluation.run_predictions import RunPredictions
from facet_vlm.evaluation.run_scores import mean_f1, mean_recall, run_scores, sample_counts


@pytest.mark.parametrize(
    ("hits", "alarms", "misses", "f1"),
    [(159, 85, 85, 0.6516), (17, 206, 40, 0.1214), (26, 363, 133, 0.0949), (6, 217, 202, 0.0278), (3, 115, 34, 0.0387)],
)
def test_published_f1(hits: int, alarms: int, misses: int, f1: float) -> None:
    """Spotting scores of micro-expression papers, re-computed from their counts."""
    assert f1_of_counts(np.array([[hits, alarms, misses, 0]]))[0] == pytest.approx(f1, abs=5e-5)


def test_parity_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, told = rng.random((300, 5)) < 0.3, rng.random((300, 5)) < 0.4
    counts = label_counts(truth.astype(float), told).sum(axis=0)
    np.testing.assert_allclose(f1_of_counts(counts), f1_score(truth, told, average=None))
    np.testing.assert_allclose(recall_of_counts(counts), recall_score(truth, told, average=None))
    assert mean_f1(counts) == pytest.approx(f1_score(truth, told, average="macro"))
    assert agreement_of_counts(counts) == pytest.approx((truth == told).mean())
    chance = rng.random(300)
    both = np.stack([chance, 1 - chance], axis=1)
    shown = np.stack([truth[:, 0], ~truth[:, 0]], axis=1).astype(float)
    assert brier_score(both, shown) == pytest.approx(2 * brier_score_loss(truth[:, 0], chance))


@pytest.mark.parametrize(("rows", "bound"), [(BINS, 1e-12), (4000, 5e-4)])
def test_auc_of_binned_ranks(rows: int, bound: float) -> None:
    """Exact up to as many scores as there are bins, nearly so beyond; what is unknown or failed is left out."""
    rng = np.random.default_rng(0)
    truth = (rng.random((rows, 3)) < 0.3).astype(float)
    scores = 0.6 * rng.random((rows, 3)) + 0.3 * truth
    scores[:, 2] = scores[:, 2].round(1)
    people = rng.integers(0, 7, rows)
    expected = [roc_auc_score(truth[5:, label], scores[5:, label]) for label in range(3)]
    truth[:3], scores[3:5] = np.nan, np.nan
    counts = rank_counts(scores, truth, people, 7)
    np.testing.assert_allclose(auc_of_counts(counts.sum(axis=0)), expected, atol=bound)
    assert counts.sum() == 3 * (rows - 5)
    assert np.isnan(auc_of_counts(rank_counts(scores[5:], np.ones((rows - 5, 3)), people[5:], 7).sum(axis=0))).all()


def test_unknown_labels_count_nowhere() -> None:
    truth = np.array([[1.0, np.nan], [0.0, 1.0], [np.nan, np.nan]])
    counts = label_counts(truth, np.array([[True, True], [True, True], [True, False]])).sum(axis=0)
    np.testing.assert_array_equal(counts, [[1, 1, 0, 0], [1, 0, 0, 0]])
    assert brier_score(np.array([[0.5, 0.9]]), np.array([[1.0, np.nan]])) == 0.25


def test_calibration_closed_form() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.15])
    bins = calibration(confidence, np.array([True, True, True, False, False]), bins=10)
    assert bins.error == pytest.approx(0.8 * 0.2 + 0.2 * 0.15)
    assert bins.count.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 4]
    assert calibration(np.ones(3), np.ones(3, bool)).error == 0.0


def run_of(truth: np.ndarray, told: np.ndarray, fold: np.ndarray, failed: np.ndarray | None = None) -> RunPredictions:
    """One learner's certain predictions; every record is another person."""
    count, classes = len(truth), 3
    header = {
        "classes": ["a", "b", "c"], "exclusive": True, "learners": [{"name": "zero-shot", "title": "zero-shot"}],
        "people": [f"p{n}" for n in range(count)],
        "folds": [{"name": f"fold {n}", "train_people": []} for n in range(int(fold.max()) + 1)],
    }  # fmt: skip
    failed = np.zeros(count, bool) if failed is None else failed
    probabilities = np.where(failed[:, None], np.nan, np.eye(classes)[told])
    zeros = np.zeros(count, np.int64)
    return RunPredictions(
        header, zeros, zeros, fold, tuple(f"r{n}" for n in range(count)), np.arange(count), failed,
        np.eye(classes)[truth], probabilities, np.full((count, classes), np.nan),
    )  # fmt: skip


def test_uf1_is_pooled_and_not_the_mean_of_folds() -> None:
    truth, told = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 2, 0])
    (score,) = run_scores(run_of(truth, told, np.array([0, 0, 0, 1, 1, 1])))
    assert score.uf1.value == pytest.approx(np.mean([2 / 4, 4 / 5, 2 / 3]))
    assert score.uar.value == pytest.approx(np.mean([0.5, 1.0, 0.5]))
    assert score.accuracy.value == pytest.approx(4 / 6)
    assert score.uar_sd == pytest.approx(np.std([0.5, 1.0, 0.5]))


def test_what_failed_is_wrong_and_nobodys_alarm() -> None:
    truth, told = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 2])
    failed = np.array([False, False, False, True])
    (score,) = run_scores(run_of(truth, told, np.zeros(4, np.int64), failed))
    assert score.accuracy.value == 0.75 and score.failed == 1
    assert score.confusion is not None and score.confusion[2].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(score.recall, [1, 1, 0.5])
    np.testing.assert_allclose(score.f1, [1, 1, 2 / 3])
    assert score.ece == 0.0


def test_what_failed_is_wrong_in_every_known_label() -> None:
    run = run_of(np.array([0, 1]), np.array([0, 1]), np.zeros(2, np.int64), np.array([False, True]))
    header = dict(run.header) | {"exclusive": False}
    truth = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, np.nan]])
    many = RunPredictions(
        header, run.learner, run.seed, run.fold, run.record, run.person, run.failed, truth,
        run.probabilities, np.full((2, 3), 0.5),
    )  # fmt: skip
    counts = sample_counts(many)
    assert counts[1].tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert counts[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_intervals_are_over_people() -> None:
    alike = np.tile(np.array([[[3, 0, 1, 0]]]), (6, 1, 1))
    same = interval(war_of_counts, alike, resampled(alike))
    assert same.value == same.low == same.high == 0.75 and same.is_degenerate
    rng = np.random.default_rng(1)
    hits = rng.binomial(10, 0.6, 400)
    counts = np.stack([hits, 0 * hits, 10 - hits, 0 * hits], axis=1)[:, None]
    wide, narrow = (interval(war_of_counts, counts[:n], resampled(counts[:n])) for n in (25, 400))
    expected = 1.96 * np.sqrt(0.6 * 0.4 / 10 / 400)
    assert (narrow.high - narrow.low) / 2 == pytest.approx(expected, rel=0.15)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert np.isnan(interval(war_of_counts, counts[:1], resampled(counts[:1])).low)
    # One person's hundred records are one person, not a hundred.
    one_bad = np.array([[[100, 0, 0, 0]], [[0, 0, 100, 0]]])
    assert interval(mean_recall, one_bad, resampled(one_bad)).low == 0.0
