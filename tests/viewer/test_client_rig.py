"""The built client's reader, blend, normals and clip, run in Node, against numpy."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from viewer.page import SCRIPT_NAME, STATIC_FOLDER

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]

PROBE = """
const fs = require("fs"), vm = require("vm");
const [script, file, request] = process.argv.slice(1);
vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { readRig, SparseBlend, VertexNormals, sidedTarget } = Mesh4DViewer;
const content = fs.readFileSync(file);
const { rows, times, sides } = JSON.parse(request);
const rig = readRig(content.buffer.slice(content.byteOffset, content.byteOffset + content.length));
const targets = [...rig.targets, ...sides.map((name) => sidedTarget(name, rig.targets, rig.positions))];
const blend = new SparseBlend(rig.positions, targets);
const normals = new VertexNormals(rig.positions, rig.indices, blend.moved, rig.normals);
const list = (numbers) => Array.from(numbers);
const result = {
  names: targets.map((target) => target.name), groups: rig.groups, materials: rig.materials.map((m) => m.name),
  indices: list(rig.indices), neutral: list(rig.positions), duration: rig.clip && rig.clip.duration,
  blends: rows.map((weights) => {
    blend.apply(weights);
    normals.update(blend.positions);
    return { positions: list(blend.positions), normals: list(normals.normals) };
  }),
  samples: times.map((time) => {
    const weights = new Float32Array(rig.targets.length);
    rig.clip.sample(time, weights);
    return list(weights);
  }),
};
process.stdout.write(JSON.stringify(result));
"""


@pytest.fixture
def probe(tmp_path):
    def run(content: bytes, rows=(), times=(), sides=()):
        path = tmp_path / "rig.glb"
        path.write_bytes(content)
        request = json.dumps({"rows": [list(row) for row in rows], "times": list(times), "sides": list(sides)})
        command = [NODE, "-e", PROBE, str(STATIC_FOLDER / SCRIPT_NAME), str(path), request]
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
    found = probe(rig_glb, rows)
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
    np.testing.assert_allclose(found["samples"], expected, atol=1e-7)


def test_sides_add_up_to_the_whole_and_stay_on_their_side(probe, rig, rig_glb):
    rows = [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]
    whole, both, left = (
        points(blend["positions"]) for blend in probe(rig_glb, rows, sides=["AU12L", "AU12R"])["blends"]
    )
    np.testing.assert_allclose(both, whole, atol=1e-8)
    neutral = rig.blend(np.zeros(2))
    right = neutral[:, 0] < -0.012
    assert np.abs(whole - neutral)[right].max() > 0.005
    np.testing.assert_allclose(left[right], neutral[right], atol=1e-8)
    subject_left = neutral[:, 0] > 0.012
    np.testing.assert_allclose(left[subject_left], whole[subject_left], atol=1e-8)


def test_plain_glb_of_another_writer_is_read(probe):
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([10.0, 0.0, 0.0]))
    found = probe(scene.export(file_type="glb"), rows=[[]])
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
    found = probe(pack_glb(document, binary), rows=[[0.5]])
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
