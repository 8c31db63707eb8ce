"""Labels that are given by sentences alone: how well they are found among the others, in several people's wordings.

A label's score depends on its own sentences only, so every wording is scored in one pass over the pictures and then
put in the label's place among the others.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from facet_vlm.config import DataConfig
from facet_vlm.evaluation.gestures import gesture_faces, gesture_sentences, wordings
from facet_vlm.evaluation.ranking import roc_auc
from facet_vlm.faces.expression_set import render_subjects
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import score_images, softmax
from facet_vlm.language.prompts import label_sentences
from facet_vlm.predict import FacetVLM
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import SpecError, SplitError
from mesh4d.io.atomic import atomic_write
from mesh4d.specs import load_split, load_toml


@dataclass(frozen=True)
class Found:
    """How well one wording finds its label."""

    sentences: tuple[str, ...]
    accuracy: float
    """Of all faces over all labels, with this wording for the one label."""
    recall: float
    """Share of the label's faces that are called by it."""
    auc: float
    """Chance that one of its faces gets a higher probability of the label than one of the others' faces."""


@dataclass(frozen=True)
class ZeroShot:
    """One label by all of its wordings."""

    label: str
    wordings: tuple[Found, ...]
    together: Found
    """The mean of all wordings as the label's text."""

    def mean(self, measure: str) -> float:
        """Mean over the wordings of 'accuracy', 'recall' or 'auc'."""
        return float(np.mean([getattr(found, measure) for found in self.wordings]))

    def worst(self, measure: str) -> float:
        """The least over the wordings."""
        return float(min(getattr(found, measure) for found in self.wordings))


@dataclass(frozen=True)
class ZeroShotReport:
    """Labels asked for by sentences, and what the numbers hold for."""

    protocol: str
    labels: tuple[str, ...]
    """All that were to be chosen among."""
    n_faces: int
    n_subjects: int
    accuracy: float
    """Over all labels, each by all of its sentences."""
    found: tuple[ZeroShot, ...]

    def to_markdown(self) -> str:
        """A row per label, and its wordings below."""
        lines = [
            f"# {self.protocol}",
            "",
            f"{self.n_faces} faces of {self.n_subjects} identities, {len(self.labels)} labels "
            f"({', '.join(self.labels)}); accuracy with all sentences {self.accuracy:.3f}",
            "",
            "| label | recall, mean wording | worst | AUC, mean wording | worst | recall, all together | AUC |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {one.label} | {one.mean('recall'):.3f} | {one.worst('recall'):.3f} | {one.mean('auc'):.3f} | "
                f"{one.worst('auc'):.3f} | {one.together.recall:.3f} | {one.together.auc:.3f} |"
                for one in self.found
            ),
            "",
            "| wording | label | accuracy | recall | AUC |",
            "| --- | --- | ---: | ---: | ---: |",
            *(
                f"| {' / '.join(said.sentences)} | {one.label} | {said.accuracy:.3f} | {said.recall:.3f} | "
                f"{said.auc:.3f} |"
                for one in self.found
                for said in one.wordings
            ),
        ]
        return "\n".join(lines) + "\n"

    def summary(self) -> dict[str, object]:
        """Means and worst wordings, ready for JSON."""
        measures = ("accuracy", "recall", "auc")
        return {
            "protocol": self.protocol,
            "accuracy": self.accuracy,
            "labels": {
                one.label: {f"mean_{name}": round(one.mean(name), 4) for name in measures}
                | {f"worst_{name}": round(one.worst(name), 4) for name in measures}
                for one in self.found
            },
        }

    def write(self, folder: Path, name: str) -> None:
        """NAME.md and NAME.json into an existing folder."""
        for suffix, text in ((".md", self.to_markdown()), (".json", json.dumps(dataclasses.asdict(self), indent=1))):
            with atomic_write(folder / f"{name}{suffix}", text=True) as file:
                file.write(text)


def judged_wording(
    cosines: Float[np.ndarray, "B K"],
    candidate: Float[np.ndarray, " B"],
    column: int,
    truth: Int[np.ndarray, " B"],
    scale: float,
    sentences: Sequence[str],
) -> Found:
    """What is found when `candidate` stands in one label's place among the others.

    Args:
        cosines: of every face with every label, margins added.
        column: the label that is asked for.
        truth: the right column of each face.
        scale: logits are scale * cosine.
    """
    placed = cosines.copy()
    placed[:, column] = candidate
    predicted, positive = placed.argmax(axis=1), truth == column
    auc = roc_auc(softmax(scale * placed)[:, column], positive)
    return Found(
        tuple(sentences),
        float((predicted == truth).mean()),
        float((predicted[positive] == column).mean()) if positive.any() else float("nan"),
        auc,
    )


