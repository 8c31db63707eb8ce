import base64
import dataclasses
import zlib

import numpy as np
import pygltflib
import pytest

from aublend import AU_NAMES, AUCurves, joined, neutral_apex_neutral, read_rig, write_rig
from aublend.curve_files import read_curves, write_curves
from aublend.rig_files import split_halves
from aublend.rig_files.packed_pairs import packed_pair, unpacked_pair
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import read_morph_mesh

ASYMMETRIC = {"AU12L": 0.6, "AU14L": 0.9, "AU4": 0.5}


def test_npz_keeps_everything(rig, tmp_path):
    write_rig(rig, tmp_path / "rig.npz")
    back = read_rig(tmp_path / "rig.npz")
    np.testing.assert_array_equal(back.deltas, rig.deltas)
    np.testing.assert_array_equal(back.neutral.vertices, rig.neutral.vertices)
    np.testing.assert_array_equal(back.neutral.faces, rig.neutral.faces)
    weights = {"AU61": 0.7, "AU12L": 0.5, "AU26": 0.3, "AU6": 0.8}
    np.testing.assert_array_equal(back.drive(weights).vertices, rig.drive(weights).vertices)


def test_glb_drives_the_same_head(rig, tmp_path):
    write_rig(rig, tmp_path / "rig.glb")
    back = read_rig(tmp_path / "rig.glb")
    weights = {"AU63": 0.7, "AU45R": 0.5, "AU1": 0.3, "AU4": 0.9, "AU6R": 1.0}
    assert back.pairs == rig.pairs and len(rig.pairs) >= 5
    np.testing.assert_allclose(back.drive(weights).vertices, rig.drive(weights).vertices, atol=1e-3)
    assert back.unit_m == rig.unit_m


def test_an_independent_reader_finds_32_named_keys_and_an_animation(rig, tmp_path):
    curves = joined([neutral_apex_neutral(ASYMMETRIC)])
    write_rig(rig, tmp_path / "rig.glb", curves)
    gltf = pygltflib.GLTF2().load(str(tmp_path / "rig.glb"))
    names = gltf.meshes[0].extras["targetNames"]
    assert tuple(names[:32]) == AU_NAMES
    assert set(names[32:]) == {"AU12L", "AU14L"}
    write_rig(rig, tmp_path / "still.glb")
    assert tuple(pygltflib.GLTF2().load(str(tmp_path / "still.glb")).meshes[0].extras["targetNames"]) == AU_NAMES
    assert all(len(primitive.targets) == len(names) for primitive in gltf.meshes[0].primitives)
    channel = gltf.animations[0].channels[0]
    sampler = gltf.animations[0].samplers[channel.sampler]
    assert channel.target.path == "weights"
    assert gltf.accessors[sampler.output].count == len(curves) * len(names)
    assert gltf.accessors[sampler.input].max[0] == pytest.approx((len(curves) - 1) / 25)
    assert gltf.nodes[0].scale == pytest.approx([0.001] * 3), "Blender and three.js see a head of human size"


def test_animated_glb_shows_what_the_rig_shows(rig, tmp_path):
    curves = neutral_apex_neutral(ASYMMETRIC)
    write_rig(rig, tmp_path / "rig.glb", curves)
    morph = read_morph_mesh(tmp_path / "rig.glb")
    apex = int(curves.weights.sum(axis=1).argmax())
    blended = morph.mesh.vertices + np.tensordot(morph.weights[apex], morph.deltas.astype(float), axes=1)
    np.testing.assert_allclose(blended, rig.animate(curves).frames[apex], atol=0.01)


def test_halves_split_exactly():
    curves = AUCurves(("AU12", "AU12L", "AU4R"), np.array([[0.2, 0.3, 0.0], [0.5, 0.0, 0.4]]), 25.0)
    names, weights = split_halves(curves)
    assert names[32:] == ("AU12L", "AU4R")
    at = dict(zip(names, weights.T, strict=True))
    np.testing.assert_allclose(at["AU12"], [0.2, 0.5])
    np.testing.assert_allclose(at["AU12L"], [0.3, 0.0])
    np.testing.assert_allclose(at["AU4R"], [0.0, 0.4])


