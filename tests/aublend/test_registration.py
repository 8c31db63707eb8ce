"""Strangers made from our own generator: other triangles, order, unit, pose and extent; the truth is known."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from aublend.head_model import head_model
from aublend.registration import align_head, carry_deltas, fit_head, prior_template, units_per_mm
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration import estimate_pose, face_template, register
from mesh4d.registration.closest import SurfacePoints, triangle_tree


@dataclass(frozen=True)
class Stranger:
    """A head that hides where it came from."""

    mesh: Mesh
    to_mesh: Similarity
    """Face frame -> the mesh."""
    seed: int
    clean: np.ndarray
    """Its vertices in the face frame, without noise."""


def stranger(seed: int, kind: str = "skin", unit: float = 1.0, noise_mm: float = 0.3) -> Stranger:
    rng = np.random.default_rng(seed)
    head = head_model().identity(seed)
    vertices, faces = head.vertices, head.faces
    part = np.array(head.part_names)[head.part_of_face]
    middle = vertices[faces].mean(axis=1)
    keep = np.isin(part, ("skin", "lips", "mouth"))
    if kind == "whole":
        keep[:] = True
    if kind == "mask":
        keep &= (middle[:, 2] > -15) & (np.abs(middle[:, 0]) < 65) & (part != "mouth")
    if kind == "cut":
        keep &= (middle[:, 2] > -70) & (np.linalg.norm(middle - vertices[rng.integers(len(vertices))], axis=1) > 15)
    vertices, faces = (np.asarray(x) for x in trimesh.remesh.subdivide(vertices, faces[keep]))
    if kind == "bust":
        shoulders = trimesh.creation.icosphere(3)
        faces = np.concatenate([faces, shoulders.faces + len(vertices)])
        vertices = np.concatenate([vertices, shoulders.vertices * [190, 75, 95] + [0, -235, -85]])
    used = rng.permutation(np.unique(faces))
    new_id = np.full(len(vertices), -1)
    new_id[used] = np.arange(len(used))
    clean, faces = vertices[used], new_id[rng.permutation(faces)]
    rotation = Rotation.random(random_state=seed).as_matrix()
    to_mesh = Similarity(unit, rotation, unit * rng.normal(size=3) * 100)
    return Stranger(Mesh(to_mesh.apply(clean + rng.normal(size=clean.shape) * noise_mm), faces), to_mesh, seed, clean)


def face_error_mm(case: Stranger, fitted_on_mesh: np.ndarray) -> np.ndarray:
    truth = head_model().identity(case.seed).vertices
    error = np.linalg.norm(case.to_mesh.inverse().apply(fitted_on_mesh) - truth, axis=1)
    return error[prior_template().face]


@pytest.mark.parametrize(
    ("seed", "kind", "unit"),
    [
        (451, "whole", 0.1),
        (452, "mask", 0.001),
        (455, "bust", 1 / 25.4),
        pytest.param(450, "skin", 1.0, marks=pytest.mark.slow),
        pytest.param(453, "cut", 0.01, marks=pytest.mark.slow),
    ],
)
def test_strangers_are_brought_into_correspondence(seed, kind, unit):
    case = stranger(seed, kind, unit)
    fit = fit_head(case.mesh)
    error = face_error_mm(case, fit.to_mesh.apply(fit.template_vertices))
    assert error.mean() < 1.5 and np.percentile(error, 95) < 3.5
    assert fit.to_mesh.scale == unit
    assert fit.registration.residual < 0.002
    assert (len(fit.left_eye) > 0) == (len(fit.right_eye) > 0) == (kind == "whole")
    head = head_model().identity(seed)
    places = triangle_tree(head.vertices, head.faces).query(case.clean)
    true_side = prior_template().face_side(prior_template().lip_side)[places.triangles]
    lips = (true_side != 0) & np.isin(places.triangles, prior_template().outer_face_ids)
    labelled = lips & (fit.registration.lip_side != 0)
    assert labelled.sum() > 0.8 * lips.sum()
    assert (fit.registration.lip_side[labelled] == true_side[labelled]).mean() > 0.97
    true_lid = prior_template().face_side(prior_template().lid_side)[places.triangles]
    lids = (true_lid != 0) & (fit.registration.lid_side != 0)
    assert (fit.registration.lid_side[lids] == true_lid[lids]).mean() > 0.93
    aligned = fit.to_mesh.inverse().apply(case.mesh.vertices)
    offset = aligned - case.clean
    assert np.linalg.norm(offset - offset.mean(axis=0), axis=1).max() < 20
    assert np.linalg.norm(offset.mean(axis=0)) < 8


def test_an_aligned_head_is_in_the_face_frame():
    head = head_model().identity(462)
    move = Similarity(0.1, Rotation.from_euler("x", -90, degrees=True).as_matrix(), np.zeros(3))
    aligned = align_head(head.with_vertices(move.apply(head.vertices)))
    np.testing.assert_allclose(np.ptp(aligned.vertices, axis=0), np.ptp(head.vertices, axis=0), rtol=0.1)
    assert np.abs(aligned.vertices[head_model().parts.left_eye].mean(axis=0) - [30, 0, 0]).max() < 8


def test_pose_alone_finds_the_head():
    case = stranger(456, "skin", 0.1)
    pose = estimate_pose(prior_template(), case.mesh)
    turn = (np.trace(pose.rotation @ case.to_mesh.rotation.T) - 1) / 2
    assert np.degrees(np.arccos(min(turn, 1.0))) < 6
    assert abs(pose.scale / 0.1 - 1) < 0.12


def test_inside_out_heads_are_understood():
    case = stranger(457)
    turned = Mesh(case.mesh.vertices, np.ascontiguousarray(case.mesh.faces[:, ::-1]))
    result = register(prior_template(), turned)
    assert face_error_mm(case, result.fitted.vertices).mean() < 1.5
    on_target = result.template_on_target.interpolate(turned.vertices, turned.faces)
    face = prior_template().face
    gap = np.linalg.norm(on_target - result.fitted.vertices, axis=1)[face]
    np.testing.assert_allclose(gap, np.abs(result.template_on_target.signed_distance[face]), atol=1e-6)


def test_the_embedded_topology_is_taken_as_it_is():
    head = head_model().identity(460)
    fit = fit_head(head)
    assert fit.registration is None
    np.testing.assert_array_equal(fit.template_vertices, head.vertices)
    deltas = np.random.default_rng(0).normal(size=(32, head.n_vertices, 3))
    np.testing.assert_allclose(carry_deltas(fit, deltas), deltas)


def test_the_embedded_topology_in_another_pose_and_unit():
    head = head_model().identity(461)
    move = Similarity(0.001, Rotation.from_euler("xyz", [90, 20, 0], degrees=True).as_matrix(), np.array([1.0, 2, 3]))
    fit = fit_head(head.with_vertices(move.apply(head.vertices)))
    assert fit.registration is None and fit.to_mesh.scale == 0.001
    eyes = head_model().parts.left_eye
    np.testing.assert_allclose(fit.to_mesh.apply(fit.template_vertices), move.apply(head.vertices), atol=1e-9)
    np.testing.assert_allclose(fit.template_vertices[eyes].mean(axis=0), head.vertices[eyes].mean(axis=0), atol=3.0)


def test_units_are_told_by_the_distance_of_the_eyes():
    for unit in (1.0, 0.1, 0.01, 0.001, 1 / 25.4):
        assert units_per_mm(61.0 * unit) == unit
    assert units_per_mm(3.1) == pytest.approx(3.1 / 62)


@lru_cache(maxsize=1)
def carried_case() -> tuple[Stranger, SurfacePoints, np.ndarray, np.ndarray]:
    """A whole head, its vertices' true places on the embedded one, and carried and true deltas (face frame, mm)."""
    case = stranger(470, "whole", 0.01)
    model = head_model()
    head, truth = model.identity(case.seed), model.deltas(model.parameters(case.seed))
    places = triangle_tree(head.vertices, head.faces).query(case.clean)
    carried = carry_deltas(fit_head(case.mesh), truth)
    assert carried.shape == (32, case.mesh.n_vertices, 3)
    in_mm = carried @ case.to_mesh.rotation / case.to_mesh.scale
    return case, places, in_mm, places.interpolate(truth, head.faces)


