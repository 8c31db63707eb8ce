import dataclasses

import numpy as np
import pytest

from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.render import FramingRule, face_frame, face_framing, render_views
from mesh4d.specs import load_toml


def face_points(rng: np.random.Generator) -> np.ndarray:
    """68 points of which those that count lie near an average face's."""
    spec = load_toml("views")["face_frame"]
    points = rng.normal(0, 40, (68, 3))
    points[spec["indices"]] = np.array(spec["points_mm"]) + rng.normal(0, 1.0, (len(spec["indices"]), 3))
    return points


def landmarks(points: np.ndarray, confidence: np.ndarray | None = None) -> Landmarks:
    return Landmarks(tuple(str(number) for number in range(68)), points, confidence)


def head_at(move: Similarity, head: Mesh) -> tuple[Mesh, Landmarks]:
    points = face_points(np.random.default_rng(1))
    return head.with_vertices(move.apply(head.vertices)), landmarks(move.apply(points))


MOVES = [
    Similarity(scale, rotation_from_axis_angle(np.array(turn)), np.array(place))
    for scale, turn, place in [
        (1.0, (0.0, 0, 0), (0.0, 0, 0)),
        (0.001, (0.3, -0.8, 0.2), (1.0, 2.0, 3.0)),
        (25.4, (2.0, 1.5, -1.0), (-900.0, 40.0, 7.0)),
    ]
]


@pytest.mark.parametrize("move", MOVES)
def test_the_frame_moves_with_the_landmarks(move: Similarity):
    points = face_points(np.random.default_rng(0))
    frame, moved = face_frame(landmarks(points)), face_frame(landmarks(move.apply(points)))
    expected = move.compose(frame)
    assert moved.scale == pytest.approx(expected.scale)
    np.testing.assert_allclose(moved.rotation, expected.rotation, atol=1e-9)
    np.testing.assert_allclose(moved.translation, expected.translation, rtol=1e-6, atol=1e-6)
    assert frame.scale == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(frame.rotation, np.eye(3), atol=0.05)


@pytest.mark.parametrize("move", MOVES[1:])
def test_pictures_ignore_pose_and_unit(move: Similarity, head: Mesh):
    plain, points = head_at(MOVES[0], head)
    moved, moved_points = head_at(move, head)
    channels = ("depth", "normal", "mask", "shaded")
    one = render_views(plain, "fer7", 64, channels, face_framing(points))
    other = render_views(moved, "fer7", 64, channels, face_framing(moved_points))
    difference = np.abs(one.images - other.images).max(axis=-1)
    assert one.channel("mask").mean() > 0.2
    assert np.mean(difference > 1e-2) < 2e-3  # pixel centres on an outline


def test_mouth_and_jaw_do_not_move_the_frame():
    points = face_points(np.random.default_rng(2))
    moved = points.copy()
    moved[:27], moved[48:] = 3 * points[:27], points[48:] + 30
    np.testing.assert_array_equal(face_framing(landmarks(points)).rotation, face_framing(landmarks(moved)).rotation)


def test_confidence_weighs():
    points = face_points(np.random.default_rng(3))
    wrong = points.copy()
    wrong[36] += [0, 25.0, 0]
    confidence = np.ones(68)
    confidence[36] = 0.0
    sure, unsure = face_frame(landmarks(wrong)), face_frame(landmarks(wrong, confidence))
    truth = face_frame(landmarks(points))
    assert np.linalg.norm(unsure.rotation - truth.rotation) < 0.3 * np.linalg.norm(sure.rotation - truth.rotation)


def test_what_is_no_face_is_refused():
    points = face_points(np.random.default_rng(4))
    with pytest.raises(NoFaceError, match="average face"):
        face_frame(landmarks(points * [-1, 1, 1]))  # mirrored: left and right are named the wrong way round
    with pytest.raises(NoFaceError, match="average face"):
        face_frame(landmarks(np.random.default_rng(0).normal(size=(68, 3))))
    with pytest.raises(NoFaceError, match="one place"):
        face_frame(landmarks(np.ones((68, 3))))
    with pytest.raises(MeshError, match="68 points"):
        face_frame(Landmarks(("a",), np.zeros((1, 3))))
    points[30] = np.nan
    with pytest.raises(MeshError, match="point 30"):
        face_frame(landmarks(points))


def test_rules(head: Mesh):
    assert FramingRule.parse("whole").of(head).radius > 50
    fixed = FramingRule.parse("1,2,3,40").of(head)
    assert fixed.radius == 40 and fixed.centre.tolist() == [1, 2, 3]
    points = landmarks(face_points(np.random.default_rng(1)))
    framing = FramingRule.parse("face").of(dataclasses.replace(head, landmarks=points))
    np.testing.assert_array_equal(framing.centre, face_framing(points).centre)
    for wrong in ("nose", "1,2,3", "1,2,3,-4"):
        with pytest.raises(MeshError):
            FramingRule.parse(wrong)
