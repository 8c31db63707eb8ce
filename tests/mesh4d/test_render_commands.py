import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mesh4d import Mesh, MeshSequence, open_views, read_mesh, write_mesh, write_sequence
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import MissingFileError
from mesh4d.render import read_views, render_views, write_views
from mesh4d.render.commands import Render
from mesh4d.render.view_files import output_kind


@pytest.fixture
def file(tmp_path: Path, head: Mesh) -> Path:
    write_mesh(head, tmp_path / "head.obj")
    return tmp_path / "head.obj"


@pytest.fixture
def moving(tmp_path: Path, head: Mesh) -> Path:
    frames = np.stack([head.vertices, head.vertices + np.array([0, 0, 2.0])])
    write_sequence(MeshSequence(head, frames, 25.0), tmp_path / "moving.npz")
    return tmp_path / "moving.npz"


def test_a_file_becomes_what_the_outputs_name_says(file: Path, tmp_path: Path):
    for name in ("sheet.png", "folder", "numbers.npz", "store.zarr"):
        result = Render(file, tmp_path / name, rig="pm40", size=40).run()
        assert result["pictures"] == str(tmp_path / name) and result["frames"] == 1
    expected = render_views(read_mesh(file), "pm40", 40)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > 3 * 40
    assert sorted(path.name for path in (tmp_path / "folder").iterdir())[:3] == [
        "00_yaw-40_depth.png", "00_yaw-40_normal.png", "00_yaw-40_shaded.png",
    ]  # fmt: skip
    with Image.open(tmp_path / "folder" / "01_yaw0_shaded.png") as picture:
        np.testing.assert_allclose(np.asarray(picture) / 255, expected.channel("shaded")[1], atol=0.51 / 255)
    for views in (read_views(tmp_path / "numbers.npz"), open_views(tmp_path / "store.zarr")["views"].views()):
        np.testing.assert_array_equal(views.images, expected.images)
        assert views.channel_names == expected.channel_names and views.rig == expected.rig
        assert views.framing.radius == expected.framing.radius


def test_sequences_are_read_where_a_file_holds_one(moving: Path, tmp_path: Path):
    result = Render(moving, tmp_path / "motion.npz", rig="frontal", size=32, channels=("motion", "mask")).run()
    assert result["frames"] == 2
    views = read_views(tmp_path / "motion.npz")
    seen = views.channel("mask")[1] > 0
    np.testing.assert_allclose(views.channel("motion")[1][seen], np.tile([0, 0, 2.0], (seen.sum(), 1)), atol=1e-4)
    Render(moving, tmp_path / "frames", rig="frontal", size=32, channels=("mask",)).run()
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [
        "0000_00_yaw0_mask.png", "0001_00_yaw0_mask.png",
    ]  # fmt: skip


def test_unknown_outputs_and_inputs_are_clear_errors(file: Path, tmp_path: Path):
    with pytest.raises(MeshError, match=r"NAME\.png.*found the suffix '\.jpeg'"):
        Render(file, tmp_path / "out.jpeg").run()
    with pytest.raises(MeshError, match=r"NAME\.zarr"):
        Render(file.parent, tmp_path / "out.png").run()
    with pytest.raises(MissingFileError):
        Render(tmp_path / "absent.obj").run()
    (tmp_path / "dotted.name").mkdir()
    assert output_kind(tmp_path / "dotted.name") == ""  # a folder that is there


def test_a_folder_of_meshes_becomes_a_store(file: Path, tmp_path: Path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    file.rename(folder / "head.obj")
    command = [str(Path(sys.executable).parent / "mesh4d"), "render", str(folder), "-o", str(tmp_path / "views.zarr")]
    options = ["--size", "24", "--rig", "frontal", "--framing", "0,0,0,120", "--json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rendered"] == 1 and not done.stderr
    assert open_views(tmp_path / "views.zarr")["head.obj"].framing.radius == 120
    (folder / "bad.obj").write_text("f 1 2 3\n")
    failed = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and "bad.obj" in failed.stderr and "Traceback" not in failed.stderr


def test_numbers_of_strangers_are_checked(file: Path, tmp_path: Path):
    views = render_views(read_mesh(file), "frontal", 8, ("depth",), keep_triangle_ids=True)
    write_views(views, tmp_path / "views.npz")
    read = read_views(tmp_path / "views.npz")
    np.testing.assert_array_equal(read.triangle_ids, views.triangle_ids)
    with np.load(tmp_path / "views.npz") as archive:
        arrays = dict(archive)
    for key, value in (
        ("attributes", np.array("{")),
        ("attributes", np.array('{"rig": 3}')),
        ("format", np.array("other")),
        ("images", np.zeros((2, 8), np.float32)),
        ("images", np.zeros((1, 8, 8, 2), np.float32)),
    ):
        np.savez(tmp_path / "bad.npz", **{**arrays, key: value})
        with pytest.raises(MeshFormatError):
            read_views(tmp_path / "bad.npz")


def test_help_names_what_there_is():
    command = [str(Path(sys.executable).parent / "mesh4d"), "render", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for word in ("FILE|FOLDER", "fer7", "--scheduler", "--workers", "pyrender", "NAME.zarr", "motion"):
        assert word in text
