"""What prompt learning leaves: text vectors per label, an adapter, how faces are scored with them, and their file."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from facet_vlm.inference import CHUNK, Scores
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.local import FrozenFaces
from facet_vlm.network.weights import write_with_card
from mesh4d.errors import MeshError, MeshFormatError, SpecError

MOST_BYTES = 64 * 1024 * 1024
"""Of a prompts file; those of a ViT-L with a hundred labels are under one MiB."""


class Adapter(nn.Module):
    """z' = unit(z + U gelu(D z)): a residual network on unit features, the identity before it learns."""

    def __init__(self, dim: int, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.down = nn.Linear(dim, width)
        self.up = nn.Linear(width, dim)
        with torch.no_grad():
            self.down.weight.copy_(torch.randn(width, dim, generator=generator) / dim**0.5)
            for zero in (self.down.bias, self.up.weight, self.up.bias):
                zero.zero_()

    def forward(self, features: Float[torch.Tensor, "*B D"]) -> Float[torch.Tensor, "*B D"]:
        """Unit features, adapted."""
        return nn.functional.normalize(features + self.up(nn.functional.gelu(self.down(features))), dim=-1)


@dataclass(frozen=True)
class PromptedCosines:
    """Faces against text vectors."""

    whole: Float[torch.Tensor, "B K"]
    """Cosine of the fused face with each text."""
    patches: Float[torch.Tensor, "B K"] | None
    """Mean cosine of the patches that fit each text best."""
    view_weights: Float[torch.Tensor, "B K N"]

    @property
    def cosines(self) -> Float[torch.Tensor, "B K"]:
        """The mean of both, -1 to 1."""
        return self.whole if self.patches is None else (self.whole + self.patches) / 2

    def logits(self, scale: Float[torch.Tensor, ""]) -> Float[torch.Tensor, "B K"]:
        """scale * (whole + patches)."""
        return scale * (self.whole if self.patches is None else self.whole + self.patches)


@dataclass(frozen=True)
class LearnedPrompts:
    """A label set that was learned from labelled faces; `FacetVLM.predict(labels=...)` takes it."""

    labels: tuple[str, ...]
    texts: Float[torch.Tensor, "K D"]
    """Unit embedding of each label's prompt."""
    adapter: Adapter | None = None
    top_k: int = 0
    """Patches per view that speak beside the whole face."""
    model_sha256: str = ""
    """Of the weights that the prompts were learned on; they mean nothing to others."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """How they came to be."""

    def to(self, device: torch.device) -> "LearnedPrompts":
        """The same on a device."""
        adapter = self.adapter.to(device) if self.adapter is not None else None
        return dataclasses.replace(self, texts=self.texts.to(device), adapter=adapter)

    def scores(self, network: FacetNetwork, faces: FrozenFaces) -> Scores:
        """Every face against every label; a row's result depends on nothing but its own face."""
        device = next(network.parameters()).device
        here, rows = self.to(device), []
        with torch.no_grad():
            for start in range(0, len(faces), CHUNK):
                some = faces.take(torch.arange(start, min(start + CHUNK, len(faces)))).to(device)
                found = prompted_cosines(network, some, here.texts, here.adapter, here.top_k)
                won = found.view_weights[torch.arange(len(some)), found.cosines.argmax(dim=1)]
                rows.append((found.cosines.cpu(), (some.views @ here.texts.T).cpu(), won.cpu()))
            scale = float(network.scale) * (2 if self.top_k > 0 else 1)
        fused, per_view, weights = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
        return Scores(fused, per_view, weights, scale)


def prompted_cosines(
    network: FacetNetwork,
    faces: FrozenFaces,
    texts: Float[torch.Tensor, "K D"],
    adapter: nn.Module | None,
    top_k: int,
) -> PromptedCosines:
    """The whole face by the network's own fusion, and the `top_k` patches per view that fit each text best.

    The patches of all views compete: of N views that are there, the N * top_k best count, wherever they are.
    """
    fused, weights = network.mtgf(faces.tokens, texts, faces.present)
    fused = fused if adapter is None else adapter(fused)
    whole = (fused * texts).sum(dim=-1)
    if top_k <= 0:
        return PromptedCosines(whole, None, weights)
    fit = patch_cosines(faces, texts, adapter)
    present = faces.present
    ranked = fit.flatten(1, 2).sort(dim=1, descending=True).values
    counted = (present.sum(dim=1) * min(top_k, fit.shape[2]))[:, None, None]
    place = torch.arange(ranked.shape[1], device=ranked.device)[None, :, None]
    best = torch.where(place < counted, ranked, 0.0).sum(dim=1) / counted[:, 0]
    return PromptedCosines(whole, best, weights)


def patch_cosines(
    faces: FrozenFaces, texts: Float[torch.Tensor, "K D"], adapter: nn.Module | None
) -> Float[torch.Tensor, "B N P K"]:
    """Cosine of every patch with every text; -inf in views that are missing."""
    patches = faces.patches if adapter is None else adapter(faces.patches)
    return (patches @ texts.T).masked_fill(~faces.present[:, :, None, None], -torch.inf)


def write_prompts(prompts: LearnedPrompts, stem: Path) -> LearnedPrompts:
    """Write STEM.safetensors, then its card STEM.json; returns the prompts with the completed card."""
    tensors = {"texts": prompts.texts}
    if prompts.adapter is not None:
        tensors |= {f"adapter.{name}": value for name, value in prompts.adapter.state_dict().items()}
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    card = dict(prompts.card) | {
        "labels": list(prompts.labels),
        "top_k": prompts.top_k,
        "model_sha256": prompts.model_sha256,
        "prompts_sha256": hashlib.sha256(content).hexdigest(),
    }
    write_with_card(content, card, stem)
    return dataclasses.replace(prompts, card=card)


def read_prompts(path: str | PathLike[str]) -> LearnedPrompts:
    """Prompts from a .safetensors file with its card beside it.

    Raises:
        SpecError: no such file.
        MeshFormatError: a card or tensors that do not fit each other.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        raise SpecError(f"expected a .safetensors file of learned prompts, found {str(path)!r}")
    if path.stat().st_size > MOST_BYTES:
        raise MeshFormatError(path, "size", f"at most {MOST_BYTES} bytes", str(path.stat().st_size))
    content, card_path = path.read_bytes(), path.with_suffix(".json")
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        labels, top_k, model = tuple(card["labels"]), int(card["top_k"]), str(card["model_sha256"])
        expected = str(card["prompts_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeshFormatError(
            card_path, "card of learned prompts", "a JSON card beside the prompts", repr(error)
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise MeshFormatError(path, "SHA-256", expected, found)
    try:
        tensors = load(content)
        texts = tensors.pop("texts")
    except (SafetensorError, KeyError) as error:
        raise MeshFormatError(path, "tensors", "a safetensors file with 'texts'", repr(error)) from error
    if texts.ndim != 2 or len(texts) != len(labels) or not all(isinstance(label, str) for label in labels):
        raise MeshFormatError(path, "texts", f"one vector for each of {labels}", f"shape {tuple(texts.shape)}")
    return LearnedPrompts(labels, texts, _adapter_of(path, tensors, texts.shape[1]), top_k, model, card)


def prove_same_model(prompts: LearnedPrompts, model_sha256: str, dim: int) -> None:
    """Refuse prompts that were learned on other weights.

    Raises:
        MeshError: when they were.
    """
    if prompts.texts.shape[1] != dim or (prompts.model_sha256 and prompts.model_sha256 != model_sha256):
        raise MeshError(
            f"these prompts were learned on weights {prompts.model_sha256[:12] or 'of another size'}, "
            f"not on {model_sha256[:12]}; learn them anew"
        )


def _adapter_of(path: Path, tensors: Mapping[str, torch.Tensor], dim: int) -> Adapter | None:
    if not tensors:
        return None
    try:
        state = {name.removeprefix("adapter."): value for name, value in tensors.items()}
        adapter = Adapter(dim, len(state["down.weight"]))
        adapter.load_state_dict(state, strict=True)
    except (KeyError, RuntimeError, TypeError) as error:
        raise MeshFormatError(path, "adapter", f"two linear layers on {dim} features", str(error)) from error
    return adapter.requires_grad_(False)
