import numpy as np
import pytest

from mesh4d.errors import MeshFormatError, SpecError
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


def test_npz_rig_goes_through_aublend(tmp_path, monkeypatch, rig_glb):
    path = tmp_path / "rig.npz"
    np.savez(path, deltas=np.zeros((2, 3, 3)))
    monkeypatch.setattr("aublend.read_rig", lambda source: source, raising=False)
    monkeypatch.setattr("aublend.write_rig", lambda rig, target: target.write_bytes(rig_glb), raising=False)
    assert glb_of_file(path) == rig_glb


@pytest.mark.parametrize("name", ["mesh.npz", "mesh.obj"])
def test_meshes_go_through_mesh4d(tmp_path, monkeypatch, rig_glb, name):
    path = tmp_path / name
    path.write_bytes(b"no archive")
    monkeypatch.setattr("mesh4d.read_mesh", lambda source: source, raising=False)
    monkeypatch.setattr("mesh4d.write_mesh", lambda mesh, target: target.write_bytes(rig_glb), raising=False)
    assert glb_of_file(path) == rig_glb
