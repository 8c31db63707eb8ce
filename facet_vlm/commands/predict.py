"""Name the expression of meshes and sequences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Predict:
    """Name the expression of each mesh or sequence file.

    Labels are the eight canonical expressions, or those named with --labels. A new label is a sentence that says what
    the face does: --labels "wink=one eye closes strongly" happiness.
    """

    meshes: Positional[tuple[Path, ...]]
    """Mesh files of any format and topology."""
    labels: tuple[str, ...] = ()
    """Labels to choose among; NAME=SENTENCE makes a new one."""
    prompts: Path | None = None
    """A label set that `facet-vlm prompts` learned; goes before --labels."""
    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Also keep the predictions in this .npz, for `facet-vlm report`."""
    sequences: bool = False
    """Read each file as a sequence; its apex frame decides."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.language.learned_prompts import read_prompts
        from facet_vlm.predict import load
        from facet_vlm.predictions import write_predictions
        from mesh4d.io import read_mesh, read_sequence

        if not self.meshes:
            raise MeshError("expected at least one mesh file, found none")
        shapes = [read_sequence(path) if self.sequences else read_mesh(path) for path in self.meshes]
        labels = named_labels(self.labels) if self.prompts is None else read_prompts(self.prompts)
        predictions = load(self.model, self.device).predict(shapes, labels)
        if self.output is not None:
            write_predictions(predictions, self.output)
        rows = predictions.rows()
        lines = [
            f"{path}: " + ", ".join(f"{label} {value:.3f}" for label, value in top_probabilities(row)[:3])
            for path, row in zip(self.meshes, rows, strict=True)
        ]
        files = [{"file": str(path)} | row for path, row in zip(self.meshes, rows, strict=True)]
        return {"table": "\n".join(lines), "details": files}


def named_labels(labels: tuple[str, ...]) -> dict[str, str | tuple[str, ...]] | None:
    """The --labels option as sentences per label; None where it was not given."""
    from facet_vlm.language.prompts import class_sentences

    if not labels:
        return None
    parts = [label.partition("=") for label in labels]
    return {name: sentence if equals else class_sentences(name) for name, equals, sentence in parts}


def top_probabilities(row: dict[str, object]) -> list[tuple[str, float]]:
    """Labels and probabilities of one row of `Predictions.rows`, from the largest down."""
    probabilities = row["probabilities"]
    return list(probabilities.items()) if isinstance(probabilities, dict) else []
