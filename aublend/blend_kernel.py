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
def blend_frames(
    halves, pair_units, in_order, order, rest, share, side, begins, shape_of, row_of, payload, moved_by, out
):
    """The blend of every frame, block by block, so that a block's shapes stay in the cache from frame to frame."""
    frames, _, units = halves.shape
    vertices, shapes = out.shape[1] // 3, units + len(pair_units)
    weights = np.empty((frames, 2, shapes), np.float32)
    active = np.zeros((frames, 2, moved_by.shape[1]), np.uint64)
    same = np.ones(frames, np.bool_)
    union = np.zeros(moved_by.shape[1], np.uint64)
    for t in range(frames):
        same[t] = _coefficients(halves[t], pair_units, weights[t], active[t])
        for word in range(len(union)):
            union[word] |= active[t, 0, word] | active[t, 1, word]
    factors, flat_out = weights.reshape(-1), out.reshape(-1)
    left, right, nothing = np.empty(WIDTH), np.empty(WIDTH), np.zeros(WIDTH)
    listed = np.empty(shapes, np.int64)
    block = 0
    while block < len(side):
        at = block * BLOCK
        if in_order and not _touched(union, moved_by, block):
            while block < len(side) and not _touched(union, moved_by, block):
                block += 1
            stop = min(block * WIDTH, out.shape[1])
            for t in range(frames):
                out[t, 3 * at : stop] = rest[3 * at : stop]
            continue
        end = min(at + BLOCK, vertices)
        for t in range(frames):
            half = 1 if side[block] == RIGHT else 0
            n = _active_entries(active, t, half, moved_by, block, begins, listed)
            first = (2 * t + half) * shapes
            if side[block] == MIXED and not same[t]:
                _weighted_rows(listed, n, row_of, shape_of, factors, first, payload, nothing, 0, left, 0)
                n = _active_entries(active, t, 1, moved_by, block, begins, listed)
                _weighted_rows(listed, n, row_of, shape_of, factors, first + shapes, payload, nothing, 0, right, 0)
                _mix(share, left, right, rest, 3 * at)
                _place(left, order, at, end, flat_out, t * out.shape[1])
            elif in_order and end - at == BLOCK:
                to = t * out.shape[1] + 3 * at
                _weighted_rows(listed, n, row_of, shape_of, factors, first, payload, rest, 3 * at, flat_out, to)
            else:
                _weighted_rows(listed, n, row_of, shape_of, factors, first, payload, rest, 3 * at, left, 0)
                _place(left, order, at, end, flat_out, t * out.shape[1])
        block += 1


@compiled(fastmath={"contract"})
@no_type_check
def _mix(share, left, right, rest, at):
    """Both halves' sums, each with its share, onto the coordinates at rest; into `left`."""
    for j in range(WIDTH):
        m = share[np.uint64(at) + np.uint64(j)]
        left[j] = rest[np.uint64(at) + np.uint64(j)] + (m * left[j] + (1 - m) * right[j])


@compiled()
@no_type_check
def _place(placed, order, at, end, out, to):
    """A block's coordinates to where its vertices stand."""
    for i in range(end - at):
        for c in range(3):
            out[to + 3 * order[at + i] + c] = placed[3 * i + c]


@compiled()
@no_type_check
def _touched(active, moved_by, block):
    """Whether any active shape moves a block."""
    for word in range(len(active)):  # noqa: SIM110 - numba knows no generators
        if active[word] & moved_by[block, word] != 0:
            return True
    return False


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
def _active_entries(active, t, half, moved_by, block, begins, listed):
    """The entries of a block whose shapes are active; how many."""
    n, first = 0, begins[block]
    for word in range(moved_by.shape[1]):
        mask = moved_by[block, word]
        bits = mask & active[t, half, word]
        if bits == mask:
            for entry in range(first, first + _count_bits(mask)):
                listed[n] = entry
                n += 1
        else:
            while bits != 0:
                lowest = bits & (~bits + np.uint64(1))
                listed[n] = first + _count_bits(mask & (lowest - np.uint64(1)))
                n += 1
                bits &= bits - np.uint64(1)
        first += _count_bits(mask)
    return n


@intrinsic
@no_type_check
def _count_bits(typingctx, bits):
    """How many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(bits), generate


@intrinsic
@no_type_check
def _weighted_rows(typingctx, listed, n, row_of, shape_of, factors, first, payload, rest, at, out, to):
    """out[to + j] = rest[at + j] + sum of factors[first + shape_of[e]] * payload[row_of[e], j] over n listed entries e.

    For the WIDTH coordinates j. Written for LLVM because the sums must stay in vector registers, which numba's own
    loops do not achieve.
    """

    def generate(context, builder, signature, arguments):
        whole = ir.IntType(64)
        kinds = {
            0: whole,
            2: whole,
            3: whole,
            4: ir.FloatType(),
            6: ir.FloatType(),
            7: ir.DoubleType(),
            9: ir.DoubleType(),
        }
        listed_at, row_at, shape_at, factor_at, table, base, target = (
            builder.bitcast(
                context.make_array(signature.args[k])(context, builder, arguments[k]).data, kind.as_pointer()
            )
            for k, kind in kinds.items()
        )

        def element(array, index):
            return builder.load(builder.gep(array, [index]))

        vector, wide = (ir.VectorType(kind, LANES) for kind in (ir.FloatType(), ir.DoubleType()))
        zero, undefined = ir.Constant(vector, [0.0] * LANES), ir.Constant(vector, ir.Undefined)
        spread = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        lanes = [ir.Constant(ir.IntType(64), lane) for lane in range(0, WIDTH, LANES)]
        sums = [cgutils.alloca_once_value(builder, zero) for _ in lanes]

        def pointer(array, start, lane, kind):
            return builder.bitcast(builder.gep(array, [builder.add(start, lane)]), kind.as_pointer())

        with cgutils.for_range(builder, arguments[1]) as loop:
            entry = element(listed_at, loop.index)
            row = builder.mul(element(row_at, entry), ir.Constant(whole, WIDTH))
            factor = element(factor_at, builder.add(arguments[5], element(shape_at, entry)))
            single = builder.insert_element(undefined, factor, ir.Constant(ir.IntType(32), 0))
            factor = builder.shuffle_vector(single, undefined, spread)
            for lane, total in zip(lanes, sums, strict=True):
                product = builder.fmul(
                    factor, builder.load(pointer(table, row, lane, vector), align=4), flags=("contract",)
                )
                builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
        for lane, total in zip(lanes, sums, strict=True):
            moved = builder.fpext(builder.load(total), wide)
            placed = builder.fadd(builder.load(pointer(base, arguments[8], lane, wide), align=8), moved)
            builder.store(placed, pointer(target, arguments[10], lane, wide), align=8)
        return context.get_dummy_value()

    return types.void(listed, n, row_of, shape_of, factors, first, payload, rest, at, out, to), generate
