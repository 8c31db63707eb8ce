"""Reading: pictures through a network, and what it saw as points and rays in space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from mesh4d.landmarks.heatmaps import peaks
from mesh4d.landmarks.network import HeatmapNet
from mesh4d.landmarks.pictures import DEPTH_LIMIT, Surface, Window, mirrored, pictures_of
from mesh4d.landmarks.points68 import mirror_order

BATCH = 24
TYPICAL_MASS = 0.9
"""Mass around the peak of a heat map that the network is sure of."""


@dataclass(frozen=True)
class Reading:
    """What a network says of N pictures."""

    windows: tuple[Window, ...]
    places: Float[np.ndarray, "N 68 2"]
    """Column and row, 0 to 1."""
    visible: Float[np.ndarray, "N 68"]
    """Probability that the landmark is on the surface seen."""
    sharpness: Float[np.ndarray, "N 68"]
    """How sure the network is of the place, 0 to 1."""
    face: Float[np.ndarray, " N"]
    """Probability that the picture shows a face."""
    pictures: Float[np.ndarray, "N C H W"]

    def trust(self) -> Float[np.ndarray, "N 68"]:
        """Say of each observation in a consensus, 0 to 1."""
        return self.visible * self.sharpness

    def alone(self, row: int) -> "Reading":
        """What was said of one picture."""
        fields = (self.places, self.visible, self.sharpness, self.face, self.pictures)
        return Reading((self.windows[row],), *(field[row : row + 1] for field in fields))

    def origins(self) -> Float[np.ndarray, "N 68 3"]:
        """A point on the viewing ray of each landmark: where it meets the plane through the window's centre."""
        return np.stack([window.rays(places) for window, places in zip(self.windows, self.places, strict=True)])

    def directions(self) -> Float[np.ndarray, "N 3"]:
        """Towards the viewer, per picture."""
        return np.stack([window.rotation[2] for window in self.windows])

    def hits(self) -> Float[np.ndarray, "N 68 3"]:
        """Where the rays meet the surface seen; NaN where the picture is empty there."""
        size = self.pictures.shape[2]
        pixel = np.clip(np.floor(self.places * size).astype(int), 1, size - 2)
        rows = np.arange(len(self.places))[:, None]
        steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        around = np.stack([self.pictures[rows, 0, pixel[..., 1] + dy, pixel[..., 0] + dx] for dy, dx in steps])
        around = np.sort(np.where(around < DEPTH_LIMIT, around, np.nan).astype(np.float64), axis=0)  # NaN goes last
        seen = np.isfinite(around).sum(axis=0)
        middle = np.stack([np.maximum(seen - 1, 0) // 2, np.minimum(seen // 2, len(steps) - 1)])
        depth = np.take_along_axis(around, middle, axis=0).mean(axis=0)
        half = np.array([window.half for window in self.windows])
        return self.origins() - (depth * half[:, None])[..., None] * self.directions()[:, None]


def read(network: HeatmapNet, windows: Sequence[Window], pictures: Float[np.ndarray, "N C H W"]) -> Reading:
    """Show pictures to a network."""
    heat, visible, face = [], [], []
    for start in range(0, len(pictures), BATCH):
        batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + BATCH]))
        with torch.inference_mode():
            output = network(batch.contiguous(memory_format=torch.channels_last))
        heat.append(peaks(output.heat.float().numpy()))
        visible.append(torch.sigmoid(output.visible).numpy())
        face.append(torch.sigmoid(output.face).numpy())
    mass = np.concatenate([found.mass for found in heat])
    return Reading(
        tuple(windows),
        np.concatenate([found.places for found in heat]),
        np.concatenate(visible).astype(np.float64),
        np.clip(mass / TYPICAL_MASS, 0, 1),
        np.concatenate(face).astype(np.float64),
        pictures,
    )


def read_once(network: HeatmapNet, windows: Sequence[Window], surface: Surface) -> Reading:
    """Draw the windows and show each picture as it is."""
    return read(network, windows, pictures_of(surface, windows, network.config.picture_px))


def read_twice(network: HeatmapNet, windows: Sequence[Window], surface: Surface) -> Reading:
    """Draw the windows and show each picture as it is and mirrored: 2N readings of N windows."""
    size = network.config.picture_px
    pictures = pictures_of(surface, windows, size)
    both = read(network, [*windows, *windows], np.concatenate([pictures, mirrored(pictures)]))
    count, order = len(windows), mirror_order()
    places, visible, sharpness = both.places.copy(), both.visible.copy(), both.sharpness.copy()
    places[count:] = places[count:, order] * [-1, 1] + [1, 0]
    visible[count:], sharpness[count:] = visible[count:, order], sharpness[count:, order]
    return Reading(both.windows, places, visible, sharpness, both.face, np.concatenate([pictures, pictures]))
