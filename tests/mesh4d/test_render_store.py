"""Whole data sets to a store: resumed after a kill, the same bytes however written, read back, hostile stores."""

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from mesh4d import open_dataset, open_views, write_mesh
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import MissingFileError
from mesh4d.mesh import Mesh
from mesh4d.render import FramingRule, Picturing, camera_rig, frame_of, render_dataset, render_views
from mesh4d.render.mesh_folder import index_meshes
from mesh4d.render.view_store import item_folder

SMALL = Picturing(camera_rig("pm40"), 24, ("depth", "texture", "mask"))


def tree(store: Path) -> dict[str, str]:
    """Every file's hash."""
    return {
        file.relative_to(store).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def sequences(mimic):
    return open_dataset("bu4dfe", mimic("bu4dfe"))


@pytest.fixture
def meshes(tmp_path: Path, head: Mesh) -> Path:
    folder = tmp_path / "meshes"
    (folder / "b").mkdir(parents=True)
    write_mesh(head, folder / "one.obj")
    write_mesh(head.with_vertices(1.1 * head.vertices), folder / "b" / "two.ply")
    (folder / "notes.txt").write_text("no mesh")
    return folder


def test_a_store_holds_each_records_pictures_and_labels(sequences, tmp_path: Path):
    report = render_dataset(sequences, tmp_path / "views.zarr", SMALL)
    assert len(report.drawn) == len(sequences) and not report.failed and not report.skipped
    store = open_views(tmp_path / "views.zarr")
    assert store.names == tuple(sorted(record.name for record in sequences))
    record = next(record for record in sequences if record.expression == "happiness")
    item = store[record.name]
    assert len(item) == len(record.frames) and item.record["expression"] == "happiness"
    assert item.record["au_labels"] == dict(record.au_labels)
    onset = sequences.read_frame(record, record.onset or 0)
    for frame in (0, len(record.frames) - 1):
        mesh = sequences.read_frame(record, frame)
        alone = render_views(mesh, SMALL.rig, SMALL.size, SMALL.channels, frame_of(onset))
        read = item.views(frame, frame + 1)
        np.testing.assert_array_equal(read.images, alone.images)
        assert read.channels == alone.channels and read.rig == alone.rig
        np.testing.assert_array_equal(read.framing.centre, alone.framing.centre)
    assert item.views().n_frames == len(record.frames)


def test_a_second_run_skips_what_is_there_and_draws_what_is_not(sequences, tmp_path: Path):
    path = tmp_path / "views.zarr"
    render_dataset(sequences, path, SMALL)
    whole = tree(path)
    gone = sequences[1].name
    shutil.rmtree(item_folder(path, gone))
    again = render_dataset(sequences, path, SMALL)
    assert again.drawn == (gone,) and len(again.skipped) == len(sequences) - 1
    assert tree(path) == whole


def test_other_options_and_other_things_of_that_name_are_left_alone(meshes: Path, tmp_path: Path):
    dataset, path = index_meshes(meshes), tmp_path / "views.zarr"
    picturing = dataclasses.replace(SMALL, channels=("depth",))
    render_dataset(dataset, path, picturing)
    before = tree(path)
    with pytest.raises(MeshError, match="size"):
        render_dataset(dataset, path, dataclasses.replace(picturing, size=25))
    with pytest.raises(MeshError, match="framing"):
        render_dataset(dataset, path, picturing, FramingRule("fixed", (0.0, 0.0, 0.0, 100.0)))
    with pytest.raises(MeshError, match="no view store"):
        render_dataset(dataset, meshes, picturing)
    with FileLock(path / ".lock"), pytest.raises(MeshError, match="another run"):
        render_dataset(dataset, path, picturing)
    (path / ".lock").unlink(missing_ok=True)
    assert tree(path) == before


def in_the_middle(store: Path) -> bool:
    """Some items are done, and one is half written."""
    try:
        names = [item.name for item in (store / "items").iterdir()]
        half = [name for name in names if name.startswith(".")]
        chunks = any(file.is_file() for name in half for file in (store / "items" / name / "images").rglob("c/*/*/*/*"))
    except FileNotFoundError:  # renamed while we looked
        return False
    return chunks and len(names) > len(half) + 1


def test_a_killed_run_leaves_no_half_item_and_the_next_one_ends_with_the_same_bytes(sequences, tmp_path: Path):
    picturing = Picturing(camera_rig("fer7"), 160, ("depth", "normal", "shaded", "texture"))
    store, clean = tmp_path / "killed.zarr", tmp_path / "clean.zarr"
    command = [
        str(Path(sys.executable).parent / "mesh4d"), "render", str(sequences.root), "-o", str(store),
        "--kind", "bu4dfe", "--size", "160", "--channels", *picturing.channels,
    ]  # fmt: skip
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while run.poll() is None and not in_the_middle(store):
            time.sleep(0.002)
            run.send_signal(signal.SIGSTOP)  # so that it stays there until it is killed
            if not in_the_middle(store):
                run.send_signal(signal.SIGCONT)
    finally:
        run.kill()
    assert run.wait(60) == -signal.SIGKILL, "it was over before it could be killed"
    assert in_the_middle(store)
    done = open_views(store)
    assert 0 < len(done) < len(sequences)
    for item in done:  # what counts as done is whole
        assert np.isfinite(item.views().images).all() and len(item) == len(sequences.named(item.name).frames)
    resumed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert f"already there: {len(done)}" in resumed.stdout
    assert "render:" not in resumed.stderr and "%|" not in resumed.stderr  # no bars where nobody looks
    render_dataset(sequences, clean, picturing)
    assert tree(store) == tree(clean)


def test_the_bytes_do_not_depend_on_the_number_of_workers(sequences, tmp_path: Path):
    render_dataset(sequences, tmp_path / "one.zarr", SMALL)
    report = render_dataset(sequences, tmp_path / "two.zarr", SMALL, workers=2)
    assert len(report.drawn) == len(sequences)
    assert tree(tmp_path / "one.zarr") == tree(tmp_path / "two.zarr")


def test_a_scheduler_elsewhere_draws_the_same(sequences, tmp_path: Path):
    from distributed import LocalCluster

    render_dataset(sequences, tmp_path / "one.zarr", SMALL)
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None
    ) as far:
        render_dataset(sequences, tmp_path / "two.zarr", SMALL, scheduler=far.scheduler_address)
    assert tree(tmp_path / "one.zarr") == tree(tmp_path / "two.zarr")
    with pytest.raises(MeshError, match="scheduler"):
        render_dataset(sequences, tmp_path / "three.zarr", SMALL, scheduler="elsewhere")


