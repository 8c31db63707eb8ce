"""A trained model on held-out identities: saved predictions, reports per protocol, and the baselines beside them."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from facet_vlm.config import DataConfig
from facet_vlm.evaluation.metrics import accuracy, confusion_matrix
from facet_vlm.evaluation.report import Report
from facet_vlm.faces.expression_set import ExpressionSet, expression_set
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import Scores, score_images, softmax
from facet_vlm.language.prompts import label_sentences
from facet_vlm.predict import FacetVLM
from facet_vlm.predictions import Predictions, write_predictions
from mesh4d.datasets.labels import BASIC_EXPRESSIONS, EXPRESSIONS
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.errors import SplitError
from mesh4d.io.atomic import atomic_write
from mesh4d.specs import load_split

SHIFTS = ("other_ways", "coarse", "range_imaged", "rippled")
"""Scenarios beside the plain one: other ways to show an expression on other builds, few triangles, range scans, and a
noise that is never drawn for training."""
SHIFTED_PEOPLE = 20


@dataclass(frozen=True)
class Evaluation:
    """All that one evaluation says."""

    part: str
    proof: str
    """That no identity stands in two parts of the split, nor was trained on."""
    main: Report
    """Eight classes, all intensities, all views."""
    basic: Report
    """The six basic expressions at full intensity, six-way."""
    by_intensity: dict[str, float]
    """Accuracy over eight classes among samples of each intensity (neutral has 0)."""
    basic_by_intensity: dict[str, float]
    """Six-way accuracy over the basic expressions at each intensity."""
    baselines: dict[str, float]
    """Accuracy over eight classes of simpler ways to read the same pictures with the same weights."""
    shifted: dict[str, tuple[float, float, float]]
    """By scenario: accuracy over eight classes, over the six basic ones at full and about half intensity."""

    def summary(self) -> dict[str, object]:
        """The numbers, each under the protocol it belongs to, ready for JSON."""
        return {
            "protocol": self.main.protocol,
            "proof": self.proof,
            "accuracy": self.main.accuracy,
            "uar": self.main.uar,
            "macro_f1": self.main.macro_f1,
            "basic_protocol": self.basic.protocol,
            "basic_accuracy": self.basic.accuracy,
            "accuracy_by_intensity": self.by_intensity,
            "basic_accuracy_by_intensity": self.basic_by_intensity,
            "baselines": self.baselines,
            "shifted": {
                name: [value if np.isfinite(value) else None for value in values]
                for name, values in self.shifted.items()
            },
        }

    def to_markdown(self) -> str:
        """Everything as one page."""
        rows = [
            "",
            "| intensity | accuracy, 8 classes | accuracy, 6 basic |",
            "| --- | ---: | ---: |",
            *(
                f"| {name} | {value:.3f} | "
                + (f"{self.basic_by_intensity[name]:.3f} |" if name in self.basic_by_intensity else "- |")
                for name, value in self.by_intensity.items()
            ),
            "",
            "| way to read the views | accuracy, 8 classes |",
            "| --- | ---: |",
            *(f"| {name} | {value:.3f} |" for name, value in self.baselines.items()),
            "",
            "| what the faces meet | accuracy, 8 classes | 6 basic, full intensity | 6 basic, half |",
            "| --- | ---: | ---: | ---: |",
            *(f"| {name} | " + " | ".join(f"{v:.3f}" for v in row) + " |" for name, row in self.shifted.items()),
            "",
        ]
        return self.main.to_markdown() + "\n".join(rows) + "\n" + self.basic.to_markdown() + f"\n{self.proof}\n"


def evaluate(model: FacetVLM, part: str, folder: Path, data: DataConfig | None = None) -> Evaluation:
    """Judge a model on one part of the split; predictions, reports and pictures go into `folder`.

    Raises:
        SplitError: when an identity of the part was trained on.
    """
    data = data or DataConfig()
    samples = expression_set(part, data, model.card.model, folder / "data")
    proof = subject_proof(model, part, samples, data.split)
    scores = score_images(model.network, samples.images, view_angles(model.card.model.rig), label_sentences())
    predictions = as_predictions(scores)
    write_predictions(predictions, folder / f"{part}-predictions.npz")
    name = f"{data.split}/{part}, {len(np.unique(samples.subjects))} identities, {model.card.model.rig}"
    truth = [EXPRESSIONS[label] for label in samples.labels]
    main = Report.of(predictions, truth, f"{name}, 8 classes, intensity {_span(samples)}", [proof])
    basic = basic_report(scores, samples, f"{name}, 6 basic, intensity 1", samples.intensities == 1.0)
    main.write(folder)
    result = Evaluation(
        part,
        proof,
        main,
        basic,
        by_intensity(scores.fused, samples),
        {
            f"{level:g}": basic_report(scores, samples, name, samples.intensities == level).accuracy
            for level in np.unique(samples.intensities)
            if level > 0
        },
        baseline_accuracies(model, scores, samples),
        {data.scenario: accuracies(scores.fused, samples)} | shifted_accuracies(model, part, folder, data),
    )
    with atomic_write(folder / "evaluation.md", text=True) as file:
        file.write(result.to_markdown())
    return result


def shifted_accuracies(
    model: FacetVLM, part: str, folder: Path, data: DataConfig
) -> dict[str, tuple[float, float, float]]:
    """What `Evaluation.shifted` says, for each of SHIFTS, on the first people of the part."""
    found = {}
    for scenario in SHIFTS:
        people = min(data.max_train_subjects or SHIFTED_PEOPLE, SHIFTED_PEOPLE)
        shifted = dataclasses.replace(data, scenario=scenario, max_train_subjects=people)
        samples = expression_set(part, shifted, model.card.model, folder / "data")
        scores = score_images(model.network, samples.images, view_angles(model.card.model.rig), label_sentences())
        found[f"{scenario}, {len(np.unique(samples.subjects))} identities"] = accuracies(scores.fused, samples)
    return found


def accuracies(fused: Float[np.ndarray, "B K"], samples: ExpressionSet) -> tuple[float, float, float]:
    """Eight-way accuracy; six-way over the basic expressions at full intensity, and at 0.5; NaN without any."""
    basic = [EXPRESSIONS.index(label) for label in BASIC_EXPRESSIONS]
    right = np.array(basic)[fused[:, basic].argmax(axis=1)] == samples.labels
    is_basic = np.isin(samples.labels, basic)
    shares = [right[is_basic & (samples.intensities == level)] for level in (1.0, 0.5)]
    full, half = (float(share.mean()) if len(share) else float("nan") for share in shares)
    return float((fused.argmax(axis=1) == samples.labels).mean()), full, half


def subject_proof(model: FacetVLM, part: str, samples: ExpressionSet, split: str) -> str:
    """The sentence that says who was trained on and who is judged.

    Raises:
        SplitError: when they share an identity, or the split shares one between its parts.
    """
    whole = prove_disjoint(load_split(split))
    judged = np.unique(samples.subjects).tolist()
    used = set(model.card.train_subjects) | (set() if part == "validation" else set(model.card.validation_subjects))
    shared = sorted(used & set(judged))
    if shared:
        raise SplitError(f"identities {shared[:5]} of part {part!r} were used to train {model.card.name!r}")
    return (
        f"split {split!r}: {whole}; none of the {len(judged)} judged identities was used to train or select the model"
    )


def as_predictions(scores: Scores) -> Predictions:
    """Scores over the canonical labels as Predictions."""
    return Predictions(EXPRESSIONS, scores.probabilities, scores.fused, scores.view_weights)


def basic_report(scores: Scores, samples: ExpressionSet, protocol: str, chosen: Bool[np.ndarray, " B"]) -> Report:
    """The six basic expressions among the chosen samples, decided among these six."""
    columns = [EXPRESSIONS.index(label) for label in BASIC_EXPRESSIONS]
    rows = np.flatnonzero(chosen & np.isin(samples.labels, columns))
    fused = scores.fused[rows][:, columns]
    predictions = Predictions(BASIC_EXPRESSIONS, softmax(scores.scale * fused), fused, scores.view_weights[rows])
    return Report.of(predictions, [EXPRESSIONS[label] for label in samples.labels[rows]], protocol)


def by_intensity(fused: Float[np.ndarray, "B K"], samples: ExpressionSet) -> dict[str, float]:
    """Accuracy over all classes at each intensity."""
    right = fused.argmax(axis=1) == samples.labels
    return {f"{level:g}": float(right[samples.intensities == level].mean()) for level in np.unique(samples.intensities)}


def baseline_accuracies(model: FacetVLM, scores: Scores, samples: ExpressionSet) -> dict[str, float]:
    """Eight-class accuracy of CVSA and MTGF, and of ways without them, on the same pictures."""
    frontal = int(np.abs(view_angles(model.card.model.rig)).sum(axis=1).argmin())
    only = np.zeros(samples.images.shape[:2], bool)
    only[:, frontal] = True
    alone = score_images(model.network, samples.images, view_angles(model.card.model.rig), label_sentences(), only)
    ways = {
        "CVSA and MTGF, all views": scores.fused,
        "CVSA and MTGF, frontal view only": alone.fused,
        "frontal view alone, no fusion": scores.per_view[:, frontal],
        "mean of the views' scores, no fusion": scores.per_view.mean(axis=1),
    }
    return {
        name: accuracy(confusion_matrix(samples.labels, values.argmax(axis=1), len(EXPRESSIONS)))
        for name, values in ways.items()
    }


def _span(samples: ExpressionSet) -> str:
    levels = samples.intensities[samples.intensities > 0]
    return f"{levels.min():g} to {levels.max():g}" if len(levels) else "0"
