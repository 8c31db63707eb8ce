"""Local features: what the image tower would say of each place of a picture alone, in the space of its global feature.

CLIP-like towers end in pooling and a projection. Projected before pooling, every place of the last feature map has an
embedding that can be compared with sentences; where pooling is the mean and the projection linear, the mean over the
places is the global feature.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import nn

from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.fusion import mean_over_present
from mesh4d.errors import SpecError

CHUNK = 32


@dataclass(frozen=True)
class FrozenFaces:
    """All that frozen towers know of some faces, computed once."""

    views: Float[torch.Tensor, "B N D"]
    """Unit global feature of each view alone; zero where missing."""
    tokens: Float[torch.Tensor, "B N tokens D"]
    """After CVSA; of each view the global token first."""
    patches: Float[torch.Tensor, "B N P D"]
    """Unit local features, row by row of the grid; zero where the view is missing."""
    present: Bool[torch.Tensor, "B N"]
    grid: tuple[int, int]
    """Rows and columns of places."""

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def whole(self) -> Float[torch.Tensor, "B D"]:
        """Unit mean of the views' own global features."""
        return nn.functional.normalize(mean_over_present(self.views, self.present), dim=-1)

    def take(self, rows: Int[torch.Tensor, " B"]) -> "FrozenFaces":
        """Some of the faces, in that order."""
        return FrozenFaces(self.views[rows], self.tokens[rows], self.patches[rows], self.present[rows], self.grid)

    def to(self, device: torch.device) -> "FrozenFaces":
        """The same on a device."""
        moved = (part.to(device) for part in (self.views, self.tokens, self.patches, self.present))
        return FrozenFaces(*moved, grid=self.grid)


def frozen_faces(
    network: FacetNetwork,
    images: UInt8[np.ndarray, "B N 3 H W"],
    angles_deg: Float[np.ndarray, "*B N 2"],
    present: Bool[np.ndarray, "B N"] | None = None,
) -> FrozenFaces:
    """Features of pictures in eval mode, without gradients.

    Args:
        angles_deg: yaw and pitch of each view, of all faces alike or of each.
        present: False where a view is missing; None is all there.

    Raises:
        SpecError: an image tower whose places have no embedding.
    """
    device = next(network.parameters()).device
    angles = np.broadcast_to(angles_deg, (*images.shape[:2], 2)).astype(np.float32)
    present = np.ones(images.shape[:2], bool) if present is None else present
    was_training = network.training
    network.eval()
    parts: list[tuple[torch.Tensor, ...]] = []
    grid = (0, 0)
    with torch.no_grad():  # not inference_mode: what is learned on top needs gradients through MTGF
        for start in range(0, len(images), CHUNK):
            some = slice(start, start + CHUNK)
            there = torch.from_numpy(present[some]).to(device)
            pictures = torch.from_numpy(images[some]).to(device)
            seen = network.look(pictures, torch.from_numpy(angles[some]).to(device), there)
            places, grid = local_features(network.encoders.clip, pictures[there].float() / 127.5 - 1.0)
            local = network.centre(places.flatten(0, 1)).view(places.shape)
            patches = local.new_zeros(*there.shape, *local.shape[1:])
            patches[there] = nn.functional.normalize(local, dim=-1)
            parts.append((seen.views.cpu(), seen.tokens.cpu(), patches.cpu(), there.cpu()))
    network.train(was_training)
    return FrozenFaces(*(torch.cat(column) for column in zip(*parts, strict=True)), grid=grid)


def local_features(
    clip: nn.Module, pictures: Float[torch.Tensor, "B 3 H W"]
) -> tuple[Float[torch.Tensor, "B P D"], tuple[int, int]]:
    """Each place of the image tower's last feature map through the tower's own pooling and projection.

    Convention: convolutional towers of timm by `forward_features` and `forward_head` on maps of one place; open_clip's
    vision transformers by their last norm and projection.

    Raises:
        SpecError: any other tower.
    """
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    visual: Any = clip.visual
    if isinstance(visual, TimmModel):
        trunk: Any = visual.trunk
        features = trunk.forward_features(pictures)
        if features.ndim == 4:
            batch, channels, height, width = features.shape
            single = features.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)
            return visual.head(trunk.forward_head(single)).view(batch, height * width, -1), (height, width)
    elif isinstance(visual, VisionTransformer):
        found = visual.forward_intermediates(pictures, indices=1, normalize_intermediates=True, output_fmt="NCHW")
        last = found["image_intermediates"][-1]
        tokens = last.flatten(2).transpose(1, 2)
        return tokens if visual.proj is None else tokens @ visual.proj, (last.shape[2], last.shape[3])
    raise SpecError(
        f"expected a convolutional timm tower or open_clip's VisionTransformer, found {type(visual).__name__}"
    )
