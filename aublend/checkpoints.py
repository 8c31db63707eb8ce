"""AUBlendNet's weights on disk: safetensors, and a model card that says where they come from."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aublend.net import AUBlendNet, NetConfig
from aublend.units import N_UNITS
from mesh4d.errors import MeshFormatError
from mesh4d.io import atomic_write

PACKED = ("code_basis", "unit_basis")
SHIPPED = Path(__file__).parent / "weights" / "aublendnet.safetensors"


def save_net(net: AUBlendNet, card: dict[str, Any], path: Path) -> None:
    """Write weights as float16 and the card beside them; the card comes last, so a lone file is a broken one.

    Bases are mostly zeros (a unit moves a quarter of the face, the code reads half the head): only the rows that
    are not are stored.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    for name, value in net.state_dict().items():
        if name in PACKED:
            rows = value.transpose(1, 2).flatten(0, 1) if value.ndim == 3 else value
            kept = rows.abs().amax(dim=1) > 0
            tensors[f"{name}.rows"], tensors[f"{name}.kept"] = rows[kept].half().contiguous(), kept
        elif name == "code_mean":  # hundreds of mm: float16 would round it to a tenth
            tensors[name] = value
        else:
            tensors[name] = value.half().contiguous() if value.is_floating_point() else value.to(torch.int32)
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary)
    temporary.replace(path)
    with atomic_write(path.with_suffix(".json"), text=True) as file:
        json.dump(card, file, indent=2)
        file.write("\n")


def load_net(path: Path = SHIPPED) -> AUBlendNet:
    """Load weights strictly: every tensor must be there, in its shape.

    Raises:
        MeshFormatError: when card or weights are missing, or do not belong together.
    """
    card_path = path.with_suffix(".json")
    for file in (path, card_path):
        if not file.exists():
            raise MeshFormatError(file, "file", "AUBlendNet weights with their card", "nothing")
    config = NetConfig(**load_card(path)["architecture"])
    try:
        with safe_open(str(path), framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
        for name in PACKED:
            kept, rows = tensors.pop(f"{name}.kept"), tensors.pop(f"{name}.rows").float()
            full = rows.new_zeros(len(kept), rows.shape[1])
            full[kept] = rows
            units = full.unflatten(0, (N_UNITS, -1)).transpose(1, 2) if name == "unit_basis" else full
            tensors[name] = units.contiguous()
        net = AUBlendNet(config, tensors["support"].long())
        net.load_state_dict({name: v.float() if v.is_floating_point() else v.long() for name, v in tensors.items()})
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise MeshFormatError(path, "tensors", f"those of the architecture in {card_path.name}", str(error)) from error
    return net.eval()


def load_card(path: Path = SHIPPED) -> dict[str, Any]:
    """The model card of weights."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def shipped_net() -> AUBlendNet:
    """The weights in the package, loaded once."""
    return load_net()
