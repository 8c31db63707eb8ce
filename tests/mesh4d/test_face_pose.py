"""The quick pose of a face, on heads that the networks were not trained on."""

import itertools
import threading
import time

import numpy as np
import pytest
import trimesh

from aublend import head_model
from aublend.anatomy import eye_centre
from mesh4d import Mesh, MeshError, NoFaceError, write_mesh
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.landmarks import face_pose, in_face_frame
from mesh4d.landmarks.face_files import aligned_files
from mesh4d.mesh import Landmarks
from mesh4d.render import face_frame
from mesh4d.specs import load_toml
from mesh4d.threads import AHEAD, in_order, thread_count

SEED = 470  # of the test part
EYE_DISTANCE_MM = 58.5
MOVES = [
    Similarity(scale, rotation_from_axis_angle(np.array(turn)), np.array(place))
    for scale, turn, place in [
        (0.001, (0.3, -0.5, 0.2), (1.0, 2.0, 3.0)),
        (25.4, (0.0, np.pi / 2, 0.0), (-900.0, 40.0, 7.0)),
        (0.1, (2.0, 1.5, -1.0), (0.0, 0.0, 0.0)),
    ]
]


def apart(one: Similarity, other: Similarity) -> tuple[float, float, float]:
    """Turn (deg), shift (mm) and size (percent) between two poses mesh -> face frame."""
    between = one.compose(other.inverse())
    turn = np.degrees(np.arccos(np.clip((np.trace(between.rotation) - 1) / 2, -1, 1)))
    return float(turn), float(np.linalg.norm(between.translation)), 100 * float(abs(np.log(between.scale)))


@pytest.fixture(scope="module")
def model():
    return head_model()


@pytest.fixture(scope="module")
def head(model):
    """A held-out identity's skin, in its own size."""
    mesh = model.topology
    skin = np.isin(np.array(mesh.part_names)[mesh.part_of_face], ["skin", "lips"])
    return Mesh(model.identity(SEED).vertices, mesh.faces[skin])


@pytest.fixture(scope="module")
def pose(head):
    return face_pose(head)


def test_a_head_in_the_face_frame_is_centred_and_sized_by_its_eyeballs(model, pose):
    vertices, parts = model.identity(SEED).vertices, model.parts
    left, right = (eye_centre(vertices, eye) for eye in (parts.left_eye, parts.right_eye))
    scale = EYE_DISTANCE_MM / float(np.linalg.norm(left - right))
    turn, shift, size = apart(pose.to_face, Similarity(scale, np.eye(3), -scale * (left + right) / 2))
    assert turn < 5 and shift < 3 and size < 5
    assert pose.quick and pose.confidence > 0.6


@pytest.mark.parametrize("units", [{"AU27": 1.0, "AU25": 0.8}, {"AU45": 1.0, "AU12": 1.0}, {"AU4": 1.0, "AU9": 1.0}])
def test_expressions_hardly_move_it(model, pose, units):
    turn, shift, size = apart(face_pose(model.rig(SEED).drive(units)).to_face, pose.to_face)
    assert turn < 3 and shift < 2 and size < 4


@pytest.mark.parametrize("move", MOVES)
def test_pose_unit_and_axes_are_undone(head, pose, move):
    moved = face_pose(head.with_vertices(move.apply(head.vertices)))
    turn, shift, size = apart(moved.to_face.compose(move), pose.to_face)
    assert turn < 2 and shift < 1.5 and size < 2.5
    upright = in_face_frame(head.with_vertices(move.apply(head.vertices)))
    assert np.linalg.norm(upright.vertices - pose.to_face.apply(head.vertices), axis=1).max() < 12


def test_triangulation_hardly_matters(head, pose):
    made = trimesh.Trimesh(head.vertices, head.faces, process=False).subdivide()
    order = np.random.default_rng(0).permutation(len(made.vertices))
    mesh = Mesh(np.asarray(made.vertices)[order], np.argsort(order)[np.asarray(made.faces)])
    turn, shift, size = apart(face_pose(mesh).to_face, pose.to_face)
    assert turn < 1.5 and shift < 1 and size < 1.5


def test_a_frontal_half_is_enough(head, pose):
    front = head.vertices[:, 2] > -25
    mesh = Mesh(head.vertices, head.faces[front[head.faces].all(axis=1)])
    turn, shift, size = apart(face_pose(mesh).to_face, pose.to_face)
    assert turn < 4 and shift < 3 and size < 4


