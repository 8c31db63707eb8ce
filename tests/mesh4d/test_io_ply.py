"""PLY: types, foreign elements, mixed polygons, colours, texture coordinates; errors name the element."""

import contextlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mesh4d import MeshFormatError
from mesh4d.io.allocation import memory_limit
from mesh4d.io.ply import parse_ply

ASCII = """ply
format ascii 1.0
comment made by hand
obj_info more
element camera 1
property float view
property list uchar int shots
element vertex 4
property float x
property float nx
property float y
property double z
property uchar red
property uchar green
property uchar blue
property float u
property float v
element face 2
property uchar flags
property list uchar int vertex_index
end_header
1.5 2 7 8
0 9 0 0 255 0 0 0 0
1 9 0 0 0 255 0 1 0
1 9 1 0 0 0 51 1 1
0.1 9 1 0 0 0 0 0 1
0 4 0 1 2 3
1 3 0 2 3
"""


def parse(data: bytes):
    return parse_ply(data, Path("a.ply"))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_ascii_with_foreign_elements_and_properties(newline):
    mesh = parse(ASCII.replace("\n", newline).encode())
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0.1, 1, 0]])
    assert mesh.polygons() == [[0, 1, 2, 3], [0, 2, 3]]
    np.testing.assert_array_equal(mesh.colors, [[1, 0, 0], [0, 1, 0], [0, 0, 0.2], [0, 0, 0]])
    np.testing.assert_array_equal(mesh.uv, [[0, 0], [1, 0], [1, 1], [0, 1]])
    np.testing.assert_array_equal(mesh.uv_faces, mesh.faces)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("count", "index"), [("uchar", "int"), ("ushort", "uint8"), ("int8", "uint"), ("int", "short")]
)
@pytest.mark.parametrize("sizes", [(3, 3), (4, 4), (4, 3), (3, 5)])
def test_binary(order, count, index, sizes):
    kinds = {"uchar": "B", "ushort": "H", "int8": "b", "int": "i", "uint8": "B", "uint": "I", "short": "h"}
    name = "little" if order == "<" else "big"
    header = (
        f"ply\nformat binary_{name}_endian 1.0\nelement face 2\nproperty list {count} {index} vertex_indices\n"
        "property float quality\nelement vertex 5\nproperty float x\nproperty double y\nproperty short z\nend_header\n"
    )
    body = b"".join(
        struct.pack(f"{order}{kinds[count]}{size}{kinds[index]}f", size, *range(size), 0.5) for size in sizes
    )
    body += b"".join(struct.pack(f"{order}fdh", row + 0.1, row + 0.2, -row) for row in range(5))
    mesh = parse(header.encode() + body)
    assert mesh.polygons() == [list(range(size)) for size in sizes]
    single = np.float32(np.arange(5) + 0.1).astype(np.float64)
    np.testing.assert_array_equal(mesh.vertices, np.stack([single, np.arange(5) + 0.2, -np.arange(5.0)], axis=1))


def test_points_without_faces_keep_their_order():
    mesh = parse(ASCII.split("element face")[0].encode() + b"end_header\n" + ASCII.split("end_header\n")[1].encode())
    assert mesh.n_faces == 0 and mesh.n_vertices == 4


def test_coordinates_per_corner_become_seams():
    text = ASCII.replace("property float u\nproperty float v\n", "").replace(
        "property uchar flags", "property list uchar float texcoord"
    )
    head, body = text.split("end_header\n")
    rows = body.splitlines()
    rows[1:5] = [row.rsplit(" ", 2)[0] for row in rows[1:5]]
    rows[5:] = ["8 0 0 1 0 1 1 0 1 4 0 1 2 3", "6 0 0 .5 .5 0 1 3 0 2 3"]
    mesh = parse((head + "end_header\n" + "\n".join(rows) + "\n").encode())
    assert len(mesh.uv) == 5
    expected = [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]], [[0, 0], [0.5, 0.5], [0, 1]]]
    np.testing.assert_array_equal(mesh.uv[mesh.uv_faces], expected)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("ply\n", "plx\n", "line 1"), ("ascii 1.0", "utf8 1.0", "line 2"), ("format ascii 1.0\n", "", "header"),
        ("end_header\n", "", "header"), ("element vertex 4", "element vertex 4000000000", "element vertex"),
        ("element vertex 4", "element vertex -4", "line 8"), ("element vertex 4", "element vertex 5", "element face"),
        ("element face 2", "element face 3", "element face"), ("property float x", "property flout x", "line 9"),
        ("property float x", "property float y", "element vertex"),
        ("property double z", "property double w", "header"),
        ("list uchar int vertex", "list float int vertex", "line 20"), ("0 4 0 1 2 3", "0 4 0 1 2 4", "mesh"),
        ("0 4 0 1 2 3", "0 4 0 1 2.5 3", "vertex_indices"), ("0 4 0 1 2 3", "0 -4 0 1 2 3", "element face"),
        ("0 4 0 1 2 3", "0 2 0 1", "face 0"), ("1 3 0 2 3", "1 3 0 2 nan", "vertex_indices"),
        ("1 9 0 0 0 255", "1 9 nan 0 0 255", "mesh"), ("1 9 0 0 0 255", "1 9 1_0 0 0 255", "rows after the header"),
        ("0.1 9 1 0 0 0 0 0 1", "0.1 9 1 0 0 0 0 0 inf", "texture coordinates, row 3"),
        ("property list uchar int shots", "property list uchar int view", "element camera"),
    ],
)  # fmt: skip
def test_errors_name_the_place(old, new, place):
    assert old in ASCII
    with pytest.raises(MeshFormatError) as caught:
        parse(ASCII.replace(old, new, 1).encode())
    assert caught.value.source == "a.ply" and caught.value.place.startswith(place)


