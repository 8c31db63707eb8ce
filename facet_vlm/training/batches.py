"""Batch: what one step sees; and the augmentations that keep an expression what it is."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from aublend.captions import mirrored_halves
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.faces.inputs import BANDS, empty_space, to_bytes

MAX_SHIFT_PX = 4
ERASED_SHARE = 0.25
ERASED_SIDE = (0.15, 0.4)


@dataclass(frozen=True)
class Batch:
    """Pictures, where they were taken from, and what they show."""

    images: UInt8[torch.Tensor, "B N 3 H W"]
    angles_deg: Float[torch.Tensor, "B N 2"]
    present: Bool[torch.Tensor, "B N"]
    targets: Float[torch.Tensor, "B K"]
    """Probability of each expression; zeros where the face shows none."""
    intensities: Float[torch.Tensor, " B"]
    halves: Float[torch.Tensor, "B 2 A"]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def of_labels(self, columns: Sequence[int]) -> "Batch":
        """The same batch where only some labels are known of."""
        return dataclasses.replace(self, targets=self.targets[:, list(columns)])


def whole_batch(samples: ExpressionSet, rows: Int[np.ndarray, " B"]) -> Batch:
    """All views of some samples, as they are."""
    return _batch(samples, rows, samples.images[rows], samples.angles_deg[rows], samples.halves[rows])


def training_batch(
    samples: ExpressionSet,
    rows: Int[np.ndarray, " B"],
    views_per_sample: int,
    rng: np.random.Generator,
    inputs: str = "geometry",
) -> Batch:
    """Random views of some samples: some mirrored, all shifted, some with a hole.

    Args:
        inputs: what the bands hold.
    """
    empty = to_bytes(empty_space(inputs))
    available = samples.images.shape[1]
    count = min(views_per_sample, available)
    chosen = np.stack([rng.choice(available, count, replace=False) for _ in rows])
    images = samples.images[rows[:, None], chosen]
    angles, halves = samples.angles_deg[rows[:, None], chosen], samples.halves[rows]
    for row in np.flatnonzero(rng.random(len(rows)) < 0.5):
        images[row] = mirrored_images(images[row], inputs)
        angles[row, :, 0] *= -1
        halves[row] = mirrored_halves(halves[row])
    for row in range(len(rows)):
        for view in range(count):
            images[row, view] = shifted(images[row, view], empty, rng)
    return _batch(samples, rows, images, angles, halves)


def _batch(
    samples: ExpressionSet,
    rows: Int[np.ndarray, " B"],
    images: UInt8[np.ndarray, "B N 3 H W"],
    angles_deg: Float[np.ndarray, "B N 2"],
    halves: Float[np.ndarray, "B 2 A"],
) -> Batch:
    return Batch(
        torch.from_numpy(images),
        torch.from_numpy(angles_deg).float(),
        torch.ones(images.shape[:2], dtype=torch.bool),
        torch.from_numpy(samples.targets[rows]).float(),
        torch.from_numpy(samples.intensities[rows]).float(),
        torch.from_numpy(halves).float(),
    )


def mirrored_images(images: UInt8[np.ndarray, "N 3 H W"], inputs: str = "geometry") -> UInt8[np.ndarray, "N 3 H W"]:
    """What the cameras at the opposite yaws see of the mirrored face: columns turn round, and so does normal_x."""
    mirrored = images[..., ::-1].copy()
    if BANDS[inputs][0] == "normal_x":
        mirrored[:, 0] = np.minimum(256 - mirrored[:, 0].astype(np.int16), 255)
    return mirrored


def shifted(
    image: UInt8[np.ndarray, "3 H W"], empty: UInt8[np.ndarray, "3 1 1"], rng: np.random.Generator
) -> UInt8[np.ndarray, "3 H W"]:
    """The picture moved by a few pixels, and in some cases with a rectangle of empty space."""
    size = image.shape[-1]
    largest = min(MAX_SHIFT_PX, size // 16)
    down, right = rng.integers(-largest, largest + 1, 2)
    padded = np.pad(image, ((0, 0), (largest, largest), (largest, largest)), mode="edge")
    moved = padded[:, largest + down : largest + down + size, largest + right : largest + right + size].copy()
    if rng.random() < ERASED_SHARE:
        height, width = (int(side) for side in rng.uniform(*ERASED_SIDE, 2) * size)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        moved[:, top : top + height, left : left + width] = empty
    return moved
