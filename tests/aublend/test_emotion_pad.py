"""The emotion pad: exact at its faces, continuous, neutral in the middle, alive in all four quadrants."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from aublend import EMOTIONS, emotion_weights, pad_curves, pad_weights, write_rig
from aublend.commands.drive import Drive
from aublend.curves import half_weights
from aublend.emotion_pad import pad_faces, pad_mixture
from aublend.emotions import emotion
from mesh4d import read_mesh
from mesh4d.errors import MeshError


def halves(valence: float, arousal: float) -> np.ndarray:
    return half_weights(pad_weights(valence, arousal))


@pytest.mark.parametrize("name", EMOTIONS)
def test_each_emotion_is_shown_exactly_at_its_own_place(name):
    kind = emotion(name)
    shown = pad_weights(kind.valence, kind.arousal)
    assert shown == pytest.approx(kind.units)
    half_way = pad_weights(kind.valence / 2, kind.arousal / 2)
    assert half_way == pytest.approx(emotion_weights(name, 0.5))
    assert kind.source


def test_the_middle_is_neutral():
    assert pad_weights(0.0, 0.0) == {}


@pytest.mark.parametrize("signs", itertools.product([-1, 1], [-1, 1]))
def test_every_quadrant_shows_its_own_face(signs):
    shown = {name: halves(sign * 0.6, other * 0.6) for name, (sign, other) in {"own": signs}.items()}["own"]
    assert shown.max() > 0.2
    for other in itertools.product([-1, 1], [-1, 1]):
        if other != signs:
            assert np.abs(shown - halves(0.6 * other[0], 0.6 * other[1])).max() > 0.2


def test_weights_are_continuous_and_between_0_and_1():
    axis = np.linspace(-1, 1, 161)
    grid = np.array([[halves(v, a) for a in axis] for v in axis])
    assert grid.min() >= 0 and grid.max() <= 1
    steepest = max(np.abs(np.diff(grid, axis=0)).max(), np.abs(np.diff(grid, axis=1)).max())
    assert steepest < 8 * (axis[1] - axis[0])  # a jump would not shrink with the step
    fine = np.linspace(-0.72, -0.6, 1601)
    assert np.abs(np.diff([halves(v, 0.5) for v in fine], axis=0)).max() < 8 * (fine[1] - fine[0])


def test_the_pleasant_side_smiles_and_the_unpleasant_does_not():
    for arousal in np.linspace(-0.6, 0.6, 7):
        assert pad_weights(0.9, arousal).get("AU12", 0) > 0.2
        assert "AU12" not in pad_weights(-0.9, arousal) and "AU6" not in pad_weights(-0.9, arousal)
    assert pad_mixture(-0.7, 0.7).get("anger", 0) > 0.9  # where the reference's pad has no anger at all


def test_places_lie_on_the_pad_and_apart():
    faces = pad_faces()
    for one, other in itertools.combinations(faces, 2):
        assert np.hypot(one.valence - other.valence, one.arousal - other.arousal) > 0.25, (one.name, other.name)
    assert all(max(abs(face.valence), abs(face.arousal)) <= 1 for face in faces)


def test_outside_is_refused():
    for place in ((1.2, 0.0), (0.0, float("nan"))):
        with pytest.raises(MeshError, match="-1 to 1"):
            pad_weights(*place)


def test_a_path_over_the_pad_is_curves():
    kind = emotion("happiness")
    curves = pad_curves(np.linspace(0, kind.valence, 5), np.linspace(0, kind.arousal, 5), 25.0)
    assert (len(curves), curves.fps) == (5, 25.0)
    np.testing.assert_allclose(curves.halves()[-1], half_weights(kind.units))
    np.testing.assert_allclose(curves.halves()[2], half_weights(kind.units) / 2)


@pytest.fixture(scope="module")
def rig_file(rig, tmp_path_factory):
    path = tmp_path_factory.mktemp("pad") / "rig.npz"
    write_rig(rig, path)
    return path


def test_drive_takes_a_point_of_the_pad(rig, rig_file, tmp_path):
    Drive(rig_file, valence=-0.6, arousal=0.6, output=tmp_path / "a.npz").run()
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.npz").vertices, rig.drive(pad_weights(-0.6, 0.6)).vertices)
    said = Drive(rig_file, valence=0.4, output=tmp_path / "b.npz").run()
    assert said["weights"] == pad_weights(0.4, 0.0)
    Drive(rig_file, emotion="fear", intensity=0.5, output=tmp_path / "c.npz").run()
    np.testing.assert_array_equal(
        read_mesh(tmp_path / "c.npz").vertices, rig.drive(emotion_weights("fear", 0.5)).vertices
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"valence": 2.0}, "-1 to 1"),
        ({"valence": 0.5, "emotion": "fear"}, "found both"),
        ({"arousal": 0.5, "curves": Path("c.csv")}, "--curves"),
        ({"emotion": "joy"}, "joy"),
        ({"emotion": "fear", "intensity": 1.5}, "--intensity"),
    ],
)
def test_drive_refuses_what_contradicts_itself(rig_file, given, message):
    with pytest.raises(MeshError, match=message):
        Drive(rig_file, **given).run()
