"""What every head's shapes owe anatomy, on identities that no weight was made from."""

import numpy as np
import pytest

from aublend.combinations import COMBINATIONS, Addition, pair_deltas
from aublend.style import Style, learn_style, style_named
from aublend.unit_shapes import with_anatomy
from aublend.units import ACTION_UNITS, AU_INDEX
from mesh4d.errors import SpecError

SEEDS = (453, 470)


@pytest.fixture(scope="module", params=SEEDS)
def head(request, model):
    identity = model.parameters(request.param)
    neutral = model.neutral(identity).vertices
    return neutral, model.deltas(identity)


def under(head, unit):
    neutral, deltas = head
    return neutral + deltas[AU_INDEX[unit]]


def test_lips_meet_at_rest(model, head):
    gaps = model.shapes.fissures.mouth.gaps(head[0]).height
    assert np.abs(gaps).max() < 0.5 and np.abs(gaps).mean() < 0.15


def test_lids_meet_in_a_blink_and_stay_outside_the_eye(model, head):
    for seam in model.shapes.fissures.lids:
        assert seam.gaps(head[0]).height.min() > 1.0, "open at rest"
        gaps = seam.gaps(under(head, "AU45")).height
        assert gaps.max() < 0.7 and np.percentile(gaps, 85) < 0.15 and gaps.min() > -1.0, "no chink, no crossing"
    rest = model.shapes.at_rest(head[0])
    for guard, eyeball in zip(rest.fissures.guards, rest.eyeballs, strict=True):
        ray, own = under(head, "AU45")[guard.lid] - eyeball.centre, head[0][guard.lid] - eyeball.centre
        depth, at_rest = (
            np.linalg.norm(r, axis=1) - eyeball.radius_along(r / np.linalg.norm(r, axis=1, keepdims=True))
            for r in (ray, own)
        )
        assert (depth - np.minimum(at_rest, 0.8)).min() > -0.4


@pytest.mark.parametrize("unit", ["AU12", "AU24", "AU28", "AU15", "AU18"])
def test_lips_stay_sealed(model, head, unit):
    gaps = np.abs(model.shapes.fissures.mouth.gaps(under(head, unit)).height)
    assert np.median(gaps) < 0.15 and gaps.max() < 1.0


@pytest.mark.parametrize("unit", ["AU25", "AU26", "AU27", "AU22", "AU16", "AU10"])
def test_lips_part(model, head, unit):
    gaps = model.shapes.fissures.mouth.gaps(under(head, unit)).height
    assert gaps.max() > 2.5 and gaps.min() > -0.6


def test_teeth_move_as_solids(model, head):
    neutral, deltas = head
    teeth = model.parts.lower_teeth
    rest = np.linalg.norm(neutral[teeth][:, None] - neutral[teeth][None], axis=2)
    for unit in ("AU26", "AU27", "AU29", "AU30L"):
        moved = (neutral + deltas[AU_INDEX[unit]])[teeth]
        assert np.abs(np.linalg.norm(moved[:, None] - moved[None], axis=2) - rest).max() < 0.05
    assert not np.any(deltas[:, model.parts.upper_teeth])


def test_units_leave_alone_what_is_not_theirs(model, head):
    """Brows do not move the mouth, nor the mouth the brows."""
    _, deltas = head
    lips = model.topology.part_vertices("lips")
    lids = model.shapes.fissures.lids[0].weight > 0.5
    for unit in ACTION_UNITS:
        if unit.region in ("brow", "lid", "eye"):
            assert np.abs(deltas[AU_INDEX[unit.name]][lips]).max() < 0.5, unit.name
        if unit.region == "jaw":
            assert np.abs(deltas[AU_INDEX[unit.name]][lids]).max() < 0.5, unit.name


