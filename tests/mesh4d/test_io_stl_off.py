"""STL and OFF: every dialect, facets in their order, comments and colours; errors name the line."""

import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mesh4d import Mesh, MeshError, MeshFormatError
from mesh4d.io import read_mesh, write_mesh
from mesh4d.io.off import parse_off
from mesh4d.io.stl import parse_stl, write_stl
from mesh4d.mesh import fan_triangles

FACET = """facet normal 0 0 1
  outer loop
    vertex 0 0 0
    vertex 1.5 0 0
    vertex 1 1e-3 -2
  endloop
endfacet
"""
SOLID = f"solid nose tip\n{FACET}{FACET.replace('1.5', '9')}endsolid nose tip\n"


def stl(text: str | bytes) -> Mesh:
    return parse_stl(text if isinstance(text, bytes) else text.encode(), Path("a.stl"))


def off(text: str) -> Mesh:
    return parse_off(text.encode(), Path("a.off"))


def binary(corners: np.ndarray, header: bytes = b"scan") -> bytes:
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *facet.ravel(), 7) for facet in corners)
    return header.ljust(80, b" ") + struct.pack("<I", len(corners)) + body


def sample() -> Mesh:
    rng = np.random.default_rng(0)
    faces, polygon = fan_triangles(np.array([0, 1, 2, 3, 4, 0, 5, 1, 6, 4, 2]), np.array([5, 3, 3]))
    return Mesh(rng.normal(size=(8, 3)), faces, polygon, part_of_face=np.array([0, 0, 0, 1, 0]), part_names=("a", "b"))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", " "])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_ascii_stl(newline, case):
    text = "solid nose tip\n" + case(FACET + FACET.replace("1.5", "9")).replace("\n", newline) + "\nendsolid\n"
    mesh = stl(text)
    assert mesh.vertices.tolist() == [[0, 0, 0], [1.5, 0, 0], [1, 1e-3, -2], [0, 0, 0], [9, 0, 0], [1, 1e-3, -2]]
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5]] and mesh.part_names == ()


def test_several_solids_are_parts():
    mesh = stl(SOLID + "\n\n" + SOLID.replace("nose tip", "") + "   ")
    assert mesh.part_names == ("nose tip", "solid 2") and mesh.part_of_face.tolist() == [0, 0, 1, 1]


def test_binary_stl_keeps_facets_apart_even_when_its_header_says_solid():
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0], [-1, 0.1, 0]]], np.float32)
    for header in (b"scan", b"solid head"):
        mesh = stl(binary(corners, header))
        np.testing.assert_array_equal(mesh.vertices, corners.reshape(-1, 3).astype(np.float64))
        assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_stl_round_trips(tmp_path):
    mesh = sample()
    write_mesh(mesh, tmp_path / "a.stl")
    exact = mesh.vertices[mesh.faces].reshape(-1, 3)
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.stl").vertices, exact.astype(np.float32))
    assert (tmp_path / "a.stl").stat().st_size == 84 + 50 * mesh.n_faces
    write_stl(mesh, tmp_path / "a.stl.gz", "ascii")
    back = read_mesh(tmp_path / "a.stl.gz")
    order = [0, 1, 2, 4, 3]
    np.testing.assert_array_equal(back.vertices, mesh.vertices[mesh.faces[order]].reshape(-1, 3))
    assert back.part_names == ("a", "b") and back.part_of_face.tolist() == [0, 0, 0, 0, 1]
    with pytest.raises(MeshError, match="float32"):
        write_mesh(Mesh(1e39 * np.eye(3), np.array([[0, 1, 2]])), tmp_path / "b.stl")
    assert not (tmp_path / "b.stl").exists()


