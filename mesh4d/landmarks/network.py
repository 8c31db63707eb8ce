"""HeatmapNet: pictures of a surface to one heat map per landmark, the landmarks' visibility and whether this is a face.

A small U-Net (Ronneberger et al., 2015) trained from scratch; the idea of regressing 3D landmarks from rendered views
is Deep-MVLM's (Paulsen et al., 2018).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import nn

from mesh4d.landmarks.points68 import N_POINTS

IN_BANDS = 5
"""Depth, normal (3), mask: see `pictures`."""


@dataclass(frozen=True)
class NetConfig:
    """Size of the network."""

    widths: tuple[int, ...] = (32, 64, 128, 160)
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the picture's size."""
    map_level: int = 0
    """Which of those resolutions the heat maps have."""
    picture_px: int = 128


@dataclass(frozen=True)
class NetOutput:
    """What the network says of a batch of pictures."""

    heat: Float[torch.Tensor, "B L M M"]
    """Logits: a softmax over a map is where the landmark may be."""
    visible: Float[torch.Tensor, "B L"]
    """Logits: the landmark is on the surface that this picture shows."""
    face: Float[torch.Tensor, " B"]
    """Logits: the picture shows a face, more or less upright."""


class HeatmapNet(nn.Module):
    """U-Net with a head for heat maps and one for visibility."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = _stage(IN_BANDS, widths[0])
        self.down = nn.ModuleList([_stage(a, b) for a, b in pairwise(widths)])
        levels = range(config.map_level, len(widths) - 1)
        self.up = nn.ModuleList([_convolution(widths[level + 1], widths[level], 1) for level in levels])
        self.mix = nn.ModuleList([_convolution(widths[level], widths[level], 1) for level in levels])
        self.heat = nn.Conv2d(widths[config.map_level], N_POINTS, 1)
        self.judge = nn.Sequential(nn.Linear(2 * widths[-1], 160), nn.ReLU(), nn.Linear(160, N_POINTS + 1))

    def forward(self, pictures: Float[torch.Tensor, "B C H W"]) -> NetOutput:
        """Heat maps and verdicts; a picture's result does not depend on its batch in evaluation mode."""
        levels = [self.stem(pictures)]
        for stage in self.down:
            levels.append(stage(levels[-1]))
        deep = levels[-1]
        for step in reversed(range(len(self.up))):
            wide = nn.functional.interpolate(self.up[step](deep), scale_factor=2.0, mode="nearest")
            deep = self.mix[step](wide + levels[self.config.map_level + step])
        pooled = torch.cat([levels[-1].mean(dim=(2, 3)), levels[-1].amax(dim=(2, 3))], dim=1)
        verdict = self.judge(pooled)
        return NetOutput(self.heat(deep), verdict[:, :N_POINTS], verdict[:, N_POINTS])


def _stage(n_in: int, n_out: int) -> nn.Sequential:
    """Halve the size, then look around."""
    return nn.Sequential(_convolution(n_in, n_out, 2), _convolution(n_out, n_out, 1))


def _convolution(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))
