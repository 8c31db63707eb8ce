"""Trained weights: a safetensors file and, beside it, a JSON card that says how they came to be."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from facet_vlm.config import ModelConfig
from facet_vlm.network.facet import FacetNetwork, build_network
from mesh4d.errors import MeshFormatError, SpecError
from mesh4d.io.atomic import atomic_write

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class ModelCard:
    """Where weights come from and what they are worth."""

    name: str
    model: ModelConfig
    command: str
    seed: int
    commit: str
    data_hashes: dict[str, str]
    """SHA-256 of the rendered samples, by part of the split."""
    train_subjects: list[int]
    validation_subjects: list[int]
    held_out_subjects: list[int]
    """Never seen in training or selection."""
    metrics: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    held_out_labels: list[str] = field(default_factory=list)
    """Expressions that training neither showed nor named."""
    unseen_margin: float = 0.0
    """Added to the cosine of a label that training never named (`facet_vlm.evaluation.unseen`)."""


def write_weights(network: FacetNetwork, card: ModelCard, stem: Path) -> ModelCard:
    """Write STEM.safetensors, then STEM.json; matrices are stored in half precision, vectors in single.

    Returns:
        The card with the hash of the weights.
    """
    content = save({name: _compact(value) for name, value in network.state_dict().items()})
    card = dataclasses.replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    write_with_card(content, dataclasses.asdict(card), stem)
    return card


def write_with_card(content: bytes, card: Mapping[str, Any], stem: Path) -> None:
    """Write STEM.safetensors, then its card STEM.json."""
    with atomic_write(stem.with_suffix(".safetensors")) as file:
        file.write(content)
    with atomic_write(stem.with_suffix(".json"), text=True) as file:
        json.dump(card, file, indent=1)
        file.write("\n")


def read_weights(preset_or_path: str | PathLike[str]) -> tuple[FacetNetwork, ModelCard]:
    """The network of a shipped preset ("facet-mini") or of a .safetensors file with its card beside it.

    Every tensor must be there in its shape, and nothing else.

    Raises:
        SpecError: when there are no such weights.
        MeshFormatError: when card and weights do not fit each other or the model.
    """
    path = WEIGHTS_FOLDER / f"{preset_or_path}.safetensors"
    if not path.is_file():
        path = Path(preset_or_path)
    if path.suffix != ".safetensors" or not path.is_file():
        shipped = sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise SpecError(f"expected a preset among {shipped} or a .safetensors file, found {str(preset_or_path)!r}")
    card = read_card(path.with_suffix(".json"))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != card.weights_sha256:
        raise MeshFormatError(path, "SHA-256", card.weights_sha256, found)
    network = build_network(dataclasses.replace(card.model, pretrained=None))
    try:
        state = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
        network.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise MeshFormatError(path, "tensors", f"those of {card.model.clip}", str(error)) from error
    return network.eval(), card


def read_card(path: Path) -> ModelCard:
    """The card of a weights file.

    Raises:
        MeshFormatError: when it is missing or lacks a field.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["model"] = ModelConfig(**content["model"])
        return ModelCard(**content)
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise MeshFormatError(path, "model card", "a JSON card beside the weights", str(error)) from error


def _compact(value: torch.Tensor) -> torch.Tensor:
    """Half precision for matrices and kernels; running statistics, norms and biases keep single precision."""
    return (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