def test_stl_agrees_with_trimesh(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    for encoding in ("binary", "ascii"):
        write_stl(sample(), tmp_path / "a.stl", encoding)
        peer = trimesh.load(tmp_path / "a.stl", process=False, force="mesh")
        ours = read_mesh(tmp_path / "a.stl")
        np.testing.assert_allclose(peer.triangles, ours.vertices[ours.faces], rtol=1e-6)
        np.testing.assert_allclose(peer.face_normals[0], np.cross(*np.diff(ours.vertices[:3], axis=0)) / np.linalg.norm(
            np.cross(*np.diff(ours.vertices[:3], axis=0))), atol=1e-6)  # fmt: skip


def test_long_ascii_stl_is_read_in_pieces():
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(9000, 3, 3)).round(5)
    facets = "".join(
        "facet normal 0 0 0 outer loop " + " ".join(f"vertex {x} {y} {z}" for x, y, z in facet) + " endloop endfacet\n"
        for facet in corners.tolist()
    )
    assert len(facets) > 1 << 20
    np.testing.assert_array_equal(stl(f"solid\n{facets}endsolid").vertices, corners.reshape(-1, 3))
    with pytest.raises(MeshFormatError) as caught:
        stl(f"solid\n{facets.replace('vertex', 'vortex', 26_000).replace('vortex', 'vertex', 25_999)}endsolid")
    assert caught.value.place == f"line {2 + 25_999 // 3}" and "vortex" in caught.value.found


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        (b"", "header", "0 facets"), (b"solid a\n", "end of the file", "none"), (b"x" * 200, "header", "facets"),
        (b"solid a\nendsolid a\n", "file", "none"), (binary(np.zeros((0, 3, 3))), "file", "none"),
        (binary(np.zeros((2, 3, 3)))[:-1], "header", "2 facets in 99 bytes"),
        (SOLID.replace("1.5", "x").encode(), "line 2", "vertex x 0 0"),
        (SOLID.replace("9", "nan").encode(), "line 9", "vertex nan"),
        (SOLID.replace("9", "1_0").encode(), "line 9", "1_0"), (SOLID.replace("9 0", "9").encode(), "line 9", "facet"),
        (SOLID.replace("endloop", "loopend").encode(), "line 2", "facet normal 0 0 1"),
        ((SOLID + "x").encode(), "line 17", "x"),
        (binary(np.full((1, 3, 3), np.nan)), "mesh", "finite"),
    ],
)  # fmt: skip
def test_stl_errors_name_the_place(text, place, found):
    with pytest.raises(MeshFormatError) as caught:
        stl(text)
    assert caught.value.place == place and found in caught.value.found


SQUARE = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "text",
    [
        f"OFF\n4 2 5\n{SQUARE}3 0 1 2\n4 0 1 2 3\n", f"OFF 4 2 0\n{SQUARE}3 0 1 2\n4 0 1 2 3",
        f"# a head\nOFF # format\n\n4 2 # counts\n# vertices\n{SQUARE}\n\n  3\t0 1 2  \n4 0 1 2 3 0.1 0.2 0.3\n\n",
        f"OFF\n4 2 0\n{SQUARE}3 0 1 2 255 0 0\n4 0 1 2 3 7\n",
    ],
)  # fmt: skip
def test_off(text, newline):
    mesh = off(text.replace("\n", newline))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.polygons() == [[0, 1, 2], [0, 1, 2, 3]] and mesh.colors is None


def test_off_with_colors_normals_and_texture_coordinates():
    rows = ["0 0 0", "1 0 0", "0 1 0"]
    colored = "COFF\n3 1 0\n" + "".join(f"{row} 51 0 255 255\n" for row in rows) + "3 0 1 2\n"
    np.testing.assert_array_equal(off(colored).colors, [[0.2, 0, 1, 1]] * 3)
    np.testing.assert_array_equal(off(colored.replace("51 0 255 255", "0.2 0.5 1")).colors, [[0.2, 0.5, 1]] * 3)
    everything = "STCNOFF\n3 1 0\n" + "".join(f"{row} 0 0 1 0.5 0.25 0 1 {row[:3]}\n" for row in rows) + "3 0 1 2\n"
    mesh = off(everything)
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert mesh.colors.tolist() == [[0.5, 0.25, 0, 1]] * 3 and mesh.uv.tolist() == [[0, 0], [1, 0], [0, 1]]


