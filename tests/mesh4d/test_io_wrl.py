"""VRML97: the dialects of BU-3DFE and BU-4DFE, seams, polygons of any size, transforms, textures; errors name lines."""

import gzip
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mesh4d import Mesh, MeshFormatError
from mesh4d.io import numbers as numbers_module
from mesh4d.io import read_mesh, write_mesh, wrl_scene
from mesh4d.io.numbers import NumberError, floats, integers
from mesh4d.io.wrl import parse_wrl
from mesh4d.io.wrl_write import write_wrl
from mesh4d.mesh import fan_triangles

BU_3DFE = """#VRML V2.0 utf8

#Tricorder Technology plc - 2000

DEF Tricorder_object Transform {
 children [
  Shape {
   appearance Appearance {
    texture ImageTexture {
     url "F0001_AN01WH_F3D.bmp"
     repeatS FALSE
     repeatT FALSE
    }
   }
   geometry IndexedFaceSet {
    ccw TRUE
    solid FALSE
    convex TRUE
    creaseAngle 1.57
    coord Coordinate {
     point [
      -66.125 -119.5 -100.25, # the chin's left
      81 -119 -5, 81.0 67.5 0, -66 67 -.5, 0 80 -1e1,
      5 5 5, 6 6 6,
     ]
    }
    coordIndex [
     0 1 2 -1,
     0 2 4 3 -1,
     1 6 5 4 2 -1,
     0 1 6 5 4 3 -1
    ]
    texCoord TextureCoordinate {
     point [
      0.5 0.25, 1 0, 1 1, 0 1, 0.125 0.75, 0.5 0.5, 0.6 0.6, 0.9 0.1
     ]
    }
    texCoordIndex [
     0 1 2 -1,
     7 2 4 3 -1,
     1 6 5 4 2 -1,
     0 1 6 5 4 3 -1
    ]
   }
  }
 ]
}
DEF Tricorder_Camera_Front Viewpoint {
 position 0 0 600
 description "{ front } # [view"
}
"""
BU_4DFE = """#VRML V2.0 utf8
Group { children [ Shape {
 geometry IndexedFaceSet {
  coord Coordinate { point [
0.0 0.0 0.0,
1.0 0.0 0.0
1.0 1.0 0.0,
0.0 1.0 0.0 ] }
  coordIndex [ 0, 1, 2, -1, 0, 2, 3, -1 ]
  texCoord TextureCoordinate { point [ 0 0, 1 0, 1 1, 0 1 ] }
  texCoordIndex [ 0, 1, 2, -1, 0, 2, 3, -1 ]
 }
 appearance Appearance { texture ImageTexture { url [ "000.jpg" ] } }
} ] }
"""


def parse(text: str) -> Mesh:
    return parse_wrl(text.encode(), Path("a.wrl"))


def picture(path: Path, color: tuple[int, int, int] = (10, 20, 30)) -> None:
    from PIL import Image

    Image.new("RGB", (4, 2), color).save(path)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("commas", [False, True])
def test_bu_3dfe_dialect(newline, commas):
    text = BU_3DFE
    if commas:
        for row in ("0 1 2 -1", "0 2 4 3 -1", "7 2 4 3 -1", "1 6 5 4 2 -1", "0 1 6 5 4 3 -1"):
            text = text.replace(row, ", ".join(row.split()))
    mesh = parse(text.replace("\n", newline))
    assert mesh.vertices.tolist() == [
        [-66.125, -119.5, -100.25], [81, -119, -5], [81, 67.5, 0], [-66, 67, -0.5], [0, 80, -10], [5, 5, 5], [6, 6, 6],
    ]  # fmt: skip
    assert mesh.polygons() == [[0, 1, 2], [0, 2, 4, 3], [1, 6, 5, 4, 2], [0, 1, 6, 5, 4, 3]]
    assert len(mesh.uv) == 8  # one more than vertices: a seam
    assert mesh.uv_faces[0].tolist() == [0, 1, 2] and mesh.uv_faces[1].tolist() == [7, 2, 4]
    assert mesh.uv[0].tolist() == [0.5, 0.25]
    assert mesh.part_of_face is None and mesh.colors is None


