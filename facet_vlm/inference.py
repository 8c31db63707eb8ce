"""Scores of pictures against labels, in eval mode and without gradients: one place for validation, tests and users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from facet_vlm.network.facet import FacetNetwork
from mesh4d.errors import MeshError

CHUNK = 32


@dataclass(frozen=True)
class Scores:
    """Cosines with the labels' sentences, fused and per view."""

    fused: Float[np.ndarray, "B K"]
    """After CVSA and MTGF."""
    per_view: Float[np.ndarray, "B N K"]
    """Each view by itself; 0 where missing."""
    view_weights: Float[np.ndarray, "B N"]
    """MTGF's weight of each view for the label that won; sums to 1."""
    scale: float
    """Logits are scale * (cosine + margin)."""
    margins: Float[np.ndarray, " K"] | float = 0.0

    @property
    def logits(self) -> Float[np.ndarray, "B K"]:
        """Of the fused cosines."""
        return self.scale * (self.fused + self.margins)

    @property
    def probabilities(self) -> Float[np.ndarray, "B K"]:
        """Softmax of the fused logits."""
        return softmax(self.logits)


def score_images(
    network: FacetNetwork,
    images: UInt8[np.ndarray, "B N 3 H W"],
    angles_deg: Float[np.ndarray, "N 2"],
    sentences: Mapping[str, Sequence[str]],
    present: Bool[np.ndarray, "B N"] | None = None,
    margins: Float[np.ndarray, " K"] | float = 0.0,
) -> Scores:
    """Score every face; a row's result depends on nothing but its own pictures.

    Args:
        present: False where a view is missing; None is all there.
        margins: what each label's cosine is helped by, before one wins.
    """
    was_training = network.training
    device = next(network.parameters()).device
    present = np.ones(images.shape[:2], bool) if present is None else present
    network.eval()
    rows: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        classes = network.classes(sentences)
        help_of = torch.as_tensor(margins, dtype=classes.dtype, device=device)
        for start in range(0, len(images), CHUNK):
            some = torch.from_numpy(images[start : start + CHUNK]).to(device)
            angles = torch.from_numpy(angles_deg).float().expand(len(some), -1, -1).to(device)
            seen = network.look(some, angles, torch.from_numpy(present[start : start + CHUNK]).to(device))
            fused, weights = network.fuse(seen, classes)
            won = weights[torch.arange(len(some)), (fused + help_of).argmax(dim=1)]
            rows.append((fused.cpu(), (seen.views @ classes.T).cpu(), won.cpu()))
        scale = float(network.scale)
    network.train(was_training)
    fused, per_view, weights = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    return Scores(fused, per_view, weights, scale, margins)


def softmax(logits: Float[np.ndarray, "*B K"]) -> Float[np.ndarray, "*B K"]:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def resolve_device(name: str) -> torch.device:
    """'auto' is CUDA when there is one, else the CPU.

    Raises:
        MeshError: a device that this machine or this torch does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch asserts where it was built without CUDA
        raise MeshError(f"device {name!r}: {str(error).splitlines()[0]}") from error
