"""Bosphorus .bnt: byte for byte as the data set has it, background left out, grid or Delaunay, picture from the top."""

import struct
import time

import numpy as np
import pytest

from mesh4d import MeshError, MeshFormatError
from mesh4d.geometry.normals import face_normals
from mesh4d.io import read_mesh
from mesh4d.io.bnt import BACKGROUND, RangeImage, read_range_image, write_range_image
from mesh4d.io.landmark_files import read_lm3, write_lm3
from mesh4d.mesh import Landmarks

ROWS, COLUMNS = 7, 9
NAME = "bs000_CAU_A22A25_0.png"


def image() -> RangeImage:
    """A dome of 7 x 9 samples, row 0 at the bottom; two samples are background, a third has only its z so."""
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    xyz = np.stack([0.76 * column, 0.76 * row, 10.0 - 0.1 * ((column - 4) ** 2 + (row - 3) ** 2)], axis=1)
    uv = np.stack([column / COLUMNS, 1.0 - (row + 0.5) / ROWS], axis=1)
    xyz[[0, 31]] = BACKGROUND
    xyz[62, 2] = BACKGROUND
    return RangeImage(ROWS, COLUMNS, BACKGROUND, NAME, xyz, uv)


def test_the_bytes_are_those_of_the_data_set(tmp_path):
    path = tmp_path / "a.bnt"
    write_range_image(image(), path)
    data = path.read_bytes()
    count = 5 * ROWS * COLUMNS
    assert len(data) == 18 + len(NAME) + 8 * count and len(NAME) == 22
    assert data[:4] == struct.pack("<HH", 7, 9) and struct.unpack_from("<d", data, 4) == (-1e9,)
    assert data[12:14] == b"\x16\x00" and data[14:36] == NAME.encode()
    assert struct.unpack_from("<I", data, 36) == (count,)
    planes = np.frombuffer(data, "<f8", offset=40).reshape((-1, 5), order="F")  # as the official reader does
    np.testing.assert_array_equal(planes[:, :3], image().xyz)
    np.testing.assert_array_equal(planes[:, 3:], image().uv)


@pytest.mark.parametrize("suffix", [".bnt", ".bnt.gz"])
def test_samples_come_back(tmp_path, suffix):
    write_range_image(image(), tmp_path / f"a{suffix}")
    back = read_range_image(tmp_path / f"a{suffix}")
    for name in ("rows", "columns", "background", "picture"):
        assert getattr(back, name) == getattr(image(), name)
    np.testing.assert_array_equal(back.xyz, image().xyz)
    np.testing.assert_array_equal(back.uv, image().uv)
    assert back.is_grid and np.flatnonzero(~back.foreground).tolist() == [0, 31, 62]


def test_mesh_of_a_grid(tmp_path):
    write_range_image(image(), tmp_path / "a.bnt")
    mesh = read_mesh(tmp_path / "a.bnt")
    kept = image().foreground
    np.testing.assert_array_equal(mesh.vertices, image().xyz[kept])
    # 48 cells of two triangles; a missing corner costs one triangle in a corner cell, one in each of four cells inside.
    assert mesh.n_faces == 2 * 48 - 1 - 1 - 4
    assert (face_normals(mesh.vertices, mesh.faces)[:, 2] > 0.5).all()
    edges = np.linalg.norm(np.diff(mesh.vertices[mesh.faces][:, [0, 1, 2, 0], :2], axis=1), axis=2)
    assert edges.max() < 0.76 * 1.5
    np.testing.assert_allclose(mesh.uv[:, 1], 1.0 - image().uv[kept][:, 1])
    assert len(np.unique(np.sort(mesh.faces, axis=1), axis=0)) == mesh.n_faces


def test_fewer_samples_than_the_grid_are_triangulated_on_the_picture(tmp_path):
    whole = image()
    some = np.delete(np.arange(ROWS * COLUMNS), [5, 40])
    write_range_image(RangeImage(ROWS, COLUMNS, BACKGROUND, NAME, whole.xyz[some], whole.uv[some]), tmp_path / "a.bnt")
    assert not read_range_image(tmp_path / "a.bnt").is_grid
    mesh = read_mesh(tmp_path / "a.bnt")
    np.testing.assert_array_equal(mesh.vertices, whole.xyz[some][whole.foreground[some]])
    normals = face_normals(mesh.vertices, mesh.faces)
    assert (normals[:, 2] > 0.5).all() and mesh.n_faces > 80
    assert set(mesh.faces.ravel().tolist()) == set(range(mesh.n_vertices))