def test_bu_4dfe_dialect_with_the_picture_beside(tmp_path):
    (tmp_path / "000.wrl").write_text(BU_4DFE)
    picture(tmp_path / "000.jpg")
    mesh = read_mesh(tmp_path / "000.wrl")
    assert mesh.polygons() == [[0, 1, 2], [0, 2, 3]] and mesh.polygon_of_face is None
    assert mesh.texture.shape == (2, 4, 3)
    np.testing.assert_array_equal(mesh.uv[mesh.uv_faces], mesh.vertices[mesh.faces][:, :, :2])


@pytest.mark.parametrize(
    ("file", "url", "beside"),
    [
        ("a.wrl", "a_picture.png", "a_picture.png"), ("a.wrl", "C:\\scans\\F1\\a b.bmp", "a b.bmp"),
        ("000.wrl", "lost.jpg", "000.jpg"), ("000.wrl", "", "000.png"),
        ("F0001_AN01WH_RAW.wrl", "F0001_AN01WH_RAW.bmp", "F0001_AN01WH_F3D.bmp"),
    ],
)  # fmt: skip
def test_which_picture_is_the_texture(tmp_path, file, url, beside):
    picture(tmp_path / beside)
    (tmp_path / file).write_text(BU_4DFE.replace("000.jpg", url.replace("\\", "\\\\")))
    assert read_mesh(tmp_path / file).texture is not None


def test_textures_never_come_from_outside(tmp_path):
    (tmp_path / "inner").mkdir()
    picture(tmp_path / "secret.png")
    for url in ("../secret.png", str(tmp_path / "secret.png"), "..\\\\secret.png", "file:///etc/passwd"):
        (tmp_path / "inner" / "a.wrl").write_text(BU_4DFE.replace("000.jpg", url))
        assert read_mesh(tmp_path / "inner" / "a.wrl").texture is None


def sample() -> Mesh:
    rng = np.random.default_rng(0)
    sizes = np.array([3, 4, 5, 6, 3])
    corners = np.concatenate([rng.permutation(9)[:size] for size in sizes])
    faces, polygon = fan_triangles(corners, sizes)
    uv_faces, _ = fan_triangles(rng.integers(0, 12, sizes.sum()), sizes)
    vertices = rng.normal(size=(10, 3)) * [1e-7, 1.0, 1e5]
    return Mesh(vertices, faces, polygon, uv=rng.random((12, 2)), uv_faces=uv_faces, colors=rng.random((10, 3)))


@pytest.mark.parametrize("dialect", ["plain", "tricorder"])
@pytest.mark.parametrize("suffix", [".wrl", ".wrl.gz"])
def test_everything_comes_back(tmp_path, dialect, suffix):
    mesh = sample()
    write_wrl(mesh, tmp_path / f"a{suffix}", dialect=dialect, texture_name="a picture.png")
    picture(tmp_path / "a picture.png")
    back = read_mesh(tmp_path / f"a{suffix}")
    for name in ("vertices", "faces", "polygon_of_face", "uv", "uv_faces", "colors"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name), err_msg=name)
    assert back.polygons() == mesh.polygons() and back.texture is not None


def test_the_tricorder_header_and_cameras(tmp_path):
    write_wrl(sample(), tmp_path / "a.wrl", dialect="tricorder", decimals=6, texture_name="F0001_AN01WH_F3D.bmp")
    text = (tmp_path / "a.wrl").read_text()
    assert text.startswith("#VRML V2.0 utf8\n") and "#Tricorder Technology plc - 2000\n" in text
    assert "DEF Tricorder_object Transform {" in text and 'url "F0001_AN01WH_F3D.bmp"' in text
    assert text.count("DEF Tricorder_Camera_") == 6
    np.testing.assert_allclose(read_mesh(tmp_path / "a.wrl").vertices, sample().vertices, atol=5.1e-7)


def test_parts_share_their_vertices_and_keep_their_order(tmp_path):
    mesh = sample()
    parts = np.array([0, 1, 0, 2, 1])[mesh.polygon_of_face]
    texture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    mesh = Mesh(
        mesh.vertices, mesh.faces, mesh.polygon_of_face, uv=mesh.uv, uv_faces=mesh.uv_faces, texture=texture,
        part_of_face=parts, part_names=("skin", "left eye", "2nd"),
    )  # fmt: skip
    write_mesh(mesh, tmp_path / "a.wrl")
    back = read_mesh(tmp_path / "a.wrl")
    np.testing.assert_array_equal(back.vertices, mesh.vertices)
    np.testing.assert_array_equal(back.texture, texture)
    assert back.part_names == ("skin", "left_eye", "part_2nd")
    order = np.argsort(parts, kind="stable")
    np.testing.assert_array_equal(back.faces, mesh.faces[order])
    np.testing.assert_array_equal(back.part_of_face, parts[order])
    np.testing.assert_array_equal(back.uv[back.uv_faces], mesh.uv[mesh.uv_faces[order]])


