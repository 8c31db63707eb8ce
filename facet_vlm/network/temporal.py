"""Frames to one decision: a small transformer over the tokens of frames, then text-guided fusion over time.

FACET-VLM's abstract speaks of 4D faces without saying how frames are joined; everything here is our own choice.

Convention: tokens (B,T,S,D) hold S streams per frame, the face's own token first; times are seconds; present (B,T) is
False where a frame is missing, and what a missing frame holds never matters. Attention is an integral over time, not
a sum over frames: each frame counts by the time that it stands for, so that the rate at which a face was filmed
changes little.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import nn

from facet_vlm.config_4d import TemporalConfig

PERIODS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Of the waves that tell the transformer when a frame was, from the onset on."""


class TemporalNetwork(nn.Module):
    """Tokens of frames against texts."""

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        dim, streams = config.dim, config.streams
        self.streams = streams
        self.register_buffer("centre", torch.zeros(2 * streams, dim))
        self.register_buffer("spread", torch.ones(2 * streams, dim))
        self.enter = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2 * streams))
        self.time = nn.Linear(2 * len(PERIODS_S), dim)
        self.layers = nn.ModuleList(TimeLayer(dim, config.heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim)
        self.fusion = TimeFusion(dim, config.heads)
        # At first the fused embedding is the 3D network's own, whose tokens already lie where its texts do.
        self.leave = nn.Linear(dim, dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.category_log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.category_bias = nn.Parameter(torch.tensor(-3.0))

    def forward(
        self,
        tokens: Float[torch.Tensor, "B T S D"],
        times_s: Float[torch.Tensor, "B T"],
        present: Bool[torch.Tensor, "B T"],
        texts: Float[torch.Tensor, "K D"],
        onset: Int[torch.Tensor, " B"] | None = None,
    ) -> tuple[Float[torch.Tensor, "B K"], Float[torch.Tensor, "B K T"]]:
        """Cosine of each sequence with each text, and the weight of each frame in it (sums to 1 over frames).

        Args:
            times_s: ascending where present, from any zero.
            texts: unit embeddings.
            onset: the frame that the others are compared with; None is the first one present.
        """
        onset = present.int().argmax(dim=1) if onset is None else onset
        rows = torch.arange(len(tokens), device=tokens.device)
        tokens = torch.where(present[:, :, None, None], tokens, tokens[rows, onset][:, None])
        own = torch.cat([tokens, tokens - tokens[rows, onset][:, None]], dim=2)
        own = (own - self.centre) / self.spread
        since = torch.where(present, times_s - times_s[rows, onset][:, None], 0.0)
        frames = self.time(time_features(since))
        for stream, enter in enumerate(self.enter):
            frames = frames + enter(own[:, :, stream])
        log_share = log_durations(times_s, present)
        for layer in self.layers:
            frames = layer(frames, log_share)
        frames = self.norm(frames)
        fused, weights = self.fusion(frames, tokens[:, :, 0] + self.leave(frames), texts, log_share)
        return (fused * texts).sum(dim=-1), weights

    def fit_scales(self, tokens: Float[torch.Tensor, "B T S D"], present: Bool[torch.Tensor, "B T"]) -> None:
        """Take centre and spread of every input from training data, as fixed numbers."""
        onset = present.int().argmax(dim=1)
        start = tokens[torch.arange(len(tokens)), onset][:, None]
        own = torch.cat([tokens, tokens - start], dim=2)[present]
        self.centre.copy_(own.mean(dim=0))
        self.spread.copy_(own.std(dim=0).mean(dim=1, keepdim=True).clamp(min=1e-6).expand_as(self.spread))

    def expression_logits(self, cosines: Float[torch.Tensor, "B K"]) -> Float[torch.Tensor, "B K"]:
        """For a softmax over labels of which one is right."""
        return self.log_scale.exp().clamp(max=100.0) * cosines

    def category_logits(self, cosines: Float[torch.Tensor, "B K"]) -> Float[torch.Tensor, "B K"]:
        """For a sigmoid per label, any number of which may be right; the bias is shared, so that labels can be new."""
        return self.category_log_scale.exp().clamp(max=100.0) * cosines + self.category_bias


class TimeLayer(nn.Module):
    """A pre-norm transformer layer whose attention counts each frame by the time that it stands for.

    Not torch's own layer: its fast path in evaluation reads any additive mask as yes and no.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attend, self.join = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.think = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))

    def forward(
        self, frames: Float[torch.Tensor, "B T D"], log_share: Float[torch.Tensor, "B T"]
    ) -> Float[torch.Tensor, "B T D"]:
        """Frames that know the others; softmax(q k / sqrt(d) + log_share) v."""
        parts = self.attend(self.before(frames)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        share = self.dropout if self.training else 0.0
        found = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=log_share[:, None, None].expand(-1, 1, frames.shape[1], -1), dropout_p=share
        )
        joined = self.join(found.transpose(1, 2).flatten(2))
        frames = frames + nn.functional.dropout(joined, self.dropout, self.training)
        return frames + nn.functional.dropout(self.think(self.between(frames)), self.dropout, self.training)


class TimeFusion(nn.Module):
    """Each text looks for its evidence among the frames: where in time the expression is.

    With weight w_kt of text k for frame t, the fused embedding is f_k = unit(sum_t w_kt g_t + W sum_t a_kt v_t), g the
    face of a frame, v its values, a the attention per head and w its mean over heads. A text's score is cos(f_k, t_k)
    and depends on no other text.
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
        frames: Float[torch.Tensor, "B T D"],
        faces: Float[torch.Tensor, "B T D"],
        texts: Float[torch.Tensor, "K D"],
        log_share: Float[torch.Tensor, "B T"],
    ) -> tuple[Float[torch.Tensor, "B K D"], Float[torch.Tensor, "B K T"]]:
        """Fused unit embedding per text, and the weight of each frame in it.

        Args:
            frames: what each frame is in its sequence.
            faces: the same in the space of the texts.
            log_share: logarithm of the time that each frame stands for; -inf where missing.
        """
        batch, count, dim = frames.shape
        width = dim // self.heads
        query = self.query(texts).view(-1, self.heads, width)
        key = self.key(frames).view(batch, count, self.heads, width)
        value = self.value(frames).view(batch, count, self.heads, width)
        logits = torch.einsum("khd,bthd->bkht", query, key) / math.sqrt(width)
        attention = (logits + log_share[:, None, None]).softmax(dim=-1)
        evidence = self.out(torch.einsum("bkht,bthd->bkhd", attention, value).flatten(2))
        weights = attention.mean(dim=2)
        whole = torch.einsum("bkt,btd->bkd", weights, faces)
        return nn.functional.normalize(whole + evidence, dim=-1), weights


def time_features(since_s: Float[torch.Tensor, "B T"]) -> Float[torch.Tensor, "B T W"]:
    """Sine and cosine of the time since the onset, in waves of PERIODS_S."""
    angles = since_s[..., None] * (2 * math.pi / torch.tensor(PERIODS_S, device=since_s.device))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def log_durations(
    times_s: Float[torch.Tensor, "B T"], present: Bool[torch.Tensor, "B T"]
) -> Float[torch.Tensor, "B T"]:
    """Logarithm of the time from halfway to the frame before to halfway to the next; -inf where missing.

    The first and the last frame stand for as much time outside as inside. A lone frame stands for a second.
    """
    before = torch.where(present, times_s, -torch.inf).cummax(dim=1).values.roll(1, dims=1)
    before[:, 0] = -torch.inf
    after = torch.where(present, times_s, torch.inf).flip(1).cummin(dim=1).values.flip(1).roll(-1, dims=1)
    after[:, -1] = torch.inf
    back, forth = times_s - before, after - times_s
    back, forth = torch.where(back.isinf(), forth, back), torch.where(forth.isinf(), back, forth)
    length = ((back + forth) / 2).clamp(min=1e-3)
    length = torch.where(length.isinf() | length.isnan(), 1.0, length)
    return torch.where(present, length.log(), -torch.inf)
