"""What the page exports, made in Node as in the browser, read back by our own readers."""

import dataclasses
import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from aublend import arkit_from_au, head_model, read_rig, write_rig
from aublend.curve_files.live_link import read_live_link, write_live_link
from aublend.curves import AUCurves
from mesh4d import read_mesh, read_sequence, write_mesh
from mesh4d.io.glb import read_document
from viewer.compact import LARGEST, page_payload
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.scene import viewer_metadata

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]
EXPORT = """
const fs = require("fs"), vm = require("vm"), zlib = require("zlib");
const [script, folder] = process.argv.slice(1);
vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { Glb, readRig, writeGlb, objText, liveLinkText, poseOf, SparseBlend } = Mesh4DViewer;
const opened = (name) => {
  const bytes = fs.readFileSync(`${folder}/${name}`);
  const content = bytes[0] === 0x1f ? zlib.gunzipSync(bytes) : bytes;
  return content.buffer.slice(content.byteOffset, content.byteOffset + content.length);
};
const { rows, fps, metadata } = JSON.parse(fs.readFileSync(`${folder}/request.json`, "utf8"));
(async () => {
  const file = opened("head.bin"), glb = new Glb(file), rig = readRig(file), units = rig.face.names;
  const poses = rows.map((row) => poseOf(row, units));
  const track = { units, poses, times: poses.map((_, frame) => frame / fps) };
  fs.writeFileSync(`${folder}/rig.glb`, await writeGlb(glb));
  fs.writeFileSync(`${folder}/animation.glb`, await writeGlb(glb, track));
  if (fs.existsSync(`${folder}/other.bin`)) {
    const mixed = await writeGlb(glb, null, { glb: new Glb(opened("other.bin")), share: 0.25 });
    fs.writeFileSync(`${folder}/mixed.glb`, mixed);
  }
  const blend = new SparseBlend(rig.positions, rig.face);
  blend.apply(poses[poses.length - 1]);
  fs.writeFileSync(`${folder}/pose.obj`, objText(glb, blend.positions));
  if (metadata) fs.writeFileSync(`${folder}/arkit.csv`, liveLinkText(metadata, units, poses, fps));
})();
"""
ROWS = [
    {"AU12L": share, "AU12R": 0.4 * share, "AU6": 0.8 * share, "AU45": share**2, "AU26": 0.3, "AU61": 0.5 * share}
    for share in np.linspace(0, 1, 7)
]
FPS = 30.0
QUANTUM = 1 / LARGEST
"""Each target is rounded to this part of its largest offset."""


@pytest.fixture(scope="module")
def rig():
    return head_model().rig(1234)