TRIANGLE = "Shape { geometry IndexedFaceSet { coord Coordinate { point [ 1 0 0 0 2 0 0 0 3 ] } coordIndex [ 0 1 2 ] } }"


def test_transforms_nest_and_identical_ones_keep_numbers_exact():
    inner = f"Transform {{ scale 2 2 2 children {TRIANGLE} }}"
    turn = f"Transform {{ translation 10 0 0 rotation 0 0 2 1.5707963267948966 children [ {inner} ] }}"
    mesh = parse("#VRML V2.0 utf8\n" + turn)
    np.testing.assert_allclose(mesh.vertices, [[10, 2, 0], [6, 0, 0], [10, 0, 6]], atol=1e-12)
    center = f"Transform {{ center 1 0 0 scale 3 1 1 scaleOrientation 0 0 1 0 children [ {TRIANGLE} ] }}"
    np.testing.assert_allclose(parse("#VRML V2.0 utf8\n" + center).vertices[:, 0], [1, -2, -2])
    exact = parse("#VRML V2.0 utf8\nTransform { translation 0 0 0 children [ " + TRIANGLE.replace("3", ".1") + "]}")
    assert exact.vertices[2, 2] == 0.1


def test_clockwise_and_mirrored_polygons_are_turned_over():
    assert parse("#VRML V2.0 utf8\n" + TRIANGLE.replace("{ coord", "{ ccw FALSE coord")).faces.tolist() == [[0, 2, 1]]
    mirrored = parse(f"#VRML V2.0 utf8\nTransform {{ scale -1 1 1 children [ {TRIANGLE} ] }}")
    assert mirrored.faces.tolist() == [[0, 2, 1]]
    flipped = parse(BU_3DFE.replace("ccw TRUE", "ccw FALSE"))
    assert flipped.polygons()[2] == [1, 2, 4, 5, 6] and flipped.uv_faces[1].tolist() == [7, 3, 4]


def test_several_shapes_uses_levels_and_switches():
    text = f"""#VRML V2.0 utf8
    PROTO Unused [ field SFFloat size 1 ] {{ {TRIANGLE} }}
    LOD {{ range [ 10 ] level [ DEF near Group {{ children [ DEF nose {TRIANGLE} ] }} {TRIANGLE} ] }}
    Switch {{ whichChoice 1 choice [ {TRIANGLE} DEF chin {TRIANGLE} ] }}
    Switch {{ choice [ {TRIANGLE} ] }}
    Transform {{ translation 0 0 5 children [ USE nose ] }}
    Shape {{ geometry Box {{ size 1 1 1 }} }}"""
    mesh = parse(text)
    assert mesh.part_names == ("nose", "chin")
    assert mesh.part_of_face.tolist() == [0, 1, 0]
    assert mesh.vertices[:, 2].tolist() == [0, 0, 3, 0, 0, 3, 5, 5, 8]
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_shapes_with_and_without_texture_coordinates():
    mesh = parse(BU_4DFE + TRIANGLE)
    assert mesh.uv[mesh.uv_faces[2]].tolist() == [[0, 0]] * 3 and len(mesh.uv) == 5
    assert mesh.part_names == ("shape 1", "shape 2")
    without_index = parse(BU_4DFE.replace("texCoordIndex [ 0, 1, 2, -1, 0, 2, 3, -1 ]", "texCoordIndex [ ]"))
    np.testing.assert_array_equal(without_index.uv_faces, without_index.faces)


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        ("#VRML V2.0 utf8", "#VRML V1.0 ascii", "line 1", "V1.0"), ("81 -119 -5", "81 -119 x", "line 23", "'x'"),
        ("81 -119 -5", "81 nan -5", "line 23", "nan"), ("81 -119 -5", "81 1e999 -5", "line 23", "1e999"),
        ("81 -119 -5", "81 -119-5", "line 23", "'-119-5'"), ("81 -119 -5", "81 1_0 -5", "line 23", "1_0"),
        ("6 6 6,", "6 6,", "line 21, point", "20 numbers"), ("0 2 4 3 -1", "0 2 -1", "polygon 1", "2"),
        ("0 2 4 3 -1", "0 2 7 3 -1", "line 27, coordIndex, polygon 1", "7"), ("0 2 4 3", "0 2 -4 3", "polygon 1", "-4"),
        ("7 2 4 3", "8 2 4 3", "texCoordIndex, polygon 1", "8"), ("7 2 4 3", "7 2 4", "texCoordIndex", "others"),
        ("0 2 4 3", "0 2 4.5 3", "line 29", "4.5"), ("DEF Tricorder_Camera", "]\nDEF Tricorder_Camera", "line 48", "]"),
        ("DEF Tricorder_object Transform {", "", "line 47", "}"), ("[view", "[view\"", "line 50", "none"),
        ("IndexedFaceSet", "IndexedLineSet", "file", "none"), ("coord Coordinate", "cord Coordinate", "polygon 0", "0"),
        ("0 2 4 3 -1", "0 2 999999999999999999999 3 -1", "line 29", "9999"),
    ],
)  # fmt: skip
def test_errors_name_the_place(old, new, place, found):
    assert old in BU_3DFE
    with pytest.raises(MeshFormatError) as caught:
        parse(BU_3DFE.replace(old, new, 1))
    assert caught.value.source == "a.wrl" and place in caught.value.place
    assert found in caught.value.found or caught.value.found == "the end of the file"


