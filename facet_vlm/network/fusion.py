"""Many views to one decision: Cross-View Semantic Aggregation, then Multiview Text-Guided Fusion.

FACET-VLM's abstract names both parts; their construction here is our own choice.

Convention: M = N * (1 + P) tokens per sample, of each view the global one first; present (B,N) is False where a view
is missing, and what a missing view holds never matters.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import nn


class CrossViewAggregation(nn.Module):
    """CVSA: every token attends to the tokens of all views, knowing from where each view looks.

    Views are told apart by their yaw and pitch alone, so their order carries no meaning and any rig will do. Without
    layers no view knows another.
    """

    def __init__(self, dim: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.pose = nn.Sequential(nn.Linear(4, dim), nn.GELU(), nn.Linear(dim, dim))
        self.global_token = nn.Parameter(torch.zeros(dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = (
            nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False) if layers else None
        )

    def forward(
        self,
        view_features: Float[torch.Tensor, "B N D"],
        patches: Float[torch.Tensor, "B N D h w"],
        angles_deg: Float[torch.Tensor, "B N 2"],
        present: Bool[torch.Tensor, "B N"],
    ) -> Float[torch.Tensor, "B N tokens D"]:
        """Tokens that know the other views.

        Args:
            view_features: global feature per view.
            patches: feature map per view.
            angles_deg: yaw and pitch per view.
        """
        dim, height, width = patches.shape[2:]
        places = sine_places(height, width, dim).to(patches)
        tokens = torch.cat(
            [(view_features + self.global_token)[:, :, None], patches.flatten(3).transpose(2, 3) + places], dim=2
        )
        tokens = tokens + self.pose(pose_features(angles_deg))[:, :, None]
        if self.encoder is None:
            return tokens
        missing = ~present[:, :, None].expand(tokens.shape[:3]).flatten(1)
        return self.encoder(tokens.flatten(1, 2), src_key_padding_mask=missing).view(tokens.shape)


class TextGuidedFusion(nn.Module):
    """MTGF: each text looks for its evidence among all views' tokens, and so weighs the views.

    With attention a_km of text k to token m, the weight of view n is w_kn = sum of a_km over its tokens, and the fused
    embedding is f_k = unit(sum_n w_kn g_n + W sum_m a_km v_m) with g_n the aggregated global token of view n.
    A text's score is cos(f_k, t_k): it depends on no other text, so labels can be added by writing a sentence.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        tokens: Float[torch.Tensor, "B N tokens D"],
        texts: Float[torch.Tensor, "K D"],
        present: Bool[torch.Tensor, "B N"],
    ) -> tuple[Float[torch.Tensor, "B K D"], Float[torch.Tensor, "B K N"]]:
        """Fused unit embedding per text, and the weight of each view in it (sums to 1 over views)."""
        batch, views, per_view, dim = tokens.shape
        flat = tokens.flatten(1, 2)
        query = self.query(texts).view(-1, self.heads, dim // self.heads)
        key = self.key(flat).view(batch, -1, self.heads, dim // self.heads)
        value = self.value(flat).view(batch, -1, self.heads, dim // self.heads)
        logits = torch.einsum("khd,bmhd->bkhm", query, key) / math.sqrt(dim // self.heads)
        missing = ~present[:, :, None].expand(batch, views, per_view).flatten(1)
        attention = logits.masked_fill(missing[:, None, None], -math.inf).softmax(dim=-1)
        evidence = self.out(torch.einsum("bkhm,bmhd->bkhd", attention, value).flatten(2))
        weights = attention.mean(dim=2).view(batch, -1, views, per_view).sum(dim=-1)
        whole = torch.einsum("bkn,bnd->bkd", weights, tokens[:, :, 0])
        return nn.functional.normalize(whole + evidence, dim=-1), weights


class MeanFusion(nn.Module):
    """What MTGF is compared with: every text meets the mean of the views."""

    def forward(
        self,
        tokens: Float[torch.Tensor, "B N tokens D"],
        texts: Float[torch.Tensor, "K D"],
        present: Bool[torch.Tensor, "B N"],
    ) -> tuple[Float[torch.Tensor, "B K D"], Float[torch.Tensor, "B K N"]]:
        """The mean view for each text, and equal weights of the views that are there."""
        mean = nn.functional.normalize(mean_over_present(tokens[:, :, 0], present), dim=-1)
        weights = present.to(tokens) / present.sum(dim=1, keepdim=True)
        return mean[:, None].expand(-1, len(texts), -1), weights[:, None].expand(-1, len(texts), -1)


def pose_features(angles_deg: Float[torch.Tensor, "B N 2"]) -> Float[torch.Tensor, "B N 4"]:
    """Sine and cosine of yaw and pitch."""
    radians = torch.deg2rad(angles_deg)
    return torch.cat([radians.sin(), radians.cos()], dim=-1)


def sine_places(height: int, width: int, dim: int) -> Float[torch.Tensor, "P D"]:
    """Fixed sine embedding of a patch's row and column, as in MAE (He et al. 2022), row by row.

    Args:
        dim: a multiple of 4.
    """
    frequency = 1.0 / 100.0 ** (torch.arange(dim // 4) / (dim // 4))
    row = torch.arange(height)[:, None, None].expand(height, width, 1) * frequency
    column = torch.arange(width)[None, :, None].expand(height, width, 1) * frequency
    return torch.cat([row.sin(), row.cos(), column.sin(), column.cos()], dim=-1).flatten(0, 1)


def mean_over_present(
    features: Float[torch.Tensor, "B N D"], present: Bool[torch.Tensor, "B N"]
) -> Float[torch.Tensor, "B D"]:
    """The mean of the views that are there; a sample needs at least one."""
    weight = present.to(features)[..., None]
    return (torch.where(present[..., None], features, 0.0)).sum(dim=1) / weight.sum(dim=1)