def test_binary_lengths_cannot_reach_past_the_file():
    header = "ply\nformat binary_little_endian 1.0\nelement vertex {}\nproperty float x\nproperty float y\n"
    header += "property float z\nelement face {}\nproperty list {} int vertex_indices\nend_header\n"
    points = bytes(36)
    for rows, faces, count, body in [
        (4, 0, "uchar", points), (1 << 40, 0, "uchar", points), (3, 1 << 40, "uchar", points + b"\3" + bytes(12)),
        (3, 1, "uint", points + struct.pack("<I", 0xFFFFFFFF) + bytes(12)), (3, 1, "int", points + b"\xff" * 16),
        (3, 1, "uchar", points), (3, 2, "uchar", points + b"\3" + bytes(12) + b"\4" + bytes(12)),
    ]:  # fmt: skip
        with pytest.raises(MeshFormatError, match="element"):
            parse(header.format(rows, faces, count).encode() + body)


def mixed(order: str, rng: np.random.Generator) -> tuple[bytes, list[list[int]], list[int]]:
    """A file with two kinds of lists of different lengths around a number; its polygons and numbers."""
    name = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    header = f"ply\nformat {name} 1.0\nelement vertex 300\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 200\nproperty list short float extra\nproperty int part\n"
    header += "property list uint ushort vertex_indices\nend_header\n"
    polygons = [rng.integers(0, 300, size).tolist() for size in rng.integers(3, 7, 200)]
    parts = rng.integers(0, 3, 200).tolist()
    rows = [
        struct.pack(
            f"{order}h{len(row) % 3}fiI{len(row)}H", len(row) % 3, *[0.5] * (len(row) % 3), part, len(row), *row
        )
        for row, part in zip(polygons, parts, strict=True)
    ]
    vertices = rng.random((300, 3)).astype(order + "f4").tobytes()
    header = header.replace("element vertex", "comment part a\ncomment part b\ncomment part c\nelement vertex")
    return header.encode() + vertices + b"".join(rows), polygons, parts


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_rows_of_different_lengths(order):
    data, polygons, parts = mixed(order, np.random.default_rng(1))
    mesh = parse(data)
    assert mesh.polygons() == polygons
    np.testing.assert_array_equal(mesh.part_of_face, np.repeat(parts, [len(row) - 2 for row in polygons]))
    for end in range(len(data) - 1, len(data) - 40, -1):
        with pytest.raises(MeshFormatError, match="element face"):
            parse(data[:end])


def test_a_negative_length_among_rows_is_refused():
    data, polygons, _ = mixed("<", np.random.default_rng(1))
    first = len(data) - sum(10 + 4 * (len(row) % 3) + 2 * len(row) for row in polygons)
    second = first + 10 + 4 * (len(polygons[0]) % 3) + 2 * len(polygons[0])
    with pytest.raises(MeshFormatError, match="a negative one"):
        parse(data[:second] + b"\xff\xff" + data[second + 2 :])


FACES = "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACES += "element face {}\nproperty list {} uchar vertex_indices\nend_header\n"


def test_a_polygon_of_a_million_corners_is_refused():
    body = bytes(36) + struct.pack("<I", 2_000_000) + bytes(2_000_000)
    with pytest.raises(MeshFormatError, match=r"element face: expected at most \d+ triangles"):
        parse(FACES.format(1, "uint").encode() + body)


@pytest.mark.parametrize(
    ("rows", "body"),
    [(500_000, b"\3\0\0\0" * 500_000), (400_000, b"\3\0\0\0\4\0\0\0\0" * 200_000), (2_000_000, bytes(2_000_000)),
     (1_000_001, b"\3\0\0\0" + bytes(1_000_000))],
)  # fmt: skip
def test_dense_files_take_no_more_than_16_times_their_size(rows, body):
    data = FACES.format(rows, "uchar").encode() + bytes(36) + body
    with contextlib.suppress(MeshFormatError):
        parse(data)
    tracemalloc.start()
    with contextlib.suppress(MeshFormatError):
        parse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory_limit(len(data)), f"{peak / len(data):.1f} x"
