"""The landmark networks on disk: one safetensors file and a model card that says where it comes from."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mesh4d.errors import MeshFormatError
from mesh4d.io.atomic import atomic_write
from mesh4d.landmarks.network import HeatmapNet, NetConfig
from mesh4d.landmarks.shape_model import LandmarkShapes

SHIPPED = Path(__file__).parent / "weights" / "landmarks.safetensors"


@dataclass(frozen=True)
class LandmarkModel:
    """All that detection learned."""

    finder: HeatmapNet
    """Sees where on a surface a face is, and which way it looks."""
    reader: HeatmapNet
    """Reads the landmarks off a face that fills the picture."""
    shapes: LandmarkShapes


def save_model(model: LandmarkModel, card: dict[str, Any], path: Path) -> None:
    """Write the networks as float16 and the card beside them, the card last: weights without a card are not read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    for name in ("finder", "reader"):
        for key, value in getattr(model, name).state_dict().items():
            half = value.half() if value.is_floating_point() else value.to(torch.int32)
            tensors[f"{name}.{key}"] = half.contiguous()
    tensors["shapes.mean"] = torch.from_numpy(model.shapes.mean.astype(np.float32))
    tensors["shapes.basis"] = torch.from_numpy(model.shapes.basis.astype(np.float32))
    sizes = {name: asdict(getattr(model, name).config) for name in ("finder", "reader")}
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary)
    temporary.chmod(0o644)  # safetensors writes for the owner alone
    temporary.replace(path)
    with atomic_write(path.with_suffix(".json"), text=True) as file:
        json.dump({**card, "architecture": sizes, "shape_noise_mm": model.shapes.noise_mm}, file, indent=2)
        file.write("\n")


def load_model(path: Path = SHIPPED) -> LandmarkModel:
    """Read a model strictly: every tensor must be there, in its shape.

    Raises:
        MeshFormatError: when weights or card are missing, or do not belong together.
    """
    card_path = path.with_suffix(".json")
    for file in (path, card_path):
        if not file.exists():
            raise MeshFormatError(file, "file", "landmark networks with their card", "nothing")
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        with safe_open(str(path), framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
        finder, reader = (_network(name, tensors, card["architecture"][name]) for name in ("finder", "reader"))
        mean, basis = (tensors[f"shapes.{name}"].double().numpy() for name in ("mean", "basis"))
        return LandmarkModel(finder, reader, LandmarkShapes(mean, basis, float(card["shape_noise_mm"])))
    except (SafetensorError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise MeshFormatError(path, "tensors", f"those of the architecture in {card_path.name}", str(error)) from error


def load_card(path: Path = SHIPPED) -> dict[str, Any]:
    """The model card of weights."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def shipped_model() -> LandmarkModel:
    """The model in the package, loaded once."""
    return load_model()


def _network(name: str, tensors: dict[str, torch.Tensor], size: dict[str, Any]) -> HeatmapNet:
    config = NetConfig(tuple(size["widths"]), int(size["map_level"]), int(size["picture_px"]))
    network = HeatmapNet(config)
    own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
    network.load_state_dict({k: v.float() if v.is_floating_point() else v.long() for k, v in own.items()})
    return network.eval().to(memory_format=torch.channels_last)
