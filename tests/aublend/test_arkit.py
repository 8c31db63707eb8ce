import numpy as np
import pytest

from aublend import AU_NAMES, AUCurves
from aublend.arkit import ARKIT_NAMES, ARKIT_TABLE, ARKIT_WITHOUT_UNIT, ArkitCurves, arkit_from_au, au_from_arkit
from aublend.sided_curves import sided_curves
from mesh4d.errors import MeshError

RAMP = np.linspace(0, 1, 11)[:, None]
OWN = [name for name in AU_NAMES if ARKIT_TABLE[name].match == "own"]
OWN_SIDED = [name for name in OWN if ARKIT_TABLE[name].left]
READ_BACK = [*OWN, "AU17", "AU24", "AU28"]


def shapes(values: dict[str, float], frames: int = 1) -> ArkitCurves:
    return ArkitCurves(tuple(values), np.tile(np.array(list(values.values()), float), (frames, 1)), 30.0)


def units(curves: AUCurves, frame: int = 0) -> dict[str, float]:
    return {name: float(w) for name, w in zip(curves.names, curves.weights[frame], strict=True) if abs(w) > 1e-9}


def test_every_unit_has_a_row_and_every_shape_is_used_or_named_as_a_gap():
    assert set(ARKIT_TABLE) == set(AU_NAMES)
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    used = {name for row in ARKIT_TABLE.values() for name in (*row.left, *row.right, *row.middle)}
    assert used | set(ARKIT_WITHOUT_UNIT) == set(ARKIT_NAMES) and not used & set(ARKIT_WITHOUT_UNIT)
    assert [name for name, row in ARKIT_TABLE.items() if row.match == "none"] == ["AU11"]
    assert {name for name, row in ARKIT_TABLE.items() if row.match == "one-way"} == {"AU23", "AU25"}


def test_sides_mirror_each_other():
    for row in ARKIT_TABLE.values():
        if row.name in ("AU61", "AU62"):  # to the left: the left eye outwards, the right eye inwards
            continue
        swapped = {name.replace("Left", "Right"): share for name, share in row.left.items()}
        assert swapped == row.right, row.name
    assert ARKIT_TABLE["AU61"].left == {"eyeLookOutLeft": 1.0} and ARKIT_TABLE["AU61"].right == {"eyeLookInRight": 1.0}


@pytest.mark.parametrize("name", READ_BACK)
def test_a_unit_with_shapes_of_its_own_comes_back_exactly_and_alone(name):
    back = au_from_arkit(arkit_from_au(AUCurves((name,), RAMP, 30.0)))
    assert name in back.names and back.fps == 30.0
    for column, weights in zip(back.names, back.weights.T, strict=True):
        np.testing.assert_allclose(weights, RAMP[:, 0] if column == name else 0.0, atol=1e-12, err_msg=column)


@pytest.mark.parametrize("name", OWN_SIDED)
@pytest.mark.parametrize("side", ["L", "R"])
def test_a_half_comes_back_as_that_half(name, side):
    curves = arkit_from_au(AUCurves((name + side,), RAMP, 30.0))
    other = "Right" if side == "L" else "Left"
    assert not any(curves.weight(shape).any() for shape in ARKIT_NAMES if shape.endswith(other))
    back = dict(zip(*(lambda c: (c.names, c.weights.T))(au_from_arkit(curves)), strict=True))
    np.testing.assert_allclose(back[name + side], RAMP[:, 0], atol=1e-12)
    assert not back[name + ("R" if side == "L" else "L")].any()


def test_all_own_units_together_do_not_disturb_one_another():
    weights = np.random.default_rng(0).random((20, len(OWN)))
    back = au_from_arkit(arkit_from_au(AUCurves(tuple(OWN), weights, 24.0)))
    np.testing.assert_allclose(back.weights[:, [back.names.index(name) for name in OWN]], weights, atol=1e-12)


