"""Frames to tokens by the frozen 3D network: what the temporal module reads, and all that is kept of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from facet_vlm.config import ModelConfig
from facet_vlm.config_4d import TemporalConfig
from facet_vlm.faces.magnification import magnified_pictures
from facet_vlm.faces.views import aligned_face_images, view_angles
from facet_vlm.network.facet import FacetNetwork, ViewTokens
from facet_vlm.network.fusion import mean_over_present
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.render import CameraRig, camera_rig

CHUNK = 16
MAGNIFIABLE = "geometry"


@dataclass(frozen=True)
class FrameTokens:
    """One sequence as the temporal module reads it."""

    tokens: Float[np.ndarray, "T S D"]
    """Streams: the face; and, where there are two, the face with its difference to the onset magnified."""
    times_s: Float[np.ndarray, " T"]
    present: Bool[np.ndarray, " T"]

    def __len__(self) -> int:
        return len(self.times_s)

    @classmethod
    def of_views(
        cls,
        tokens: Float[np.ndarray, "T N D"],
        times_s: Float[np.ndarray, " T"],
        seen: Bool[np.ndarray, "T N"] | None = None,
    ) -> "FrameTokens":
        """One stream from a token per view: the mean of the views that are there; frames without any are missing."""
        seen = np.ones(tokens.shape[:2], bool) if seen is None else seen
        count = seen.sum(axis=1)
        total = np.where(seen[..., None], tokens, 0.0).sum(axis=1)
        return cls((total / np.maximum(count, 1)[:, None])[:, None].astype(np.float32), times_s, count > 0)


@dataclass(frozen=True)
class FrameReader:
    """The frozen network and the views that are rendered for it."""

    network: FacetNetwork
    rig: CameraRig
    size_px: int
    inputs: str
    magnification: float

    @classmethod
    def of(cls, network: FacetNetwork, model: ModelConfig, config: TemporalConfig) -> "FrameReader":
        """The views that a temporal configuration names, of the rig that the network was trained on.

        Raises:
            MeshError: views that the rig does not have, or a magnification of inputs other than normals and depth.
        """
        cameras = camera_rig(model.rig)
        rows = list(config.views)
        if not set(rows) <= set(range(len(cameras))):
            raise MeshError(f"expected views from 0 to {len(cameras) - 1} of the rig {model.rig!r}, found {rows}")
        if config.magnification > 0 and model.inputs != MAGNIFIABLE:
            raise MeshError(f"only inputs {MAGNIFIABLE!r} can be magnified, found {model.inputs!r}")
        some = CameraRig(
            f"{model.rig}{rows}",
            tuple(cameras.yaws_deg[row] for row in rows),
            tuple(cameras.pitches_deg[row] for row in rows),
            cameras.fov_deg,
        )
        return cls(network.eval(), some, model.image_size, model.inputs, config.magnification)

    def pictures(self, frames: Sequence[Mesh]) -> UInt8[np.ndarray, "T N 3 H W"]:
        """The views of each frame; frames are in the face frame and at standard size."""
        return np.stack([aligned_face_images(mesh, self.rig, self.size_px, self.inputs) for mesh in frames])

    def tokens(self, pictures: UInt8[np.ndarray, "T N 3 H W"], times_s: Float[np.ndarray, " T"]) -> FrameTokens:
        """The mean of the views' aggregated global tokens, per frame and stream."""
        return self.tokens_of(self.look(pictures), pictures, times_s)

    def tokens_of(
        self, seen: ViewTokens, pictures: UInt8[np.ndarray, "T N 3 H W"], times_s: Float[np.ndarray, " T"]
    ) -> FrameTokens:
        """As `tokens`, where the frames have been looked at already."""
        streams = [_pooled(seen)]
        if self.magnification > 0:
            streams.append(_pooled(self.look(magnified_pictures(pictures, times_s, self.magnification))))
        return FrameTokens(np.stack(streams, axis=1), times_s, np.ones(len(pictures), bool))

    def look(self, pictures: UInt8[np.ndarray, "T N 3 H W"]) -> ViewTokens:
        """All tokens of each frame."""
        angles = torch.from_numpy(view_angles(self.rig)).float()
        parts: list[ViewTokens] = []
        with torch.inference_mode():
            for start in range(0, len(pictures), CHUNK):
                some = torch.from_numpy(pictures[start : start + CHUNK])
                there = torch.ones(some.shape[:2], dtype=torch.bool)
                parts.append(self.network.look(some, angles.expand(len(some), -1, -1), there))
            names = [field.name for field in fields(ViewTokens)]
            return ViewTokens(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def frame_cosines(self, seen: ViewTokens, texts: Float[torch.Tensor, "K D"]) -> Float[np.ndarray, "T K"]:
        """Each frame's own scores by the 3D network, without any other frame."""
        with torch.inference_mode():
            return self.network.fuse(seen, texts)[0].numpy()

    def texts(self, sentences: Mapping[str, Sequence[str]]) -> Float[torch.Tensor, "K D"]:
        """Unit embedding of each label."""
        with torch.inference_mode():
            return self.network.classes(sentences)


def _pooled(seen: ViewTokens) -> Float[np.ndarray, "T D"]:
    """Mean over views; on the CPU, in single precision."""
    return mean_over_present(seen.tokens[:, :, 0], seen.present).float().numpy()