def test_delaunay_leaves_holes_open(tmp_path):
    row, column = np.divmod(np.arange(400), 20)
    near = (np.abs(row - 10) < 5) & (np.abs(column - 10) < 5)
    xyz = np.stack([column, row, 0 * row], axis=1).astype(float)[~near]
    uv = np.stack([column / 20, 1 - row / 20], axis=1)[~near]
    write_range_image(RangeImage(20, 20, BACKGROUND, "", xyz, uv), tmp_path / "a.bnt")
    mesh = read_mesh(tmp_path / "a.bnt")
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    assert not (np.abs(centers[:, :2] - 10) < 3).all(axis=1).any()


def test_points_on_a_circle_are_no_trap_for_delaunay(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    uv = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    write_range_image(RangeImage(1, 1, BACKGROUND, "", np.zeros((20_000, 3)), uv), tmp_path / "a.bnt")
    start = time.process_time()
    assert read_mesh(tmp_path / "a.bnt").n_vertices == 20_000
    assert time.process_time() - start < 3  # without moving the points apart it takes over 10 s


def test_picture_and_landmarks_fit_the_samples(tmp_path):
    from PIL import Image

    pixels = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(ROWS)[:, None], np.arange(COLUMNS)
    Image.fromarray(pixels).save(tmp_path / NAME)
    write_range_image(image(), tmp_path / "other.bnt")
    nose = image().xyz[4 * COLUMNS + 2]
    write_lm3(Landmarks(("Nose tip",), nose[None]), tmp_path / "other.lm3")
    mesh = read_mesh(tmp_path / "other.bnt")
    tip = read_lm3(tmp_path / "other.lm3")["Nose tip"]
    vertex = int(np.flatnonzero((mesh.vertices == tip).all(axis=1))[0])
    u, v = mesh.uv[vertex]  # from the lower left, as every mesh has it
    height, width = mesh.texture.shape[:2]
    assert mesh.texture[int((1 - v) * height), int(u * width), :2].tolist() == [ROWS - 1 - 4, 2]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "lost.png", ""])
def test_picture_of_the_same_name_stands_in_and_nothing_outside_is_opened(tmp_path, name):
    from PIL import Image

    (tmp_path / "inner").mkdir()
    Image.new("RGB", (3, 3)).save(tmp_path / "secret.png")
    whole = image()
    path = tmp_path / "inner" / "bs001_N_N_0.bnt"
    write_range_image(RangeImage(ROWS, COLUMNS, BACKGROUND, name, whole.xyz, whole.uv), path)
    assert read_mesh(path).texture is None
    Image.new("RGB", (4, 2)).save(path.with_suffix(".png"))
    assert read_mesh(path).texture.shape == (2, 4, 3)


X, V = 40, 40 + 8 * 4 * ROWS * COLUMNS  # where the planes x and v begin


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda data: b"", "header"), (lambda data: data[:20], "picture name"), (lambda data: data[:-8], "count"),
        (lambda data: data + b"\0", "count"), (lambda data: data[:36] + b"\xff" * 4 + data[40:], "count"),
        (lambda data: data[:12] + b"\xff\xff" + data[14:], "picture name"),
        (lambda data: data[:X] + struct.pack("<d", np.nan) * 63 + data[X + 504 :], "mesh"),
        (lambda data: data[:X] + struct.pack("<d", -1e9) * 63 + data[X + 504 :], "planes x, y, z"),
        (lambda data: b"\1" + data[1 : V - 504] + bytes(1008), "planes u, v"),
        (lambda data: b"\1" + data[1:V] + struct.pack("<d", np.inf) * 63, "planes u, v"),
        (lambda data: data[:V] + struct.pack("<d", np.inf) * 63, "texture coordinates, row 0"),
    ],
)  # fmt: skip
def test_errors_name_the_field(tmp_path, change, place):
    path = tmp_path / "a.bnt"
    write_range_image(image(), path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(MeshFormatError) as caught:
        read_mesh(path)
    assert place in caught.value.place


def test_the_background_is_what_the_file_says(tmp_path):
    whole = image()
    xyz = np.where(whole.xyz == BACKGROUND, -12345.5, whole.xyz)
    write_range_image(RangeImage(ROWS, COLUMNS, -12345.5, NAME, xyz, whole.uv), tmp_path / "a.bnt")
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.bnt").vertices, whole.xyz[whole.foreground])


def test_what_does_not_fit_its_field_is_refused(tmp_path):
    whole = image()
    with pytest.raises(MeshError, match="do not fit"):
        write_range_image(RangeImage(70000, 9, BACKGROUND, NAME, whole.xyz, whole.uv), tmp_path / "a.bnt")
    assert list(tmp_path.iterdir()) == []