def test_a_small_face_on_a_large_thing(head, pose):
    """The small pictures do not show it: the thorough search finds it, and says so."""
    post = trimesh.creation.cylinder(60, 1500, sections=64).apply_translation([0, 0, -750])
    post.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    post.apply_translation([0, -130, -40])
    ball = trimesh.creation.icosphere(3, 200).apply_translation([0, -1700, -40])
    vertices, faces = head.vertices, head.faces
    for thing in (post, ball):
        faces = np.concatenate([faces, np.asarray(thing.faces, np.int64) + len(vertices)])
        vertices = np.concatenate([vertices, np.asarray(thing.vertices, np.float64)])
    found = face_pose(Mesh(vertices, faces))
    turn, shift, size = apart(found.to_face, pose.to_face)
    assert turn < 4 and shift < 4 and size < 5


@pytest.mark.parametrize("thing", [trimesh.creation.icosphere(3), trimesh.creation.box()])
def test_what_is_no_face_is_refused(thing):
    with pytest.raises(NoFaceError, match="no face found: "):
        face_pose(Mesh(np.asarray(thing.vertices, np.float64), np.asarray(thing.faces, np.int64)))


def test_no_surface_is_an_error():
    with pytest.raises(MeshError, match="no faces"):
        face_pose(Mesh(np.eye(3), np.zeros((0, 3), np.int64)))


def test_the_frame_of_the_average_face_is_the_face_frame():
    spec = load_toml("views")["face_frame"]
    points = np.zeros((68, 3))
    points[spec["indices"]] = spec["points_mm"]
    frame = face_frame(Landmarks(tuple(map(str, range(68))), points))
    assert frame.scale == pytest.approx(1.0)
    np.testing.assert_allclose(frame.rotation, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(frame.translation, 0, atol=1e-9)


def test_the_correction_treats_both_sides_alike():
    spec = load_toml("views")["face_frame"]
    places = np.array(spec["points_mm"]) + np.random.default_rng(1).normal(0, 2, (len(spec["indices"]), 3))
    swapped = [spec["indices"].index({36: 45, 45: 36, 39: 42, 42: 39, 31: 35, 35: 31, 32: 34, 34: 32}.get(i, i))
               for i in spec["indices"]]  # fmt: skip
    frames = []
    for points in (places, places[swapped] * [-1, 1, 1]):
        whole = np.zeros((68, 3))
        whole[spec["indices"]] = points
        frames.append(face_frame(Landmarks(tuple(map(str, range(68))), whole)))
    mirror = np.diag([-1.0, 1, 1])
    assert frames[0].scale == pytest.approx(frames[1].scale, rel=1e-6)
    np.testing.assert_allclose(mirror @ frames[0].rotation @ mirror, frames[1].rotation, atol=1e-6)
    np.testing.assert_allclose(frames[0].translation * [-1, 1, 1], frames[1].translation, atol=1e-4)


def test_files_come_in_order_and_a_bad_one_stops_nothing(head, pose, tmp_path):
    write_mesh(head, tmp_path / "0.ply")
    (tmp_path / "1.obj").write_text("v 1 2 three\n")
    ball = trimesh.creation.icosphere(3)
    write_mesh(Mesh(np.asarray(ball.vertices, np.float64), np.asarray(ball.faces, np.int64)), tmp_path / "2.ply")
    write_mesh(head.with_vertices(MOVES[0].apply(head.vertices)), tmp_path / "4.obj")
    names = ["0.ply", "1.obj", "2.ply", "3.ply", "4.obj"]
    made = list(aligned_files([tmp_path / name for name in names], workers=2))
    assert [one.path.name for one in made] == names
    assert [one.error is None for one in made] == [True, False, False, False, True]
    assert "1.obj" in str(made[1].error) and "no face found" in str(made[2].error)
    for one in (made[0], made[4]):
        assert one.mesh is not None and one.pose is not None and one.pose.quick
        assert np.linalg.norm(one.mesh.vertices - pose.to_face.apply(head.vertices), axis=1).max() < 12


def test_in_order_keeps_few_and_stops_when_left():
    running, most, begun, lock = 0, 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal running, most, begun
        with lock:
            running, begun = running + 1, begun + 1
            most = max(most, running)
        time.sleep(0.002 * (3 - number % 3))
        with lock:
            running -= 1
        return number

    results = in_order(work, itertools.count(), workers=3)
    assert list(itertools.islice(results, 20)) == list(range(20))
    results.close()
    assert most <= 3 and begun <= 20 + 3 * AHEAD
    assert list(in_order(work, [], workers=2)) == []
    assert list(in_order(lambda _: thread_count(), [0, 1], workers=2)) == [1, 1]
    with pytest.raises(MeshError, match="workers"):
        list(in_order(work, [1], workers=0))
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // number, [1, 0, 1], workers=2))
