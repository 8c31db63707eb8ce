import pytest

from aublend.emotions import EMOTIONS, emotion, emotion_weights
from aublend.units import ACTION_UNITS, AU_INDEX, AU_NAMES, parse_unit
from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

REFERENCE_ORDER = (
    *(1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, "30L", "30R", 33, 45),
    *(61, 62, 63, 64),
)


def test_order_is_that_of_the_reference():
    assert tuple(f"AU{number}" for number in REFERENCE_ORDER) == AU_NAMES
    assert [AU_INDEX[name] for name in AU_NAMES] == list(range(32))


def test_every_unit_says_what_faces_do():
    for unit in ACTION_UNITS:
        assert unit.facs_name and unit.muscle and len(unit.description) > 20
        assert unit.group in {"upper", "lower", "lip", "jaw", "eye"}
        assert unit.shape and all(weight > 0 for weight in unit.shape.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AU12", ("AU12", "both", 1.0)),
        ("AU12L", ("AU12", "left", 1.0)),
        ("AU12R", ("AU12", "right", 1.0)),
        ("AU12C", ("AU12", "both", 0.6)),
        ("AU12LB", ("AU12", "left", 0.4)),
        ("AU30L", ("AU30L", "both", 1.0)),
        ("AU30RE", ("AU30R", "both", 1.0)),
    ],
)
def test_names_with_side_and_intensity(text, expected):
    index, side, intensity = parse_unit(text)
    assert (AU_NAMES[index], side, intensity) == expected


@pytest.mark.parametrize("text", ["AU3", "12", "AU12X", "AU30", "au12", "", "AU12CL"])
def test_unknown_units_are_named(text):
    with pytest.raises(MeshError, match="unknown action unit"):
        parse_unit(text)


def test_emotions_use_known_units_and_the_right_ones():
    for name in EMOTIONS:
        for unit in (*emotion(name).units, *emotion(name).optional):
            parse_unit(unit)
    # The slips of the reference code: surprise drops the jaw, anger tightens the lids, contempt is one-sided.
    assert "AU26" in emotion("surprise").units and "AU24" not in emotion("surprise").units
    assert "AU7" in emotion("anger").units and "AU9" not in emotion("anger").units
    assert set(emotion("contempt").units) == {"AU12L", "AU14L"}
    assert emotion_weights("happiness", 0.5)["AU12"] == pytest.approx(emotion("happiness").units["AU12"] / 2)


def test_emotions_reach_all_quadrants_but_calm_joy():
    signs = {(emotion(name).valence > 0, emotion(name).arousal > 0) for name in EMOTIONS}
    assert {(True, True), (False, True), (False, False)} <= signs
    assert emotion("anger").valence < 0


def test_unknown_emotion():
    with pytest.raises(MeshError, match="joy"):
        emotion("joy")


def test_tables_agree():
    assert set(load_toml("emotions")["emotion"]) == set(EMOTIONS)
