"""What each unit must do to a face that it was not drawn on, and the algebra of driving."""

import numpy as np
import pytest

from aublend import AU_NAMES, AUCurves, joined, neutral_apex_neutral
from aublend.anatomy import eye_centre
from aublend.curves import half_weights
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError, NoFaceError, TopologyError
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle


@pytest.fixture(scope="module")
def places(model, rig):
    """Landmark vertices on the neutral head, found by geometry."""
    head = rig.neutral.vertices
    lips = model.topology.part_vertices("lips")
    left_corner = lips[np.argmax(head[lips, 0])]
    middle = lips[np.abs(head[lips, 0]) < 4]
    skin = model.topology.part_vertices("skin")
    below = skin[(np.abs(head[skin, 0]) < 5) & (head[skin, 1] < head[middle, 1].min() - 12)]
    return {
        "left_corner": left_corner,
        "right_corner": lips[np.argmin(head[lips, 0])],
        "upper_lip": middle[np.argmax(head[middle, 1])],
        "lower_lip": middle[np.argmin(head[middle, 1])],
        "chin": below[np.argmax(head[below, 2])],
    }


def moved(rig, unit, vertex):
    return rig.deltas[AU_INDEX[unit], vertex]


def test_lip_corners(rig, places):
    left, right = places["left_corner"], places["right_corner"]
    smile = moved(rig, "AU12", left)
    assert smile[0] > 2 and smile[1] > 4 and smile[2] < 0, "AU12 draws the left corner out, up and back"
    assert moved(rig, "AU12", right)[0] < -2 and moved(rig, "AU12", right)[1] > 4
    assert moved(rig, "AU15", left)[1] < -3, "AU15 draws the corners down"
    assert moved(rig, "AU20", left)[0] > 2 and abs(moved(rig, "AU20", left)[1]) < 3, "AU20 stretches sideways"
    assert moved(rig, "AU18", left)[0] < -2, "AU18 narrows the mouth"


def test_lips_and_jaw(rig, places):
    assert moved(rig, "AU10", places["upper_lip"])[1] > 1.5
    assert moved(rig, "AU16", places["lower_lip"])[1] < -1.5
    gap = moved(rig, "AU25", places["upper_lip"])[1] - moved(rig, "AU25", places["lower_lip"])[1]
    assert gap > 1.5, "AU25 parts the lips"
    drop, stretch = moved(rig, "AU26", places["chin"])[1], moved(rig, "AU27", places["chin"])[1]
    assert -20 < drop < -6 and stretch < 1.8 * drop, "AU27 opens much further than AU26"
    assert moved(rig, "AU29", places["chin"])[2] > 3
    assert moved(rig, "AU30L", places["chin"])[0] > 2 and moved(rig, "AU30R", places["chin"])[0] < -2


def test_teeth_and_tongue_follow_the_jaw_only(model, rig):
    for unit in ("AU26", "AU27", "AU29", "AU30L"):
        assert np.linalg.norm(moved(rig, unit, model.parts.lower_teeth), axis=1).min() > 1
        assert np.linalg.norm(moved(rig, unit, model.parts.tongue).mean(axis=0)) > 1
    assert np.abs(rig.deltas[:, model.parts.upper_teeth]).max() == 0
    for unit in ("AU12", "AU4", "AU45"):
        assert np.abs(moved(rig, unit, model.parts.lower_teeth)).max() < 1e-6


def test_brows(rig):
    head = rig.neutral.vertices
    forehead = (head[:, 1] > 8) & (head[:, 1] < 45) & (head[:, 2] > 0)
    inner = forehead & (np.abs(head[:, 0]) < 20)
    outer = forehead & (np.abs(head[:, 0]) > 32) & (np.abs(head[:, 0]) < 50)
    up = {unit: rig.deltas[AU_INDEX[unit], :, 1] for unit in ("AU1", "AU2", "AU4")}
    assert up["AU1"][inner].max() > 4 and up["AU1"][inner].max() > 2 * up["AU1"][outer].max()
    assert up["AU2"][outer].max() > 3 and up["AU2"][outer].max() > up["AU2"][inner].max()
    assert up["AU4"][inner].min() < -3
    knit = rig.deltas[AU_INDEX["AU4"], :, 0]
    left, right = inner & (head[:, 0] > 6), inner & (head[:, 0] < -6)
    assert knit[left].min() < -1 and knit[right].max() > 1, "brows come together"


def test_blink_covers_the_eyes_and_lids_stay_outside(model, rig):
    from mesh4d.render import Framing, render_views

    parts = [rig.neutral.part_names.index(name) for name in ("eyes", "iris", "pupil")]

    def eye_pixels(mesh):
        close = Framing(np.zeros(3), 60.0)
        views = render_views(mesh, "frontal", 256, channels=("mask",), framing=close, keep_triangle_ids=True)
        seen = views.triangle_ids[views.triangle_ids >= 0]
        return np.isin(rig.neutral.part_of_face[seen], parts).sum()

    open_eyes = eye_pixels(rig.neutral)
    assert open_eyes > 500
    assert eye_pixels(rig.drive({"AU45": 1.0})) < 0.02 * open_eyes, "AU45 closes both lids"
    left_only = eye_pixels(rig.drive({"AU45L": 1.0}))
    assert 0.35 * open_eyes < left_only < 0.65 * open_eyes
    assert eye_pixels(rig.drive({"AU5": 1.0})) > 1.1 * open_eyes
    assert eye_pixels(rig.drive({"AU7": 1.0})) < 0.9 * open_eyes


