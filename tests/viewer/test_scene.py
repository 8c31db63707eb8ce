import numpy as np
import pytest

from aublend import head_model, write_rig
from mesh4d.errors import MeshFormatError, SpecError
from mesh4d.io import read_mesh, write_mesh
from mesh4d.io.glb import read_document
from mesh4d.mesh import Mesh
from viewer.compact import compact_glb
from viewer.scene import glb_of_file, viewer_metadata

UNITS = [
    {"name": "AU26", "facs_name": "Jaw drop", "muscle": "Masseter", "group": "jaw", "description": "The jaw drops."},
    {"name": "AU1", "facs_name": "Inner brow raiser", "group": "upper"},
    {"name": "AU4", "facs_name": "Brow lowerer", "group": "upper"},
]


def loader(units=UNITS, emotions=None):
    tables = {"action_units": {"unit": units}, "emotions": {"emotion": emotions or {}}}
    return tables.__getitem__


def test_units_come_in_panel_order_with_headings():
    metadata = viewer_metadata("head", load=loader())
    assert [unit.name for unit in metadata.units] == ["AU1", "AU4", "AU26"]
    assert [unit.group for unit in metadata.units] == ["Upper face", "Upper face", "Jaw"]


def test_emotions_may_name_one_side():
    metadata = viewer_metadata("head", load=loader(emotions={"doubt": {"units": {"AU1L": 0.5}}, "neutral": {}}))
    assert [(preset.name, dict(preset.units)) for preset in metadata.emotions] == [("doubt", {"AU1L": 0.5})]


@pytest.mark.parametrize("unit", ["AU99", "AU1X", "L"])
def test_emotion_with_an_unknown_unit_is_refused(unit):
    with pytest.raises(SpecError, match=unit):
        viewer_metadata("head", load=loader(emotions={"doubt": {"units": {unit: 0.5}}}))


def test_unit_without_a_group_is_named():
    with pytest.raises(SpecError, match=r"AU1.*group"):
        viewer_metadata("head", load=loader(units=[{"name": "AU1", "facs_name": "Inner brow raiser"}]))


def test_specifications_of_the_toolkit_fill_the_panel():
    metadata = viewer_metadata("head")
    assert len(metadata.units) == 32
    assert {unit.group for unit in metadata.units} == {"Upper face", "Lower face", "Lips", "Jaw", "Eyes"}
    assert len(metadata.emotions) == 7


def test_glb_passes_unchanged(tmp_path, rig_glb):
    path = tmp_path / "rig.glb"
    path.write_bytes(rig_glb)
    assert glb_of_file(path) == rig_glb


def test_glb_with_another_magic_is_refused(tmp_path):
    path = tmp_path / "rig.glb"
    path.write_bytes(b"PK\x03\x04 no glTF at all")
    with pytest.raises(MeshFormatError, match="glTF"):
        glb_of_file(path)


@pytest.mark.parametrize("suffix", [".npz", ".glb"])
def test_rigs_reach_the_page_with_their_pairs_as_targets(tmp_path, suffix):
    rig = head_model().rig(470)
    write_rig(rig, tmp_path / f"rig{suffix}")
    document = read_document(compact_glb(glb_of_file(tmp_path / f"rig{suffix}")), tmp_path / "page.glb")
    mesh = document.table("meshes")[0]
    assert mesh.item("extras").texts("targetNames") == [*rig.au_names, *rig.pairs]
    assert "pairs" not in mesh.item("extras").item("facet4d").fields
    target = mesh.items("primitives")[0].items("targets")[-1]
    assert document.refer(target, "POSITION", "accessors").integer("count") == rig.neutral.n_vertices


@pytest.mark.parametrize("name", ["mesh.npz", "mesh.obj"])
def test_meshes_go_through_mesh4d(tmp_path, name):
    mesh = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    write_mesh(mesh, tmp_path / name)
    np.testing.assert_allclose(read_mesh(glb_of_file(tmp_path / name), suffix=".glb").vertices, mesh.vertices)
