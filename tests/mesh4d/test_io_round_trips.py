"""Every format gives back what it was given: vertices and their order exactly, polygons, parts, seams, colours."""

import numpy as np
import pytest

from mesh4d import Landmarks, Mesh, MeshError, MeshFormatError, MeshSequence
from mesh4d.io import atomic_write, read_mesh, read_sequence, write_mesh, write_sequence
from mesh4d.io.ply import write_ply
from mesh4d.io.sources import MissingFileError, file_inside
from mesh4d.mesh import fan_triangles

EXACT_SUFFIXES = [".obj", ".obj.gz", ".ply", ".ply.gz", ".npz"]


def sample(texture: bool = True) -> Mesh:
    """A pentagon, two quads, a triangle; 9 vertices of which one is unused; a seam; three parts, interleaved."""
    rng = np.random.default_rng(7)
    sizes = np.array([5, 4, 4, 3])
    corners = np.array([0, 1, 2, 3, 4, 1, 5, 6, 2, 2, 6, 7, 3, 5, 7, 6])
    faces, polygon = fan_triangles(corners, sizes)
    uv_faces, _ = fan_triangles(np.array([0, 1, 2, 3, 4, 10, 5, 6, 2, 2, 6, 7, 3, 9, 8, 6]), sizes)
    return Mesh(
        vertices=rng.normal(size=(9, 3)) * np.array([1e-7, 1.0, 1e5]),
        faces=faces,
        polygon_of_face=polygon,
        uv=rng.random((11, 2)),
        uv_faces=uv_faces,
        texture=rng.integers(0, 256, (4, 6, 3)).astype(np.uint8) if texture else None,
        colors=rng.integers(0, 256, (9, 3)) / 255.0,
        part_of_face=np.array([0, 1, 0, 2])[polygon],
        part_names=("skin", "left eye", "teeth"),
    )


@pytest.mark.parametrize("suffix", EXACT_SUFFIXES)
def test_everything_comes_back(tmp_path, suffix):
    mesh = sample()
    write_mesh(mesh, tmp_path / f"head{suffix}")
    back = read_mesh(tmp_path / f"head{suffix}")
    assert back.vertices.dtype == np.float64 and back.faces.dtype == np.int64
    np.testing.assert_array_equal(back.vertices, mesh.vertices)
    np.testing.assert_array_equal(back.faces, mesh.faces)
    assert back.polygons() == mesh.polygons()
    assert back.part_names == mesh.part_names
    np.testing.assert_array_equal(back.part_of_face, mesh.part_of_face)
    np.testing.assert_array_equal(back.uv[back.uv_faces], mesh.uv[mesh.uv_faces])
    np.testing.assert_array_equal(back.colors, mesh.colors)
    np.testing.assert_array_equal(back.texture, mesh.texture)


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("bare", [False, True])
def test_ply_encodings(tmp_path, encoding, bare):
    mesh = sample(texture=False)
    if bare:
        mesh = Mesh(mesh.vertices, mesh.faces)
    write_ply(mesh, tmp_path / "a.ply", encoding)
    back = read_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(back.vertices, mesh.vertices)
    assert back.polygons() == mesh.polygons()
    if bare:
        assert (back.uv, back.colors, back.part_of_face, back.polygon_of_face) == (None,) * 4
    else:
        np.testing.assert_array_equal(back.uv[back.uv_faces], mesh.uv[mesh.uv_faces])
        np.testing.assert_array_equal(back.part_of_face, mesh.part_of_face)


