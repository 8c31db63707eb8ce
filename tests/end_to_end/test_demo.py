"""The whole loop, as `make demo` runs it, on a small number of held-out identities."""

import re
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from PIL import Image

from aublend import AU_NAMES, head_model, read_rig
from mesh4d import Mesh, NoFaceError, write_mesh
from mesh4d.io import read_morph_mesh
from viewer.demo.loop import run_loop
from viewer.page import SCRIPT_NAME, STATIC_FOLDER

pytestmark = pytest.mark.skipif(
    not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    run_loop(None, out, identities=2)
    return out


def test_the_rig_is_there_twice(folder):
    for name in ("rig.glb", "rig.npz"):
        rig = read_rig(folder / name)
        assert rig.au_names == AU_NAMES and np.abs(rig.deltas).max() > 10


def test_the_sequence_plays_every_expression(folder):
    morph = read_morph_mesh(folder / "expression.glb")
    assert morph.target_names[:32] == AU_NAMES
    np.testing.assert_allclose(np.diff(morph.times_s), 0.04, atol=1e-5)
    assert morph.weights[[0, -1]].max() == 0 and morph.weights.max(axis=0)[:32].astype(bool).sum() > 10


@pytest.mark.parametrize("name", ["action_units.png", "expressions.png", "views.png", "confusion.png"])
def test_pictures_show_something(folder, name):
    pixels = np.asarray(Image.open(folder / name).convert("RGB"))
    assert min(pixels.shape[:2]) > 300 and pixels.std() > 15


def test_the_page_tells_who_was_held_out(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "each in exactly one part (train 400" in page and "seeds 450 to 451" in page
    for name in re.findall(r'(?:src|href)="([^"#:]+)"', page.split("<iframe")[0] + page.split("</iframe>")[1]):
        assert (folder / name).exists(), name
    assert "aublend train" in page and "facet-vlm train" in page


def test_a_strangers_head_goes_through(tmp_path):
    """Skin only, other triangles, other vertex order, metres, z up."""
    model = head_model()
    skin = np.isin(model.topology.part_of_face, [model.topology.part_names.index(n) for n in ("skin", "lips")])
    surface = trimesh.Trimesh(model.identity(460).vertices, model.topology.faces[skin], process=False).subdivide()
    surface.remove_unreferenced_vertices()
    vertices = np.asarray(surface.vertices)[:, [0, 2, 1]] * [0.001, -0.001, 0.001]
    order = np.random.default_rng(0).permutation(len(vertices))
    head = Mesh(vertices[order], np.argsort(order)[np.asarray(surface.faces)])
    write_mesh(head, tmp_path / "stranger.obj")
    out = tmp_path / "out"
    run_loop(tmp_path / "stranger.obj", out, identities=1)
    rig = read_rig(out / "rig.npz")
    np.testing.assert_allclose(rig.neutral.vertices, head.vertices)
    assert rig.unit_m == pytest.approx(1.0, rel=0.05)
    jaw = rig.deltas[AU_NAMES.index("AU27")]
    assert -0.05 < jaw[:, 2].min() < -0.015, "the jaw opens downwards, and down is -z in this file"


def test_what_is_no_face_is_refused(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=4)
    write_mesh(Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, np.int64)), tmp_path / "ball.obj")
    with pytest.raises(NoFaceError):
        run_loop(tmp_path / "ball.obj", tmp_path / "out", identities=1)
    command = [sys.executable, "-m", "viewer.demo", "--head", str(tmp_path / "ball.obj"), "--out", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "error: " in done.stderr and "Traceback" not in done.stderr
