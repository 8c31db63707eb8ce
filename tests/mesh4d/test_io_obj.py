"""OBJ: all forms of faces, names, comments and line ends; errors name the line."""

import contextlib
import gzip
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mesh4d import MeshFormatError
from mesh4d.io import read_mesh
from mesh4d.io.allocation import memory_limit
from mesh4d.io.obj import parse_obj

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def parse(text: str):
    return parse_obj(text.encode(), Path("a.obj"))


@pytest.mark.parametrize(
    "face", ["f 1 2 3 4", "f 1/1 2/2 3/3 4/4", "f 1//1 2//1 3//1 4//1", "f 1/1/1 2/2/1 3/3/1 4/4/1", "f -4 -3 -2 -1",
             "f -4/-4/-1 -3/-3/-1 -2/-2/-1 -1/-1/-1", "f 1/1 2/2/1 3/3 -1/-1", "  f\t1  2\t3 4  "]
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_face_forms(face, newline):
    text = SQUARE + "vt 0 0\nvt 1 0 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n" + face
    mesh = parse(text.replace("\n", newline))
    assert mesh.polygons() == [[0, 1, 2, 3]]
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    if "1/1" in face or "-4/" in face:
        np.testing.assert_array_equal(mesh.uv[mesh.uv_faces], mesh.vertices[mesh.faces][:, :, :2])
    else:
        assert mesh.uv is None


def test_negative_numbers_count_from_their_own_line():
    mesh = parse("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 5 5 5\nf -4 -3 -2\nf -1 -2 -3\n")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [3, 2, 1]]


def test_triangles_alone_record_no_polygons_and_order_is_kept_with_unused_and_double_vertices():
    mesh = parse("v 9 9 9\n" + SQUARE + "v 0 0 0\nf 2 3 4\nf 2 4 6\n")
    assert mesh.polygon_of_face is None
    assert mesh.vertices[:, 0].tolist() == [9, 0, 1, 1, 0, 0]
    assert mesh.faces.tolist() == [[1, 2, 3], [1, 3, 5]]


def test_comments_continuations_and_unknown_statements():
    text = "# head\nmtllib none.mtl\n" + SQUARE.replace("v 1 0 0", "v 1 \\\n 0 0 # corner") + "s off\nl 1 2\n"
    mesh = parse(text + "g head#1 # left\nf 1 2 \\\n3 4\nvp 0.1\n\n   \n")
    assert mesh.polygons() == [[0, 1, 2, 3]]
    assert mesh.part_names == ("head#1",)


def test_parts_from_groups_before_materials_before_objects():
    faces = "f 1 2 3\n{}\nf 1 3 4\n{}\nf 1 2 4\n"
    mesh = parse(SQUARE + faces.format("g eye left\nusemtl glass", "g skin"))
    assert mesh.part_names == ("default", "eye left", "skin")
    assert mesh.part_of_face.tolist() == [0, 1, 2]
    mesh = parse(SQUARE + "o head\nusemtl a\n" + faces.format("usemtl b", "usemtl a"))
    assert (mesh.part_names, mesh.part_of_face.tolist()) == (("a", "b"), [0, 1, 0])
    mesh = parse(SQUARE + "o head\n" + faces.format("o unused\no jaw", ""))
    assert (mesh.part_names, mesh.part_of_face.tolist()) == (("head", "jaw"), [0, 1, 1])
    assert parse(SQUARE + faces.format("", "")).part_of_face is None