def test_pairs_are_driven_by_the_product_of_their_units(rig, tmp_path):
    curves = neutral_apex_neutral({"AU6": 0.9, "AU45L": 0.8, "AU12": 0.7, "AU26": 1.0})
    write_rig(rig, tmp_path / "rig.glb", curves)
    morph = read_morph_mesh(tmp_path / "rig.glb")
    at = dict(zip(morph.target_names, morph.weights.T, strict=True))
    apex = int(curves.weights.sum(axis=1).argmax())
    assert at["AU12+AU26"][apex] == pytest.approx(0.7, abs=1e-3)
    assert at["AU6+AU45"][apex] == 0 and at["AU6+AU45L"][apex] == pytest.approx(0.72, abs=1e-3)
    blended = morph.mesh.vertices + np.tensordot(morph.weights[apex], morph.deltas.astype(float), axes=1)
    np.testing.assert_allclose(blended, rig.animate(curves).frames[apex], atol=0.01)


def test_damaged_pairs_are_refused(rig):
    packed = packed_pair(rig.correctives[0])
    n_vertices = rig.neutral.n_vertices
    np.testing.assert_allclose(unpacked_pair(packed, n_vertices), rig.correctives[0], atol=1e-3)
    bomb = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    for field, value in (("vertices", "no base64"), ("steps", bomb), ("largest", float("inf")), ("vertices", 7)):
        with pytest.raises((KeyError, TypeError, ValueError)):
            unpacked_pair(packed | {field: value}, n_vertices)
    with pytest.raises(ValueError, match="below 2"):
        unpacked_pair(packed_pair(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])), 2)


def test_missing_units_are_named(rig, tmp_path):
    from mesh4d.io import MorphMesh, write_morph_mesh

    write_morph_mesh(MorphMesh(rig.neutral, AU_NAMES[:30], rig.deltas[:30]), tmp_path / "poor.glb")
    with pytest.raises(MeshFormatError, match="no AU63, AU64"):
        read_rig(tmp_path / "poor.glb")


@pytest.mark.parametrize("field", ["deltas", "mid_plane", "rigid_pivots", "au_names"])
def test_broken_npz_names_the_file(rig, tmp_path, field):
    write_rig(rig, tmp_path / "rig.npz")
    arrays = dict(np.load(tmp_path / "rig.npz"))
    del arrays[field]
    np.savez(tmp_path / "broken.npz", **arrays)
    with pytest.raises(MeshFormatError, match=rf"broken.npz.*{field}"):
        read_rig(tmp_path / "broken.npz")
    arrays["rigid_vertex_ids"] = arrays["rigid_vertex_ids"] + 10**6
    np.savez(tmp_path / "broken.npz", **arrays)
    with pytest.raises(MeshFormatError):
        read_rig(tmp_path / "broken.npz")


def test_other_suffixes_and_topologies_are_refused(rig, tmp_path):
    with pytest.raises(MeshError, match=r"\.glb"):
        write_rig(rig, tmp_path / "rig.obj")
    with pytest.raises(MeshError):
        dataclasses.replace(rig, au_names=rig.au_names[::-1])
    assert list(tmp_path.iterdir()) == []


def test_curves_csv_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    curves = AUCurves(("AU12L", "AU4", "AU30R"), rng.random((40, 3)), 25.0)
    write_curves(curves, tmp_path / "c.csv")
    back = read_curves(tmp_path / "c.csv")
    assert back.names == curves.names and back.fps == 25.0
    np.testing.assert_allclose(back.weights, curves.weights, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("AU1,AU2\n0,0\n", "line 1"),
        ("time_s,AU77\n0,0\n", "line 1"),
        ("time_s,AU1\n0,0\n0.04,x\n", "line 3"),
        ("time_s,AU1\n0,0\n0.04\n", "line 3"),
        ("time_s,AU1\n0,0\n0.04,0\n0.02,0\n", "time_s"),
        ("time_s,AU1\n0,nan\n", "values"),
        ("", "line 1"),
    ],
)
def test_bad_curves_are_refused_with_their_place(tmp_path, text, place):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(MeshFormatError, match=place):
        read_curves(tmp_path / "c.csv")
