"""Whatever is done to a file, reading it gives a valid mesh or a MeshFormatError: no other error, no memory flood."""

import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from mesh4d import Landmarks, Mesh, MeshFormatError, MeshSequence
from mesh4d.io import MorphMesh, read_mesh, read_sequence, write_mesh, write_morph_mesh, write_sequence
from mesh4d.io.bnt import RangeImage, write_range_image
from mesh4d.io.glb import _chunks, pack_glb
from mesh4d.io.landmark_files import (
    IndexedLandmarks,
    PictureLandmarks,
    bu_landmark_names,
    read_bnd,
    read_lm2,
    read_lm3,
    write_bnd,
    write_lm2,
    write_lm3,
)
from mesh4d.io.ply import write_ply
from mesh4d.io.stl import write_stl
from mesh4d.io.textures import decode_texture
from mesh4d.mesh import fan_triangles

MUTATIONS = 150
NUMBERS = [
    b"-1",
    b"0",
    b"255",
    b"65536",
    b"4294967295",
    b"18446744073709551616",
    b"1e999",
    b"nan",
    b"-0",
    b"x",
    b"",
    b"/",
]
JUNK = [None, True, -1, 0, 3, 255, 2**31, 2**53, 10**400, 1e308, -2.5, "", "VEC4", [], {}, [0], [[]], [-1], [1e300] * 3]


def head() -> Mesh:
    faces, polygon = fan_triangles(np.array([0, 1, 2, 3, 0, 2, 4, 1, 5, 6, 2]), np.array([4, 3, 4]))
    rng = np.random.default_rng(0)
    return Mesh(
        rng.normal(size=(8, 3)),
        faces,
        polygon,
        uv=rng.random((9, 2)),
        uv_faces=faces + 1,
        colors=rng.random((8, 3)),
        part_of_face=np.minimum(polygon, 1),
        part_names=("skin", "teeth"),
    )


