"""Prompt learning on frozen towers, as in MPA-FER (ICCV 2025, arXiv 2506.21017), on cached features of all views.

    loss = CE(logits) + beta (L_ta + L_pa) + gamma L_v
    logits = scale [cos(z, t_d) + mean of the k N largest cos(z_i, t_d) over the patches of all N views]

L_ta tells the mean input vector of a soft prompt from those of the other classes' hard prompts, L_pa is the L1 distance
of their embeddings, L_v that of a face's feature and its class's prototype. How tokens of unequal number are compared,
and all numbers, are our own choice.

Deep visual prompts, learnable tokens in every layer of the image tower, are not offered: they forbid caching (a forward
and a backward pass through the tower per step), and a convolutional tower has no tokens. Their place is taken by an
adapter, a small residual network on the cached features (CLIP-Adapter, arXiv 2110.04544).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from facet_vlm.faces.shots import Shot, render_shots
from facet_vlm.faces.views import view_angles
from facet_vlm.language.learned_prompts import Adapter, LearnedPrompts, prompted_cosines
from facet_vlm.language.soft_prompts import SoftPrompts, class_words, hard_features
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.local import FrozenFaces, frozen_faces
from facet_vlm.predict import FacetVLM
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class PromptConfig:
    """What learns, and against what."""

    context: int = 8
    """Learnable vectors before the words of a class; 0 keeps the hard prompts as they are."""
    per_class: bool = False
    """A context of its own for each class."""
    adapter: int = 32
    """Hidden width of the adapter of image features; 0 has none."""
    top_k: int = 1
    """Patches per view that speak beside the whole; 0 leaves them out."""
    alignment: float = 1.0
    """Weight (beta) of the alignment to the hard prompts; 0 is a soft prompt on its own."""
    prototypes: float = 1.0
    """Weight (gamma) of the alignment to the class means of the frozen features."""
    prototype_distance: Literal["l1", "cosine"] = "cosine"
    token_temperature: float = 0.07
    steps: int = 200
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    seed: int = 0


def learn_prompts(
    network: FacetNetwork,
    faces: FrozenFaces,
    labels: Int[np.ndarray, " B"],
    sentences: Mapping[str, Sequence[str]],
    config: PromptConfig,
) -> LearnedPrompts:
    """Learn prompts for a label set from labelled faces; the network stays as it is.

    Args:
        labels: rows of `sentences`.
        sentences: the label set, each with its hard prompts.

    Raises:
        MeshError: a label without a face, or no faces.
    """
    missing = sorted(set(range(len(sentences))) - set(labels.tolist()))
    if missing or len(labels) != len(faces):
        raise MeshError(f"every label needs a face; none of {[list(sentences)[row] for row in missing]}")
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    device = next(network.parameters()).device
    encoders, dim = network.encoders, network.encoders.embed_dim
    hard, hard_words = hard_features(encoders, sentences)
    soft = SoftPrompts(encoders, class_words(sentences), config.context, config.per_class, generator)
    adapter = Adapter(dim, config.adapter, generator).to(device) if config.adapter else None
    learned = [*(soft.parameters() if config.context else ()), *(adapter.parameters() if adapter else ())]
    truth = torch.from_numpy(labels).long().to(device)
    prototypes = class_prototypes(faces.whole.to(device), truth, len(sentences))
    with frozen(network):
        if learned:
            optimizer = torch.optim.AdamW(learned, config.learning_rate, weight_decay=config.weight_decay)
            for _ in range(config.steps):
                rows = torch.from_numpy(rng.choice(len(labels), min(config.batch_size, len(labels)), replace=False))
                texts = soft(encoders) if config.context else hard
                some, right = faces.take(rows).to(device), truth[rows.to(device)]
                cosines = prompted_cosines(network, some, texts, adapter, config.top_k)
                loss = nn.functional.cross_entropy(cosines.logits(network.scale), right)
                if config.context and config.alignment:
                    words = token_alignment(soft.mean_tokens(encoders), hard_words, config.token_temperature)
                    loss = loss + config.alignment * (words + prompt_alignment(texts, hard))
                if adapter is not None and config.prototypes:
                    near = prototype_alignment(adapter(some.whole), prototypes[right], config.prototype_distance)
                    loss = loss + config.prototypes * near
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            texts = soft(encoders) if config.context else hard
    if adapter is not None:
        adapter = adapter.cpu().requires_grad_(False)
    return LearnedPrompts(tuple(sentences), texts.cpu(), adapter, config.top_k)


def token_alignment(
    soft: Float[torch.Tensor, "K W"], hard: Float[torch.Tensor, "K W"], temperature: float
) -> Float[torch.Tensor, ""]:
    """L_ta = -log softmax_d(cos(t_c, t*_d) / temperature) at d = c, mean over the classes c."""
    cosines = nn.functional.normalize(soft, dim=-1) @ nn.functional.normalize(hard, dim=-1).T
    return nn.functional.cross_entropy(cosines / temperature, torch.arange(len(soft), device=soft.device))


def prompt_alignment(soft: Float[torch.Tensor, "K D"], hard: Float[torch.Tensor, "K D"]) -> Float[torch.Tensor, ""]:
    """L_pa = |t_c - t*_c|_1 of the texts' embeddings, mean over the classes."""
    return (soft - hard).abs().sum(dim=-1).mean()


def prototype_alignment(
    features: Float[torch.Tensor, "B D"], prototypes: Float[torch.Tensor, "B D"], distance: Literal["l1", "cosine"]
) -> Float[torch.Tensor, ""]:
    """L_v: distance of each face's adapted feature to the prototype of its class, mean over the faces."""
    if distance == "l1":
        return (features - prototypes).abs().sum(dim=-1).mean()
    return (1 - nn.functional.cosine_similarity(features, prototypes, dim=-1)).mean()


def class_prototypes(
    features: Float[torch.Tensor, "B D"], labels: Int[torch.Tensor, " B"], classes: int
) -> Float[torch.Tensor, "K D"]:
    """Mean frozen feature of each class."""
    member = nn.functional.one_hot(labels, classes).to(features)
    return member.T @ features / member.sum(dim=0)[:, None].clamp(min=1)


@contextmanager
def frozen(network: FacetNetwork) -> Iterator[None]:
    """Eval mode and no gradients into the network's own weights, while open."""
    was_training, wanted = network.training, [weight.requires_grad for weight in network.parameters()]
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        network.train(was_training)
        for weight, want in zip(network.parameters(), wanted, strict=True):
            weight.requires_grad_(want)


def prompts_from_shots(
    model: FacetVLM,
    found: Mapping[str, Sequence[Shot]],
    sentences: Mapping[str, Sequence[str]],
    config: PromptConfig,
) -> LearnedPrompts:
    """From labelled meshes to prompts with their card.

    Args:
        found: the faces of each label.
        sentences: the hard prompts of the same labels.
    """
    shots = render_shots(
        {label: found[label] for label in sentences}, model.card.model.rig, model.card.model.image_size
    )
    faces = frozen_faces(model.network, shots.images, view_angles(model.card.model.rig))
    learned = learn_prompts(model.network, faces, shots.rows, sentences, config)
    right = (learned.scores(model.network, faces).fused.argmax(axis=1) == shots.rows).mean()
    card = {
        "sentences": {label: list(texts) for label, texts in sentences.items()},
        "config": dataclasses.asdict(config),
        "shots": list(shots.names),
        "accuracy_on_shots": round(float(right), 4),
    }
    return dataclasses.replace(learned, model_sha256=model.card.weights_sha256, card=card)
