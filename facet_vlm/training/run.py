"""One command from a preset to weights: synthesise, render, train, write weights, judge on held-out identities."""

import dataclasses
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from facet_vlm.config import Config, preset
from facet_vlm.evaluation.synthetic import evaluate
from facet_vlm.evaluation.unseen import fitted_margin
from facet_vlm.faces.expression_set import TRAINING_PARTS, ExpressionSet, expression_set
from facet_vlm.inference import resolve_device
from facet_vlm.network.facet import FacetNetwork, build_network
from facet_vlm.network.weights import ModelCard, read_weights, write_weights
from facet_vlm.predict import load
from facet_vlm.training.loop import train
from facet_vlm.training.step import seen_labels
from facet_vlm.training.team import Team, team
from mesh4d.errors import MeshError
from mesh4d.io.atomic import atomic_write
from mesh4d.specs import load_split


@dataclass(frozen=True)
class TrainedRun:
    """What a run left behind."""

    weights: Path
    card: ModelCard


def run_training(config: Config, folder: Path, command: str, device: str = "auto") -> TrainedRun | None:
    """Train and write weights; a folder of the same configuration goes on where it stopped.

    Under torchrun every process trains on its share of each batch; the leader alone returns something.

    Args:
        folder: the run folder; it keeps config.json, rendered data, a checkpoint, TensorBoard events and the weights.
        command: what the model card will say reproduces the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with team() as crew:
        if crew.leads:
            with atomic_write(folder / "config.json", text=True) as file:
                json.dump(dataclasses.asdict(config) | {"command": command, "commit": commit()}, file, indent=1)
            if config.start is not None:
                _prepare_start(config.start, folder.parent, device, crew)
            training_data(config, folder)
        crew.wait()  # the others read what the leader has rendered
        data = training_data(config, folder)
        network = build_network(config.model, config.train.seed)
        known = {part: set(samples.subjects.tolist()) for part, samples in data.items()}
        if config.start is not None:
            start, before = read_weights(_weights_of(config.start, folder.parent))
            network.load_state_dict(start.state_dict())
            known["train"] |= set(before.train_subjects)  # whoever the first stage saw is no stranger now
            known["validation"] |= set(before.validation_subjects)
        progress = train(network, data["train"], data["validation"], config, folder, resolve_device(device), crew)
        if not crew.leads:
            return None
    parts = load_split(config.data.split)
    held_out = [int(subject) for part, people in parts.items() if part not in TRAINING_PARTS for subject in people]
    card = ModelCard(
        name=config.name,
        model=config.model,
        command=command,
        seed=config.train.seed,
        commit=commit(),
        data_hashes={part: samples.content_hash() for part, samples in data.items()},
        train_subjects=sorted(known["train"]),
        validation_subjects=sorted(known["validation"]),
        held_out_subjects=held_out,
        held_out_labels=list(config.data.held_out_labels),
        unseen_margin=_unseen_margin(network.cpu(), config, data["validation"]),
        metrics={"validation_uar": progress.best_uar, "best_epoch": progress.best_epoch},
    )
    return judged(network.cpu(), card, config, folder, device)


def _weights_of(name: str, runs: Path) -> Path:
    return runs / name / f"{name}.safetensors"


def _prepare_start(name: str, runs: Path, device: str, crew: Team) -> None:
    """Train the preset that another starts from, where its weights are missing."""
    if not _weights_of(name, runs).is_file():
        if crew.size > 1:
            raise MeshError(f"{_weights_of(name, runs)} is missing: train the preset {name!r} first")
        run_training(preset(name), runs / name, f"facet-vlm train --preset {name}", device)


def training_data(config: Config, folder: Path) -> dict[str, ExpressionSet]:
    """The rendered faces to learn from and to choose by; the second meet all that the first do."""
    varied = dataclasses.replace(config.data, scenario="varied")
    data = {"train": config.data, "validation": varied}
    return {part: expression_set(part, data[part], config.model, folder / "data") for part in TRAINING_PARTS}


def judged(network: FacetNetwork, card: ModelCard, config: Config, folder: Path, device: str) -> TrainedRun:
    """Write the weights, judge what was written (half precision and all) on the part 'test', and complete the card."""
    stem = folder / config.name
    write_weights(network, card, stem)
    model = load(stem.with_suffix(".safetensors"), device)
    summary = evaluate(model, "test", folder, config.data).summary()
    card = write_weights(model.network.cpu(), dataclasses.replace(card, metrics=card.metrics | summary), stem)
    with atomic_write(folder / "metrics.json", text=True) as file:
        json.dump(card.metrics, file, indent=1)
    return TrainedRun(stem.with_suffix(".safetensors"), card)


def _unseen_margin(network: FacetNetwork, config: Config, validation: ExpressionSet) -> float:
    """0 for a network that reads no sentences."""
    return fitted_margin(network, config.model, validation, seen_labels(config)) if config.model.text else 0.0


def commit() -> str:
    """The git commit of the checkout, with '+' when files differ from it; 'unknown' outside of one."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")