def test_eyeballs_turn_as_solids(model, rig):
    turns = (({"AU61": 1.0}, 0, 1), ({"AU62": 0.5}, 0, -1), ({"AU63": 0.7}, 1, 1), ({"AU64": 1.0}, 1, -1))
    for weights, axis, sign in turns:
        posed = rig.drive(weights).vertices
        for eye in (model.parts.left_eye, model.parts.right_eye):
            rest, centre = rig.neutral.vertices[eye], eye_centre(rig.neutral.vertices, eye)
            radius = np.linalg.norm(rest - centre, axis=1)
            np.testing.assert_allclose(np.linalg.norm(posed[eye] - centre, axis=1), radius, rtol=1e-9)
            front = np.argmax(rest[:, 2])
            assert sign * (posed[eye][front] - rest[front])[axis] > 1
    chord = rig.neutral.vertices + rig.deltas[AU_INDEX["AU61"]]
    np.testing.assert_allclose(
        rig.drive({"AU61": 1.0}).vertices[model.parts.left_eye], chord[model.parts.left_eye], atol=1e-3
    )


def test_halves_add_up_to_the_whole(rig):
    neutral = rig.neutral.vertices
    for unit in ("AU12", "AU45", "AU4"):
        left, right, both = (rig.drive({name: 0.7}).vertices - neutral for name in (f"{unit}L", f"{unit}R", unit))
        np.testing.assert_allclose(left + right, both, atol=1e-9)
        far_right = neutral[:, 0] < -12
        assert np.abs(left[far_right]).max() == 0


def test_driving_is_linear_but_for_pairs(model, rig):
    weights = {"AU1": 0.3, "AU12": 0.6, "AU26": 0.9}
    expected = rig.neutral.vertices + sum(w * rig.deltas[AU_INDEX[name]].astype(float) for name, w in weights.items())
    expected += 0.6 * 0.9 * rig.correctives[rig.pairs.index("AU12+AU26")]
    np.testing.assert_allclose(rig.drive(weights).vertices, expected, atol=1e-4)
    np.testing.assert_array_equal(rig.drive({}).vertices, rig.neutral.vertices)
    np.testing.assert_allclose(half_weights({"AU12C": 1.0}), half_weights({"AU12": 0.6}))


def test_animation_starts_and_ends_neutral(rig):
    curves = joined([neutral_apex_neutral({"AU12": 0.8}), neutral_apex_neutral({"AU4": 1.0, "AU14L": 0.5})])
    sequence = rig.animate(curves)
    assert sequence.fps == 25 and len(sequence) == len(curves)
    for frame in (0, -1):
        np.testing.assert_allclose(sequence.frames[frame], rig.neutral.vertices, atol=1e-9)
    assert curves.weights.max() == pytest.approx(1.0)
    step = np.abs(np.diff(curves.weights, axis=0)).max()
    assert step < 0.15, "no pops"


def test_solve_finds_the_weights_under_head_motion(rig):
    rng = np.random.default_rng(3)
    weights = rng.random((12, 32)) * (rng.random((12, 32)) < 0.2)
    sequence = rig.animate(AUCurves(AU_NAMES, weights, 25.0))
    turn = Similarity(1.0, rotation_from_axis_angle(np.array([0.1, -0.2, 0.05])), np.array([5.0, -3.0, 8.0]))
    shaken = type(sequence)(sequence.topology, np.stack([turn.apply(frame) for frame in sequence.frames]), 25.0)
    solved = rig.solve(shaken)
    assert solved.fps == 25.0
    np.testing.assert_allclose(solved.weights, weights, atol=0.02)
    noisy = type(sequence)(sequence.topology, shaken.frames + rng.normal(0, 0.3, shaken.frames.shape), 25.0)
    assert np.abs(rig.solve(noisy).weights - weights).mean() < 0.05
    assert rig.solve(rig.drive({"AU2": 0.4})).weights[0, AU_INDEX["AU2"]] == pytest.approx(0.4, abs=0.01)


def test_solve_refuses_another_topology(rig, model):
    from mesh4d import Mesh

    with pytest.raises(NoFaceError):
        rig.solve(Mesh(rig.neutral.vertices[:100], np.array([[0, 1, 2]])))
    order = np.random.default_rng(0).permutation(rig.neutral.n_vertices)
    with pytest.raises(TopologyError, match="another order"):
        rig.solve(Mesh(rig.neutral.vertices[order], np.argsort(order)[rig.neutral.faces]))


def test_moved_rig_moves_the_same_way(rig):
    frame = Similarity(0.01, rotation_from_axis_angle(np.array([0.3, 1.2, -0.4])), np.array([1.0, 2.0, 3.0]))
    weights = {"AU12L": 0.7, "AU61": 0.6, "AU26": 0.5}
    np.testing.assert_allclose(
        rig.moved(frame).drive(weights).vertices, frame.apply(rig.drive(weights).vertices), atol=1e-6
    )
    assert rig.moved(frame).unit_m == pytest.approx(0.1)


def test_wrong_names_are_refused(rig):
    with pytest.raises(MeshError, match="AU99"):
        rig.drive({"AU99": 1.0})
    with pytest.raises(MeshError, match=r"AU12.*finite"):
        rig.drive({"AU12": float("nan")})
    with pytest.raises(MeshError, match="one per name"):
        AUCurves(("AU1", "AU2"), np.zeros((3, 3)), 25.0)


def test_regions_are_where_they_should_be(rig):
    regions = rig.regions()
    head = rig.neutral.vertices
    assert set(regions) == {"brow", "lid", "eye", "nose", "cheek", "lip", "jaw"}
    assert head[regions["brow"] > 0.6][:, 1].min() > -20 and head[regions["lip"] > 0.8][:, 1].max() < -20
