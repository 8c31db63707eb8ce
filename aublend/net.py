"""AUBlendNet: one neutral head in, its 32 AU shapes out, in one pass.

After AUBlendNet (arXiv 2507.12001) in what it does, not in how: no codebook, no weights tied to 15,069 coordinates.
A head becomes an identity code (whitened principal components of the neutral). 32 unit tokens, each a learned
embedding, read that code through adaLN-modulated transformer blocks (Peebles & Xie 2023, zero-initialised gates) and
answer with coefficients of their own unit's principal displacements:
    D_a = mean_a + sum_k (W_a z + f(a, z))_k B_ak ,
W the ridge solution, f the network's correction. Rows of a batch never see each other.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aublend.units import N_UNITS


@dataclass(frozen=True)
class NetConfig:
    """Sizes of AUBlendNet."""

    n_vertices: int
    code_size: int = 128
    """K: principal components of the neutral heads."""
    shape_rank: int = 24
    """Principal displacements per unit."""
    width: int = 128
    n_blocks: int = 3
    n_heads: int = 4
    code_limit: float = 3.0
    """Codes are bounded softly at this many standard deviations, so that a stranger's head cannot run away."""


class UnitBlock(nn.Module):
    """Self-attention among the unit tokens and an MLP, both modulated and gated by the identity."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = nn.MultiheadAttention(width, n_heads, batch_first=True)
        self.mlp_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, tokens: Float[Tensor, "B A D"], identity: Float[Tensor, "B D"]) -> Float[Tensor, "B A D"]:
        """Modulate, attend, modulate, mix."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(identity)[:, None].chunk(6, dim=-1)
        query = self.attention_norm(tokens) * (1 + scale1) + shift1
        tokens = tokens + gate1 * self.attention(query, query, query, need_weights=False)[0]
        return tokens + gate2 * self.mlp(self.mlp_norm(tokens) * (1 + scale2) + shift2)


class AUBlendNet(nn.Module):
    """Vertices of a neutral head on the embedded topology -> displacements of all units.

    Convention: face frame, mm. The frozen statistics (means, bases, ridge weights) are buffers.
    """

    code_mean: Tensor
    code_basis: Tensor
    unit_mean: Tensor
    unit_basis: Tensor
    ridge: Tensor
    support: Tensor

    def __init__(self, config: NetConfig, support: Int[Tensor, " S"]) -> None:
        super().__init__()
        self.config = config
        coordinates = 3 * len(support)
        self.register_buffer("support", support)
        self.register_buffer("code_mean", torch.zeros(3 * config.n_vertices))
        self.register_buffer("code_basis", torch.zeros(3 * config.n_vertices, config.code_size))
        self.register_buffer("unit_mean", torch.zeros(N_UNITS, coordinates))
        self.register_buffer("unit_basis", torch.zeros(N_UNITS, config.shape_rank, coordinates))
        self.register_buffer("ridge", torch.zeros(N_UNITS, config.shape_rank, config.code_size))
        self.unit_embedding = nn.Parameter(torch.randn(N_UNITS, config.width) * 0.5)
        self.read_code = nn.Sequential(
            nn.Linear(config.code_size, config.width), nn.GELU(), nn.Linear(config.width, config.width)
        )
        self.blocks = nn.ModuleList(UnitBlock(config.width, config.n_heads) for _ in range(config.n_blocks))
        self.norm = nn.LayerNorm(config.width)
        self.read_out = nn.Parameter(torch.zeros(N_UNITS, config.width, config.shape_rank))

    def raw_code(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B K"]:
        """Whitened principal components of a neutral head."""
        return (vertices.flatten(1) - self.code_mean) @ self.code_basis

    def bounded(self, raw_code: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """The code as the network sees it."""
        return self.config.code_limit * torch.tanh(raw_code / self.config.code_limit)

    def coefficients(self, code: Float[Tensor, "B K"]) -> Float[Tensor, "B A R"]:
        """Whitened coefficients of each unit's principal displacements."""
        linear = torch.einsum("ark,bk->bar", self.ridge, code)
        identity = self.read_code(code)
        tokens = self.unit_embedding.expand(len(code), -1, -1)
        for block in self.blocks:
            tokens = block(tokens, identity)
        return linear + torch.einsum("baw,awr->bar", self.norm(tokens), self.read_out)

    def forward(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B A V 3"]:
        """All units' displacements, mm; zero outside the vertices that some unit moves."""
        coefficients = self.coefficients(self.bounded(self.raw_code(vertices)))
        moved = self.unit_mean + torch.einsum("bar,arc->bac", coefficients, self.unit_basis)
        deltas = moved.new_zeros(len(vertices), N_UNITS, self.config.n_vertices, 3)
        deltas[:, :, self.support] = moved.unflatten(-1, (-1, 3))
        return deltas