def test_colors_and_weights():
    assert parse("v 0 0 0 1\nv 1 0 0 1\n").colors is None
    np.testing.assert_array_equal(parse("v 0 0 0 .5 .25 1\n").colors, [[0.5, 0.25, 1.0]])
    np.testing.assert_array_equal(parse("v 0 0 0 51 0 255\n").colors, [[0.2, 0.0, 1.0]])
    mixed = parse("v 1 2 3 0 0 0\nv 4 5 6\n")
    assert mixed.colors is None and mixed.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_corners_without_uv_share_an_extra_row():
    mesh = parse(SQUARE + "vt .5 .5\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\nf 1 3 4\n")
    assert mesh.uv_faces.tolist() == [[0, 1, 2], [3, 3, 3]]
    assert mesh.uv.tolist() == [[0.5, 0.5], [1, 0], [1, 1], [0, 0]]
    assert parse(SQUARE + "vt .5\nf 1/1 2/1 3/1\n").uv.tolist() == [[0.5, 0.0]]


def test_numbers_are_read_as_float_reads_them():
    words = ["0.1", "1e-3", "-1.7976931348623157e308", "+.5", "5.", "123456789.123456789", "4.9e-324", "-0.0", "3"]
    mesh = parse("".join(f"v {' '.join(words[row : row + 3])}\n" for row in (0, 3, 6)))
    assert mesh.vertices.ravel().tolist() == [float(word) for word in words]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("v 0 0 x\n", 1, "'x'"), ("v 0 0 0\nv 1 1\n", 2, "v 1 1"), ("# a\n\nv 0 1_0 0\n", 3, "'1_0'"),
        ("v 0 nan 0\n", 1, "nan"), ("v 0 0 0\nv 0 0 1e999\n", 2, "1e999"), ("v 1-2 0 0\n", 1, "'1-2'"),
        (SQUARE + "f 1 2 5\n", 5, "f 1 2 5"), (SQUARE + "f 1 2 0\n", 5, "f 1 2 0"), (SQUARE + "f 1 2\n", 5, "f 1 2"),
        (SQUARE + "f -1 -2 -5\n", 5, "f -1 -2 -5"), (SQUARE + "f 1 2 3\nf 1 2 3,5\n", 6, "'3,5'"),
        (SQUARE + "f 1 \\\n 2 3\nf 1/ 2/ 9/\n", 7, "f 1/ 2/ 9/"), (SQUARE + "f 1/1 2/1 3/1\n", 5, "f 1/1 2/1 3/1"),
        (SQUARE + "vt 0 0\nf 1/1 2/0 3/1\n", 6, "f 1/1 2/0 3/1"), (SQUARE + "f 1 2 99999999999999999999\n", 5, "999"),
        (SQUARE + "vt a 0\nf 1/1 2/1 3/1\n", 5, "'a'"), (SQUARE + "f 1/1/1/1 2/1/1/1 3/1/1/1\n", 5, "1/1/1/1"),
    ],
)  # fmt: skip
def test_errors_name_the_line(text, line, found):
    with pytest.raises(MeshFormatError) as caught:
        parse(text)
    assert caught.value.source == "a.obj" and caught.value.place == f"line {line}"
    assert found in caught.value.found


def test_byte_order_mark():
    assert parse("\ufeff" + SQUARE).n_vertices == 4


def test_no_vertices():
    for text in ("", "\n", "hello\n", "f 1 2 3\n"):
        with pytest.raises(MeshFormatError, match="v lines"):
            parse(text)


def test_fast_and_slow_paths_agree():
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 1000, (500, 4, 2)).tolist()
    head = "".join(f"v {x} {y} {z}\n" for x, y, z in rng.normal(size=(1000, 3)).tolist())
    head += "".join(f"vt {u} {v}\n" for u, v in rng.random((1000, 2)).tolist())
    faces = "".join("f " + " ".join(f"{a}/{b}" for a, b in row) + "\n" for row in rows)
    fast, slow = parse(head + faces), parse(head + faces + "f -1 -2 -3\n")
    np.testing.assert_array_equal(fast.faces, slow.faces[:-1])
    np.testing.assert_array_equal(fast.uv_faces, slow.uv_faces[:-1])
    np.testing.assert_array_equal(fast.vertices, slow.vertices)


