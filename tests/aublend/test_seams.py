import numpy as np
import pytest

from aublend.eyelids import Eyeball, LidGuard
from aublend.seams import LIDS, LIPS, margin_loops, seam_of_fields, seam_of_loop


def two_strips(gap, slope=0.0, width=40.0, columns=41, depth=6.0):
    """An upper and a lower strip of skin that face each other over a gap; the line between them may be steep."""
    across = np.linspace(0, width, columns)
    rows = []
    for height in (8.0, 4.0, 0.0):  # upper strip, its last row the edge
        rows.append(np.stack([across, height + gap + slope * across, np.zeros(columns)], axis=1))
    rows.append(np.stack([across, gap + slope * across, np.full(columns, -depth)], axis=1))  # the edge has thickness
    for height in (0.0, -4.0, -8.0):
        rows.append(np.stack([across, height + slope * across, np.zeros(columns)], axis=1))
    rows.append(np.stack([across, slope * across, np.full(columns, -depth)], axis=1))
    grid = np.arange(8 * columns).reshape(8, columns)
    quads = []
    for one, other in ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (4, 7)):
        a, b, c, d = grid[one, :-1], grid[one, 1:], grid[other, 1:], grid[other, :-1]
        quads += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
    vertices = np.concatenate(rows)
    side = np.where(np.arange(len(vertices)) < 4 * columns, 1, -1)
    seam = seam_of_fields(LIPS, side, np.ones(len(vertices)), vertices[:, 0] / width, np.concatenate(quads))
    return vertices, seam


@pytest.mark.parametrize("slope", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("gap", [3.0, 0.0, -2.0])
def test_gap_is_measured_whatever_the_slope(gap, slope):
    vertices, seam = two_strips(gap, slope)
    np.testing.assert_allclose(seam.gaps(vertices).height, gap, atol=0.12)


@pytest.mark.parametrize("gap", [5.0, -3.0])
def test_closing_brings_the_margins_together(gap):
    vertices, seam = two_strips(gap)
    closed = seam.closed(vertices, rounds=6)
    assert np.abs(seam.gaps(closed).height).max() < 0.1
    upper, lower = seam.side > 0, seam.side < 0
    moved = closed - vertices
    np.testing.assert_allclose(moved[upper, 1].mean(), -gap / 2, atol=0.1)
    np.testing.assert_allclose(moved[lower, 1].mean(), gap / 2, atol=0.1)
    assert np.abs(moved[:, 0]).max() == 0.0


def test_closing_can_leave_a_wanted_gap():
    vertices, seam = two_strips(5.0)
    wanted = seam.gaps(two_strips(2.0)[0])
    np.testing.assert_allclose(seam.gaps(seam.closed(vertices, wanted, rounds=6)).height, 2.0, atol=0.1)


def test_uncrossing_leaves_open_margins_alone():
    vertices, seam = two_strips(1.0)
    np.testing.assert_array_equal(seam.uncrossed(vertices), vertices)
    crossed, seam = two_strips(-2.0)
    assert seam.gaps(seam.uncrossed(crossed)).height.min() > -0.7


def test_margins_that_miss_each_other_in_depth_are_brought_together():
    vertices, seam = two_strips(0.0)
    apart = vertices + np.where(seam.side > 0, 1.0, 0.0)[:, None] * np.array([0.0, 2.0, 20.0])
    gaps = seam.gaps(apart)
    assert gaps.depth.min() > 10
    closed = seam.closed(apart, rounds=6)
    after = seam.gaps(closed)
    assert np.hypot(after.height, after.depth).max() < 0.25 * np.hypot(gaps.height, gaps.depth).max()


def test_loop_is_cut_into_upper_and_lower_at_its_corners(model):
    mouth = model.shapes.fissures.mouth
    rest = model.shapes.rest
    lips = model.topology.part_vertices("lips")
    upper, lower = (lips[mouth.side[lips] == sign] for sign in (1, -1))
    assert rest[upper, 1].min() > rest[lower, 1].min() and rest[upper, 1].mean() > rest[lower, 1].mean() + 3
    nose_tip = np.argmax(rest[:, 2] * (np.abs(rest[:, 0]) < 5))
    assert mouth.weight[nose_tip] == 0.0


def test_loops_of_two_areas():
    inner = np.array([[0, 1, 2], [0, 2, 3]])
    outer = np.array([[1, 0, 4], [2, 1, 5], [3, 2, 6], [0, 3, 7]])
    (loop,) = margin_loops(inner, outer)
    assert sorted(loop) == [0, 1, 2, 3]
    turns = np.abs(np.diff(np.append(loop, loop[0])))
    assert set(turns) <= {1, 3}, "neighbours follow each other"


def test_a_seam_needs_no_particular_topology():
    """A circle of skin with a slit: sides and weights come from the loop alone."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = [np.stack([r * np.cos(angle) * 2, r * np.sin(angle), np.zeros(24)], axis=1) for r in (4.0, 8.0, 12.0, 16.0)]
    vertices = np.concatenate(rings)
    grid = np.arange(96).reshape(4, 24)
    quads = []
    for row in range(3):
        a, b = grid[row], np.roll(grid[row], -1)
        d, c = grid[row + 1], np.roll(grid[row + 1], -1)
        quads += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
    seam = seam_of_loop(vertices, np.concatenate(quads), grid[0], LIDS)
    off_axis = (np.abs(vertices[:, 1]) > 1) & (seam.side != 0)
    np.testing.assert_array_equal(seam.side[off_axis], np.sign(vertices[off_axis, 1]))
    assert seam.weight[grid[0]].max() == 1.0 and seam.weight[grid[3]].max() == 0.0


def ball(bulge=0.0):
    rng = np.random.default_rng(0)
    rays = rng.normal(size=(2000, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    radius = 12.0 + bulge * np.clip((rays[:, 2] - 0.8) / 0.2, 0, 1)
    return Eyeball(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]) + rays * radius[:, None])


def test_lids_stay_outside_the_eyeball():
    eyeball = ball()
    rest = eyeball.centre + np.array([[0.0, 0.0, 14.0], [0.0, 12.2, 0.0], [0.0, 0.0, 20.0]])
    sunk = eyeball.centre + np.array([[0.0, 0.0, 8.0], [0.0, 9.0, 0.0], [0.0, 0.0, 20.0]])
    pushed = LidGuard(np.arange(3)).push_outside(sunk, rest, eyeball)
    distance = np.linalg.norm(pushed - eyeball.centre, axis=1)
    np.testing.assert_allclose(distance, [12.8, 12.2, 20.0], atol=0.05)


def test_cornea_lifts_the_lid_as_it_passes():
    from scipy.spatial.transform import Rotation

    eyeball = ball(bulge=1.5)
    rest = eyeball.centre + np.array([[0.0, 14.0, 0.0]])
    under = eyeball.centre + np.array([[0.0, 12.0, 0.0]])
    guard = LidGuard(np.array([0]))
    up = Rotation.from_euler("x", -90, degrees=True)
    straight = guard.push_outside(under, rest, eyeball)[0, 1]
    turned = guard.push_outside(under, rest, eyeball, up)[0, 1]
    assert turned - straight == pytest.approx(1.5, abs=0.15)