def write_sample(suffix: str, path) -> bytes:
    mesh = head()
    if suffix in (".glb", ".gltf"):
        deltas = np.random.default_rng(1).normal(size=(2, 8, 3)).astype(np.float32)
        deltas[0, 2:] = 0
        write_morph_mesh(MorphMesh(mesh, ("AU1", "AU2"), deltas, np.eye(2), np.array([0.0, 1.0])), path)
    elif suffix == ".ascii.ply":
        write_ply(mesh, path, "ascii")
    elif suffix == ".ascii.stl":
        write_stl(mesh, path, "ascii")
    elif suffix == ".bnt":
        row, column = np.divmod(np.arange(20.0), 5)
        xyz = np.stack([column, row, np.where(row == column, -1e9, 0.0)], axis=1)
        write_range_image(RangeImage(4, 5, -1e9, "a.png", xyz, np.stack([column, row], axis=1) / 5), path)
    elif suffix in (".frames.npz", ".pc2", ".mdd"):
        write_sequence(MeshSequence(mesh, np.zeros((2, 8, 3)), 25.0), path)
    elif suffix in (".lm3", ".lm2", ".bnd"):
        marks = Landmarks(bu_landmark_names(), np.random.default_rng(2).normal(size=(83, 3)))
        if suffix == ".lm3":
            write_lm3(marks, path)
        elif suffix == ".lm2":
            write_lm2(PictureLandmarks(marks.names, marks.points[:, :2]), path)
        else:
            write_bnd(IndexedLandmarks(marks, np.arange(83)), path)
    else:
        write_mesh(mesh, path)
    return path.read_bytes()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three random injuries: bits, cuts, repeats, zeros, swapped numbers."""
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(0, max(len(data), 1)))
        end = start + int(rng.integers(1, 40))
        match int(rng.integers(0, 6)):
            case 0:
                data = (
                    data[:start] + bytes([data[start] ^ (1 << int(rng.integers(8)))]) + data[start + 1 :]
                    if data
                    else data
                )
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:end] + data[start:]
            case 3:
                data = data[:start] if rng.random() < 0.3 else data
            case 4:
                data = (
                    data[:start]
                    + rng.choice([b"\0", b"\xff", b"\n", b" "]) * int(rng.integers(1, 9))
                    + data[start + 4 :]
                )
            case 5:
                data = data[:start] + NUMBERS[rng.integers(len(NUMBERS))] + data[start + int(rng.integers(0, 4)) :]
    return data


def damaged_json(root: object, rng: np.random.Generator) -> object:
    """The same JSON with one value, anywhere, replaced by junk."""
    root = json.loads(json.dumps(root))
    place, parents = root, []
    while isinstance(place, dict | list) and place and (not parents or rng.random() < 0.9):
        key = rng.choice(sorted(place)) if isinstance(place, dict) else int(rng.integers(len(place)))
        parents.append((place, str(key) if isinstance(place, dict) else key))
        place = place[parents[-1][1]]
    parent, key = parents[-1]
    parent[key] = JUNK[rng.integers(len(JUNK))]
    return root


def survives(read: Callable, path) -> bool:
    """Read; True when the file was refused in the proper way."""
    try:
        result = read(path)
    except MeshFormatError as error:
        assert error.source == str(path)
        return True
    if isinstance(result, Landmarks | PictureLandmarks | IndexedLandmarks):
        return False
    mesh = result.topology if isinstance(result, MeshSequence) else result
    assert mesh.vertices.dtype == np.float64 and np.isfinite(mesh.vertices).all()
    assert mesh.uv is None or np.isfinite(mesh.uv).all()
    return False


def read_cache(path) -> MeshSequence:
    return read_sequence(path, topology=head())


READERS = dict.fromkeys(
    (".obj", ".ascii.ply", ".ply", ".glb", ".gltf", ".npz", ".obj.gz", ".stl", ".ascii.stl", ".off", ".wrl", ".wrl.gz",
     ".bnt"), read_mesh
) | {
    ".frames.npz": read_sequence, ".pc2": read_cache, ".mdd": read_cache, ".lm3": read_lm3, ".lm2": read_lm2,
    ".bnd": read_bnd,
}  # fmt: skip
FORGIVING = {".stl": 30, ".bnt": 30, ".pc2": 30, ".mdd": 30}
"""Formats that are mostly raw numbers: any bits are a number, so fewer injuries can be seen. One in this many is."""


@pytest.mark.parametrize("suffix", READERS)
def test_random_damage(tmp_path, suffix):
    rng = np.random.default_rng(sum(suffix.encode()))
    path = tmp_path / f"a{suffix}"
    whole = write_sample(suffix, path)
    read = READERS[suffix]
    assert not survives(read, path)
    refused = 0
    for _ in range(MUTATIONS):
        path.write_bytes(damaged(whole, rng))
        refused += survives(read, path)
    assert refused > MUTATIONS / FORGIVING.get(suffix, 5)


@pytest.mark.parametrize("read", [read_mesh, read_sequence])
def test_random_junk_in_gltf_fields(tmp_path, read):
    rng = np.random.default_rng(5)
    path = tmp_path / "a.glb"
    text, chunk = _chunks(write_sample(".glb", path), "a.glb")
    root = json.loads(text)
    del root["asset"]["generator"]
    refused = 0
    for _ in range(MUTATIONS):
        path.write_bytes(pack_glb(damaged_json(root, rng), chunk))
        refused += survives(read, path)
    assert refused > MUTATIONS / 5


def test_random_damage_inside_npz_arrays(tmp_path):
    rng = np.random.default_rng(6)
    path = tmp_path / "a.npz"
    write_sample(".npz", path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(MUTATIONS):
        name = rng.choice(sorted(members))
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, damaged(content, rng) if member == name else content)
        survives(read_mesh, path)


def npz(path, **arrays) -> None:
    path.write_bytes(b"")
    with path.open("wb") as file:
        np.savez(file, **{"format": np.array("mesh4d.Mesh 1")} | arrays)


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("vertices", np.zeros((3, 2)), "vertices"), ("vertices", np.zeros((3, 3), int), "vertices"),
        ("vertices", np.full((3, 3), np.nan), "mesh"), ("faces", np.array([[0, 1, 3]]), "mesh"),
        ("faces", np.array([[0, 1, -1]]), "mesh"), ("faces", np.array([[0.0, 1.0, 2.0]]), "faces"),
        ("vertices", np.array([[None] * 3] * 3), "vertices"), ("uv", np.zeros((3, 2)), "mesh"),
        ("part_of_face", np.array([0]), "mesh"), ("polygon_of_face", np.array([0, 0]), "polygon_of_face"),
        ("texture", np.zeros((2, 2, 3)), "texture"), ("landmark_names", np.array(["nose"]), "archive"),
        ("format", np.array("mesh4d.Mesh 9"), "format"), ("colors", np.full((3, 3), np.inf), "colours, row 0"),
    ],
)  # fmt: skip
def test_npz_fields_are_checked(tmp_path, field, value, place):
    good = {"vertices": np.eye(3), "faces": np.array([[0, 1, 2]])}
    npz(tmp_path / "a.npz", **good)
    assert read_mesh(tmp_path / "a.npz").n_faces == 1
    npz(tmp_path / "a.npz", **good | {field: value})
    with pytest.raises(MeshFormatError) as caught:
        read_mesh(tmp_path / "a.npz")
    assert caught.value.place == place


def test_npz_is_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file was unpickled",))

    npz(tmp_path / "a.npz", vertices=np.array([Trap()], object), faces=np.array([[0, 1, 2]]))
    with pytest.raises(MeshFormatError, match="vertices"):
        read_mesh(tmp_path / "a.npz")


def peak_of(read: Callable, path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(MeshFormatError):
            read(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_huge_claims_cost_no_memory(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)})
    with zipfile.ZipFile(tmp_path / "claim.npz", "w") as archive:
        archive.writestr("vertices.npy", stream.getvalue() + bytes(24))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vertices.npy", bytes(90 << 20))
    (tmp_path / "claim.ply").write_bytes(
        b"ply\nformat binary_little_endian 1.0\nelement vertex 900000000000\nproperty float x\nend_header\n" + bytes(64)
    )
    whole = write_sample(".gltf", tmp_path / "a.gltf")
    (tmp_path / "claim.gltf").write_bytes(whole.replace(b'"count": 8', b'"count": 800000000000'))
    for name in ("claim.npz", "bomb.npz", "claim.ply", "claim.gltf"):
        assert peak_of(read_mesh, tmp_path / name) < 4 << 20, name


def test_a_picture_that_claims_81_million_pixels_is_not_decoded(caplog):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    png += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert decode_texture(png, "huge.png") is None
    assert "9000 x 9000" in caplog.text
