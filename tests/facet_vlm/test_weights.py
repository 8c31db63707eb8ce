"""Weights and their card: whole or refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from facet_vlm.config import ModelConfig
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.weights import ModelCard, read_weights, write_weights
from mesh4d.errors import MeshFormatError, SpecError


@pytest.fixture
def written(network: FacetNetwork, tmp_path: Path) -> Path:
    card = ModelCard("tiny", ModelConfig(image_size=32), "a command", 3, "abc", {}, [0], [1], [2])
    write_weights(network, card, tmp_path / "tiny")
    return tmp_path / "tiny.safetensors"


def test_round_trip_keeps_values_to_half_precision(network: FacetNetwork, written: Path) -> None:
    again, card = read_weights(written)
    assert card.command == "a command" and card.model.image_size == 32 and not again.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, atol=1e-6, rtol=1e-3)


def test_writing_again_gives_the_same_bytes(network: FacetNetwork, written: Path, tmp_path: Path) -> None:
    again, card = read_weights(written)
    assert write_weights(again, card, tmp_path / "again") == card
    assert (tmp_path / "again.safetensors").read_bytes() == written.read_bytes()


def test_a_changed_file_is_refused(written: Path) -> None:
    content = bytearray(written.read_bytes())
    content[-1] ^= 1
    written.write_bytes(content)
    with pytest.raises(MeshFormatError, match="SHA-256"):
        read_weights(written)


def test_missing_or_strange_tensors_are_refused(written: Path) -> None:
    import hashlib

    for change in ({"extra": torch.zeros(1)}, {}):
        tensors = load_file(written)
        tensors.pop("mtgf.query.weight", None)
        save_file(tensors | change, written)
        card = json.loads(written.with_suffix(".json").read_text())
        card["weights_sha256"] = hashlib.sha256(written.read_bytes()).hexdigest()
        written.with_suffix(".json").write_text(json.dumps(card))
        with pytest.raises(MeshFormatError, match="tensors"):
            read_weights(written)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": {"clip": 3, "spam": 1}}'])
def test_hostile_cards(written: Path, content: str) -> None:
    written.with_suffix(".json").write_text(content)
    with pytest.raises(MeshFormatError, match="model card"):
        read_weights(written)


def test_no_such_weights(tmp_path: Path) -> None:
    for name in ("facet-giant", str(tmp_path), str(tmp_path / "none.safetensors")):
        with pytest.raises(SpecError, match="expected a preset"):
            read_weights(name)
