"""Zero-shot: the weights as they are, asked by sentences; nothing is learnt from the data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aublend.captions import face_caption
from aublend.curves import half_weights
from facet_vlm.evaluation.features import sentence_cosines
from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.learner import Fitted
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
    name: str = "zero-shot"
    title: str = "zero-shot by sentences"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Learns nothing; the threshold of a label by itself is a half."""
        thresholds = None if train.exclusive else np.full(len(self.questions), 0.5)
        return Fitted(lambda items: self.score(items, train.exclusive), thresholds)

    def score(self, items: Items, exclusive: bool) -> np.ndarray:
        """Probabilities of the labels."""
        ways = {f"{label}/{way}": texts for label, ask in self.questions.items() for way, texts in ask.items()}
        sentences = ways | {"rest": class_sentences("neutral")}
        cosines = sentence_cosines(self.model, items.views, items.patches, sentences)
        logits = float(self.model.network.scale.detach()) * cosines
        columns = list(sentences)
        of_label = [[columns.index(f"{label}/{way}") for way in ask] for label, ask in self.questions.items()]
        strongest = np.stack([logits[:, some].max(axis=1) for some in of_label], axis=1)
        if exclusive:
            scores = softmax(strongest)
        else:
            scores = 1.0 / (1.0 + np.exp(np.clip(logits[:, -1:] - strongest, -60, 60)))
        scores[items.failed] = np.nan
        return scores


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
