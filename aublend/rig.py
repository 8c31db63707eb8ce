"""AURig: a neutral head and its 32 action unit shapes on its own vertices. Drive it, animate it, solve for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves, half_weights
from aublend.halves import MidPlane
from aublend.rigid_parts import RigidPart
from aublend.units import ACTION_UNITS, AU_NAMES
from mesh4d.errors import MeshError, TopologyError
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence


@dataclass(frozen=True)
class AURig:
    """V = N + m_L * (w_L . D) + m_R * (w_R . D), with m_L + m_R = 1; rigid parts are turned instead.

    Convention: sides are the subject's own; weights are 0 to 1, and beyond 1 for exaggeration.
    """

    neutral: Mesh
    deltas: Float[np.ndarray, "A V 3"]
    """Displacement at weight 1, in the neutral's frame and unit."""
    au_names: tuple[str, ...]
    mid_plane: MidPlane
    """Divides the head into the halves that L and R drive."""
    rigid_parts: tuple[RigidPart, ...] = ()
    unit_m: float = 0.001
    """Metres per coordinate unit."""

    def __post_init__(self) -> None:
        if self.au_names != AU_NAMES:
            raise MeshError(f"a rig holds the 32 units in order; expected {AU_NAMES}, found {self.au_names}")
        if self.deltas.shape != (len(self.au_names), *self.neutral.vertices.shape):
            raise TopologyError(
                f"deltas need shape {(len(self.au_names), *self.neutral.vertices.shape)}, found {self.deltas.shape}"
            )
        if not np.isfinite(self.deltas).all():
            raise MeshError("deltas must be finite")

    @cached_property
    def left_weight(self) -> Float[np.ndarray, " V"]:
        """m_L: the subject's-left share of each vertex, 0 to 1."""
        return self.mid_plane.left_weight(self.neutral.vertices)

    def drive(self, weights: Mapping[str, float]) -> Mesh:
        """The head under named weights, e.g. {"AU12": 0.8, "AU4L": 0.3}.

        Raises:
            MeshError: for a name that is no action unit.
        """
        return self.neutral.with_vertices(self.pose(half_weights(weights)))

    def animate(self, curves: AUCurves) -> MeshSequence:
        """The head under curves, one frame per row."""
        frames = np.stack([self.pose(halves) for halves in curves.halves()])
        return MeshSequence(self.neutral, frames, curves.fps)

    def solve(self, observed: Mesh | MeshSequence) -> AUCurves:
        """The unit weights that explain a head, or each frame of a sequence, on this rig's topology.

        See `aublend.solve.solve_weights`; a single mesh gives one row at 25 fps.
        """
        from aublend.solve import observed_frames, solve_weights

        frames, fps = observed_frames(self, observed)
        return AUCurves(self.au_names, solve_weights(self, frames), fps)

    def pose(self, halves: Float[np.ndarray, "2 A"]) -> Float[np.ndarray, "V 3"]:
        """Vertices under one weight row for the left half and one for the right."""
        left, right = halves
        displacement = self._blend(left)
        if not np.array_equal(left, right):
            share = self.left_weight[:, None]
            displacement = share * displacement + (1 - share) * self._blend(right)
        vertices = self.neutral.vertices + displacement
        for part in self.rigid_parts:
            side = left if part.side == "left" else right
            vertices[part.vertex_ids] = part.turned(self.neutral.vertices[part.vertex_ids], side)
        return vertices

    def moved(self, frame: Similarity) -> "AURig":
        """The same rig in the coordinates that `frame` maps to."""
        turn = frame.rotation.T
        return AURig(
            neutral=self.neutral.with_vertices(frame.apply(self.neutral.vertices)),
            deltas=(self.deltas @ (frame.scale * turn).astype(self.deltas.dtype)),
            au_names=self.au_names,
            mid_plane=self.mid_plane.moved(frame),
            rigid_parts=tuple(part.moved(frame) for part in self.rigid_parts),
            unit_m=self.unit_m / frame.scale,
        )

    def regions(self) -> dict[str, Float[np.ndarray, " V"]]:
        """Where each FACS region's units move the head, 0 to 1 (brow, lid, eye, nose, cheek, lip, jaw)."""
        magnitude = np.linalg.norm(self.deltas, axis=2)
        relative = magnitude / np.maximum(magnitude.max(axis=1, keepdims=True), 1e-9)
        names = dict.fromkeys(unit.region for unit in ACTION_UNITS)
        return {
            name: relative[[row for row, unit in enumerate(ACTION_UNITS) if unit.region == name]].max(axis=0)
            for name in names
        }

    def _blend(self, weights: Float[np.ndarray, " A"]) -> Float[np.ndarray, "V 3"]:
        """w . D over the active units only."""
        active = np.flatnonzero(weights)
        if len(active) == 0:
            return np.zeros_like(self.neutral.vertices)
        flat = self.deltas.reshape(len(self.deltas), -1)
        return (weights[active].astype(flat.dtype) @ flat[active]).reshape(-1, 3).astype(np.float64)
