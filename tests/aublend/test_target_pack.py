import gzip

import numpy as np
import pytest

from aublend import AU_NAMES, load_target_pack, rig_with_shapes
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError, MeshFormatError, TopologyError
from mesh4d.geometry.rigid import Similarity


def target_text(model, deltas: np.ndarray) -> str:
    """A displacement field (mm) as the lines of a .target file."""
    rows = np.flatnonzero(np.abs(deltas).max(axis=1))
    lines = ["# a comment", ""]
    lines += [f"{model.base_vertex_ids[row]} " + " ".join(f"{x / 100:.7f}" for x in deltas[row]) for row in rows]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def own_shape(model):
    """AU12 of one population group, as the head model itself has it on the base mesh."""
    return model.shapes.deltas[0, AU_INDEX["AU12"]]


def test_displacements_come_in_mm_on_the_heads_vertices_by_stem(model, own_shape, tmp_path):
    (tmp_path / "AU12.target").write_text(target_text(model, own_shape))
    (tmp_path / "my smile.target.gz").write_bytes(gzip.compress(target_text(model, 2 * own_shape).encode()))
    (tmp_path / "readme.txt").write_text("not a target")
    pack = load_target_pack(tmp_path)
    assert set(pack) == {"AU12", "my smile"}
    np.testing.assert_allclose(pack["AU12"], own_shape, atol=1e-5)
    np.testing.assert_allclose(pack["my smile"], 2 * own_shape, atol=1e-5)
    assert 3 < np.linalg.norm(pack["AU12"], axis=1).max() < 30, "lip corners move by millimetres"


def test_vertices_of_the_body_are_left_out(model, tmp_path):
    outside = int(np.setdiff1d(np.arange(19158), model.base_vertex_ids)[0])
    inside = int(model.base_vertex_ids[7])
    (tmp_path / "a.target").write_text(f"{outside} 1 1 1\n{inside} 0.01 0.02 -0.03\n")
    deltas = load_target_pack(tmp_path)["a"]
    assert np.count_nonzero(deltas.any(axis=1)) == 1
    np.testing.assert_allclose(deltas[7], [1.0, 2.0, -3.0])
    (tmp_path / "a.target").write_text(f"{outside} 1 1 1\n")
    with pytest.raises(MeshFormatError, match="elsewhere"):
        load_target_pack(tmp_path)


def test_replaced_unit_is_carried_as_the_rigs_own_shapes_are(model, tmp_path):
    """A pack that repeats the model's own shape for an identity's group gives that identity its own delta back."""
    identity = model.parameters(470)
    unit = AU_INDEX["AU12"]
    mixed = np.tensordot(identity.groups, model.shapes.deltas, axes=1)[unit]
    (tmp_path / "AU12.target").write_text(target_text(model, mixed))
    rig = model.rig_of(identity)
    new = rig_with_shapes(rig, load_target_pack(tmp_path))
    np.testing.assert_allclose(new.deltas[unit], rig.deltas[unit], atol=0.05)
    others = [row for row in range(len(AU_NAMES)) if row != unit]
    np.testing.assert_array_equal(new.deltas[others], rig.deltas[others])


