"""Predictions: what a model said about each head, and the file that keeps it."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_write

FORMAT = "facet4d predictions 1"


@dataclass(frozen=True)
class Predictions:
    """One row per head."""

    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, "B K"]
    """Softmax over the labels; rows sum to 1."""
    text_scores: Float[np.ndarray, "B K"]
    """Cosine of the fused face with each label's sentences, -1 to 1; independent of the other labels."""
    view_weights: Float[np.ndarray, "B N"]
    """Share of each view of the rig in the winning label's evidence; rows sum to 1."""

    def __post_init__(self) -> None:
        expected = (len(self.view_weights), len(self.labels))
        if self.probabilities.shape != expected or self.text_scores.shape != expected:
            raise MeshError(
                f"expected scores of shape {expected}, found {self.probabilities.shape} and {self.text_scores.shape}"
            )

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def names(self) -> tuple[str, ...]:
        """The most probable label of each row."""
        return tuple(self.labels[row] for row in self.probabilities.argmax(axis=1))

    def rows(self) -> list[dict[str, object]]:
        """One JSON-ready table per head: its label, and the probabilities from the largest down."""
        return [
            {
                "label": self.labels[int(order[0])],
                "probabilities": {self.labels[k]: round(float(self.probabilities[row, k]), 6) for k in order},
                "text_scores": {self.labels[k]: round(float(self.text_scores[row, k]), 6) for k in order},
                "view_weights": [round(float(weight), 6) for weight in self.view_weights[row]],
            }
            for row, order in enumerate(np.argsort(-self.probabilities, axis=1, kind="stable"))
        ]


def write_predictions(predictions: Predictions, path: str | PathLike[str]) -> None:
    """Write predictions as .npz."""
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            format=np.array(FORMAT),
            labels=np.array(predictions.labels),
            probabilities=predictions.probabilities,
            text_scores=predictions.text_scores,
            view_weights=predictions.view_weights,
        )


def read_predictions(path: str | PathLike[str]) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        MeshFormatError: when the file is none.
    """
    if not Path(path).is_file():
        raise MeshFormatError(path, "file", "a predictions .npz", "nothing")
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["format"]) != FORMAT:
                raise MeshFormatError(path, "format", FORMAT, str(file["format"]))
            arrays = {name: file[name] for name in ("probabilities", "text_scores", "view_weights")}
            return Predictions(tuple(str(label) for label in file["labels"]), **arrays)
    except (KeyError, OSError, ValueError, EOFError, BadZipFile) as error:
        if isinstance(error, MeshError):
            raise
        raise MeshFormatError(path, "content", "arrays of a predictions file", str(error)) from error
