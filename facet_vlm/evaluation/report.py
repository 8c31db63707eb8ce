"""Predictions and truth to numbers, a table and a picture; never touches a model."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Int

from facet_vlm.evaluation.metrics import accuracy, confusion_matrix, f1_per_class, macro_f1, unweighted_average_recall
from facet_vlm.predictions import Predictions
from mesh4d.errors import MeshError
from mesh4d.io.atomic import atomic_write


@dataclass(frozen=True)
class Report:
    """How predictions compare to the truth."""

    protocol: str
    """What was asked: data, split, views and label set. No number goes without it."""
    labels: tuple[str, ...]
    confusion: Int[np.ndarray, "K K"]
    """Counts; rows are the true class."""
    accuracy: float
    """Share right of all (WAR)."""
    uar: float
    """Mean recall over classes."""
    macro_f1: float
    mean_view_weights: tuple[float, ...] = ()
    """How much MTGF relied on each view, on average."""
    notes: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        return int(self.confusion.sum())

    @classmethod
    def of(cls, predictions: Predictions, truth: Sequence[str], protocol: str, notes: Sequence[str] = ()) -> "Report":
        """Compare predictions to true labels.

        Raises:
            MeshError: when the counts differ or a true label is none of the predictions' labels.
        """
        if len(truth) != len(predictions):
            raise MeshError(f"expected {len(predictions)} true labels, one per prediction; found {len(truth)}")
        unknown = sorted(set(truth) - set(predictions.labels))
        if unknown:
            raise MeshError(f"true labels must be among {predictions.labels}, found {unknown}")
        rows = np.array([predictions.labels.index(label) for label in truth], dtype=np.int64)
        confusion = confusion_matrix(rows, predictions.probabilities.argmax(axis=1), len(predictions.labels))
        weights = tuple(round(float(value), 4) for value in predictions.view_weights.mean(axis=0))
        return cls(
            protocol,
            predictions.labels,
            confusion,
            accuracy(confusion),
            unweighted_average_recall(confusion),
            macro_f1(confusion),
            weights,
            tuple(notes),
        )

    def to_json(self) -> str:
        """All fields as JSON."""
        content = dataclasses.asdict(self) | {"confusion": self.confusion.tolist(), "n_samples": self.n_samples}
        return json.dumps(content, indent=1)

    def to_markdown(self) -> str:
        """Numbers, per-class recall and F1, and the confusion counts."""
        f1 = f1_per_class(self.confusion)
        lines = [
            f"# {self.protocol}",
            "",
            f"{self.n_samples} samples: accuracy (WAR) {self.accuracy:.4f}, UAR {self.uar:.4f}, "
            f"macro F1 {self.macro_f1:.4f}",
            "",
            "| true \\ predicted | " + " | ".join(self.labels) + " | recall | F1 |",
            "| --- |" + " ---: |" * (len(self.labels) + 2),
        ]
        for row, label in enumerate(self.labels):
            counts = self.confusion[row]
            recall = counts[row] / counts.sum() if counts.sum() else float("nan")
            lines.append(f"| {label} | " + " | ".join(map(str, counts)) + f" | {recall:.3f} | {f1[row]:.3f} |")
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"

    def write(self, folder: str | PathLike[str]) -> None:
        """Write report.json, report.md and confusion.png into an existing folder."""
        folder = Path(folder)
        for name, text in (("report.json", self.to_json()), ("report.md", self.to_markdown())):
            with atomic_write(folder / name, text=True) as file:
                file.write(text)
        self.plot(folder / "confusion.png")

    def plot(self, path: str | PathLike[str]) -> None:
        """The confusion matrix as a PNG: counts, and percentages of each true class."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        totals = self.confusion.sum(axis=1, keepdims=True)
        share = self.confusion / np.maximum(totals, 1)
        size = 2.6 + 0.85 * len(self.labels)
        figure = Figure((size, size * 0.92), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*self.confusion.shape):
            count = self.confusion[row, column]
            if count:
                ink = "white" if share[row, column] > 0.5 else "#222222"
                axes.text(
                    column, row, f"{count}\n{share[row, column]:.0%}", ha="center", va="center", color=ink, fontsize=10
                )
        axes.set_xticks(range(len(self.labels)), self.labels, rotation=40, ha="right", fontsize=11)
        axes.set_yticks(range(len(self.labels)), self.labels, fontsize=11)
        axes.set_xlabel("predicted", fontsize=11)
        axes.set_ylabel("true", fontsize=11)
        axes.set_title(
            f"{self.protocol}\naccuracy {self.accuracy:.1%}, UAR {self.uar:.1%}, {self.n_samples} samples",
            fontsize=11,
            wrap=True,
        )
        with atomic_write(path) as file:
            canvas.print_png(file)
