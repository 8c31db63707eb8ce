"""Zarr stores: exact round trips, spans of frames read alone, whole or absent, damage refused by name."""

import contextlib
import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import atomic, open_zarr_sequence, read_sequence, write_sequence, zarr_store
from mesh4d.io.npz import mesh_arrays
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.sequence import MeshSequence


@pytest.fixture
def sequence() -> MeshSequence:
    """Seven frames of float32 over a topology with every field set."""
    rng = np.random.default_rng(5)
    faces = np.array([[0, 1, 2], [0, 2, 3], [3, 4, 0]])
    topology = Mesh(
        rng.normal(size=(5, 3)), faces, np.array([0, 0, 1]), uv=rng.random((4, 2)), uv_faces=faces % 4,
        texture=rng.integers(0, 256, (6, 5, 3), np.uint8), colors=rng.random((5, 3)),
        part_of_face=np.array([0, 1, 1]), part_names=("skin", "Auge é"),
        landmarks=Landmarks(("nose", "chin"), rng.normal(size=(2, 3)), np.array([1.0, 0.5])),
    )  # fmt: skip
    return MeshSequence(topology, rng.normal(size=(7, 5, 3)).astype(np.float32), 29.97)


@pytest.fixture
def store(sequence: MeshSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its store, with chunks of two frames."""
    monkeypatch.setattr(zarr_store, "CHUNK_BYTES", 2 * 5 * 3 * 4)
    write_sequence(sequence, tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def test_round_trip_keeps_every_field_and_precision(sequence: MeshSequence, store: Path) -> None:
    again = read_sequence(store)
    expected, found = mesh_arrays(sequence.topology), mesh_arrays(again.topology)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype and np.array_equal(found[name], values), name
    assert again.frames.dtype == np.float32 and np.array_equal(again.frames, sequence.frames) and again.fps == 29.97


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 1)])
def test_float64_empty_sequences_and_bare_topologies(shape: tuple[int, int], tmp_path: Path) -> None:
    frames, vertices = shape
    bare = MeshSequence(Mesh(np.zeros((vertices, 3)), np.zeros((0, 3), np.int64)), np.ones((frames, vertices, 3)), 25.0)
    write_sequence(bare, tmp_path / "b.zarr")
    again = read_sequence(tmp_path / "b.zarr")
    assert again.frames.dtype == np.float64 and np.array_equal(again.frames, bare.frames)


def test_all_zero_frames_are_kept(tmp_path: Path) -> None:
    still = MeshSequence(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), np.zeros((4, 3, 3)), 25.0)
    write_sequence(still, tmp_path / "z.zarr")
    assert np.array_equal(read_sequence(tmp_path / "z.zarr").frames, still.frames)


def test_spans_read_alone(sequence: MeshSequence, store: Path) -> None:
    opened = open_zarr_sequence(store)
    (store / "frames" / "c" / "0" / "0" / "0").write_bytes(b"")  # frames 0 and 1 can no longer be read
    assert len(opened) == 7 and np.array_equal(opened.vertices(2, 5), sequence.frames[2:5])
    assert np.array_equal(opened.sequence(-3).frames, sequence.frames[-3:])
    assert np.array_equal(opened[-1].vertices, sequence.frames[6])
    assert opened.vertices(5, 3).shape == (0, 5, 3)
    with pytest.raises(IndexError):
        opened[7]


def test_iteration_gives_all_frames(sequence: MeshSequence, store: Path) -> None:
    frames = [mesh.vertices for mesh in open_zarr_sequence(store)]
    assert np.array_equal(frames, sequence.frames.astype(np.float64))


def test_an_interrupted_write_leaves_the_older_store(
    sequence: MeshSequence, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(mesh: Mesh) -> dict[str, np.ndarray]:
        return {**mesh_arrays(mesh), "colors": np.array([object()])}

    monkeypatch.setattr(zarr_store, "mesh_arrays", broken)
    with pytest.raises((TypeError, ValueError)):
        write_sequence(sequence, store)
    assert np.array_equal(read_sequence(store).frames, sequence.frames)
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_a_failed_rename_puts_the_older_folder_back(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(FileNotFoundError), atomic.atomic_folder(folder) as new:
        new.rmdir()  # so that the last rename fails
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]


def test_writing_replaces_stores_and_nothing_else(sequence: MeshSequence, store: Path) -> None:
    write_sequence(MeshSequence(sequence.topology, sequence.frames[:2], 10.0), store)
    assert len(read_sequence(store)) == 2
    other = store.with_name("thesis.zarr")
    other.mkdir()
    (other / "chapter.txt").write_text("1")
    with pytest.raises(MeshError, match="no Zarr store"):
        write_sequence(sequence, other)
    assert (other / "chapter.txt").read_text() == "1"


def edit(path: Path, *keys: str | int, value: object) -> None:
    """Change one field of a JSON file."""
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("array", "keys", "value", "place"),
    [
        ("", ("attributes", "format"), "other", "format"),
        ("", ("attributes", "fps"), 0, "fps"),
        ("", ("attributes", "fps"), "fast", "fps"),
        ("", ("attributes", "part_names"), [1], "part_names"),
        ("", ("attributes", "landmark_names"), ["nose"], "landmark"),
        ("", ("zarr_format",), 9, "zarr.json"),
        ("frames", ("shape",), [10**12, 5, 3], "frames"),
        ("frames", ("shape",), [7, 5, 4], "frames"),
        ("frames", ("shape",), [7, -5, 3], ""),
        ("frames", ("data_type",), "int32", "frames"),
        ("frames", ("data_type",), "string", ""),
        ("frames", ("chunk_grid", "configuration", "chunk_shape"), [0, 5, 3], ""),
        ("frames", ("chunk_grid", "configuration", "chunk_shape"), [10**12, 10**6, 3], "frames"),
        ("frames", ("codecs",), [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip",
          "configuration": {"level": 1}}], "frames"),
        ("faces", ("data_type",), "float64", "faces"),
        ("faces", ("node_type",), "group", ""),
        ("vertices", ("shape",), [4, 3], "vertices"),
    ],
)  # fmt: skip
def test_metadata_that_lies_is_refused(
    store: Path, array: str, keys: tuple[str | int, ...], value: object, place: str
) -> None:
    edit(store / array / "zarr.json", *keys, value=value)
    with pytest.raises(MeshFormatError) as caught:
        read_sequence(store)
    assert caught.value.source == str(store) and place in str(caught.value)


def test_missing_short_and_linked_chunks_are_refused(store: Path) -> None:
    chunk = store / "frames" / "c" / "1" / "0" / "0"
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1])
    with pytest.raises(MeshFormatError, match="frames/c/1/0/0: expected a chunk of 120 bytes, found 119"):
        read_sequence(store)
    chunk.unlink()
    with pytest.raises(MeshFormatError, match="frames: expected 4 chunks, found 3 files"):
        read_sequence(store)
    chunk.symlink_to(store / "frames" / "c" / "0" / "0" / "0")
    with pytest.raises(MeshFormatError, match="a link"):
        read_sequence(store)


def test_positions_that_are_not_finite_are_refused_by_frame(store: Path) -> None:
    chunk = store / "frames" / "c" / "1" / "0" / "0"
    values = np.frombuffer(chunk.read_bytes(), "<f4").copy()
    values[-1] = np.nan
    chunk.write_bytes(values.tobytes())
    opened = open_zarr_sequence(store)
    with pytest.raises(MeshFormatError, match="frame 3"):
        opened.vertices(1)
    assert len(opened.vertices(4)) == 3


def test_what_is_no_store(store: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_sequence(tmp_path / "none.zarr")
    (tmp_path / "file.zarr").write_bytes(b"zarr")
    (tmp_path / "empty.zarr").mkdir()
    for name in ("file.zarr", "empty.zarr"):
        with pytest.raises(MeshFormatError, match=r"zarr\.json"):
            read_sequence(tmp_path / name)
    with pytest.raises(MeshFormatError):
        read_sequence(b"zarr", ".zarr")
    (store / "zarr.json").write_bytes(b" " * (2 << 20))
    with pytest.raises(MeshFormatError, match="at most"):
        read_sequence(store)


def test_random_damage_to_metadata(store: Path) -> None:
    rng = random.Random(3)
    files = [store / "zarr.json", *store.glob("*/zarr.json")]
    for _ in range(120):
        file = rng.choice(files)
        original = file.read_bytes()
        damaged = bytearray(original)
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(len(damaged))] = rng.choice(b'0123456789"[]{},-.eE:azN ')
        file.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(MeshFormatError):
                read_sequence(store)
        file.write_bytes(original)
