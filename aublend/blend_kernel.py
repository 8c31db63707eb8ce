"""The compiled blend of sparse shapes: block by block, in vector registers."""

from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from mesh4d.compiled import compiled

BLOCK = 32
"""Vertices a block; their 96 coordinates fill six registers of 512 bits, or twelve of 256."""
WIDTH = 3 * BLOCK
LANES = 16
LEFT, RIGHT, MIXED = 0, 1, 2
"""The half that all vertices of a block belong to; MIXED where some belong to both or the block has both."""


@compiled(fastmath={"contract"})
@no_type_check
def blend_frames(halves, pair_units, in_order, order, rest, share, side, starts, payload, moved_by, out):
    """The blend of every frame, block by block, so that a block's shapes stay in the cache from frame to frame."""
    frames, _, units = halves.shape
    vertices = out.shape[1] // 3
    weights = np.empty((frames, 2, units + len(pair_units)), np.float32)
    active = np.zeros((frames, 2, moved_by.shape[1]), np.uint64)
    same = np.ones(frames, np.bool_)
    for t in range(frames):
        same[t] = _coefficients(halves[t], pair_units, weights[t], active[t])
    left, right, nothing = np.empty(WIDTH), np.empty(WIDTH), np.zeros(WIDTH)
    rows = np.empty(weights.shape[2], np.int64)
    factors = np.empty(weights.shape[2], np.float32)
    flat_out = out.reshape(-1)
    cursor = starts.copy()
    union = np.zeros(moved_by.shape[1], np.uint64)
    for t in range(frames):
        for word in range(len(union)):
            union[word] |= active[t, 0, word] | active[t, 1, word]
    for block in range(len(side)):
        at = block * BLOCK
        end = min(at + BLOCK, vertices)
        half = 1 if side[block] == RIGHT else 0
        for t in range(frames):
            n = _active_rows(active, weights, t, half, moved_by, block, cursor, rows, factors)
            if side[block] == MIXED and not same[t]:
                _weighted_rows(rows, factors, n, payload, nothing, 0, left, 0)
                n = _active_rows(active, weights, t, 1, moved_by, block, cursor, rows, factors)
                _weighted_rows(rows, factors, n, payload, nothing, 0, right, 0)
                for i in range(end - at):
                    m = share[at + i]
                    for c in range(3):
                        blended = m * left[3 * i + c] + (1 - m) * right[3 * i + c]
                        out[t, 3 * order[at + i] + c] = rest[3 * (at + i) + c] + blended
            elif in_order and end - at == BLOCK:
                _weighted_rows(rows, factors, n, payload, rest, 3 * at, flat_out, t * out.shape[1] + 3 * at)
            else:
                _weighted_rows(rows, factors, n, payload, rest, 3 * at, left, 0)
                for i in range(end - at):
                    for c in range(3):
                        out[t, 3 * order[at + i] + c] = left[3 * i + c]
        for word in range(moved_by.shape[1]):
            bits = moved_by[block, word] & union[word]
            while bits != 0:
                cursor[64 * word + _lowest_bit(bits)] += 1
                bits &= bits - np.uint64(1)


@compiled()
@no_type_check
def _coefficients(halves, pair_units, weights, active):
    """Weights of units and pairs in float32, the bits of those that are not 0, and whether both halves agree."""
    units = halves.shape[1]
    same = True
    for half in range(2):
        for shape in range(weights.shape[1]):
            if shape < units:
                value = halves[half, shape]
                same = same and value == halves[0, shape]
            else:
                one, other = pair_units[shape - units]
                value = halves[half, one] * halves[half, other]
            weights[half, shape] = value
            if weights[half, shape] != 0:
                active[half, shape // 64] |= np.uint64(1) << np.uint64(shape % 64)
    return same


@compiled()
@no_type_check
def _active_rows(active, weights, t, half, moved_by, block, cursor, rows, factors):
    """The rows of `payload` that a block needs, and their weights; how many."""
    n = 0
    for word in range(moved_by.shape[1]):
        bits = moved_by[block, word] & active[t, half, word]
        while bits != 0:
            shape = 64 * word + _lowest_bit(bits)
            rows[n] = cursor[shape]
            factors[n] = weights[t, half, shape]
            n += 1
            bits &= bits - np.uint64(1)
    return n


@intrinsic
@no_type_check
def _lowest_bit(typingctx, bits):
    """The number of the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(bits), generate


@intrinsic
@no_type_check
def _weighted_rows(typingctx, rows, factors, n, payload, rest, at, out, to):
    """out[to + j] = rest[at + j] + sum over i < n of factors[i] * payload[rows[i], j], for the WIDTH coordinates j.

    Written for LLVM because the sums must stay in vector registers, which numba's own loops do not achieve.
    """

    def generate(context, builder, signature, arguments):
        kinds = {0: ir.IntType(64), 1: ir.FloatType(), 3: ir.FloatType(), 4: ir.DoubleType(), 6: ir.DoubleType()}
        row_of, factor_of, table, base, target = (
            builder.bitcast(
                context.make_array(signature.args[k])(context, builder, arguments[k]).data, kind.as_pointer()
            )
            for k, kind in kinds.items()
        )
        vector, wide = (ir.VectorType(kind, LANES) for kind in (ir.FloatType(), ir.DoubleType()))
        zero, undefined = ir.Constant(vector, [0.0] * LANES), ir.Constant(vector, ir.Undefined)
        spread = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        lanes = [ir.Constant(ir.IntType(64), lane) for lane in range(0, WIDTH, LANES)]
        sums = [cgutils.alloca_once_value(builder, zero) for _ in lanes]

        def pointer(array, start, lane, kind):
            return builder.bitcast(builder.gep(array, [builder.add(start, lane)]), kind.as_pointer())

        with cgutils.for_range(builder, arguments[2]) as loop:
            row = builder.mul(builder.load(builder.gep(row_of, [loop.index])), ir.Constant(ir.IntType(64), WIDTH))
            factor = builder.load(builder.gep(factor_of, [loop.index]))
            first = builder.insert_element(undefined, factor, ir.Constant(ir.IntType(32), 0))
            factor = builder.shuffle_vector(first, undefined, spread)
            for lane, total in zip(lanes, sums, strict=True):
                product = builder.fmul(
                    factor, builder.load(pointer(table, row, lane, vector), align=4), flags=("contract",)
                )
                builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
        for lane, total in zip(lanes, sums, strict=True):
            moved = builder.fpext(builder.load(total), wide)
            placed = builder.fadd(builder.load(pointer(base, arguments[5], lane, wide), align=8), moved)
            builder.store(placed, pointer(target, arguments[7], lane, wide), align=8)
        return context.get_dummy_value()

    return types.void(rows, factors, n, payload, rest, at, out, to), generate
