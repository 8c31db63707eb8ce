"""The shipped landmark networks on heads that they were not trained on."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from aublend.landmark_training.companions import Piece, body
from aublend.landmark_training.labels import landmark_places
from mesh4d import Mesh, MeshError, NoFaceError, detect_landmarks, write_mesh
from mesh4d.io import read_landmarks
from mesh4d.landmarks import interocular_distance, read_face
from mesh4d.landmarks.command import LandmarksCommand
from mesh4d.landmarks.weights import SHIPPED, load_card
from mesh4d.specs import load_split

SEED = 470  # of the test part


@pytest.fixture(scope="module")
def places(model):
    return landmark_places(model)


@pytest.fixture(scope="module")
def head(model):
    mesh = model.topology
    skin = np.isin(np.array(mesh.part_names)[mesh.part_of_face], ["skin", "lips"])
    return Mesh(model.identity(SEED).vertices, mesh.faces[skin])


@pytest.fixture(scope="module")
def found(head):
    return read_face(head)


def error(landmarks, points):
    """Mean distance, percent of the interocular distance."""
    return 100 * np.linalg.norm(landmarks.points - points, axis=1).mean() / interocular_distance(points)


def moved(mesh, seed):
    rng = np.random.default_rng(seed)
    turn = (
        Rotation.create_group("O").as_matrix()[rng.integers(24)]
        @ Rotation.from_euler("yx", [rng.uniform(-60, 60), rng.uniform(-30, 30)], degrees=True).as_matrix()
    )
    scale, shift = 10 ** rng.uniform(-3, 2), rng.normal(0, 300, 3)
    return lambda points: scale * (points @ turn.T + shift)


def test_card_tells_where_the_weights_come_from():
    card = load_card()
    assert SHIPPED.stat().st_size < 4 << 20
    assert "train-landmarks" in card["command"] and "disjoint" in card
    assert SEED in load_split("aublendset")["test"]
    assert card["networks"]["reader"]["validation"]["face_accuracy"] > 0.95


def test_an_unseen_head(head, found, places):
    assert error(found.landmarks, places.on(head.vertices)) < 3.0
    assert found.landmarks.confidence is not None and np.median(found.landmarks.confidence) > 0.5
    assert found.quality > 0.6
    on_mesh = np.einsum("lkc,lk->lc", head.vertices[head.faces[found.triangles]], found.barycentric)
    assert np.allclose(on_mesh, found.landmarks.points, atol=1e-6) and not found.distance.any()
    nose, eyes = found.landmarks["nose tip"], found.landmarks["eye left outer corner"]
    assert nose[2] > eyes[2] and eyes[0] > 0


@pytest.mark.parametrize("seed", range(3))
def test_any_axes_unit_and_vertex_order(head, found, seed):
    place = moved(head, seed)
    shuffle = np.random.default_rng(seed).permutation(head.n_vertices)
    mesh = Mesh(place(head.vertices)[shuffle], np.argsort(shuffle)[head.faces])
    landmarks = detect_landmarks(mesh)
    assert error(landmarks, place(found.landmarks.points)) < 1.5


def test_order_of_vertices_and_faces_does_not_matter(head, found):
    shuffle = np.random.default_rng(1).permutation(head.n_vertices)
    faces = np.argsort(shuffle)[head.faces][np.random.default_rng(2).permutation(head.n_faces)]
    again = detect_landmarks(Mesh(head.vertices[shuffle], faces))
    assert error(again, found.landmarks.points) < 0.1


def test_winding_and_loose_triangles_do_not_matter(head, found):
    inside_out = detect_landmarks(Mesh(head.vertices, head.faces[:, ::-1].copy()))
    assert error(inside_out, found.landmarks.points) < 0.3
    loose = Mesh(head.vertices[head.faces].reshape(-1, 3), np.arange(3 * head.n_faces).reshape(-1, 3))
    assert error(detect_landmarks(loose), found.landmarks.points) < 0.3


def test_an_open_mouth_and_closed_eyes(model, places):
    rig = model.rig(SEED)
    for units in ({"AU27": 1.0, "AU25": 0.8}, {"AU45": 1.0, "AU12": 0.7}):
        mesh = rig.drive(units)
        assert error(detect_landmarks(mesh), places.on(mesh.vertices)) < 3.5


def test_missing_surface_is_told_by_low_confidence(head, places):
    points = places.on(head.vertices)
    middle = head.vertices[head.faces].mean(axis=1)
    gone = np.linalg.norm(middle - points[48:68].mean(axis=0), axis=1) < 32
    landmarks = detect_landmarks(Mesh(head.vertices, head.faces[~gone]))
    confidence = landmarks.confidence
    assert np.median(confidence[48:68]) < 0.6 * np.median(confidence[27:48])
    rest = np.r_[17:48]
    gap = np.linalg.norm(landmarks.points - points, axis=1)[rest].mean()
    assert 100 * gap / interocular_distance(points) < 3.5


def things():
    whole = body()
    lowest = whole.only(whole.vertices[:, 1] < -600)
    hand = whole.only(whole.vertices[:, 0] > 380)
    room = [trimesh.creation.box(extents=[4, 2.5, 5])]
    room += [trimesh.creation.box(extents=[1, 0.7, 0.6]).apply_translation([x, -0.9, 1]) for x in (-1, 1)]
    made = {
        "sphere": trimesh.creation.icosphere(subdivisions=4),
        "cube": trimesh.creation.box(),
        "torus": trimesh.creation.torus(1.0, 0.3),
        "cylinder": trimesh.creation.cylinder(radius=1.0, height=3.0),
        "room": trimesh.util.concatenate(room),
    }
    pieces = {name: Piece(np.asarray(m.vertices), np.asarray(m.faces)) for name, m in made.items()}
    return {**pieces, "legs": lowest, "hand": hand}


@pytest.mark.parametrize("name", list(things()))
def test_what_is_no_face_is_refused(name):
    piece = things()[name]
    used, faces = np.unique(piece.faces, return_inverse=True)
    with pytest.raises(NoFaceError, match="no face found: "):
        detect_landmarks(Mesh(np.asarray(piece.vertices, np.float64)[used], faces.reshape(-1, 3).astype(np.int64)))


def test_no_surface_is_an_error():
    with pytest.raises(MeshError):
        detect_landmarks(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])))
    with pytest.raises(MeshError):
        detect_landmarks(Mesh(np.eye(3), np.zeros((0, 3), np.int64)))


def test_command_writes_what_was_found(head, found, tmp_path):
    write_mesh(head, tmp_path / "head.ply")
    result = LandmarksCommand(tmp_path / "head.ply").run()
    assert result["landmarks"] == str(tmp_path / "head.landmarks.json")
    import json

    content = json.loads((tmp_path / "head.landmarks.json").read_text())
    assert np.allclose(content["points"], found.landmarks.points, atol=0.3) and len(content["triangles"]) == 68
    LandmarksCommand(tmp_path / "head.ply", tmp_path / "out.lm3").run()
    assert read_landmarks(tmp_path / "out.lm3").names == found.landmarks.names
    with pytest.raises(MeshError, match="expected a name that ends in"):
        LandmarksCommand(tmp_path / "head.ply", tmp_path / "out.csv").run()