def test_every_cut_is_refused_or_whole():
    body = BU_3DFE.rstrip()
    complete = body.index("DEF Tricorder_Camera")
    for cut in range(len(body) - 1):
        text = body[:cut]
        if cut < complete - 1:
            with pytest.raises(MeshFormatError):
                parse(text)


HEADER = b"#VRML V2.0 utf8\n"
HOSTILE = {
    "deep": HEADER + b"Group { children [ " * 50_000,
    "quotes": HEADER + b'"' * 20_000,
    "comments": HEADER + b"#\n" * 100_000,
    "words": HEADER + b"a " * 500_000,
    "nodes": HEADER + b"a{}" * 330_000,
    "lists": HEADER + b"a[]" * 330_000,
    "open lists": HEADER + b"a[{} " * 200_000,
    "backslashes": HEADER + b'"' + b"\\" * 999_999,
    "one word": HEADER + b"x" * 1_000_000,
    "digits": HEADER + TRIANGLE.replace("3 ]", "3" + 900_000 * "1" + " ]").encode(),
    "laughs": HEADER
    + b"DEF a0 Group { children [ " + TRIANGLE.encode() + b" ] }"
    + b"".join(b"DEF a%d Group { children [ USE a%d USE a%d ] }" % (n, n - 1, n - 1) for n in range(1, 40)),
    "mirrors": HEADER + b"DEF s " + TRIANGLE.replace("[ 1", "[ " + "0 0 0 " * 60_000 + "1").encode()
    + b"".join(b"Transform{translation %d 0 0 children USE s}" % n for n in range(1, 400)),
    "cycle": HEADER + b"DEF a Group { children [ USE a ] }",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scenes_end_soon_and_stay_small(name, monkeypatch):
    monkeypatch.setattr(wrl_scene, "MAX_TOKENS", 20_000)  # as every call is checked here, five times the limit is slow
    data = HOSTILE[name]
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(MeshFormatError):
            parse_wrl(data, Path("a.wrl"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(data) + (64 << 20), f"{peak >> 20} MB"
    assert time.process_time() - start < 10  # traced, and every call checked; under 0.1 s without


def test_memory_of_the_densest_honest_file():
    count = 300_000
    data = HEADER + TRIANGLE.replace("0 1 2", "0 1 2 -1 " * count).encode()
    tracemalloc.start()
    try:
        assert parse_wrl(data, Path("a.wrl")).n_faces == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(data)


def test_a_polygon_of_a_million_corners_is_refused():
    with pytest.raises(MeshFormatError, match=r"coordIndex: expected at most \d+ triangles"):
        parse_wrl(HEADER + TRIANGLE.replace("0 1 2", "0 " * 1_000_000).encode(), Path("a.wrl"))


def test_a_scan_of_26000_quads_is_read_in_bulk(tmp_path):
    side = 163
    rng = np.random.default_rng(0)
    cell = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces, polygon = fan_triangles(
        np.stack([cell, cell + 1, cell + side + 1, cell + side], 1).ravel(), np.full(len(cell), 4)
    )
    mesh = Mesh(
        (100 * rng.normal(size=(side * side, 3))).round(6), faces, polygon, uv=rng.random((side * side, 2)).round(6),
        uv_faces=faces,
    )  # fmt: skip
    write_wrl(mesh, tmp_path / "a.wrl", decimals=6)
    data = (tmp_path / "a.wrl").read_bytes()
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        back = parse_wrl(data, Path("a.wrl"))
        best = min(best, time.perf_counter() - start)
    for name in ("vertices", "faces", "polygon_of_face", "uv", "uv_faces"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))
    assert best < 0.1, f"{best * 1000:.0f} ms; about 9 ms on an idle core"


WORDS = ["0", "-0", "0.1", "+.5", "5.", "1e22", "1E-22", "9007199254740992", "123456789.123456", "-1.5e+3", "1e-3"]
LONG_WORDS = ["9007199254740993", "0.1234567890123456789", "1e23", "4.9e-324", "1.7976931348623157e308", "1e-400"]


@pytest.mark.parametrize("words", [WORDS, WORDS + LONG_WORDS])
@pytest.mark.parametrize("repeats", [1, 3000])
@pytest.mark.parametrize("separator", [" ", ", ", "\n\t"])
def test_numbers_are_those_of_float(words, repeats, separator):
    text = separator.join(words * repeats).encode()
    read = floats(text, commas="," in separator)
    expected = np.array([float(word) for word in words] * repeats)
    np.testing.assert_array_equal(read, expected)
    np.testing.assert_array_equal(np.signbit(read), np.signbit(expected))


def test_random_decimals_are_those_of_float():
    rng = np.random.default_rng(3)
    words = [f"{m}.{f:0{z}d}e{e}" for m, f, z, e in zip(
        rng.integers(-(10**6), 10**6, 20_000), rng.integers(0, 10**6, 20_000), rng.integers(6, 9, 20_000),
        rng.integers(-7, 20, 20_000), strict=True)]  # fmt: skip
    letters = np.frombuffer(" ".join(words).encode(), np.uint8)
    values = np.empty(len(words))
    assert numbers_module._exact_floats(letters, values, numbers_module.POWERS_OF_TEN, False) == -1
    assert values.tolist() == list(map(float, words))


@pytest.mark.parametrize(
    "bad", ["x", "1-2", "--1", "1e", "e5", ".", "1.2.3", "1_0", "nan", "inf", "1,5", "0x1", "1e999"]
)
@pytest.mark.parametrize("repeats", [3, 12_000])
def test_words_that_are_no_numbers(bad, repeats):
    head = b"1 " * repeats
    with pytest.raises(NumberError) as caught:
        floats(head + bad.encode() + b" 2")
    assert (caught.value.position, caught.value.word) == (len(head), bad.encode())
    if bad != "1e999":
        with pytest.raises(NumberError):
            integers(head + bad.encode() + b" 2")


def test_integers_have_up_to_18_digits():
    for repeats in (1, 9000):
        assert integers(b"+5 -7 999999999999999999 " * repeats).tolist() == [5, -7, 999999999999999999] * repeats
        with pytest.raises(NumberError):
            integers(b"1 " * repeats + b"9" * 19)


def test_bytes_and_open_files(tmp_path):
    assert read_mesh(BU_3DFE.encode(), ".wrl").n_vertices == 7
    assert read_mesh(gzip.compress(BU_3DFE.encode()), ".wrl.gz").n_vertices == 7
    (tmp_path / "a.wrl").write_text(BU_3DFE)
    with (tmp_path / "a.wrl").open("rb") as file:
        assert read_mesh(file).n_vertices == 7
    with pytest.raises(MeshFormatError, match="bytes: suffix: expected the argument suffix"):
        read_mesh(b"v 0 0 0")
    with pytest.raises(MeshFormatError, match=r"^bytes: line 1: expected #VRML"):
        read_mesh(b"v 0 0 0", ".wrl")
