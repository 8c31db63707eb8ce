"""Vertex caches: the bytes of .pc2 and .mdd, round trips in float32, and headers that lie."""

import struct

import numpy as np
import pytest

from mesh4d import Mesh, MeshError, MeshFormatError, MeshSequence, read_sequence, write_mesh, write_sequence
from mesh4d.io.point_cache import read_mdd, read_pc2, write_mdd, write_pc2

TOPOLOGY = Mesh(np.eye(4, 3), np.array([[0, 1, 2], [1, 3, 2]]))
FRAMES = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)


def sequence(fps: float = 25.0) -> MeshSequence:
    return MeshSequence(TOPOLOGY, FRAMES, fps)


def test_pc2_bytes(tmp_path):
    write_pc2(sequence(), tmp_path / "a.pc2")
    data = (tmp_path / "a.pc2").read_bytes()
    assert data[:32] == b"POINTCACHE2\0" + struct.pack("<iiffi", 1, 4, 0.0, 1.0, 5)
    assert data[32:] == FRAMES.astype("<f4").tobytes()


def test_mdd_bytes(tmp_path):
    write_mdd(sequence(), tmp_path / "a.mdd")
    data = (tmp_path / "a.mdd").read_bytes()
    assert data[:28] == struct.pack(">ii5f", 5, 4, 0.0, 0.04, 0.08, 0.12, 0.16)
    assert data[28:] == FRAMES.astype(">f4").tobytes()


@pytest.mark.parametrize("suffix", [".pc2", ".mdd", ".pc2.gz", ".mdd.gz"])
def test_round_trip_with_the_topology_given_or_beside(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_sequence(MeshSequence(TOPOLOGY, FRAMES.astype(np.float64), 30.0), path)
    back = read_sequence(path, topology=TOPOLOGY)
    np.testing.assert_array_equal(back.frames, FRAMES)
    assert back.frames.dtype == np.float32 and back.fps == pytest.approx(30.0, rel=1e-6)
    assert back.topology is TOPOLOGY
    with pytest.raises(MeshFormatError, match=r"a mesh beside it, such as a\.obj"):
        read_sequence(path)
    write_mesh(TOPOLOGY, tmp_path / "a.obj")
    np.testing.assert_array_equal(read_sequence(path).frames, FRAMES)
    content = path.read_bytes()
    np.testing.assert_array_equal(read_sequence(content, suffix, topology=TOPOLOGY).frames, FRAMES)


def test_frame_rates(tmp_path):
    write_pc2(sequence(60.0), tmp_path / "a.pc2")
    assert read_pc2(tmp_path / "a.pc2", TOPOLOGY).fps == 30.0
    data = bytearray((tmp_path / "a.pc2").read_bytes())
    data[24:28] = struct.pack("<f", 0.5)  # two samples a frame
    (tmp_path / "a.pc2").write_bytes(data)
    assert read_pc2(tmp_path / "a.pc2", TOPOLOGY, fps=25.0).fps == 50.0
    write_mdd(sequence(60.0), tmp_path / "a.mdd")
    assert read_mdd(tmp_path / "a.mdd", TOPOLOGY).fps == pytest.approx(60.0, rel=1e-6)
    assert read_mdd(tmp_path / "a.mdd", TOPOLOGY, fps=24.0).fps == 24.0
    write_mdd(MeshSequence(TOPOLOGY, FRAMES[:1], 60.0), tmp_path / "one.mdd")
    assert read_mdd(tmp_path / "one.mdd", TOPOLOGY).fps == 30.0


@pytest.mark.parametrize(
    ("suffix", "change", "place"),
    [
        (".pc2", lambda d: b"", "header"), (".pc2", lambda d: b"X" + d[1:], "header"),
        (".pc2", lambda d: d[:12] + b"\2" + d[13:], "header"), (".pc2", lambda d: d[:-1], "header"),
        (".pc2", lambda d: d[:28] + b"\xff" * 4 + d[32:], "header"),
        (".pc2", lambda d: d[:16] + struct.pack("<I", 5) + d[20:28] + struct.pack("<I", 4) + d[32:], "header"),
        (".pc2", lambda d: d[:24] + struct.pack("<f", 0) + d[28:], "frames per sample"),
        (".pc2", lambda d: d[:24] + struct.pack("<f", np.nan) + d[28:], "frames per sample"),
        (".pc2", lambda d: d[:28] + bytes(4), "header"), (".pc2", lambda d: d[:-4] + b"\xff" * 4, "frame 4"),
        (".mdd", lambda d: b"\0", "header"), (".mdd", lambda d: b"\xff" * 8, "times"),
        (".mdd", lambda d: d + b"\0", "header"), (".mdd", lambda d: d[:-4] + b"\x7f\xc0\0\0", "frame 4"),
        (".mdd", lambda d: d[:12] + struct.pack(">f", 0.07) + d[16:], "times"),
        (".mdd", lambda d: d[:8] + bytes(20) + d[28:], "times"),
        (".mdd", lambda d: d[:24] + struct.pack(">f", np.nan) + d[28:], "times"),
        (".mdd", lambda d: bytes(4) + d[4:8], "header"),
    ],
)  # fmt: skip
def test_errors_name_the_field(tmp_path, suffix, change, place):
    path = tmp_path / f"a{suffix}"
    write_sequence(sequence(), path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(MeshFormatError) as caught:
        read_sequence(path, topology=TOPOLOGY)
    assert (caught.value.source, caught.value.place) == (str(path), place)


def test_a_mesh_with_other_vertices_is_refused(tmp_path):
    write_pc2(sequence(), tmp_path / "a.pc2")
    with pytest.raises(MeshFormatError, match="expected 3 vertices, as the topology has, found 4"):
        read_pc2(tmp_path / "a.pc2", Mesh(np.eye(3), np.array([[0, 1, 2]])))


def test_positions_too_large_for_float32(tmp_path):
    for write in (write_pc2, write_mdd):
        with pytest.raises(MeshError, match="float32"):
            write(MeshSequence(TOPOLOGY, np.full((1, 4, 3), 1e39), 25.0), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_topology_is_for_caches_alone(tmp_path):
    write_sequence(sequence(), tmp_path / "a.npz")
    with pytest.raises(MeshFormatError, match=r"read_cache knows \(\.mdd"):
        read_sequence(tmp_path / "a.npz", topology=TOPOLOGY)
