"""What a learner is: it fits examples, and then gives probabilities for items whose labels it never gets.

Whatever is chosen (when to stop, how strongly to regularise, from which probability on a label is told) is chosen on
people held out of the TRAINING people.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from facet_vlm.evaluation.items import Examples, Items

HELD_OUT_SHARE = 0.15
GRID = np.round(np.arange(0.05, 0.96, 0.05), 2)

Group = Literal["own", "rule", "peer", "view", "part"]
"""own: the judged model. rule: it, by a rule over frames. peer: simpler ways. view: it, seeing one view. part: it,
tuned with a part off."""
Scorer = Callable[[Items], Float[np.ndarray, "B K"]]
"""Probabilities of each label; NaN rows for items that cannot be judged."""


@dataclass(frozen=True)
class Fitted:
    """A learner that has learnt."""

    score: Scorer
    thresholds: Float[np.ndarray, " K"] | None = None
    """A label is told from this probability on; None where labels exclude each other."""
    notes: dict[str, float] = field(default_factory=dict)
    """What was chosen, such as the epoch."""


@runtime_checkable
class Learner(Protocol):
    """One way to recognise, judged under the same folds as all others."""

    @property
    def name(self) -> str:
        """Short, as on the command line."""
        ...

    @property
    def title(self) -> str:
        """What it does, for tables."""
        ...

    @property
    def group(self) -> Group:
        """The table it belongs to."""
        ...

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learn from the fold's training records.

        Args:
            train: those that could be read.
            rng: the only source of chance.
        """
        ...


def held_out(people: tuple[str, ...], rng: np.random.Generator) -> Bool[np.ndarray, " B"] | None:
    """Records of some people, to choose by, drawn from those of the training part; None when there is only one."""
    names = sorted(set(people))
    if len(names) < 2:
        return None
    count = max(1, round(HELD_OUT_SHARE * len(names)))
    chosen = set(rng.choice(names, count, replace=False).tolist())
    return np.array([name in chosen for name in people])


def best_thresholds(
    probabilities: Float[np.ndarray, "B K"], targets: Float[np.ndarray, "B K"], known: Bool[np.ndarray, "B K"]
) -> Float[np.ndarray, " K"]:
    """Per label the threshold of best F1 on held-out training people; of equals the one nearest to a half.

    A label that none of them shows gets 0.5.
    """
    chosen = np.full(targets.shape[1], 0.5)
    for label in range(targets.shape[1]):
        rows = known[:, label] & np.isfinite(probabilities[:, label])
        truth = targets[rows, label] > 0
        if not truth.any():
            continue
        told = probabilities[rows, label][:, None] >= GRID
        hits = (told & truth[:, None]).sum(axis=0)
        f1 = 2 * hits / (told.sum(axis=0) + truth.sum())
        best = np.flatnonzero(f1 >= f1.max() - 1e-12)
        chosen[label] = GRID[best[np.argmin(np.abs(GRID[best] - 0.5))]]
    return chosen