def test_opening_the_jaw_leaves_the_upper_lip_where_it_is():
    case, places, carried, truth = carried_case()
    jaw, expected = carried[AU_INDEX["AU27"]], truth[AU_INDEX["AU27"]]
    outer = np.isin(places.triangles, prior_template().outer_face_ids)
    assert np.linalg.norm(jaw - expected, axis=1)[outer].mean() < 0.6
    side = prior_template().face_side(prior_template().lip_side)[places.triangles]
    upper, lower = outer & (side > 0), outer & (side < 0)
    assert (jaw[upper, 1] - expected[upper, 1]).min() > -4.0
    assert (jaw[lower, 1] - expected[lower, 1]).max() < 5.0
    edges = case.mesh.faces[outer[case.mesh.faces].all(axis=1)][:, :2]
    tear, stretch = (np.linalg.norm(d[edges[:, 0]] - d[edges[:, 1]], axis=1).max() for d in (jaw, expected))
    assert tear < stretch + 4.0


def test_lids_close_and_lips_smile_as_the_truth_does():
    _, places, carried, truth = carried_case()
    outer = np.isin(places.triangles, prior_template().outer_face_ids)
    for unit in ("AU12", "AU45", "AU4"):
        error = np.linalg.norm(carried[AU_INDEX[unit]] - truth[AU_INDEX[unit]], axis=1)[outer]
        assert error.mean() < 0.3 * np.linalg.norm(truth[AU_INDEX[unit]], axis=1)[outer].mean() + 0.05