def test_lashes_ride_on_the_closing_lid(model, head):
    moved = under(head, "AU45") - head[0]
    lid = np.flatnonzero((model.shapes.fissures.lids[0].side > 0) & (model.shapes.fissures.lids[0].weight > 0.3))
    farthest = np.sort(moved[lid, 1])[: len(lid) // 10].mean()
    mine = model.parts.lashes[head[0][model.parts.lashes, 0] > 0]
    lowest = np.sort(moved[mine, 1])[: len(mine) // 4].mean()
    assert farthest < -4.0 and lowest < 0.6 * farthest


def test_every_pair_names_two_units_once():
    names = [combination.name for combination in COMBINATIONS]
    assert len(set(names)) == len(names)
    wanted = {"AU12+AU26", "AU6+AU45", "AU17+AU25", "AU1+AU4", "AU22+AU25"}
    assert wanted <= set(names)


def test_pairs_close_what_the_sum_leaves_crossed(model, head):
    neutral, deltas = head
    shapes = pair_deltas(model.shapes.at_rest(neutral), deltas)
    row = [combination.name for combination in COMBINATIONS].index("AU6+AU45")
    plain = under(head, "AU45") + deltas[AU_INDEX["AU6"]]
    for seam in model.shapes.fissures.lids:
        before, after = (np.abs(seam.gaps(v).height) for v in (plain, plain + shapes[row]))
        assert np.median(before) > 0.6 and np.median(after) < 0.2


def test_addition_by_hand():
    deltas = np.zeros((len(ACTION_UNITS), 3, 3))
    deltas[AU_INDEX["AU4"]] = [[1.0, -2.0, 0.0]] * 3
    deltas[AU_INDEX["AU1"], 0] = [0.0, 3.0, 0.0]
    field = Addition("AU4", weight=-0.5, within="AU1", axis="y").field(deltas)
    np.testing.assert_allclose(field, [[0, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_rig_applies_pairs_times_the_product(model):
    rig = model.rig(SEEDS[1])
    row = rig.pairs.index("AU12+AU26")
    expected = 0.5 * rig.deltas[AU_INDEX["AU12"]] + 0.4 * rig.deltas[AU_INDEX["AU26"]] + 0.2 * rig.correctives[row]
    moved = rig.drive({"AU12": 0.5, "AU26": 0.4}).vertices - rig.neutral.vertices
    np.testing.assert_allclose(moved, expected, atol=1e-4)
    left = rig.drive({"AU12L": 0.5, "AU26": 0.4}).vertices - rig.neutral.vertices
    far_right = rig.left_weight == 0
    np.testing.assert_allclose(left[far_right], 0.4 * rig.deltas[AU_INDEX["AU26"]][far_right], atol=1e-4)


def test_styles_change_the_basis_not_only_the_size(model, head):
    neutral, deltas = head
    row = AU_INDEX["AU12"]
    flat = deltas[row].ravel()
    for name in ("subtle", "exaggerated"):
        styled = style_named(name).shaped(deltas)[row].ravel()
        cosine = styled @ flat / np.linalg.norm(styled) / np.linalg.norm(flat)
        assert 0.7 < cosine < 0.99
    assert style_named("natural").shaped(deltas) == pytest.approx(deltas)
    subtle = with_anatomy(model.shapes, neutral, style_named("subtle").shaped(deltas))
    for seam in model.shapes.fissures.lids:
        assert np.median(np.abs(seam.gaps(neutral + subtle[AU_INDEX["AU45"]]).height)) < 0.2, "still a blink"


def test_a_style_is_learned_from_examples(head):
    _, deltas = head
    rng = np.random.default_rng(3)
    weights = rng.random((12, len(deltas))) * (rng.random((12, len(deltas))) < 0.25)
    true = Style("true", reach={"brow": 0.6, "lip": 1.3, "jaw": 0.8, "cheek": 1.2, "nose": 0.5}, crispness=0.25)
    shown = np.einsum("ta,avc->tvc", weights, true.shaped(deltas))
    learned = learn_style(deltas, weights, shown)
    assert learned.crispness == pytest.approx(0.25, abs=0.051)
    for region, reach in true.reach.items():
        assert learned.reach[region] == pytest.approx(reach, abs=0.05)


def test_bad_styles_are_named():
    with pytest.raises(SpecError, match="subtle"):
        style_named("baroque")
    with pytest.raises(SpecError, match="ankle"):
        Style("x", reach={"ankle": 1.0})
    with pytest.raises(SpecError, match="AU99"):
        Style("x", brings={"AU12": {"AU99": 1.0}})
    with pytest.raises(SpecError, match="crispness"):
        Style("x", crispness=2.0)
