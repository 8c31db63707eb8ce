"""A folder of frames: order of numbers, gaps, strays, topologies that differ, reading ahead within bounds."""

import threading
import time

import numpy as np
import pytest

from mesh4d import Mesh, MeshError, MeshFormatError, MeshSequence, TopologyError, read_sequence, write_sequence
from mesh4d.io import frame_folder, write_mesh
from mesh4d.io.frame_folder import FrameFolder, write_frames


def frame(number: int, size: int = 3) -> Mesh:
    """A fan of size - 2 triangles whose first vertex says which frame it is."""
    vertices = np.random.default_rng(size).normal(size=(size, 3))
    vertices[0] = number
    return Mesh(vertices, np.array([[0, k, k + 1] for k in range(1, size - 1)]))


def label(mesh: Mesh) -> int:
    return int(mesh.vertices[0, 0])


def test_natural_order_of_three_and_four_digits_strays_and_gaps(tmp_path):
    for name, number in (("998", 998), ("999", 999), ("1000", 1000), ("1003", 1003), ("0997", 997)):
        write_mesh(frame(number, 3 + number % 4), tmp_path / f"{name}.wrl")
    for stray in ("998.jpg", "Thumbs.db", "F001_Surprise.mat", "notes.txt", "998.landmark"):
        (tmp_path / stray).write_bytes(b"x")
    (tmp_path / "1001.wrl").mkdir()
    folder = FrameFolder.open(tmp_path)
    assert folder.numbers == (997, 998, 999, 1000, 1003)
    assert folder.missing == (range(1001, 1003),) and len(folder) == 5 and folder.fps == 25.0
    assert [label(mesh) for mesh in folder] == [997, 998, 999, 1000, 1003]
    assert label(folder[-1]) == 1003 and folder[1].n_vertices == 3 + 998 % 4
    with pytest.raises(IndexError):
        folder[5]


def test_prefix_and_suffix_choose_among_kinds(tmp_path):
    for prefix in ("", "left_"):
        for suffix in (".obj", ".ply.gz"):
            write_mesh(frame(1), tmp_path / f"{prefix}1{suffix}")
    with pytest.raises(MeshFormatError, match=r"one kind of frames .*<number>\.obj.*left_<number>\.ply\.gz"):
        FrameFolder.open(tmp_path)
    chosen = FrameFolder.open(tmp_path, suffix=".ply.gz", prefix="left_")
    assert [path.name for path in chosen.paths] == ["left_1.ply.gz"]
    assert FrameFolder.open(tmp_path, suffix=".obj", prefix="").paths[0].name == "1.obj"


def test_folders_that_are_none(tmp_path):
    with pytest.raises(MeshFormatError, match="a folder of frames, found nothing"):
        FrameFolder.open(tmp_path / "none")
    with pytest.raises(MeshFormatError, match="with the suffix of a mesh format, found none"):
        FrameFolder.open(tmp_path)
    for name in ("01", "001"):
        write_mesh(frame(1), tmp_path / f"{name}.obj")
    with pytest.raises(MeshFormatError, match=r"frame 1: expected one file, found 001.obj and 01.obj"):
        FrameFolder.open(tmp_path)


def test_huge_numbers_in_names_cost_nothing(tmp_path):
    for number in (1, 999_999_999_999):
        write_mesh(frame(0), tmp_path / f"{number}.obj")
    (tmp_path / ("9" * 200 + ".obj")).write_bytes(b"x")
    assert FrameFolder.open(tmp_path, prefix="").missing == (range(2, 999_999_999_999),)


def test_a_broken_frame_is_raised_at_its_turn(tmp_path):
    write_frames([frame(number) for number in range(6)], tmp_path, suffix=".off")
    (tmp_path / "003.off").write_bytes(b"OFF\n1 0 0\nx\n")
    seen = []
    with pytest.raises(MeshFormatError) as caught:
        for mesh in FrameFolder.open(tmp_path):
            seen.append(label(mesh))
    assert seen == [0, 1, 2] and caught.value.source.endswith("003.off")


def test_sequences_of_one_topology(tmp_path):
    frames = np.random.default_rng(0).normal(size=(4, 3, 3))
    sequence = MeshSequence(frame(0), frames, 25.0)
    written = write_frames(sequence, tmp_path / "new" / "folder", digits=4, first=7)
    assert [path.name for path in written.paths] == ["0007.obj", "0008.obj", "0009.obj", "0010.obj"]
    np.testing.assert_array_equal(read_sequence(tmp_path / "new" / "folder").frames, frames)
    write_mesh(frame(0, 5), tmp_path / "new" / "folder" / "0011.obj")
    with pytest.raises(TopologyError, match=r"0011\.obj has 5 vertices"):
        read_sequence(str(tmp_path / "new" / "folder"))


def test_reading_ahead_is_bounded_and_stops_early(tmp_path, monkeypatch):
    write_frames([frame(number) for number in range(20)], tmp_path)
    started: list[str] = []
    lock = threading.Lock()

    def read(path):
        with lock:
            started.append(path.name)
        return frame(int(path.stem))

    monkeypatch.setattr(frame_folder, "read_mesh", read)
    frames = FrameFolder.open(tmp_path).prefetch(workers=2, ahead=3)
    assert [label(next(frames)) for _ in range(5)] == list(range(5))
    time.sleep(0.05)
    assert len(started) <= 5 + 3
    frames.close()
    time.sleep(0.05)
    assert len(started) <= 5 + 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mesh4d-frames")]


def test_frames_are_read_side_by_side(tmp_path, monkeypatch):
    write_frames([frame(number) for number in range(4)], tmp_path)
    meeting = threading.Barrier(2, timeout=10)

    def read(path):
        meeting.wait()  # breaks unless two threads are in here at once
        return frame(int(path.stem))

    monkeypatch.setattr(frame_folder, "read_mesh", read)
    assert [label(mesh) for mesh in FrameFolder.open(tmp_path).prefetch(workers=2)] == [0, 1, 2, 3]


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    def broken():
        yield frame(0)
        raise MeshError("the second frame cannot be made")

    with pytest.raises(MeshError, match="second frame"):
        write_frames(broken(), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_sequence_without_a_suffix_is_a_folder_of_numbered_objs(tmp_path):
    mesh = frame(0)
    frames = np.stack([mesh.vertices + number for number in range(3)])
    write_sequence(MeshSequence(mesh, frames, 25.0), tmp_path / "takes" / "smile")
    assert sorted(path.name for path in (tmp_path / "takes" / "smile").iterdir()) == ["000.obj", "001.obj", "002.obj"]
    np.testing.assert_array_equal(read_sequence(tmp_path / "takes" / "smile").frames, frames)
