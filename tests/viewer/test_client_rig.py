"""The built client's reader, blend, normals and clip, run in Node, against numpy."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from aublend import head_model, neutral_apex_neutral, write_rig
from aublend.curves import half_weights
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from viewer.compact import page_payload
from viewer.page import SCRIPT_NAME, STATIC_FOLDER

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]

PROBE = """
const fs = require("fs"), vm = require("vm"), zlib = require("zlib");
// Node would print the whole minified line first, and a pipe may be cut before the reason.
process.on("uncaughtException", (error) => {
  fs.writeSync(2, String(error.message));
  process.exit(1);
});
const [script, file, request] = process.argv.slice(1);
vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { readRig, SparseBlend, VertexNormals, poseOf, emptyProject, withClip, poseAt } = Mesh4DViewer;
const bytes = fs.readFileSync(file);
const content = bytes[0] === 0x1f ? zlib.gunzipSync(bytes) : bytes;
const { poses, times } = JSON.parse(fs.readFileSync(request, "utf8"));
const rig = readRig(content.buffer.slice(content.byteOffset, content.byteOffset + content.length));
const { names } = rig.face;
const blend = new SparseBlend(rig.positions, rig.face);
const normals = new VertexNormals(rig.positions, rig.indices, blend.moved, rig.normals);
const list = (numbers) => Array.from(numbers);
const animated = rig.clip && withClip(emptyProject(names.length), names, rig.clip);
const result = {
  names, groups: rig.groups, materials: rig.materials.map((m) => m.name),
  pairs: rig.face.pairs.map((pair) => pair.name), parts: rig.face.parts.map((part) => part.name),
  indices: list(rig.indices), neutral: list(rig.positions), duration: rig.clip && rig.clip.duration,
  keys: animated && Object.fromEntries(
    animated.layers.flatMap((layer) => [...layer.tracks]).map(([name, track]) => [name, track.length])),
  blends: poses.map((pose) => {
    blend.apply(Array.isArray(pose) ? Float64Array.from(pose) : poseOf(pose, names));
    normals.update(blend.positions);
    return { positions: list(blend.positions), normals: list(normals.normals) };
  }),
  samples: times.map((time) => list(poseAt(animated, names, time))),
};
process.stdout.write(JSON.stringify(result));
"""


@pytest.fixture
def probe(tmp_path):
    def run(content: bytes, poses=(), times=()):
        path = tmp_path / "rig.glb"
        path.write_bytes(content)
        request = tmp_path / "request.json"
        request.write_text(json.dumps({"poses": list(poses), "times": list(times)}))
        command = [NODE, "-e", PROBE, str(STATIC_FOLDER / SCRIPT_NAME), str(path), str(request)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    return run


def points(flat):
    return np.array(flat).reshape(-1, 3)


def vertex_normals(vertices, faces):
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    crosses = np.cross(b - a, c - a)
    sums = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(sums, faces[:, corner], crosses)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def test_blend_and_normals_match_numpy(probe, rig, rig_glb):
    rows = [[0.0, 0.0], [1.0, 0.0], [0.3, 0.7], [0.0, 0.5], [1.0, 1.0], [0.0, 0.0]]
    found = probe(rig_glb, [[*row, *row] for row in rows])
    faces = np.array(found["indices"]).reshape(-1, 3)
    for weights, blend in zip(rows, found["blends"], strict=True):
        expected = rig.blend(np.array(weights))
        np.testing.assert_allclose(1000 * points(blend["positions"]), 1000 * expected, atol=1e-5, rtol=0)
        np.testing.assert_allclose(points(blend["normals"]), vertex_normals(expected, faces), atol=1e-4)


def test_primitives_become_groups_of_one_surface(probe, rig, rig_glb):
    found = probe(rig_glb)
    assert found["names"] == ["AU1", "AU12"]
    assert found["materials"] == ["skin", "teeth"]
    assert len(found["neutral"]) == 3 * len(rig.vertices)
    skin, teeth = rig.parts.values()
    assert found["groups"] == [
        {"start": 0, "count": skin.size, "material": 0},
        {"start": skin.size, "count": teeth.size, "material": 1},
    ]
    np.testing.assert_array_equal(np.array(found["indices"]).reshape(-1, 3), np.concatenate([skin, teeth]))


def test_clip_interpolates_between_keys_and_holds_outside(probe, rig_glb):
    found = probe(rig_glb, times=[-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 9.0])
    assert found["duration"] == 1.0
    expected = [[0, 0], [0, 0], [0.5, 0.125], [1, 0.25], [0.5, 0.625], [0, 1], [0, 1]]
    np.testing.assert_allclose(found["samples"], np.tile(expected, 2), atol=1e-7)


def test_sides_add_up_to_the_whole_and_stay_on_their_side(probe, rig, rig_glb):
    poses = [{"AU12": 1}, {"AU12L": 1, "AU12R": 1}, {"AU12L": 1}]
    whole, both, left = (points(blend["positions"]) for blend in probe(rig_glb, poses)["blends"])
    np.testing.assert_allclose(both, whole, atol=1e-8)
    neutral = rig.blend(np.zeros(2))
    right = neutral[:, 0] < -0.012
    assert np.abs(whole - neutral)[right].max() > 0.005
    np.testing.assert_allclose(left[right], neutral[right], atol=1e-8)
    subject_left = neutral[:, 0] > 0.012
    np.testing.assert_allclose(left[subject_left], whole[subject_left], atol=1e-8)


@pytest.fixture(scope="module")
def head():
    return head_model().rig(1234)


@pytest.fixture
def head_glb(head, tmp_path):
    write_rig(head, tmp_path / "head.glb")
    return (tmp_path / "head.glb").read_bytes()


def test_the_page_shows_what_the_rig_drives(probe, head, head_glb):
    """Pairs, halves and eyeballs included; of 1e-5 of the head, rounding to 16 bits takes about a half."""
    rng = np.random.default_rng(0)
    named = [
        {"AU6": 1.0, "AU45": 1.0},
        {"AU12L": 0.7, "AU26": 1.0, "AU61": 1.0, "AU63R": 0.5},
        {"AU30L": 1.5, "AU12": 1.5},
    ]
    halves = [rng.uniform(0, 1, (2, 32)), np.ones((2, 32)), *map(half_weights, named)]
    found = probe(page_payload(head_glb), [row.ravel().tolist() for row in halves[:2]] + named)
    assert tuple(found["names"]) == head.au_names and tuple(found["pairs"]) == head.pairs
    assert found["parts"] == [part.name for part in head.rigid_parts]
    size = np.ptp(head.neutral.vertices, axis=0).max()
    for pose, blend in zip(halves, found["blends"], strict=True):
        error = np.abs(points(blend["positions"]) / head.unit_m - head.pose(pose)).max()
        assert error < 1e-5 * size


def test_rigs_in_another_frame_keep_plane_and_pivots(probe, head, tmp_path):
    turn = rotation_from_axis_angle(np.array([0.3, -0.8, 0.2]))
    moved = head.moved(Similarity(scale=0.1, rotation=turn, translation=np.array([3.0, -2.0, 40.0])))
    write_rig(moved, tmp_path / "moved.glb")
    pose = {"AU12L": 1.0, "AU6L": 1.0, "AU62": 1.0, "AU64": 0.4}
    found = probe(page_payload((tmp_path / "moved.glb").read_bytes()), [pose])
    expected = moved.drive(pose).vertices
    error = np.abs(points(found["blends"][0]["positions"]) / moved.unit_m - expected).max()
    assert error < 1e-5 * np.ptp(expected, axis=0).max()


def test_animations_come_back_as_sparse_keys(probe, head, tmp_path):
    """Halves and pairs that the file holds as targets of their own do not count twice."""
    curves = neutral_apex_neutral({"AU12L": 0.9, "AU6": 0.8, "AU45": 1.0, "AU25": 0.5})
    write_rig(head, tmp_path / "smile.glb", curves)
    frames = [0, 20, 30, len(curves) - 1]
    found = probe(page_payload((tmp_path / "smile.glb").read_bytes()), times=[frame / curves.fps for frame in frames])
    np.testing.assert_allclose(found["samples"], curves.halves()[frames].reshape(4, -1), atol=2e-3)
    assert set(found["keys"]) == {"AU12", "AU6", "AU45", "AU25"}
    assert max(found["keys"].values()) < len(curves)


def test_plain_glb_of_another_writer_is_read(probe):
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([10.0, 0.0, 0.0]))
    found = probe(scene.export(file_type="glb"), poses=[[]])
    assert found["names"] == []
    neutral = points(found["neutral"])
    np.testing.assert_allclose(neutral.min(0), [9.5, -1.0, -1.5])
    np.testing.assert_allclose(neutral.max(0), [10.5, 1.0, 1.5])


def test_dense_and_sparse_targets_read_alike(probe, pack_glb):
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")
    dense = np.array([[0, 0, 0], [0, 0, 2], [0, 0, 0]], "<f4")
    binary = positions.tobytes() + dense.tobytes()
    accessor = {"componentType": 5126, "count": 3, "type": "VEC3"}
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0, "rotation": [0, 0, np.sqrt(0.5), np.sqrt(0.5)], "translation": [0, 0, 1]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 1}]}]}],
        "accessors": [accessor | {"bufferView": 0}, accessor | {"bufferView": 1}],
        "bufferViews": [{"buffer": 0, "byteOffset": 36 * view, "byteLength": 36} for view in (0, 1)],
        "buffers": [{"byteLength": 72}],
    }
    found = probe(pack_glb(document, binary), poses=[[0.5, 0.5]])
    assert found["names"] == ["morph 1"]
    np.testing.assert_allclose(points(found["blends"][0]["positions"]), [[0, 0, 1], [0, 1, 2], [-1, 0, 1]], atol=1e-6)


def broken(change):
    accessor = {"componentType": 5126, "count": 3, "type": "VEC3", "bufferView": 0}
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["accessors"][0].update(count=10**12), "do not fit"),
        (lambda d: d["bufferViews"][0].update(byteLength=10**9), "outside the file"),
        (lambda d: d["accessors"][0].pop("bufferView"), "neither data nor sparse"),
        (lambda d: d["nodes"][0].update(children=[0]), "two parents"),
        (lambda d: d.update(extensionsRequired=["EXT_meshopt_compression"]), "EXT_meshopt_compression"),
        (lambda d: d["meshes"][0].update(primitives=[]), "no triangles"),
    ],
)
def test_hostile_files_are_refused_with_a_reason(probe, pack_glb, change, message):
    with pytest.raises(RuntimeError, match=message):
        probe(pack_glb(broken(change), bytes(36)))
