"""FACET-VLM: views of a face against sentences.

Kept from the paper's abstract: a vision-language model over several views, Cross-View Semantic Aggregation, Multiview
Text-Guided Fusion, and a consistency loss across views. All dimensions and formulas are our own choice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import nn

from aublend.units import N_UNITS
from facet_vlm.config import ModelConfig
from facet_vlm.network.encoders import ClipEncoders, build_encoders
from facet_vlm.network.fusion import CrossViewAggregation, MeanFusion, TextGuidedFusion, mean_over_present
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class ViewTokens:
    """What the image side knows of a batch, before any text."""

    views: Float[torch.Tensor, "B N D"]
    """Unit global feature of each view alone; zero where missing."""
    tokens: Float[torch.Tensor, "B N tokens D"]
    """After CVSA; of each view the global token first."""
    present: Bool[torch.Tensor, "B N"]

    @property
    def pooled(self) -> Float[torch.Tensor, "B D"]:
        """The face's own embedding: the unit mean of the aggregated global tokens."""
        return nn.functional.normalize(mean_over_present(self.tokens[:, :, 0], self.present), dim=-1)


class FacetNetwork(nn.Module):
    """The trainable network: encoders of open_clip, CVSA and MTGF."""

    def __init__(self, encoders: ClipEncoders, config: ModelConfig) -> None:
        super().__init__()
        dim = encoders.embed_dim
        self.encoders = encoders
        # The towers' features share a large mean, which makes all cosines alike and training stall: take it off.
        self.centre = nn.BatchNorm1d(dim)
        self.patches = nn.Sequential(nn.Conv2d(encoders.patch_channels, dim, 1), nn.BatchNorm2d(dim))
        layers = config.cvsa_layers if config.cvsa else 0
        self.cvsa = CrossViewAggregation(dim, config.fusion_heads, layers, config.dropout)
        self.mtgf = TextGuidedFusion(dim, config.fusion_heads) if config.mtgf else MeanFusion()
        # One reading of action units for faces and sentences alike: it grounds both sides in the same muscles.
        self.units = nn.Linear(dim, 2 * N_UNITS)
        nn.init.normal_(self.units.weight, std=0.1 / dim)  # guesses start at 0: large ones drive all features together
        nn.init.zeros_(self.units.bias)
        self.label_vectors = None if config.text else nn.Parameter(torch.randn(len(EXPRESSIONS), dim))

    @property
    def scale(self) -> Float[torch.Tensor, ""]:
        """Inverse temperature: logits are scale * cosine."""
        return self.encoders.scale

    def look(
        self,
        images: UInt8[torch.Tensor, "B N 3 H W"],
        angles_deg: Float[torch.Tensor, "B N 2"],
        present: Bool[torch.Tensor, "B N"],
    ) -> ViewTokens:
        """Encode the pictures that are there and let the views see each other."""
        pictures = images[present].float() / 127.5 - 1.0
        features, maps = self.encoders.images(pictures.contiguous(memory_format=torch.channels_last))
        return self.aggregate(features, maps, angles_deg, present)

    def aggregate(
        self,
        features: Float[torch.Tensor, "P D"],
        maps: Float[torch.Tensor, "P C h w"],
        angles_deg: Float[torch.Tensor, "B N 2"],
        present: Bool[torch.Tensor, "B N"],
    ) -> ViewTokens:
        """What follows the image tower, whose outputs may come from a cache.

        Args:
            features: the tower's global feature of each view that is there, sample by sample.
            maps: its last feature map of the same views.
        """
        batch, count = present.shape
        features, maps = self.centre(features), self.patches(maps)
        views = features.new_zeros(batch, count, features.shape[-1])
        views[present] = nn.functional.normalize(features, dim=-1)
        patches = maps.new_zeros(batch, count, *maps.shape[1:])
        patches[present] = maps
        scaled = features.new_zeros(views.shape)
        scaled[present] = features
        return ViewTokens(views, self.cvsa(scaled, patches, angles_deg, present), present)

    def action_units(self, embeddings: Float[torch.Tensor, "*B D"]) -> Float[torch.Tensor, "*B 2 A"]:
        """The weights of both halves that a unit embedding of a view, a face or a sentence speaks of."""
        return self.units(embeddings * math.sqrt(embeddings.shape[-1])).unflatten(-1, (2, N_UNITS))

    def fuse(
        self, seen: ViewTokens, texts: Float[torch.Tensor, "K D"]
    ) -> tuple[Float[torch.Tensor, "B K"], Float[torch.Tensor, "B K N"]]:
        """Cosine of each face with each text after MTGF, and the weight of each view in it."""
        fused, weights = self.mtgf(seen.tokens, texts, seen.present)
        return (fused * texts).sum(dim=-1), weights

    def sentences(self, texts: Sequence[str]) -> Float[torch.Tensor, "S D"]:
        """Unit embedding of each sentence."""
        return self.encoders.texts(texts)

    def classes(self, sentences: Mapping[str, Sequence[str]]) -> Float[torch.Tensor, "K D"]:
        """Unit embedding of each label: the mean over its sentences.

        Raises:
            MeshError: a label that a network without a text side does not have.
        """
        if self.label_vectors is not None:
            unknown = [label for label in sentences if label not in EXPRESSIONS]
            if unknown:
                raise MeshError(f"this network knows {', '.join(EXPRESSIONS)} and reads no sentences, found {unknown}")
            rows = [EXPRESSIONS.index(label) for label in sentences]
            return nn.functional.normalize(self.label_vectors[rows], dim=-1)
        embedded = self.sentences([text for texts in sentences.values() for text in texts])
        groups = embedded.split([len(texts) for texts in sentences.values()])
        return nn.functional.normalize(torch.stack([group.mean(dim=0) for group in groups]), dim=-1)


def build_network(config: ModelConfig, seed: int = 0) -> FacetNetwork:
    """A network with random fusion weights (and encoders, unless config.pretrained) drawn from `seed`."""
    encoders = build_encoders(config, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FacetNetwork(encoders, config).to(memory_format=torch.channels_last)
