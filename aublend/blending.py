"""Fast sums of sparse shapes: every unit moves part of a head only, so only those parts are stored and read.

Vertices are cut into blocks of 32, sorted by which shapes move them where that saves work. A shape keeps the blocks
that it moves, one after another; a pose reads those of its active shapes once, adds up in registers and writes each
vertex once.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from aublend.blend_kernel import BLOCK, LEFT, MIXED, RIGHT, WIDTH, blend_frames

CACHE_LINE = 64
NEGLIGIBLE = 2.0**-25
"""Displacements below this share of the head's extent vanish in the float32 rounding of its vertices."""
SCATTER_COST = 7
"""What it costs to write a block's vertices to their own places after sorting, in shapes read."""
FRAMES_TOGETHER = 8
"""Frames that share one pass over the shapes: their vertices still fit in the cache."""
THREADS_FROM = 4_000_000
"""Coordinates to compute from which a second thread earns what starting it costs."""


@dataclass(frozen=True)
class ShapeBlocks:
    """Shapes cut into blocks of vertices; the last block is padded with copies of its last vertex."""

    in_order: bool
    """Whether `order` leaves every vertex where it is."""
    order: Int[np.ndarray, " padded"]
    """The vertex at each place."""
    rest: Float[np.ndarray, " padded_coordinates"]
    share: Float[np.ndarray, " padded_coordinates"]
    """m_L of the vertex at each place, once per coordinate."""
    side: Int[np.ndarray, " blocks"]
    """0 where all its vertices belong to the left half, 1 the right, 2 to both."""
    begins: Int[np.ndarray, " blocks"]
    """Where each block begins in `shape_of` and `row_of`."""
    shape_of: Int[np.ndarray, " entries"]
    """The shapes that move a block, ascending, block after block."""
    row_of: Int[np.ndarray, " entries"]
    """Where their displacements of that block stand in `payload`."""
    payload: Float[np.ndarray, " entries_times_width"]
    """Shape after shape, the blocks that it moves: a pose reads a few long streams."""
    moved_by: UInt64[np.ndarray, "blocks words"]
    """Bit s % 64 of word s // 64 is set where shape s moves the block."""
    pair_units: Int[np.ndarray, "P 2"]
    """The factors of the shapes that follow the units' own."""

    def bytes_read(self, halves: Float[np.ndarray, "2 A"]) -> int:
        """Bytes of displacements that one pose reads."""
        factors = np.concatenate([halves, halves[:, self.pair_units].prod(axis=2)], axis=1) != 0
        places = np.repeat(np.arange(len(self.side)), np.diff([*self.begins, len(self.shape_of)]))
        needed = np.where(self.side[places] == MIXED, factors.any(axis=0)[self.shape_of], False)
        for half in (LEFT, RIGHT):
            needed |= (self.side[places] == half) & factors[half, self.shape_of]
        return int(needed.sum()) * 4 * WIDTH

    def posed(self, halves: Float[np.ndarray, "T 2 A"], vertices: int) -> Float[np.ndarray, "T V 3"]:
        """rest + m_L * (w_L . D + p_L . C) + m_R * (w_R . D + p_R . C) for every row of weights; sums in float32."""
        halves = np.ascontiguousarray(halves, np.float64)
        out = np.empty((len(halves), vertices, 3))
        chunks = [slice(at, at + FRAMES_TOGETHER) for at in range(0, len(out), FRAMES_TOGETHER)]
        if out.size < THREADS_FROM or _cores() == 1:
            for rows in chunks:
                self._blend(halves[rows], out[rows])
        else:  # the kernel holds no lock
            with ThreadPoolExecutor(_cores()) as pool:
                list(pool.map(lambda rows: self._blend(halves[rows], out[rows]), chunks))
        return out

    def _blend(self, halves: Float[np.ndarray, "T 2 A"], out: Float[np.ndarray, "T V 3"]) -> None:
        blend_frames(
            halves,
            self.pair_units,
            self.in_order,
            self.order,
            self.rest,
            self.share,
            self.side,
            self.begins,
            self.shape_of,
            self.row_of,
            self.payload,
            self.moved_by,
            out.reshape(len(out), -1),
        )