def test_off_round_trip(tmp_path):
    mesh = sample()
    for suffix in (".off", ".off.gz"):
        write_mesh(mesh, tmp_path / f"a{suffix}")
        back = read_mesh(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(back.vertices, mesh.vertices)
        np.testing.assert_array_equal(back.faces, mesh.faces)
        assert back.polygons() == mesh.polygons()
    colors = np.random.default_rng(0).random((8, 3))
    write_mesh(Mesh(mesh.vertices, mesh.faces, colors=colors), tmp_path / "c.off")
    np.testing.assert_array_equal(read_mesh(tmp_path / "c.off").colors, np.column_stack([colors, np.ones(8)]))


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("", "line 1", "''"), ("4OFF\n", "line 1", "4OFF"), ("OFF BINARY\n", "line 1", "BINARY"),
        ("OFF\n", "line 1", "the end"), ("OFF\n4.5 1 0\n", "line 2", "4.5"), ("OFF\n-1 1 0\n", "line 2", "-1"),
        ("OFF\n0 0 0\n", "line 2", "0"), ("OFF\n900000000000 1 0\n" + SQUARE, "line 6", "the end of the file"),
        (f"OFF\n4 1 0\n{SQUARE}3 0 1 4\n", "line 7", "4"), (f"OFF\n4 1 0\n{SQUARE}3 0 1 -1\n", "line 7", "-1"),
        (f"OFF\n4 1 0\n{SQUARE}2 0 1\n", "line 7", "2 and 2"), (f"OFF\n4 1 0\n{SQUARE}4 0 1 2\n", "line 7", "4 and 3"),
        (f"OFF\n4 1 0\n{SQUARE}3 0 1 .5\n", "line 7", "0.5"), (f"OFF\n4 1 0\n{SQUARE}3 0 x 1\n", "line 7", "'x'"),
        ("OFF\n2 0 0\n0 0 0\n0 nan 0\n", "line 4", "nan"), ("OFF\n2 0 0\n0 0 0\n0 1\n", "line 4", "2"),
        ("COFF\n2 0 0\n0 0 0 1 1 1\n0 1 0 1\n", "line 4", "4"), (f"OFF\n4 2 0\n{SQUARE}3 0 1 2\n", "line 7", "the end"),
    ],
)  # fmt: skip
def test_off_errors_name_the_line(text, place, found):
    with pytest.raises(MeshFormatError) as caught:
        off(text)
    assert (caught.value.source, caught.value.place) == ("a.off", place)
    assert found in caught.value.found


HEAD = b"OFF\n3 %d 0\n0 0 0\n1 0 0\n0 1 0\n"
DENSE = {
    "triangles.off": HEAD % 150_000 + b"3 0 1 2\n" * 150_000, "empty.off": HEAD % 1 + b"\n" * 1_000_000,
    "lines.off": b"OFF\n500000 1 0\n" + b"1\n" * 500_000, "comments.off": HEAD % 1 + b"#\n" * 500_000,
    "facets.stl": b"solid\n" + FACET.encode() * 8_000 + b"endsolid", "words.stl": b"solid\n" + b"a " * 500_000,
    "solids.stl": b"solid\nendsolid\n" * 60_000, "spaces.stl": SOLID.encode() + b" " * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", DENSE)
def test_dense_files_take_no_more_than_16_times_their_size(name):
    parse = parse_off if name.endswith(".off") else parse_stl
    data = DENSE[name]
    tracemalloc.start()
    start = time.process_time()
    try:
        parse(data, Path(name))
    except MeshFormatError:
        assert not name.startswith(("triangles", "facets", "spaces"))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 16 * len(data) + (1 << 20), f"{peak / len(data):.1f} x"
    assert time.process_time() - start < 5


def test_a_polygon_of_a_million_corners_is_refused():
    with pytest.raises(MeshFormatError, match=r"faces: expected at most \d+ triangles"):
        parse_off(HEAD % 1 + b"1000000 " + b"0 " * 1_000_000, Path("a.off"))