def test_jaw_drop_and_mouth_stretch_share_one_shape():
    for unit, jaw in (("AU26", 0.4), ("AU27", 1.0)):
        curves = arkit_from_au(AUCurves((unit,), np.ones((1, 1)), 30.0))
        assert curves.weight("jawOpen")[0] == pytest.approx(jaw)
        assert units(au_from_arkit(curves)) == pytest.approx({unit: 1.0})
    for jaw in np.linspace(0, 1, 21):
        again = arkit_from_au(au_from_arkit(shapes({"jawOpen": jaw})))
        assert again.weight("jawOpen")[0] == pytest.approx(jaw)


def test_units_without_a_shape_of_their_own_come_back_as_others():
    assert units(au_from_arkit(arkit_from_au(AUCurves(("AU11",), np.ones((1, 1)), 30.0)))) == {}
    back = au_from_arkit(arkit_from_au(AUCurves(("AU25",), np.ones((1, 1)), 30.0)))
    assert "AU25" not in back.names and units(back) == pytest.approx({"AU10": 0.2, "AU16": 0.3})


def test_mouth_close_never_exceeds_jaw_open():
    names = ("AU24", "AU28", "AU26", "AU27")
    curves = arkit_from_au(AUCurves(names, np.random.default_rng(1).random((200, 4)) * 1.5, 30.0))
    assert (curves.weight("mouthClose") <= curves.weight("jawOpen")).all()
    assert curves.weight("mouthClose").max() > 0.1, "pressed lips over a dropped jaw are sealed"
    assert arkit_from_au(AUCurves(("AU24",), np.ones((1, 1)), 30.0)).weight("mouthClose")[0] == 0
    assert curves.weights.min() >= 0 and curves.weights.max() <= 1


def test_lips_closed_over_an_open_jaw_do_not_come_back_as_an_open_mouth():
    assert units(au_from_arkit(shapes({"jawOpen": 0.4, "mouthClose": 0.4}))) == {}
    assert units(au_from_arkit(shapes({"jawOpen": 0.4, "mouthClose": 5.0}))) == {}, "mouthClose is clamped to jawOpen"
    assert units(au_from_arkit(shapes({"mouthClose": 1.0}))) == {}
    pressed = AUCurves(("AU24", "AU26"), np.array([[0.5, 0.8]]), 30.0)
    assert units(au_from_arkit(arkit_from_au(pressed))) == pytest.approx({"AU24": 0.5, "AU26": 0.8})


def test_order_of_columns_does_not_matter_and_values_beyond_one_are_clamped_on_use():
    values = {"jawLeft": 0.3, "jawRight": 0.0, "mouthSmileRight": 1.05, "mouthSmileLeft": 0.2}
    flipped = shapes(dict(reversed(values.items())))
    assert flipped.weight("mouthSmileRight")[0] == 1.05
    expected = {"AU30L": 0.3, "AU12L": 0.2, "AU12R": 1.0}
    assert units(au_from_arkit(shapes(values))) == units(au_from_arkit(flipped)) == pytest.approx(expected)


def test_inner_brow_has_no_sides():
    curves = arkit_from_au(AUCurves(("AU1L",), np.ones((1, 1)), 30.0))
    assert curves.weight("browInnerUp")[0] == 0.5


def test_unknown_names_are_refused():
    with pytest.raises(MeshError, match="jawopen"):
        shapes({"jawopen": 1.0})
    with pytest.raises(MeshError, match="smile"):
        shapes({"jawOpen": 1.0}).weight("smile")


def test_sided_curves_split_only_what_differs():
    halves = np.zeros((3, 2, 32))
    halves[:, :, AU_NAMES.index("AU12")] = [[0.5, 0.51]] * 3
    halves[1, 0, AU_NAMES.index("AU4")] = 0.1
    curves = sided_curves(halves, 25.0)
    assert len(curves.names) == 33 and "AU4L" in curves.names and "AU4R" in curves.names and "AU4" not in curves.names
    np.testing.assert_allclose(curves.weights[:, curves.names.index("AU12")], 0.505)
    np.testing.assert_allclose(curves.halves(), halves, atol=0.005 + 1e-12)