def test_teeth_follow_the_jaw_and_eyeballs_turn():
    _, places, carried, truth = carried_case()
    topology = head_model().topology
    part = np.array(topology.part_names)[topology.part_of_face[places.triangles]]
    for name, unit in (("teeth", "AU27"), ("tongue", "AU27"), ("eyes", "AU61")):
        got, expected = carried[AU_INDEX[unit]][part == name], truth[AU_INDEX[unit]][part == name]
        assert np.linalg.norm(got - expected, axis=1).mean() < 1.5
        assert np.linalg.norm(expected, axis=1).max() > 2.0


def test_the_walls_of_the_mouth_move_as_the_truth_does():
    _, places, carried, truth = carried_case()
    topology = head_model().topology
    wall = np.array(topology.part_names)[topology.part_of_face[places.triangles]] == "mouth"
    for unit in ("AU10", "AU18", "AU22", "AU26", "AU27"):
        error = np.linalg.norm(carried[AU_INDEX[unit]] - truth[AU_INDEX[unit]], axis=1)[wall]
        assert error.mean() < 0.8 and error.max() < 6.5, unit


def welded_lips(seed: int) -> tuple[Mesh, np.ndarray]:
    """A head without a mouth whose lips are one surface, as scans have them, and the edges of the line between them."""
    head, template = head_model().identity(seed), prior_template()
    part = np.array(head.part_names)[head.part_of_face]
    rim = np.intersect1d(head.faces[part == "lips"], head.faces[part == "mouth"])
    upper, lower = (rim[template.lip_side[rim] == sign] for sign in (1, -1))
    gap = np.linalg.norm(head.vertices[lower][:, None] - head.vertices[upper], axis=2)
    merged = np.arange(head.n_vertices)
    merged[lower] = upper[gap.argmin(axis=1)]
    vertices = head.vertices.copy()
    np.add.at(vertices, merged[lower], head.vertices[lower] - head.vertices[merged[lower]])
    vertices = (vertices + head.vertices) / 2
    faces = merged[head.faces[np.isin(part, ("skin", "lips"))]]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    used, faces = np.unique(faces, return_inverse=True)
    edges = np.unique(np.sort(faces.reshape(-1, 3)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    line = edges[np.isin(used[edges], upper).all(axis=1)]
    return Mesh(vertices[used], faces.reshape(-1, 3)), line


def test_welded_lips_part_along_one_line():
    mesh, line = welded_lips(463)
    line = line[(np.abs(mesh.vertices[line][..., 0]) < 14).all(axis=1)]  # the corners may be drawn down
    assert len(line) > 12
    vertices, faces = (np.asarray(x) for x in trimesh.remesh.subdivide(mesh.vertices, mesh.faces))
    fine = Mesh(vertices, faces)
    moved = carry_deltas(fit_head(fine), head_model().deltas(head_model().parameters(463)))
    for unit in ("AU10", "AU26", "AU27"):
        ends = moved[AU_INDEX[unit]][line]
        assert np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).max() < 4.0, unit
    lower_lip = mesh.vertices[line].mean(axis=(0, 1)) + np.array([0.0, -8.0, 8.0])
    nearest = np.linalg.norm(fine.vertices - lower_lip, axis=1).argmin()
    assert np.linalg.norm(moved[AU_INDEX["AU27"]][nearest]) > 20.0


def _solid(name: str) -> Mesh:
    rng = np.random.default_rng(9)
    create = trimesh.creation
    if name == "dust":
        return Mesh(rng.normal(size=(900, 3)), rng.integers(0, 900, (1500, 3)))
    box = create.box((1, 1, 1)).subdivide_loop(0)
    for _ in range(4):
        box = box.subdivide()
    solid = {
        "ball": create.icosphere(4, 100),
        "egg": create.icosphere(4).apply_scale([75, 110, 95]),
        "cube": box,
        "ring": create.torus(60, 25),
        "capsule": create.capsule(100, 60),
        "spout": trimesh.util.concatenate(
            [create.icosphere(4, 60), create.cylinder(12, 60).apply_translation([60, 0, 20]), create.torus(30, 6)]
        ),
    }[name]
    return Mesh(np.asarray(solid.vertices, float), np.asarray(solid.faces, int))


@pytest.mark.parametrize(
    "name",
    ["ball", *(pytest.param(n, marks=pytest.mark.slow) for n in ("egg", "ring", "spout", "dust", "cube", "capsule"))],
)
def test_what_holds_no_face_is_refused(name):
    with pytest.raises(NoFaceError, match=r"no face|surface"):
        fit_head(_solid(name))


def test_a_head_without_its_face_is_refused():
    head = head_model().identity(480)
    middle = head.vertices[head.faces].mean(axis=1)
    kept = head.faces[(middle[:, 2] < -30) & (head.part_of_face == head.part_names.index("skin"))]
    with pytest.raises(NoFaceError):
        fit_head(Mesh(head.vertices, kept))


def test_points_and_flat_meshes_are_refused():
    points = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.raises(NoFaceError, match="triangles"):
        fit_head(Mesh(points, np.zeros((0, 3), int)))
    with pytest.raises(NoFaceError, match="no surface"):
        fit_head(Mesh(np.zeros((100, 3)), np.tile([0, 1, 2], (100, 1))))


def test_landmarks_replace_the_search():
    case = stranger(481, noise_mm=0.0)
    template = prior_template()
    ids = np.flatnonzero(template.face)[::180]
    names = tuple(f"point {k}" for k in range(len(ids)))
    mesh = Mesh(
        template.vertices, template.mesh.faces, part_of_face=template.mesh.part_of_face,
        part_names=template.mesh.part_names, landmarks=Landmarks(names, template.vertices[ids]),
    )  # fmt: skip
    truth = case.to_mesh.apply(head_model().identity(case.seed).vertices[ids])
    result = register(mesh, case.mesh, Landmarks(names, truth), shape_basis=template.basis)
    assert face_error_mm(case, result.fitted.vertices).mean() < 1.2
    with pytest.raises(MeshError, match="3 names"):
        register(mesh, case.mesh, Landmarks(("elsewhere",), truth[:1]))


def test_a_basis_must_fit_the_template():
    with pytest.raises(MeshError, match="shape_basis"):
        face_template(head_model().topology, np.zeros((2, 5, 3)))
