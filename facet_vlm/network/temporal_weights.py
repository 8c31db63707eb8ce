"""Weights of a temporal module: a safetensors file, and a JSON card that names the 3D weights it sits on."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from facet_vlm.config_4d import TemporalConfig
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.network.weights import WEIGHTS_FOLDER, ModelCard, read_weights, write_with_card
from mesh4d.errors import MeshFormatError


@dataclass(frozen=True)
class TemporalCard:
    """Where temporal weights come from and what they are worth."""

    name: str
    model: TemporalConfig
    base_sha256: str
    """Of the 3D weights whose tokens they read; tokens of any other weights would mean nothing."""
    command: str
    seed: int
    commit: str
    data_hashes: dict[str, str]
    """SHA-256 of the tokens, by part of the split."""
    train_subjects: list[int]
    validation_subjects: list[int]
    held_out_subjects: list[int]
    """Judged on; never seen in training or selection."""
    category_thresholds: dict[str, float] = field(default_factory=dict)
    """Probability from which a category of micro-expressions is said to be there; tuned on validation identities."""
    metrics: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""


@dataclass(frozen=True)
class TemporalModel:
    """A temporal module on its frozen 3D network."""

    network: TemporalNetwork
    card: TemporalCard
    base: FacetNetwork
    base_card: ModelCard


def build_temporal(config: TemporalConfig, seed: int = 0) -> TemporalNetwork:
    """A module with random weights drawn from `seed`; torch's global state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TemporalNetwork(config)


def write_temporal_weights(network: TemporalNetwork, card: TemporalCard, stem: Path) -> TemporalCard:
    """Write STEM.safetensors, then STEM.json.

    Returns:
        The card with the hash of the weights.
    """
    content = save({name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()})
    card = dataclasses.replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    write_with_card(content, dataclasses.asdict(card), stem)
    return card


def temporal_path(preset_or_path: str | PathLike[str]) -> Path | None:
    """The file of temporal weights of that name; None where the name stands for something else or nothing."""
    path = WEIGHTS_FOLDER / f"{preset_or_path}.safetensors"
    path = path if path.is_file() else Path(preset_or_path)
    card = path.with_suffix(".json")
    if path.suffix != ".safetensors" or not card.is_file():
        return None
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    return path if isinstance(content, dict) and "base_sha256" in content else None


def read_temporal_weights(path: Path) -> TemporalModel:
    """A temporal module with the 3D network below it.

    Raises:
        SpecError: when the 3D weights are not there.
        MeshFormatError: when card and weights do not fit each other, or the 3D weights are not those that the module
            was trained on.
    """
    card = _read_card(path.with_suffix(".json"))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MeshFormatError(path, "file", "temporal weights", str(error)) from error
    found = hashlib.sha256(content).hexdigest()
    if found != card.weights_sha256:
        raise MeshFormatError(path, "SHA-256", card.weights_sha256, found)
    base, base_card = read_weights(card.model.base)
    if base_card.weights_sha256 != card.base_sha256:
        raise MeshFormatError(
            path, "base", f"to sit on 3D weights {card.base_sha256}", f"{card.model.base} is {base_card.weights_sha256}"
        )
    network = build_temporal(card.model)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise MeshFormatError(path, "tensors", "those of a temporal module", str(error)) from error
    return TemporalModel(network.eval(), card, base, base_card)


def _read_card(path: Path) -> TemporalCard:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["model"] = TemporalConfig(**(content["model"] | {"views": tuple(content["model"]["views"])}))
        return TemporalCard(**content)
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise MeshFormatError(path, "model card", "a JSON card beside the weights", str(error)) from error
