"""ARKit's 52 shapes made from a rig's units, in files, and back."""

import logging

import numpy as np
import pygltflib
import pytest

from aublend import ARKIT_NAMES, AU_NAMES, AUCurves, arkit_from_au, neutral_apex_neutral, read_rig, write_rig
from aublend.arkit import ARKIT_TABLE, ARKIT_WITHOUT_UNIT
from aublend.arkit_shapes import arkit_deltas, arkit_targets
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import MorphMesh, read_morph_mesh, write_morph_mesh
from mesh4d.io.npz import mesh_arrays


@pytest.fixture(scope="module")
def shapes(rig):
    return dict(zip(ARKIT_NAMES, arkit_deltas(rig), strict=True))


def test_units_that_arkit_can_tell_come_back_exactly(rig, shapes):
    for name in AU_NAMES:
        if ARKIT_TABLE[name].match in ("own", "several") or name == "AU27":
            weights = arkit_from_au(AUCurves((name,), np.ones((1, 1)), 1.0)).weights[0]
            moved = np.tensordot(weights, np.stack([shapes[shape] for shape in ARKIT_NAMES]), axes=1)
            np.testing.assert_allclose(moved, rig.deltas[AU_INDEX[name]], atol=1e-4, err_msg=name)


def test_every_shape_with_a_unit_moves_and_the_others_do_not(shapes):
    for name, delta in shapes.items():
        assert bool(np.abs(delta).max() > 1e-3) == (name not in ARKIT_WITHOUT_UNIT), name


def test_sides_are_the_subjects(rig, shapes):
    left = rig.neutral.vertices[:, 0] > 15
    for name in ("eyeBlink", "mouthSmile", "browDown"):
        assert np.abs(shapes[f"{name}Left"][~left & (rig.neutral.vertices[:, 0] < -15)]).max() < 1e-6
        assert np.abs(shapes[f"{name}Right"][left]).max() < 1e-6


def test_mouth_close_closes_the_lips_over_an_open_jaw(rig, shapes):
    jaw, both = shapes["jawOpen"], shapes["jawOpen"] + shapes["mouthClose"]
    lips = rig.neutral.part_vertices("lips")
    at = rig.neutral.vertices
    chin = np.setdiff1d(rig.neutral.part_vertices("skin"), lips)
    chin = chin[(at[chin, 1] < at[lips, 1].min() - 20) & (np.linalg.norm(jaw[chin], axis=1) > 10)]
    assert np.linalg.norm(jaw[lips], axis=1).max() > 15
    assert np.quantile(np.linalg.norm(both[lips], axis=1), 0.9) < 1.5
    stays = np.linalg.norm(both[chin], axis=1) / np.linalg.norm(jaw[chin], axis=1)
    assert len(chin) > 20 and np.median(stays) > 0.9


def test_each_lip_has_its_roll(rig, shapes):
    jaw = np.linalg.norm(shapes["jawOpen"], axis=1)
    lips = rig.neutral.part_vertices("lips")
    lower, upper = lips[jaw[lips] > 0.7 * jaw.max()], lips[jaw[lips] < 0.1 * jaw.max()]
    assert np.linalg.norm(shapes["mouthRollLower"][lower], axis=1).mean() > 1
    assert np.linalg.norm(shapes["mouthRollLower"][upper], axis=1).mean() < 0.1
    assert np.linalg.norm(shapes["mouthRollUpper"][lower], axis=1).max() < 1e-3


def test_names_in_the_spellings_of_other_tools():
    assert arkit_targets(["EyeBlinkLeft", "x", "jawOpen", "mouthSmile_R"]) == {
        "eyeBlinkLeft": 0,
        "jawOpen": 2,
        "mouthSmileRight": 3,
    }


@pytest.mark.parametrize("suffix", [".glb", ".usdc"])
def test_a_file_with_both_sets_is_read_by_its_units(rig, tmp_path, suffix):
    if suffix == ".usdc":
        pytest.importorskip("pxr")
    curves = neutral_apex_neutral({"AU12L": 0.8, "AU26": 0.5})
    write_rig(rig, tmp_path / f"rig{suffix}", curves, arkit=True)
    morph = read_morph_mesh(tmp_path / f"rig{suffix}")
    own = (*AU_NAMES, *rig.pairs, "AU12L")
    assert morph.target_names[: len(own)] == own or "AU12+AU26L" in morph.target_names
    assert morph.target_names[-52:] == ARKIT_NAMES
    assert len(morph.weights) == len(curves) and not morph.weights[:, -52:].any()
    back = read_rig(tmp_path / f"rig{suffix}")
    np.testing.assert_allclose(back.deltas, rig.deltas, atol=2e-5)
    assert back.neutral.polygons() == sorted_by_part(rig) if suffix == ".glb" else rig.neutral.polygons()
    posed = rig.drive({"AU61": 0.7, "AU4R": 0.4}).vertices
    np.testing.assert_allclose(back.drive({"AU61": 0.7, "AU4R": 0.4}).vertices, posed, atol=1e-3)


def sorted_by_part(rig):
    """The polygons in the order of their parts: what glTF keeps."""
    polygons, mesh = rig.neutral.polygons(), rig.neutral
    first = np.unique(mesh.polygon_of_face, return_index=True)[1]
    order = np.argsort(mesh.part_of_face[first], kind="stable")
    return [polygons[number] for number in order]


def test_an_independent_reader_finds_all_named_keys(rig, tmp_path):
    write_rig(rig, tmp_path / "rig.glb", arkit=True)
    gltf = pygltflib.GLTF2().load(str(tmp_path / "rig.glb"))
    assert gltf.meshes[0].extras["targetNames"] == [*AU_NAMES, *ARKIT_NAMES]
    assert all(len(primitive.targets) == 84 for primitive in gltf.meshes[0].primitives)


@pytest.mark.parametrize("suffix", [".glb", ".npz"])
def test_a_rig_with_arkits_names_becomes_units(rig, shapes, tmp_path, suffix, caplog):
    names, deltas = ("other", *ARKIT_NAMES), np.stack([np.ones_like(rig.deltas[0]), *shapes.values()])
    path = tmp_path / f"foreign{suffix}"
    if suffix == ".glb":
        write_morph_mesh(MorphMesh(rig.neutral, names, deltas), path)
    else:
        np.savez(path, **mesh_arrays(rig.neutral), deltas=deltas, target_names=np.array(names))
    with caplog.at_level(logging.WARNING):
        back = read_rig(path)
    assert "AU11" in caplog.text
    weights = {"AU12L": 0.7, "AU4": 0.5, "AU45": 1.0}
    np.testing.assert_allclose(back.drive(weights).vertices, rig.drive(weights).vertices, atol=1e-3)
    assert not back.deltas[AU_INDEX["AU11"]].any()


def test_what_is_no_arkit_rig_is_refused(rig, tmp_path):
    names, deltas = ARKIT_NAMES[:10], np.zeros((10, *rig.neutral.vertices.shape), np.float32)
    np.savez(tmp_path / "a.npz", **mesh_arrays(rig.neutral), deltas=deltas, target_names=np.array(names))
    with pytest.raises(MeshFormatError, match="at least 20"):
        read_rig(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", **mesh_arrays(rig.neutral), deltas=deltas, target_names=np.array(ARKIT_NAMES))
    with pytest.raises(MeshFormatError, match="shape"):
        read_rig(tmp_path / "b.npz")
    with pytest.raises(MeshError, match="ARKit"):
        write_rig(rig, tmp_path / "c.npz", arkit=True)
