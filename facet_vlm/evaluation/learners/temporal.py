"""The temporal module under a protocol: it reads tokens of a sequence's frames, as it is or fitted per fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.learners.learner import Fitted, Group, best_thresholds, held_out
from facet_vlm.evaluation.learners.zero_shot import Question
from facet_vlm.evaluation.motion import Motion
from facet_vlm.faces.frame_tokens import FrameTokens
from facet_vlm.faces.sequences import category_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.training.temporal_learner import FittedTemporal, TemporalLearner


@dataclass(frozen=True)
class TemporalZeroShot:
    """The temporal module as it was shipped, asked by sentences."""

    motion: Motion
    texts: Float[torch.Tensor, "K D"]
    exclusive: bool
    name: str = "temporal-zero-shot"
    title: str = "temporal module, zero-shot by sentences"
    group: Group = "own"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learns nothing; the threshold of a label by itself is a half."""
        if self.motion.start is None:
            return Fitted(lambda items: np.full((len(items), len(self.texts)), np.nan))
        asked = FittedTemporal(self.motion.start, self.texts, self.exclusive, 0)
        return Fitted(lambda items: _scores(asked, self.motion, items), None if self.exclusive else self._half())

    def _half(self) -> Float[np.ndarray, " K"]:
        return np.full(len(self.texts), 0.5)


@dataclass(frozen=True)
class TemporalFusion:
    """A temporal module fitted to each fold; a record of one frame is a sequence of one."""

    motion: Motion
    texts: Float[torch.Tensor, "K D"]
    name: str = "temporal"
    group: Group = "own"

    @property
    def title(self) -> str:
        """What it does, for tables."""
        return f"temporal module, {'trained' if self.motion.start is None else 'tuned'} per fold, 3D network frozen"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Train until people held out of the training people are told no better; keep that epoch."""
        aside = held_out(train.people, rng)
        learner = TemporalLearner(self.texts, train.exclusive, self.motion.start)
        fitted = learner.fit(self.motion.sequences(train.items), train.targets, rng, train.known, aside)
        thresholds = None
        if not train.exclusive:
            check = train if aside is None else train.take(np.flatnonzero(aside))
            thresholds = best_thresholds(_scores(fitted, self.motion, check.items), check.targets, check.known)
        return Fitted(
            lambda items: _scores(fitted, self.motion, items), thresholds, {"epoch": float(fitted.best_epoch)}
        )


def temporal_texts(
    network: FacetNetwork, questions: Mapping[str, Question], exclusive: bool
) -> Float[torch.Tensor, "K D"]:
    """Unit embedding of each label: of a category of micro-expressions by the sentences that the module learnt."""
    known = {} if exclusive else category_sentences()
    sentences: dict[str, Sequence[str]] = {
        label: known.get(label) or [text for way in ask.values() for text in way] for label, ask in questions.items()
    }
    with torch.inference_mode():
        return network.classes(sentences).cpu().clone()


def _scores(fitted: FittedTemporal, motion: Motion, items: Items) -> Float[np.ndarray, "B K"]:
    """Probabilities; NaN for a record without a readable frame."""
    scores = np.full((len(items), len(fitted.texts)), np.nan)
    good = np.flatnonzero(~items.failed)
    if len(good):
        sequences: list[FrameTokens] = motion.sequences(items.take(good))
        scores[good] = fitted.predict(sequences)
    return scores
