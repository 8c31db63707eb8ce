"""Peers: simpler ways to recognise under the same folds, so that a reader sees what views, text and fusion add.

Scaling is part of each fit, so that it knows training people only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.learners.learner import Fitted, Group, best_thresholds, held_out

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Inverse regularisation of the linear probes, chosen per fold on held-out training people."""
Columns = Callable[[Items], Float[np.ndarray, "B P"]]
Maker = Callable[[float, int], Any]
"""(strength, seed) -> a scikit-learn classifier."""


@dataclass(frozen=True)
class Peer:
    """A scikit-learn classifier on some columns of the items."""

    name: str
    title: str
    columns: Columns
    """NaN rows cannot be judged."""
    make: Maker
    strengths: tuple[float, ...] = (1.0,)
    group: Group = "peer"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Choose strength and thresholds on held-out training people, then learn from all of them."""
        values = self.columns(train.items)
        train = train.take(np.flatnonzero(np.isfinite(values).all(axis=1)))
        if not len(train):
            return Fitted(lambda items: np.full((len(items), train.targets.shape[1]), np.nan))
        seed = int(rng.integers(2**31))
        aside = held_out(train.people, rng)
        strength, thresholds = self.strengths[0], None if train.exclusive else np.full(train.targets.shape[1], 0.5)
        if aside is not None and (len(self.strengths) > 1 or not train.exclusive):
            learn, check = train.take(np.flatnonzero(~aside)), train.take(np.flatnonzero(aside))
            tried = [self._fitted(learn, s, seed)(check.items) for s in self.strengths]
            best = int(np.argmin([_log_loss(scores, check) for scores in tried]))
            strength = self.strengths[best]
            if thresholds is not None:
                thresholds = best_thresholds(tried[best], check.targets, check.known)
        return Fitted(self._fitted(train, strength, seed), thresholds, {"strength": strength})

    def _fitted(self, train: Examples, strength: float, seed: int) -> Callable[[Items], np.ndarray]:
        values, count = self.columns(train.items), train.targets.shape[1]
        if train.exclusive:
            models = [_one_model(self.make(strength, seed), values, train.targets.argmax(axis=1))]
        else:
            models = [
                _one_model(self.make(strength, seed), values[rows], (train.targets[rows, label] > 0).astype(int))
                for label in range(count)
                for rows in (train.known[:, label],)
            ]

        def score(items: Items) -> np.ndarray:
            asked = self.columns(items)
            good = np.isfinite(asked).all(axis=1)
            scores = np.full((len(asked), count), np.nan)
            if good.any():
                told = [model(asked[good]) for model in models]
                scores[good] = (
                    _spread(told[0], count)
                    if train.exclusive
                    else np.stack([_spread(some, 2)[:, 1] for some in told], axis=1)
                )
            return scores

        return score


def frontal_probe(frontal: int) -> Peer:
    """A linear classifier on the frozen tower's feature of the frontal view."""
    return Peer("frontal", "linear probe, frontal view", lambda items: _readable(items, items.views[:, frontal]),
                _logistic, STRENGTHS)  # fmt: skip


def mean_probe() -> Peer:
    """A linear classifier on the mean of the views' features."""
    return Peer("mean", "linear probe, mean of the views", lambda items: _readable(items, items.views.mean(axis=1)),
                _logistic, STRENGTHS)  # fmt: skip


def landmark_mlp() -> Peer:
    """A network with one hidden layer on 68 landmarks in the face frame."""
    return Peer("landmarks", "MLP on 68 detected landmarks", lambda items: _present(items.landmarks, items), _mlp)


def unit_forest() -> Peer:
    """A random forest on the weights of action units."""
    return Peer("units", "random forest on solved action units", lambda items: _present(items.units, items), _forest)


def _readable(items: Items, values: np.ndarray) -> np.ndarray:
    return np.where(items.failed[:, None], np.nan, values)


def _present(values: np.ndarray | None, items: Items) -> np.ndarray:
    return np.full((len(items), 1), np.nan) if values is None else values


def _logistic(strength: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def _mlp(strength: float, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    net = MLPClassifier((128,), alpha=0.1, learning_rate_init=2e-3, batch_size="auto", max_iter=120, tol=1e-3,
                        n_iter_no_change=10, random_state=seed)  # fmt: skip
    return make_pipeline(StandardScaler(), net)


def _forest(strength: float, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=seed, n_jobs=1)


def _one_model(model: Any, values: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], dict[int, np.ndarray]]:
    """A fitted classifier as a function: label -> probabilities. With one label only, that is certain."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    seen = np.unique(labels)
    if len(seen) < 2:
        only = int(seen[0]) if len(seen) else 0
        return lambda asked: {only: np.ones(len(asked))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the fixed number of passes is part of the peer
        model.fit(values, labels)
    return lambda asked: dict(zip((int(c) for c in model.classes_), model.predict_proba(asked).T, strict=True))


def _spread(told: dict[int, np.ndarray], count: int) -> np.ndarray:
    """Probabilities by column; a label that training did not show has 0."""
    rows = len(next(iter(told.values())))
    return np.stack([told.get(label, np.zeros(rows)) for label in range(count)], axis=1)


def _log_loss(scores: np.ndarray, check: Examples) -> float:
    """Mean negative log likelihood of what is known."""
    good = np.isfinite(scores).all(axis=1)
    if not good.any():
        return np.inf
    chance = np.clip(scores[good], 1e-6, 1 - 1e-6)
    if check.exclusive:
        return float(-np.log((chance * check.targets[good]).sum(axis=1)).mean())
    shown = check.targets[good] > 0
    every = -np.log(np.where(shown, chance, 1 - chance))
    return float(every[check.known[good]].mean())