def shape_blocks(
    rest: Float[np.ndarray, "V 3"],
    left_share: Float[np.ndarray, " V"],
    units: Float[np.ndarray, "A V 3"],
    pairs: Float[np.ndarray, "P V 3"],
    pair_units: Int[np.ndarray, "P 2"],
    fixed: Int[np.ndarray, " M"],
) -> ShapeBlocks:
    """Sort a rig's shapes into blocks.

    Args:
        fixed: vertices that no shape is to move (those of rigid parts).
    """
    bound = NEGLIGIBLE * np.ptp(rest, axis=0).max(initial=0.0)
    moves = np.concatenate([np.abs(shapes).max(axis=2, initial=0.0) > bound for shapes in (units, pairs)])
    moves[:, fixed] = False
    side = np.where(left_share == 1, LEFT, np.where(left_share == 0, RIGHT, MIXED))
    order, in_order = _order(moves, side)
    blocks = order.reshape(-1, BLOCK)
    moved = _block_moves(moves, order)
    sides = side[blocks]
    return ShapeBlocks(
        in_order=in_order,
        order=order,
        rest=np.ascontiguousarray(rest[order], np.float64).reshape(-1),
        share=np.repeat(left_share[order], 3),
        side=np.where((sides == sides[:, :1]).all(axis=1), sides[:, 0], MIXED),
        begins=np.cumsum(moved.sum(axis=0)) - moved.sum(axis=0),
        shape_of=np.ascontiguousarray(np.nonzero(moved.T)[1]),
        row_of=(np.cumsum(moved) - 1).reshape(moved.shape).T[moved.T],
        payload=_payload([*units, *pairs], moves, moved, blocks),
        moved_by=_bits(moved),
        pair_units=np.ascontiguousarray(pair_units, np.int64),
    )


def _order(moves: Bool[np.ndarray, "S V"], side: Int[np.ndarray, " V"]) -> tuple[Int[np.ndarray, " padded"], bool]:
    """The vertices' own order, or sorted by half and shapes where their own order scatters the shapes too much."""
    own = _padded(np.arange(moves.shape[1]))
    by_shapes = _padded(np.lexsort((*moves[::-1], side)))
    stays = _block_moves(moves, own).sum() <= _block_moves(moves, by_shapes).sum() + SCATTER_COST * len(own) / BLOCK
    return (own, True) if stays else (by_shapes, False)


def _padded(order: Int[np.ndarray, " V"]) -> Int[np.ndarray, " padded"]:
    return np.concatenate([order, np.repeat(order[-1:], -len(order) % BLOCK)])


def _block_moves(moves: Bool[np.ndarray, "S V"], order: Int[np.ndarray, " padded"]) -> Bool[np.ndarray, "S blocks"]:
    """Which shapes move any vertex of which block."""
    return np.asarray(moves[:, order].reshape(len(moves), -1, BLOCK).any(axis=2))


def _payload(
    shapes: Sequence[Float[np.ndarray, "V 3"]],
    moves: Bool[np.ndarray, "S V"],
    moved: Bool[np.ndarray, "S blocks"],
    blocks: Int[np.ndarray, "blocks size"],
) -> Float[np.ndarray, " entries_times_width"]:
    """The displacements of the blocks that each shape moves, starting at a cache line: no load straddles two."""
    size = int(moved.sum()) * WIDTH
    raw = np.empty(size + CACHE_LINE // 4, np.float32)
    start = -raw.ctypes.data % CACHE_LINE // 4
    payload, at = raw[start : start + size], 0
    for shape, moves_vertex, moves_block in zip(shapes, moves, moved, strict=True):
        places = blocks[moves_block]
        part = np.where(moves_vertex[places][..., None], shape[places], 0)
        payload[at : at + part.size] = part.reshape(-1)
        at += part.size
    return payload


def _bits(moved: Bool[np.ndarray, "S blocks"]) -> UInt64[np.ndarray, "blocks words"]:
    words = np.zeros((moved.shape[1], -(-len(moved) // 64)), np.uint64)
    for shape, moves_block in enumerate(moved):
        words[moves_block, shape // 64] |= np.uint64(1) << np.uint64(shape % 64)
    return words


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