def test_second_write_is_the_same_bytes(tmp_path):
    for suffix in EXACT_SUFFIXES:
        for name in ("a", "b"):
            write_mesh(sample(texture=False), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_fractional_colors_and_alpha(tmp_path):
    colors = np.random.default_rng(0).random((9, 4))
    mesh = Mesh(sample().vertices, sample().faces, colors=colors)
    write_mesh(mesh, tmp_path / "a.ply")
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.ply").colors, colors)
    write_mesh(mesh, tmp_path / "a.obj")
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.obj").colors, colors[:, :3])


def test_uv_per_vertex_goes_to_ply_vertices(tmp_path):
    mesh = sample()
    uv = np.random.default_rng(1).random((9, 2))
    write_mesh(Mesh(mesh.vertices, mesh.faces, uv=uv, uv_faces=mesh.faces), tmp_path / "a.ply")
    assert b"property double s\nproperty double t" in (tmp_path / "a.ply").read_bytes()
    back = read_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(back.uv[:8], uv[:8])  # vertex 8 has no face, so no coordinate


def test_polygon_with_more_corners_than_a_byte_counts(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    vertices = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    faces, polygon = fan_triangles(np.arange(300), np.array([300]))
    for suffix in (".ply", ".obj"):
        write_mesh(Mesh(vertices, faces, polygon), tmp_path / f"disc{suffix}")
        assert read_mesh(tmp_path / f"disc{suffix}").polygons() == [list(range(300))]


def test_polygon_ids_that_are_no_fans_stay_triangles(tmp_path):
    mesh = Mesh(np.eye(6, 3), np.array([[0, 1, 2], [3, 4, 5]]), polygon_of_face=np.array([0, 0]))
    write_mesh(mesh, tmp_path / "a.obj")
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.obj").faces, mesh.faces)


def test_hostile_part_names_cannot_break_an_obj(tmp_path):
    mesh = sample(texture=False)
    names = ("a\nv 1 2 3", "b \\", "#c")
    write_mesh(Mesh(mesh.vertices, mesh.faces, part_of_face=mesh.part_of_face, part_names=names), tmp_path / "a.obj")
    back = read_mesh(tmp_path / "a.obj")
    assert back.n_vertices == 9 and len(back.part_names) == 3
    np.testing.assert_array_equal(back.part_of_face, mesh.part_of_face)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_npz_sequence(tmp_path, dtype):
    mesh = sample()
    frames = np.random.default_rng(2).normal(size=(5, 9, 3)).astype(dtype)
    write_sequence(MeshSequence(mesh, frames, 29.97), tmp_path / "a.npz")
    back = read_sequence(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.frames, frames)
    assert back.frames.dtype == dtype and back.fps == 29.97
    assert back.topology.polygons() == mesh.polygons()


def test_npz_landmarks(tmp_path):
    points = np.random.default_rng(3).normal(size=(2, 3))
    landmarks = Landmarks(("nose tip", "chin"), points, np.array([1.0, 0.5]))
    write_mesh(Mesh(np.eye(3), np.array([[0, 1, 2]]), landmarks=landmarks), tmp_path / "a.npz")
    back = read_mesh(tmp_path / "a.npz").landmarks
    assert back.names == landmarks.names
    np.testing.assert_array_equal(back.points, points)
    np.testing.assert_array_equal(back.confidence, landmarks.confidence)


def test_mesh_and_sequence_archives_are_told_apart(tmp_path):
    write_mesh(sample(), tmp_path / "mesh.npz")
    write_sequence(MeshSequence(sample(), np.zeros((1, 9, 3)), 25.0), tmp_path / "frames.npz")
    with pytest.raises(MeshFormatError, match="read_mesh reads it"):
        read_sequence(tmp_path / "mesh.npz")
    with pytest.raises(MeshFormatError, match="read_sequence reads it"):
        read_mesh(tmp_path / "frames.npz")


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    (tmp_path / "a.xyz").write_text("1 2 3")
    with pytest.raises(MeshFormatError, match=r"\.glb.*\.obj\.gz.*\.ply.*found '\.xyz'"):
        read_mesh(tmp_path / "a.xyz")
    with pytest.raises(MeshFormatError, match=r"write_mesh.*\.obj"):
        write_mesh(sample(), tmp_path / "a.fbx")
    with pytest.raises(MeshFormatError, match=r"read_sequence knows \(\.glb, .*\.gltf, .*\.npz, "):
        read_sequence(tmp_path / "a.obj")


def test_suffix_case_does_not_matter(tmp_path):
    write_mesh(sample(texture=False), tmp_path / "HEAD.OBJ.GZ")
    assert read_mesh(str(tmp_path / "HEAD.OBJ.GZ")).n_vertices == 9


def test_missing_file_and_folder(tmp_path):
    for expected in (MissingFileError, FileNotFoundError, MeshError, ValueError):
        with pytest.raises(expected, match=r"head\.obj: no such file"):
            read_mesh(tmp_path / "head.obj")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(MeshFormatError, match="expected a file, found a folder"):
        read_mesh(tmp_path / "folder.ply")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_mesh(sample(), tmp_path / "missing" / "a.obj")


def test_atomic_write_leaves_the_old_file_after_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path, text=True) as file:
        file.write("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_referred_files_stay_inside_the_folder(tmp_path):
    folder = tmp_path / "mesh"
    (folder / "maps").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "maps" / "skin.png").write_bytes(b"y")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    assert file_inside(folder, "maps/skin.png") == (folder / "maps" / "skin.png").resolve()
    assert file_inside(folder, "maps\\skin.png") is not None
    bad = ("../secret.png", str(tmp_path / "secret.png"), "link.png", "", ".", "a\0b", "x" * 5000, "maps")
    assert [file_inside(folder, name) for name in bad] == [None] * len(bad)
    (folder / "secret.png").write_bytes(b"z")
    assert file_inside(folder, "C:\\Users\\me\\secret.png") == (folder / "secret.png").resolve()