def test_a_stronger_shape_moves_further_and_its_halves_sum(rig, model, own_shape, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir(), halves.mkdir()
    share = (model.shapes.rest[:, 0] > 0).astype(float)[:, None]
    (whole / "au12.target").write_text(target_text(model, 1.5 * own_shape))
    (halves / "AU12L.target").write_text(target_text(model, 1.5 * own_shape * share))
    (halves / "AU12R.target").write_text(target_text(model, 1.5 * own_shape * (1 - share)))
    one, other = (rig_with_shapes(rig, load_target_pack(folder)) for folder in (whole, halves))
    unit = AU_INDEX["AU12"]
    np.testing.assert_allclose(one.deltas[unit], other.deltas[unit], atol=1e-4)
    lengths = [np.linalg.norm(r.deltas[unit], axis=1).max() for r in (rig, one)]
    assert 1.2 < lengths[1] / lengths[0] < 1.9
    left = rig.drive({"AU12L": 1.0}).vertices
    assert not np.allclose(one.drive({"AU12L": 1.0}).vertices, left)


def test_lashes_follow_lids_and_teeth_follow_the_jaw_where_the_pack_forgets_them(rig, model, tmp_path):
    parts = model.parts
    solids = np.concatenate([parts.lower_teeth, parts.tongue, parts.lashes])
    for name in ("AU45", "AU27"):
        deltas = model.shapes.deltas[2, AU_INDEX[name]].copy()
        deltas[solids] = 0.0
        (tmp_path / f"{name}.target").write_text(target_text(model, deltas))
    new = rig_with_shapes(rig, load_target_pack(tmp_path))
    blink, jaw = new.deltas[AU_INDEX["AU45"]], new.deltas[AU_INDEX["AU27"]]
    assert np.linalg.norm(blink[parts.lashes], axis=1).max() > 4
    np.testing.assert_allclose(jaw[parts.lower_teeth], rig.deltas[AU_INDEX["AU27"], parts.lower_teeth], atol=1.0)
    assert np.linalg.norm(jaw[parts.lower_teeth], axis=1).min() > 3


def test_eyeballs_stay_rigid_whatever_the_pack_says(rig, model, own_shape):
    shape = own_shape.copy()
    shape[model.parts.left_eye] += [5.0, 0.0, 0.0]
    new = rig_with_shapes(rig, {"AU12": shape})
    assert not new.deltas[AU_INDEX["AU12"], model.parts.left_eye].any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"5 0.1 0.1\n", "line 1.*vertex dx dy dz"),
        (b"# x\nfive 0 0 0\n", "line 2"),
        (b"19158 0 0 0\n", "line 1.*below 19158"),
        (b"-1 0 0 0\n", "line 1"),
        (b"13000 nan 0 0\n", "vertex 13000.*finite"),
        (b"13000 12.5 0 0\n", "vertex 13000.*decimetres"),
        (b"13000 0 0 0\n\xff\xfe\n", "line 2.*UTF-8"),
        (b"", "elsewhere"),
    ],
)
def test_broken_targets_say_where(tmp_path, content, message):
    (tmp_path / "AU1.target").write_bytes(content)
    with pytest.raises(MeshFormatError, match=message):
        load_target_pack(tmp_path)
    (tmp_path / "AU1.target").unlink()
    (tmp_path / "AU1.target.gz").write_bytes(gzip.compress(content))
    with pytest.raises(MeshFormatError, match=message):
        load_target_pack(tmp_path)


@pytest.mark.parametrize("content", [b"13000 0 0 1\n", gzip.compress(b"13000 0 0 1\n")[:-6], b""])
def test_broken_archives_are_format_errors(tmp_path, content):
    (tmp_path / "AU1.target.gz").write_bytes(content)
    with pytest.raises(MeshFormatError):
        load_target_pack(tmp_path)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path):
    (tmp_path / "AU1.target.gz").write_bytes(gzip.compress(b"#" * (64 << 20), 9))
    with pytest.raises(MeshFormatError, match="MB unpacked"):
        load_target_pack(tmp_path)


def test_links_out_of_the_folder_and_empty_folders_are_refused(model, own_shape, tmp_path):
    outside, folder = tmp_path / "secret.target", tmp_path / "pack"
    outside.write_text(target_text(model, own_shape))
    folder.mkdir()
    with pytest.raises(MeshFormatError, match="at least one"):
        load_target_pack(folder)
    (folder / "AU12.target").symlink_to(outside)
    with pytest.raises(MeshFormatError, match="leads out"):
        load_target_pack(folder)
    with pytest.raises(MeshFormatError, match="no such folder"):
        load_target_pack(tmp_path / "nowhere")


def test_the_same_stem_twice_is_refused(model, own_shape, tmp_path):
    text = target_text(model, own_shape)
    (tmp_path / "AU12.target").write_text(text)
    (tmp_path / "AU12.target.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(MeshFormatError, match="once"):
        load_target_pack(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("AU12L",), "AU12L and AU12R"),
        (("AU12", "AU12L", "AU12R"), "whole or as halves"),
        (("AU12", "AU012"), "twice"),
        (("smile",), "named after action units"),
    ],
)
def test_packs_that_contradict_themselves_are_refused(rig, own_shape, names, message):
    with pytest.raises(MeshError, match=message):
        rig_with_shapes(rig, dict.fromkeys(names, own_shape))


def test_sideways_jaw_units_are_no_halves(rig, model):
    shape = model.shapes.deltas[0, AU_INDEX["AU30L"]]
    new = rig_with_shapes(rig, {"AU30L": 0.5 * shape})
    np.testing.assert_array_equal(new.deltas[AU_INDEX["AU30R"]], rig.deltas[AU_INDEX["AU30R"]])
    assert not np.array_equal(new.deltas[AU_INDEX["AU30L"]], rig.deltas[AU_INDEX["AU30L"]])


def test_rigs_elsewhere_are_refused(rig, own_shape):
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(TopologyError, match="turned by 90"):
        rig_with_shapes(rig.moved(Similarity(1.0, turn, np.zeros(3))), {"AU12": own_shape})
    with pytest.raises(TopologyError, match="times as large"):
        rig_with_shapes(rig.moved(Similarity(0.001, np.eye(3), np.zeros(3))), {"AU12": own_shape})