def test_texture_of_the_material_in_use(tmp_path):
    from PIL import Image

    Image.new("RGB", (3, 2), (10, 20, 30)).save(tmp_path / "skin map.png")
    body = SQUARE + "vt 0 0\nusemtl skin\nf 1/1 2/1 3/1\n"
    path = tmp_path / "a.obj"
    path.write_text("mtllib a.mtl\n" + body)
    for line in ("map_Kd skin map.png", "map_Kd C:\\me\\skin map.png"):
        (tmp_path / "a.mtl").write_text(f"newmtl other\nmap_Kd none.png\nnewmtl skin\n{line}\n")
        mesh = read_mesh(path)
        assert mesh.texture.shape == (2, 3, 3) and mesh.texture[0, 0].tolist() == [10, 20, 30]
    (tmp_path / "skin.png").write_bytes(b"not a picture")
    for line in ("map_Kd missing.png", "map_Kd -s 1 1 1 skin.png", "map_Kd ../../etc/passwd", ""):
        (tmp_path / "a.mtl").write_text(f"newmtl skin\n{line}\n")
        assert read_mesh(path).texture is None
    (tmp_path / "a.mtl").unlink()
    assert read_mesh(path).texture is None


def test_gzip_and_its_bombs(tmp_path):
    path = tmp_path / "a.obj.gz"
    path.write_bytes(gzip.compress((SQUARE + "f 1 2 3 4\n").encode()))
    assert read_mesh(path).polygons() == [[0, 1, 2, 3]]
    whole = path.read_bytes()
    for broken in (whole[:-12], b"no gzip", whole[:20] + b"\xff\xff\xff" + whole[23:]):
        path.write_bytes(broken)
        with pytest.raises(MeshFormatError, match="gzip stream"):
            read_mesh(path)
    path.write_bytes(gzip.compress(b"#" * (80 << 20)))
    with pytest.raises(MeshFormatError, match="at most"):
        read_mesh(path)


def test_a_scan_of_26000_quads_is_read_in_bulk():
    rng = np.random.default_rng(0)
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in (100 * rng.normal(size=(26000, 3))).tolist()]
    lines += ["f {}/{} {}/{} {}/{} {}/{}".format(*row) for row in rng.integers(1, 26000, (26000, 8)).tolist()]
    lines[26000:26000] = [f"vt {u:.6f} {v:.6f}" for u, v in rng.random((26000, 2)).tolist()]
    text = ("\n".join(lines)).encode()
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        mesh = parse_obj(text, Path("a.obj"))
        best = min(best, time.perf_counter() - start)
    assert mesh.n_vertices == 26000 and mesh.n_faces == 52000
    assert best < 0.25, f"{best * 1000:.0f} ms; about 20 ms on an idle core"


def test_a_polygon_of_a_million_corners_is_refused():
    with pytest.raises(MeshFormatError, match=r"faces: expected at most \d+ triangles"):
        parse(SQUARE + "f" + " 1" * 2_000_000)


TRIANGLES = "v 0 0 0\n" * 3 + "f 1 2 3\n"


@pytest.mark.parametrize(
    "text",
    [TRIANGLES * 60_000, "\n" * 8_000_000 + SQUARE, SQUARE + "g\n" * 2_000_000, SQUARE + "f 1 1 1\n" * 500_000,
     SQUARE + "f 1 1 1 1\n" * 500_000, SQUARE + "v\n" * 2_000_000, "v 1 1 1\n" * 800_000, SQUARE + "x " * 4_000_000],
    ids=["triangles", "empty", "groups", "faces", "quads", "bare", "vertices", "words"],
)  # fmt: skip
def test_dense_files_take_no_more_than_16_times_their_size(text):
    parse(TRIANGLES)
    data = text.encode()
    tracemalloc.start()
    with contextlib.suppress(MeshFormatError):
        parse_obj(data, Path("a.obj"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory_limit(len(data)), f"{peak / len(data):.1f} x"
