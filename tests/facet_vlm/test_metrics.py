"""Closed forms and laws of the recognition metrics."""

import numpy as np
import pytest

from facet_vlm.evaluation.metrics import accuracy, confusion_matrix, f1_per_class, macro_f1, unweighted_average_recall

TRUTH = np.array([0, 0, 0, 1, 1, 2])
GUESS = np.array([0, 0, 1, 1, 2, 2])


def test_closed_form() -> None:
    matrix = confusion_matrix(TRUTH, GUESS, 3)
    np.testing.assert_array_equal(matrix, [[2, 1, 0], [0, 1, 1], [0, 0, 1]])
    assert accuracy(matrix) == pytest.approx(4 / 6)
    assert unweighted_average_recall(matrix) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    np.testing.assert_allclose(f1_per_class(matrix), [4 / 5, 2 / 4, 2 / 3])
    assert macro_f1(matrix) == pytest.approx((4 / 5 + 2 / 4 + 2 / 3) / 3)


@pytest.mark.parametrize("metric", [accuracy, unweighted_average_recall, macro_f1])
def test_laws(metric) -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    value = metric(confusion_matrix(truth, guess, 5))
    order, names = rng.permutation(200), rng.permutation(5)
    assert metric(confusion_matrix(truth[order], guess[order], 5)) == pytest.approx(value)
    assert metric(confusion_matrix(names[truth], names[guess], 5)) == pytest.approx(value)
    assert metric(confusion_matrix(truth, truth, 5)) == 1.0
    assert 0 < value < 1


def test_classes_that_do_not_occur_do_not_count() -> None:
    matrix = confusion_matrix(TRUTH, TRUTH, 7)
    assert unweighted_average_recall(matrix) == macro_f1(matrix) == 1.0
    assert np.isnan(f1_per_class(matrix)[6])
    assert np.isnan(accuracy(np.zeros((3, 3), np.int64)))