def zero_shot(
    model: FacetVLM,
    images: UInt8[np.ndarray, "B N 3 H W"],
    truth: Int[np.ndarray, " B"],
    sentences: Mapping[str, Sequence[str]],
    asked: Sequence[str],
) -> tuple[float, tuple[ZeroShot, ...]]:
    """Accuracy over all labels, and each asked label by each of its sentences alone among the others.

    Args:
        truth: rows of `sentences`.
        sentences: every label's text; of an asked label, its wordings.
    """
    each = wordings({label: sentences[label] for label in asked})
    names, columns = list(sentences), list(sentences) + list(each)
    scores = score_images(model.network, images, view_angles(model.card.model.rig), {**sentences, **each})
    helped = scores.fused + model.margins([name.partition("#")[0] for name in columns])
    whole = helped[:, : len(names)]
    found = []
    for label in asked:
        column = names.index(label)
        mine = [columns.index(name) for name in each if name.rpartition("#")[0] == label]
        single = tuple(
            judged_wording(whole, helped[:, row], column, truth, scores.scale, each[columns[row]]) for row in mine
        )
        together = judged_wording(whole, whole[:, column], column, truth, scores.scale, sentences[label])
        found.append(ZeroShot(label, single, together))
    return float((whole.argmax(axis=1) == truth).mean()), tuple(found)


def expression_by_sentences(model: FacetVLM, label: str, part: str, most_subjects: int) -> ZeroShotReport:
    """One expression by the wordings of zero_shot.toml, the others by their own sentences, on held-out identities.

    Raises:
        SpecError: an expression that zero_shot.toml does not word.
        SplitError: identities that the model was trained on.
    """
    table = load_toml("zero_shot")["expression"]
    if label not in table:
        raise SpecError(f"data_specs/zero_shot.toml: expected an expression among {sorted(table)}, found {label!r}")
    data = DataConfig()
    subjects = held_out_subjects(model, part, most_subjects, data.split)
    samples = render_subjects(subjects, data, model.card.model, training=False)
    sentences = label_sentences() | {label: tuple(table[label]["sentences"])}
    accuracy, found = zero_shot(model, samples.images, samples.labels, sentences, [label])
    known = "never shown in training" if label in model.card.held_out_labels else "which training showed"
    protocol = (
        f"{label}, {known}, by sentences among {len(EXPRESSIONS)} expressions, {data.split}/{part}, {model.card.name}"
    )
    return ZeroShotReport(protocol, EXPRESSIONS, len(samples), len(subjects), accuracy, found)


def gestures_by_sentences(
    model: FacetVLM, part: str, most_subjects: int, intensities: Sequence[float] = (0.6, 1.0)
) -> ZeroShotReport:
    """Gestures that no training names, each by its wordings among the others, on held-out identities."""
    split = DataConfig().split
    subjects = held_out_subjects(model, part, most_subjects, split)
    faces = gesture_faces(subjects, intensities, model.card.model)
    sentences = gesture_sentences()
    accuracy, found = zero_shot(model, faces.images, faces.labels, sentences, list(sentences))
    levels = " and ".join(f"{level:g}" for level in intensities)
    protocol = f"gestures by sentences, intensity {levels}, {split}/{part}, {model.card.name}"
    return ZeroShotReport(protocol, faces.names, len(faces), len(subjects), accuracy, found)


def held_out_subjects(model: FacetVLM, part: str, most: int, split: str) -> list[int]:
    """The first identities of a part of the split, none of which the model has seen.

    Raises:
        SplitError: when it has seen one, or there is no such part.
    """
    parts = load_split(split)
    if part not in parts:
        raise SplitError(f"split {split!r} has parts {sorted(parts)}, found {part!r}")
    subjects = [int(subject) for subject in parts[part]][:most]
    seen = sorted(set(subjects) & (set(model.card.train_subjects) | set(model.card.validation_subjects)))
    if seen:
        raise SplitError(f"identities {seen[:5]} of part {part!r} were used to train {model.card.name!r}")
    return subjects
