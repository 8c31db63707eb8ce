"""MorphMesh: a mesh with named morph targets and, where there is one, an animation of their weights."""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, TopologyError
from mesh4d.mesh import Mesh


@dataclass(frozen=True)
class MorphMesh:
    """vertices(t) = mesh.vertices + sum_a weights[t, a] * deltas[a]."""

    mesh: Mesh
    """The neutral; weights of 0."""
    target_names: tuple[str, ...]
    deltas: Float[np.ndarray, "A V 3"]
    """Offset of every vertex at weight 1, in the mesh's unit."""
    weights: Float[np.ndarray, "T A"] | None = None
    times_s: Float[np.ndarray, " T"] | None = None
    """Time of each row of `weights`, ascending from 0 or later; linear in between."""
    extras: dict[str, object] = field(default_factory=dict)
    """Free JSON data stored with the mesh (without the target names)."""
    unit_m: float = 0.001
    """Metres per unit of the coordinates: 0.001 for millimetres."""

    def __post_init__(self) -> None:
        count = len(self.target_names)
        shape = (count, self.mesh.n_vertices, 3)
        if self.deltas.shape != shape:
            raise TopologyError(f"deltas need shape {shape}, names x vertices x 3, found {self.deltas.shape}")
        if not np.isfinite(self.deltas).all():
            raise MeshError("deltas must be finite")
        if not (self.unit_m > 0 and math.isfinite(self.unit_m)):
            raise MeshError(f"unit_m must be a positive number of metres, found {self.unit_m}")
        if (self.weights is None) != (self.times_s is None):
            raise MeshError("weights and times_s come together; one of them is missing")
        if self.weights is None or self.times_s is None:
            return
        if self.weights.shape != (len(self.times_s), count) or len(self.times_s) == 0:
            raise MeshError(
                f"weights need one row per time and one column per target: expected {(len(self.times_s), count)}, "
                f"found {self.weights.shape}"
            )
        if not (np.isfinite(self.weights).all() and np.isfinite(self.times_s).all()):
            raise MeshError("weights and times_s must be finite")
        if self.times_s[0] < 0 or (np.diff(self.times_s) <= 0).any():
            raise MeshError("times_s must ascend from 0 or later")