@pytest.fixture
def exported(tmp_path):
    """Runs the page's exports on a rig and gives the folder with the files."""

    def run(glb: bytes, rows=ROWS, metadata=None):
        (tmp_path / "head.bin").write_bytes(page_payload(glb))
        request = {"rows": rows, "fps": FPS, "metadata": metadata}
        (tmp_path / "request.json").write_text(json.dumps(request))
        command = [NODE, "-e", EXPORT, str(STATIC_FOLDER / SCRIPT_NAME), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return tmp_path

    return run


@pytest.fixture
def glb_of(tmp_path):
    def write(rig, curves=None):
        write_rig(rig, tmp_path / "source.glb", curves)
        return (tmp_path / "source.glb").read_bytes()

    return write


def test_a_rig_comes_back_within_sixteen_bits(exported, glb_of, rig):
    folder = exported(glb_of(rig), metadata=dataclasses.asdict(viewer_metadata("head")))
    found, sent = read_rig(folder / "rig.glb"), read_rig(folder / "source.glb")
    np.testing.assert_array_equal(found.neutral.vertices, sent.neutral.vertices)
    np.testing.assert_array_equal(found.neutral.faces, sent.neutral.faces)
    assert found.neutral.polygons() == sent.neutral.polygons()
    assert found.neutral.part_names == sent.neutral.part_names
    assert found.unit_m == rig.unit_m and found.pairs == rig.pairs
    assert [part.name for part in found.rigid_parts] == [part.name for part in rig.rigid_parts]
    largest = np.abs(rig.deltas).max(axis=(1, 2))
    error = np.abs(found.deltas - sent.deltas).max(axis=(1, 2))
    # Half a quantum, and at least half of what the page leaves out of any head: 1e-7 of its size.
    left_out = 1e-7 * np.ptp(rig.neutral.vertices, axis=0).max()
    assert (error <= 0.51 * np.maximum(QUANTUM * largest, left_out) + 1e-6).all()
    pairs = np.abs(rig.correctives).max(axis=(1, 2))
    assert (np.abs(found.correctives - rig.correctives).max(axis=(1, 2)) <= 2 * QUANTUM * pairs + 1e-6).all()

    sequence = read_sequence(folder / "animation.glb")
    expected = np.stack([rig.drive(row).vertices for row in ROWS])
    assert len(sequence) == len(ROWS) and sequence.fps == pytest.approx(FPS)
    soft = np.setdiff1d(np.arange(rig.neutral.n_vertices), np.concatenate([p.vertex_ids for p in rig.rigid_parts]))
    assert np.abs(sequence.frames[:, soft] - expected[:, soft]).max() < 2e-3
    # Morph targets are straight lines and eyeballs turn, so those differ by the arc's height.
    assert np.abs(sequence.frames - expected).max() < 0.8

    pose = read_mesh(folder / "pose.obj")
    assert pose.polygons() == sent.neutral.polygons()
    assert np.abs(pose.vertices - expected[-1]).max() < 3e-3
    names = ("AU12L", "AU12R", "AU6", "AU45", "AU26", "AU61")
    curves = AUCurves(names, np.array([[row[name] for name in names] for row in ROWS]), FPS)
    write_live_link(arkit_from_au(curves), folder / "ours.csv")
    assert (folder / "arkit.csv").read_text().splitlines()[0] == (folder / "ours.csv").read_text().splitlines()[0]
    theirs, ours = read_live_link(folder / "arkit.csv"), read_live_link(folder / "ours.csv")
    assert theirs.names == ours.names and theirs.fps == ours.fps
    np.testing.assert_allclose(theirs.weights, ours.weights, atol=1e-8)


def test_a_head_between_two(exported, glb_of, rig, tmp_path):
    other = head_model().rig(77)
    (tmp_path / "other.bin").write_bytes(page_payload(glb_of(other)))
    folder = exported(glb_of(rig))
    found = read_rig(folder / "mixed.glb")
    np.testing.assert_allclose(
        found.neutral.vertices, 0.75 * rig.neutral.vertices + 0.25 * other.neutral.vertices, atol=1e-4
    )
    np.testing.assert_allclose(found.deltas, 0.75 * rig.deltas + 0.25 * other.deltas, atol=2e-3)
    pivots = [part.pivot for part in found.rigid_parts]
    both = zip(rig.rigid_parts, other.rigid_parts, strict=True)
    np.testing.assert_allclose(pivots, [0.75 * one.pivot + 0.25 * two.pivot for one, two in both], atol=1e-6)


def test_what_other_programs_read(exported, glb_of, rig):
    """glTF 2.0: bounds where they must stand, sparse indices that rise, names, weights of all targets a key."""
    folder = exported(glb_of(rig))
    document = read_document((folder / "animation.glb").read_bytes(), folder / "animation.glb")
    root: dict[str, Any] = dict(document.root.fields)
    (mesh,) = root["meshes"]
    names = mesh["extras"]["targetNames"]
    assert "AU12L" in names and "AU6+AU45" in names and "AU45L" not in names
    assert len(mesh["weights"]) == len(names)
    for primitive in mesh["primitives"]:
        assert len(primitive["targets"]) == len(names)
        for target in [primitive["attributes"], *primitive["targets"]]:
            accessor = root["accessors"][target["POSITION"]]
            rows = document.accessor(document.table("accessors")[target["POSITION"]])
            np.testing.assert_allclose(accessor["min"], rows.min(axis=0))
            np.testing.assert_allclose(accessor["max"], rows.max(axis=0))
            if "sparse" in accessor:
                assert accessor["sparse"]["count"] >= 1
        normals = document.accessor(document.table("accessors")[primitive["attributes"]["NORMAL"]])
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    for view in root["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
    (animation,) = root["animations"]
    times = root["accessors"][animation["samplers"][0]["input"]]
    weights = root["accessors"][animation["samplers"][0]["output"]]
    assert times["min"] == [0] and weights["count"] == times["count"] * len(names)
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(folder / "rig.glb", process=False)
    assert sum(len(part.faces) for part in scene.geometry.values()) == rig.neutral.n_faces


def test_seams_of_textures_stay_one_vertex(exported, rig, tmp_path):
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]], float)
    (tmp_path / "quads.obj").write_text(
        "".join(f"v {x} {y} {z}\n" for x, y, z in corners)
        + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\nf 2/1 5/2 6/3 3/4\n"
    )
    mesh = read_mesh(tmp_path / "quads.obj")
    write_mesh(mesh, tmp_path / "quads.glb")
    folder = exported((tmp_path / "quads.glb").read_bytes(), rows=[{}])
    pose = read_mesh(folder / "pose.obj")
    np.testing.assert_allclose(pose.vertices, corners, atol=1e-6)
    assert pose.polygons() == mesh.polygons()
    again = read_mesh(folder / "rig.glb")
    np.testing.assert_array_equal(again.vertices, corners)
    assert again.polygons() == mesh.polygons()
