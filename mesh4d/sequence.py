"""MeshSequence: one topology moving through time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, TopologyError
from mesh4d.mesh import Mesh


@dataclass(frozen=True)
class MeshSequence:
    """Frames over a fixed topology.

    `topology` carries faces and attributes; its vertices are the rest shape (they need not be a frame).
    """

    topology: Mesh
    frames: Float[np.ndarray, "T V 3"]
    fps: float

    def __post_init__(self) -> None:
        if self.frames.shape[1:] != self.topology.vertices.shape:
            raise TopologyError(
                f"frames need {self.topology.n_vertices} vertices each, found shape {self.frames.shape}"
            )
        if not self.fps > 0:
            raise MeshError(f"fps must be positive, found {self.fps}")

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, frame: int) -> Mesh:
        return self.topology.with_vertices(np.asarray(self.frames[frame], np.float64))

    def __iter__(self) -> Iterator[Mesh]:
        return (self[frame] for frame in range(len(self)))

    @property
    def duration_s(self) -> float:
        """Time from the first frame to the end of the last, in seconds."""
        return len(self) / self.fps