def test_a_record_that_cannot_be_drawn_is_named_and_the_others_are_drawn(meshes: Path, tmp_path: Path):
    (meshes / "broken.obj").write_text("v 1 2\n")
    path = tmp_path / "views.zarr"
    picturing = dataclasses.replace(SMALL, channels=("depth",))
    report = render_dataset(index_meshes(meshes), path, picturing)
    assert report.drawn == ("b/two.ply", "one.obj")
    assert list(report.failed) == ["broken.obj"] and "line 1" in report.failed["broken.obj"]
    write_mesh(index_meshes(meshes).read_frame(index_meshes(meshes).named("one.obj")), meshes / "broken.obj")
    assert render_dataset(index_meshes(meshes), path, picturing).drawn == ("broken.obj",)


def test_motion_needs_sequences_of_one_topology(sequences, meshes: Path, tmp_path: Path):
    picturing = dataclasses.replace(SMALL, channels=("motion",))
    with pytest.raises(MeshError, match="single scan"):
        render_dataset(index_meshes(meshes), tmp_path / "a.zarr", picturing)
    report = render_dataset(sequences, tmp_path / "b.zarr", picturing)
    for problem in report.failed.values():
        assert "another topology" in problem
    for name in report.drawn:
        assert open_views(tmp_path / "b.zarr")[name].views().images.any()


def test_names_of_items_cannot_leave_the_store(tmp_path: Path):
    names = ["F001/Angry", "../../etc", "..", ".hidden", "a%2Fb", "a b", "ü", ""]
    folders = [item_folder(tmp_path, name) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert folder.parent == tmp_path / "items" and not folder.name.startswith(".")
    with pytest.raises(MeshError, match="180"):
        item_folder(tmp_path, "x" * 300)


def corrupt(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))


def test_hostile_stores_are_refused(meshes: Path, tmp_path: Path):
    path = tmp_path / "views.zarr"
    picturing = dataclasses.replace(SMALL, channels=("depth",))
    render_dataset(index_meshes(meshes), path, picturing)
    item = item_folder(path, "one.obj")
    images = item / "images" / "zarr.json"
    good = images.read_text()

    corrupt(images, shape=[3 * 10**9, 24, 24, 1])
    with pytest.raises(MeshFormatError, match="chunks"):
        open_views(path)["one.obj"]
    huge = json.loads(good)["chunk_grid"]
    huge["configuration"]["chunk_shape"] = [3, 10**6, 10**6, 1]
    corrupt(images, shape=[3, 10**6, 10**6, 1], chunk_grid=huge)
    with pytest.raises(MeshFormatError, match="can hold"):
        open_views(path)["one.obj"]
    images.write_text(good)
    corrupt(images, data_type="float64")
    with pytest.raises(MeshFormatError, match="float32"):
        open_views(path)["one.obj"]
    images.write_text("{")
    with pytest.raises(MeshFormatError, match="JSON"):
        open_views(path)["one.obj"]
    images.write_text(good)
    (chunk,) = [file for file in (item / "images" / "c").rglob("*") if file.is_file()]
    chunk.write_bytes(b"not Zstandard")
    with pytest.raises(MeshFormatError, match="Zstandard"):
        open_views(path)["one.obj"].views()
    corrupt(item / "zarr.json", attributes={"name": "one.obj", "rig": {"name": "x"}, "framing": {}})
    with pytest.raises(MeshFormatError, match="rig"):
        open_views(path)["one.obj"]
    shutil.rmtree(item)
    item.symlink_to(tmp_path)
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(MeshFormatError, match="link"):
        open_views(path)
    item.unlink()
    corrupt(path / "zarr.json", attributes={"format": "another"})
    with pytest.raises(MeshFormatError, match="ViewStore"):
        open_views(path)
    with pytest.raises(MissingFileError):
        open_views(tmp_path / "nothing.zarr")
    with pytest.raises(MeshError, match="no item"):
        render_dataset(index_meshes(meshes), tmp_path / "fresh.zarr", picturing)
        open_views(tmp_path / "fresh.zarr")["three"]
