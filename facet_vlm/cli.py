"""The command `facet-vlm`: train, judge and use the expression model."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, Positional, arg, subcommand

from mesh4d.command import run_command
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Train:
    """Train a preset from nothing: synthesise faces, render them, train, write weights.

    The identities are those of data_specs/splits: its part 'train' to learn from, 'validation' to choose the epoch, and
    'test' once at the end, for the model card. The run folder keeps the configuration, the rendered data, a checkpoint,
    TensorBoard events, the weights with their card, and the report. A run that was cut off goes on when the same
    command is given again.
    """

    preset: str = "facet-mini"
    """Configuration to train; facet_vlm/config.py lists them."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Run folder; runs/PRESET by default."""
    epochs: int | None = None
    """Fewer or more passes than the preset's; the weights then differ from the shipped ones."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.config import preset
        from facet_vlm.train import run_training

        config = preset(self.preset)
        command = f"facet-vlm train --preset {self.preset}"
        if self.epochs is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=self.epochs))
            command += f" --epochs {self.epochs}"
        done = run_training(config, self.output or Path("runs") / self.preset, command, self.device)
        return {"weights": str(done.weights), **done.card.metrics}


@dataclass(frozen=True)
class Eval:
    """Judge a model on identities it never saw; print accuracy, the proof of that, and simpler ways beside it."""

    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    part: Literal["validation", "test", "demo"] = "test"
    """Part of the split to judge on."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/facet-eval")
    """Folder for predictions, report.md, report.json and confusion.png."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluate import evaluate
        from facet_vlm.predict import load

        self.output.mkdir(parents=True, exist_ok=True)
        done = evaluate(load(self.model, self.device), self.part, self.output)
        return done.summary() | {"report": str(self.output)}


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
    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Also keep the predictions in this .npz, for `facet-vlm report`."""
    sequences: bool = False
    """Read each file as a sequence; its apex frame decides."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.predict import load
        from facet_vlm.predictions import write_predictions
        from mesh4d.io import read_mesh, read_sequence

        if not self.meshes:
            raise MeshError("expected at least one mesh file, found none")
        shapes = [read_sequence(path) if self.sequences else read_mesh(path) for path in self.meshes]
        predictions = load(self.model, self.device).predict(shapes, named_labels(self.labels))
        if self.output is not None:
            write_predictions(predictions, self.output)
        rows = predictions.rows()
        lines = [
            f"{path}: " + ", ".join(f"{label} {value:.3f}" for label, value in top_probabilities(row)[:3])
            for path, row in zip(self.meshes, rows, strict=True)
        ]
        files = [{"file": str(path)} | row for path, row in zip(self.meshes, rows, strict=True)]
        return {"table": "\n".join(lines), "details": files}


@dataclass(frozen=True)
class ReportOf:
    """Compare saved predictions to the truth: report.json, report.md and a picture of the confusion matrix."""

    predictions: Positional[Path]
    """An .npz from `facet-vlm predict -o`."""
    truth: Positional[Path]
    """A text file with the true label of each row, one a line."""
    protocol: str
    """What was asked, in words; it stands above every number."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("report")
    """Folder to write into."""

    def run(self) -> dict[str, object]:
        from facet_vlm.predictions import read_predictions
        from facet_vlm.report import Report

        truth = self.truth.read_text(encoding="utf-8").split()
        report = Report.of(read_predictions(self.predictions), truth, self.protocol)
        self.output.mkdir(parents=True, exist_ok=True)
        report.write(self.output)
        return {"table": report.to_markdown(), "report": json.loads(report.to_json())}


@dataclass(frozen=True)
class Protocols:
    """List the committed splits, their parts, and the proof that no subject stands in two parts."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.specs import load_split, specs_folder

        names = sorted(path.stem for path in (specs_folder() / "splits").glob("*.json"))
        return {name: prove_disjoint(load_split(name)) for name in names}


Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[ReportOf, subcommand("report")]
    | Annotated[Protocols, subcommand("protocols")]
)


@dataclass(frozen=True)
class Arguments:
    """Facial expressions of 3D heads by a vision-language model."""

    command: OmitSubcommandPrefixes[Command]
    json: bool = field(default=False)
    """Print the result as JSON."""


def main(args: list[str] | None = None) -> None:
    """Entry point of the console command."""
    arguments = tyro.cli(
        Arguments,
        prog="facet-vlm",
        description="Facial expressions of 3D heads by a vision-language model: FACET-VLM on multiview renders.",
        args=args,
        config=(CascadeSubcommandArgs,),
    )
    run_command(arguments.command.run, as_json=arguments.json)


def named_labels(labels: tuple[str, ...]) -> dict[str, str | tuple[str, ...]] | None:
    """The --labels option as sentences per label; None where it was not given."""
    from facet_vlm.prompts import class_sentences

    if not labels:
        return None
    parts = [label.partition("=") for label in labels]
    return {name: sentence if equals else class_sentences(name) for name, equals, sentence in parts}


def top_probabilities(row: dict[str, object]) -> list[tuple[str, float]]:
    """Labels and probabilities of one row of `Predictions.rows`, from the largest down."""
    probabilities = row["probabilities"]
    return list(probabilities.items()) if isinstance(probabilities, dict) else []


if __name__ == "__main__":
    main()
