"""The sparse blend against the plain sum that it stands for."""

import numpy as np
import pytest

from aublend import AU_NAMES, AUCurves, AURig
from aublend.blending import THREADS_FROM, shape_blocks
from aublend.curves import half_weights
from aublend.halves import MidPlane
from mesh4d import Mesh

VERTICES = 203
PAIRS = ("AU1+AU4", "AU12+AU26", "AU26+AU27")


def plain(rig, halves):
    """V = N + m_L (w_L.D + p_L.C) + m_R (w_R.D + p_R.C), in float64."""
    share = rig.left_weight[:, None]
    sums = [
        np.tensordot(side, rig.deltas.astype(float), 1)
        + np.tensordot(side[rig.pair_units].prod(axis=1), rig.correctives.astype(float), 1)
        for side in halves
    ]
    return rig.neutral.vertices + share * sums[0] + (1 - share) * sums[1]


def random_rig(seed, *, scattered=False, pairs=PAIRS):
    """Shapes that move a stretch of the vertices each; scattered: the same in random order."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 40, (VERTICES, 3))
    points = points[np.argsort(points[:, 0])]
    shapes = np.zeros((len(AU_NAMES) + len(pairs), VERTICES, 3), np.float32)
    for shape in shapes:
        start, length = rng.integers(VERTICES), rng.integers(1, VERTICES)
        shape[start : start + length] = rng.normal(0, 5, shape[start : start + length].shape)
    if scattered:
        order = rng.permutation(VERTICES)
        points, shapes = points[order], shapes[:, order]
    return AURig(
        neutral=Mesh(points, np.array([[0, 1, 2]])),
        deltas=shapes[: len(AU_NAMES)].copy(),
        au_names=AU_NAMES,
        mid_plane=MidPlane.of_face_frame(),
        pairs=pairs,
        pair_deltas=shapes[len(AU_NAMES) :].copy() if pairs else None,
    )


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("pairs", [(), PAIRS])
@pytest.mark.parametrize("active", [0, 1, 4, 32])
def test_blend_is_the_plain_sum(scattered, pairs, active):
    rig = random_rig(active, scattered=scattered, pairs=pairs)
    rng = np.random.default_rng(1)
    for sides in (1, 2):
        halves = np.zeros((2, 32))
        units = rng.choice(32, active, replace=False)
        halves[:, units] = rng.random((sides, active))
        np.testing.assert_allclose(rig.pose(halves), plain(rig, halves), atol=2e-5)


def test_own_order_is_kept_only_where_it_pays():
    assert random_rig(5)._blocks.in_order
    sparse = random_rig(5, scattered=True)
    assert not sparse._blocks.in_order
    assert sparse._blocks.payload.size < 0.8 * sparse.deltas.size


def test_more_shapes_than_bits_in_a_word():
    names = tuple(f"{one}+{other}" for one in AU_NAMES[:6] for other in AU_NAMES[6:16])
    rig = random_rig(2, pairs=names)
    halves = np.random.default_rng(0).random((2, 32))
    np.testing.assert_allclose(rig.pose(halves), plain(rig, halves), atol=3e-5)


def test_halves_add_up_bit_for_bit():
    rig = random_rig(3, pairs=())
    for unit in ("AU12", "AU4", "AU26"):
        left, right, both = (rig.drive({name: 0.7}).vertices for name in (f"{unit}L", f"{unit}R", unit))
        neutral = rig.neutral.vertices
        np.testing.assert_allclose((left - neutral) + (right - neutral), both - neutral, atol=1e-13)


def test_many_frames_on_all_cores_are_the_single_poses():
    rig = random_rig(4)
    frames = THREADS_FROM // (3 * VERTICES) + 11
    halves = np.random.default_rng(2).random((frames, 2, 32))
    halves[::3] = 0
    posed = rig.poses(halves)
    for frame in (0, 1, 7, 8, frames // 2, frames - 1):
        np.testing.assert_array_equal(posed[frame], rig.pose(halves[frame]))


def test_rows_read_grow_with_active_units_only():
    rig = random_rig(6)
    four, every = (rig.bytes_read(half_weights(dict.fromkeys(AU_NAMES[:count], 0.5))) for count in (4, 32))
    assert 0 < four < every / 4 and every <= rig._blocks.payload.nbytes
    assert rig.bytes_read(np.zeros((2, 32))) == 0


def test_negligible_displacements_are_left_out():
    points = np.random.default_rng(0).normal(0, 50, (64, 3))
    shapes = np.zeros((1, 64, 3), np.float32)
    shapes[0, :32], shapes[0, 32:] = 1.0, 1e-7
    none = np.zeros((0, 64, 3), np.float32)
    blocks = shape_blocks(points, np.ones(64), shapes, none, np.zeros((0, 2), int), np.empty(0, int))
    assert len(blocks.row_of) == 1


def test_curves_and_named_weights_agree(rig):
    names = ("AU12", "AU12L", "AU4C", "AU30L", "AU45RE")
    rows = np.random.default_rng(0).random((5, 5))
    halves = AUCurves(names, rows, 25.0).halves()
    for row, expected in zip(rows, halves, strict=True):
        np.testing.assert_allclose(half_weights(dict(zip(names, row, strict=True))), expected, atol=1e-15)


def test_letters_and_sides_reach_the_vertices(rig):
    def posed(**weights):
        return rig.drive(weights).vertices

    np.testing.assert_allclose(posed(AU12C=1.0), posed(AU12=0.6), atol=1e-12)
    np.testing.assert_allclose(posed(AU12LB=1.0, AU12RD=1.0), posed(AU12L=0.4, AU12R=0.8), atol=1e-12)
    np.testing.assert_allclose(posed(AU30LE=1.0), posed(AU30L=1.0), atol=1e-12)
