"""Positive mining: in a batch of faces and captions, which captions of other faces are also right.

Contrast with one right caption per face pushes near-identical expressions apart. EmoCapCLIP (arXiv 2507.21015) softens
the targets by similarities within a modality; its equations are not public, and the form here is our own choice:

    T = (1 - share) I + share rowsoftmax(S / temperature, over the mined entries)

with S the similarity of the captions for the direction image to text, of the images for text to image. Where the
weights of the action units are known, as on synthesised faces, `objectives.soft_caption_targets` needs no guess.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import nn

from facet_vlm.config import Mining


@dataclass(frozen=True)
class MinedTargets:
    """Targets of the two directions of a contrast; rows sum to 1."""

    by_face: Float[torch.Tensor, "B B"]
    """Rows are faces, columns captions."""
    by_text: Float[torch.Tensor, "B B"]
    """Rows are captions, columns faces."""


def mined_positives(similarity: Float[torch.Tensor, "B B"], mining: Mining) -> Bool[torch.Tensor, "B B"]:
    """The entries that are kept: above the threshold, among the top k of their row, and always the sample itself."""
    kept = torch.ones_like(similarity, dtype=torch.bool)
    if mining.threshold is not None:
        kept &= similarity >= mining.threshold
    itself = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    if mining.top_k is not None:
        # The sample itself comes first even where another one is its copy.
        ranked = similarity.masked_fill(itself, torch.inf)
        nearest = torch.zeros_like(kept)
        nearest.scatter_(1, ranked.topk(min(mining.top_k, len(similarity)), dim=1).indices, True)
        kept &= nearest
    return kept | itself


def soft_targets(similarity: Float[torch.Tensor, "B B"], mining: Mining) -> Float[torch.Tensor, "B B"]:
    """T = (1 - share) I + share rowsoftmax(S / temperature) over the mined entries; no gradient flows through it."""
    similarity = similarity.detach()
    logits = (similarity / mining.temperature).masked_fill(~mined_positives(similarity, mining), -torch.inf)
    own = torch.eye(len(similarity), dtype=similarity.dtype, device=similarity.device)
    return (1 - mining.share) * own + mining.share * logits.softmax(dim=1)


def mined_targets(faces: Float[torch.Tensor, "B D"], texts: Float[torch.Tensor, "B D"], mining: Mining) -> MinedTargets:
    """Targets guided across modalities: captions say which captions fit a face, faces which faces fit a caption.

    Args:
        faces: unit embeddings.
        texts: unit embeddings of the captions, row by row those of the faces.
    """
    return MinedTargets(soft_targets(texts @ texts.T, mining), soft_targets(faces @ faces.T, mining))


def mined_contrast(logits: Float[torch.Tensor, "B B"], targets: MinedTargets) -> Float[torch.Tensor, ""]:
    """Symmetric contrast against soft targets: mean of the cross entropies of the two directions.

    Args:
        logits: scale * cosine of face (row) and caption (column).
    """
    by_face = nn.functional.cross_entropy(logits, targets.by_face)
    by_text = nn.functional.cross_entropy(logits.T, targets.by_text)
    return 0.5 * (by_face + by_text)
