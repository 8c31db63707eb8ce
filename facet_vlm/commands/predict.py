"""Name the expression of meshes and sequences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mesh4d.errors import MeshError

MESH_SUFFIXES = (".obj", ".ply", ".stl", ".off", ".wrl", ".glb", ".gltf", ".npz", ".bnt")
"""What is looked for in a folder."""


@dataclass(frozen=True)
class Predict:
    """Name the expression of each mesh or sequence file.

    Labels are the eight canonical expressions, or those named with --labels. A new label is a sentence that says what
    the face does: --labels "wink=one eye closes strongly" happiness.
    """

    meshes: Positional[tuple[Path, ...]]
    """Mesh files of any format and topology, or folders of them."""
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
        from facet_vlm.predict import FacetVLM, load
        from facet_vlm.predictions import write_predictions
        from mesh4d.io import read_sequence

        if not self.meshes:
            raise MeshError("expected at least one mesh file, found none")
        labels = named_labels(self.labels) if self.prompts is None else read_prompts(self.prompts)
        model, failures = load(self.model, self.device), {}
        if self.sequences or not isinstance(model, FacetVLM):
            paths, predictions = self.meshes, model.predict([read_sequence(path) for path in self.meshes], labels)
        else:
            done = model.predict_files(mesh_files(self.meshes), labels)
            paths, predictions, failures = done.paths, done.predictions, done.failures
        if self.output is not None:
            write_predictions(predictions, self.output)
        rows = predictions.rows()
        lines = [
            f"{path}: " + ", ".join(f"{label} {value:.3f}" for label, value in top_probabilities(row)[:3])
            for path, row in zip(paths, rows, strict=True)
        ]
        lines += [f"{path}: not read: {error}" for path, error in failures.items()]
        files = [{"file": str(path)} | row for path, row in zip(paths, rows, strict=True)]
        unread = [{"file": str(path), "error": error} for path, error in failures.items()]
        return {"table": "\n".join(lines), "details": files + unread}


def mesh_files(paths: tuple[Path, ...]) -> list[Path]:
    """The files named, and of folders the mesh files right in them, by name.

    Raises:
        MeshError: a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in MESH_SUFFIXES)
        if not inside:
            raise MeshError(f"{path}: expected mesh files ({', '.join(MESH_SUFFIXES)}), found none")
        found += inside
    return found


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
