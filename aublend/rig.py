"""AURig: a neutral head and its 32 action unit shapes on its own vertices. Drive it, animate it, solve for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from aublend.blending import ShapeBlocks, shape_blocks
from aublend.curves import AUCurves, half_weights
from aublend.halves import MidPlane
from aublend.rigid_parts import RigidPart
from aublend.units import ACTION_UNITS, AU_INDEX, AU_NAMES
from mesh4d.errors import MeshError, TopologyError
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence


@dataclass(frozen=True)
class AURig:
    """V = N + m_L * (w_L . D + p(w_L) . C) + m_R * (w_R . D + p(w_R) . C), with m_L + m_R = 1.

    p(w) are the products of the weights of pairs of units, C what the sum of the two lacks; rigid parts are turned
    instead.

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
    pairs: tuple[str, ...] = ()
    """Pairs of units that do not simply add, e.g. "AU6+AU45"."""
    pair_deltas: Float[np.ndarray, "P V 3"] | None = None
    """What the sum of each pair's shapes lacks at weight 1 of both; None without pairs."""

    def __post_init__(self) -> None:
        if self.au_names != AU_NAMES:
            raise MeshError(f"a rig holds the 32 units in order; expected {AU_NAMES}, found {self.au_names}")
        if self.deltas.shape != (len(self.au_names), *self.neutral.vertices.shape):
            raise TopologyError(
                f"deltas need shape {(len(self.au_names), *self.neutral.vertices.shape)}, found {self.deltas.shape}"
            )
        if self.correctives.shape != (len(self.pairs), *self.neutral.vertices.shape):
            raise TopologyError(f"{len(self.pairs)} pairs need as many shapes, found {self.correctives.shape}")
        if not (np.isfinite(self.deltas).all() and np.isfinite(self.correctives).all()):
            raise MeshError("deltas must be finite")
        if unknown := [pair for pair in self.pairs if not _is_pair(pair)]:
            raise MeshError(f"expected pairs like AU6+AU45, found {unknown[0]!r}")

    @property
    def correctives(self) -> Float[np.ndarray, "P V 3"]:
        """The pairs' shapes, as many as there are pairs."""
        return np.zeros((0, *self.neutral.vertices.shape), np.float32) if self.pair_deltas is None else self.pair_deltas

    @cached_property
    def pair_units(self) -> Int[np.ndarray, "P 2"]:
        """The two units of each pair."""
        return np.array([[AU_INDEX[unit] for unit in pair.split("+")] for pair in self.pairs], int).reshape(-1, 2)

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
        return MeshSequence(self.neutral, self.poses(curves.halves()), curves.fps)

    def solve(
        self, observed: Mesh | MeshSequence | Sequence[Mesh], *, sides: bool = True, smooth: bool = True
    ) -> AUCurves:
        """The unit weights that explain a head, each frame of a sequence, or raw scans of the rig's person.

        Halves get columns of their own (AU12L, AU12R) where they differ. See `aublend.solve.solve`; a single mesh
        gives one row at 25 fps.
        """
        from aublend.solve import solve

        return solve(self, observed, sides=sides, smooth=smooth)

    def pose(self, halves: Float[np.ndarray, "2 A"]) -> Float[np.ndarray, "V 3"]:
        """Vertices under one weight row for the left half and one for the right."""
        return self.poses(halves[None])[0]

    def poses(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, "T V 3"]:
        """Vertices of many frames; on all cores where there is enough to do."""
        frames = self._blocks.posed(halves, self.neutral.n_vertices)
        for part in self.rigid_parts:
            part.turn(frames, self.neutral.vertices, halves[:, 0 if part.side == "left" else 1])
        return frames

    def bytes_read(self, halves: Float[np.ndarray, "2 A"]) -> int:
        """Bytes of displacements that a pose reads: what memory it is bound by, beside the vertices themselves."""
        return self._blocks.bytes_read(halves)

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
            pairs=self.pairs,
            pair_deltas=None
            if self.pair_deltas is None
            else self.pair_deltas @ (frame.scale * turn).astype(self.pair_deltas.dtype),
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

    @cached_property
    def _blocks(self) -> ShapeBlocks:
        """The shapes as `drive` reads them."""
        fixed = [part.vertex_ids for part in self.rigid_parts]
        return shape_blocks(
            self.neutral.vertices,
            self.left_weight,
            self.deltas,
            self.correctives,
            self.pair_units,
            np.concatenate([np.empty(0, np.int64), *fixed]),
        )


def _is_pair(name: str) -> bool:
    units = name.split("+")
    return len(units) == 2 and all(unit in AU_INDEX for unit in units)
