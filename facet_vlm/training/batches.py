"""Batch: what one step sees; and the augmentations that keep an expression what it is."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from aublend.captions import mirrored_halves
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.faces.views import to_bytes

MAX_SHIFT_PX = 4
ERASED_SHARE = 0.25
ERASED_SIDE = (0.15, 0.4)
BACKGROUND = to_bytes(np.array([0.0, 0.0, 1.0]).reshape(3, 1, 1))
"""The bytes of empty space: no normal, far away."""


@dataclass(frozen=True)
class Batch:
    """Pictures, where they were taken from, and what they show."""

    images: UInt8[torch.Tensor, "B N 3 H W"]
    angles_deg: Float[torch.Tensor, "B N 2"]
    present: Bool[torch.Tensor, "B N"]
    labels: Int[torch.Tensor, " B"]
    halves: Float[torch.Tensor, "B 2 A"]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def whole_batch(samples: ExpressionSet, rows: Int[np.ndarray, " B"], angles_deg: Float[np.ndarray, "N 2"]) -> Batch:
    """All views of some samples, as they are."""
    images = samples.images[rows]
    return Batch(
        torch.from_numpy(images),
        torch.from_numpy(np.broadcast_to(angles_deg, (len(rows), *angles_deg.shape)).copy()).float(),
        torch.ones(images.shape[:2], dtype=torch.bool),
        torch.from_numpy(samples.labels[rows]).long(),
        torch.from_numpy(samples.halves[rows]).float(),
    )


def training_batch(
    samples: ExpressionSet,
    rows: Int[np.ndarray, " B"],
    angles_deg: Float[np.ndarray, "N 2"],
    views_per_sample: int,
    rng: np.random.Generator,
) -> Batch:
    """Random views of some samples: some mirrored, all shifted, some with a hole."""
    count = min(views_per_sample, len(angles_deg))
    chosen = np.stack([rng.choice(len(angles_deg), count, replace=False) for _ in rows])
    images = samples.images[rows[:, None], chosen]
    angles, halves = angles_deg[chosen].copy(), samples.halves[rows].copy()
    for row in np.flatnonzero(rng.random(len(rows)) < 0.5):
        images[row] = mirrored_images(images[row])
        angles[row, :, 0] *= -1
        halves[row] = mirrored_halves(halves[row])
    for row in range(len(rows)):
        for view in range(count):
            images[row, view] = shifted(images[row, view], rng)
    return Batch(
        torch.from_numpy(images),
        torch.from_numpy(angles).float(),
        torch.ones(images.shape[:2], dtype=torch.bool),
        torch.from_numpy(samples.labels[rows]).long(),
        torch.from_numpy(halves).float(),
    )


def mirrored_images(images: UInt8[np.ndarray, "N 3 H W"]) -> UInt8[np.ndarray, "N 3 H W"]:
    """What the cameras at the opposite yaws see of the mirrored face: columns and normal_x turn round."""
    mirrored = images[..., ::-1].copy()
    mirrored[:, 0] = np.minimum(256 - mirrored[:, 0].astype(np.int16), 255)
    return mirrored


def shifted(image: UInt8[np.ndarray, "3 H W"], rng: np.random.Generator) -> UInt8[np.ndarray, "3 H W"]:
    """The picture moved by a few pixels, and in some cases with a rectangle of empty space."""
    size = image.shape[-1]
    largest = min(MAX_SHIFT_PX, size // 16)
    down, right = rng.integers(-largest, largest + 1, 2)
    padded = np.pad(image, ((0, 0), (largest, largest), (largest, largest)), mode="edge")
    moved = padded[:, largest + down : largest + down + size, largest + right : largest + right + size].copy()
    if rng.random() < ERASED_SHARE:
        height, width = (int(side) for side in rng.uniform(*ERASED_SIDE, 2) * size)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        moved[:, top : top + height, left : left + width] = BACKGROUND
    return moved
