"""Zero-shot: the weights as they are, asked by sentences; nothing is learnt from the data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from aublend.captions import face_caption
from aublend.curves import half_weights
from facet_vlm.evaluation.features import sentence_cosines
from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.learner import Fitted, Group
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import softmax
from facet_vlm.language.prompts import class_sentences
from mesh4d.datasets.protocols import Task
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

SPOKEN_WEIGHT = 0.7
"""Of a unit in the sentence that asks for it."""

Question = dict[str, Sequence[str]]
"""Ways to show a label, each with its sentences; the label is shown when one of them is."""


@dataclass(frozen=True)
class ZeroShot:
    """Softmax over the labels' sentences; where labels do not exclude each other, each against a face at rest."""

    model: JudgedModel
    questions: Mapping[str, Question]
    exclusive: bool
    views: tuple[int, ...] | None = None
    """Rows of the rig that are seen; None is all of them."""
    name: str = "zero-shot"
    title: str = "zero-shot by sentences"
    group: Group = "own"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learns nothing; the threshold of a label by itself is a half."""
        return Fitted(self.score, None if self.exclusive else np.full(len(self.questions), 0.5))

    def score(self, items: Items) -> Float[np.ndarray, "B K"]:
        """Probabilities of the labels."""
        scores = self.probabilities(items.views, items.patches)
        scores[items.failed] = np.nan
        return scores

    def probabilities(
        self, views: Float[np.ndarray, "R N D"], patches: Float[np.ndarray, "R N C h w"]
    ) -> Float[np.ndarray, "R K"]:
        """Of pictures by the towers' outputs."""
        ways = {f"{label}/{way}": texts for label, ask in self.questions.items() for way, texts in ask.items()}
        sentences = ways | {"rest": class_sentences("neutral")}
        cosines = sentence_cosines(self.model, views, patches, sentences, self.views)
        logits = float(self.model.network.scale.detach()) * cosines
        columns = list(sentences)
        of_label = [[columns.index(f"{label}/{way}") for way in ask] for label, ask in self.questions.items()]
        strongest = np.stack([logits[:, some].max(axis=1) for some in of_label], axis=1)
        if self.exclusive:
            return softmax(strongest)
        return 1.0 / (1.0 + np.exp(np.clip(logits[:, -1:] - strongest, -60, 60)))


@dataclass(frozen=True)
class FrameRule:
    """Zero-shot of every frame of a sequence, and a rule that brings their probabilities together."""

    asked: ZeroShot
    rule: Literal["mean", "max"]
    group: Group = "rule"

    @property
    def name(self) -> str:
        """Short, as on the command line."""
        return f"frames-{self.rule}"

    @property
    def title(self) -> str:
        """What it does, for tables."""
        return f"zero-shot, {self.rule} over frames"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learns nothing."""
        return Fitted(self.score, self.asked.fit(train, rng).thresholds)

    def score(self, items: Items) -> Float[np.ndarray, "B K"]:
        """Probabilities of the labels; the largest ones over frames are brought back to a sum of 1."""
        if items.table is None:
            return self.asked.score(items)
        rows = sorted({row for some in items.frames for row in some})
        place = {row: number for number, row in enumerate(rows)}
        scores = np.full((len(items), len(self.asked.questions)), np.nan)
        if rows:
            frames = self.asked.probabilities(items.table.views[rows], items.table.patches[rows])
            pool = np.mean if self.rule == "mean" else np.max
            for record, some in enumerate(items.frames):
                if some:
                    scores[record] = pool(frames[[place[row] for row in some]], axis=0)
        return scores / scores.sum(axis=1, keepdims=True) if self.asked.exclusive else scores


@dataclass(frozen=True)
class AskedOnce:
    """A learner that learns nothing judges all records of a run once; folds look their rows up."""

    learner: ZeroShot | FrameRule
    everything: Items

    @property
    def name(self) -> str:
        """Of the learner."""
        return self.learner.name

    @property
    def title(self) -> str:
        """Of the learner."""
        return self.learner.title

    @property
    def group(self) -> Group:
        """Of the learner."""
        return self.learner.group

    @cached_property
    def scores(self) -> Float[np.ndarray, "B K"]:
        """Of all records."""
        return self.learner.score(self.everything)

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learns nothing."""
        return Fitted(lambda items: self.scores[items.places], self.learner.fit(train, rng).thresholds)


def single_views(asked: ZeroShot) -> list[ZeroShot]:
    """The same questions, each time with one view of the rig alone: what each view tells."""
    angles = view_angles(asked.model.config.rig)
    return [
        ZeroShot(
            asked.model, asked.questions, asked.exclusive, (row,), f"view{row}",
            f"view {row}: yaw {yaw:+.0f}°, pitch {pitch:+.0f}°", "view",
        )
        for row, (yaw, pitch) in enumerate(angles.tolist())
    ]  # fmt: skip


def questions_of(task: Task, classes: Sequence[str]) -> dict[str, Question]:
    """What to ask for each class of a protocol.

    Raises:
        SpecError: a category that data_specs/categories.toml does not explain.
    """
    if task == "expression":
        return {label: {label: class_sentences(label)} for label in classes}
    if task == "units":
        return {unit: {unit: (unit_sentence(unit),)} for unit in classes}
    meanings = load_toml("categories")["categories"]
    unknown = sorted(set(classes) - set(meanings))
    if unknown:
        raise SpecError(f"data_specs/categories.toml: expected {', '.join(unknown)}, found {sorted(meanings)}")
    questions: dict[str, Question] = {}
    for label in classes:
        questions[label] = {name: class_sentences(name) for name in meanings[label].get("expressions", ())}
        questions[label] |= {unit: (unit_sentence(unit),) for unit in meanings[label].get("units", ())}
    return questions


def unit_sentence(unit: str) -> str:
    """The caption of a face that shows this unit alone."""
    return face_caption(half_weights({unit: SPOKEN_WEIGHT}))
