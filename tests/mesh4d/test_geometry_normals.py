import numpy as np
import pytest

from mesh4d.geometry.normals import face_areas, face_normals, unit, vertex_areas, vertex_normals


def octahedron() -> tuple[np.ndarray, np.ndarray]:
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    return vertices, faces


def test_octahedron_normals_areas_and_directions():
    vertices, faces = octahedron()
    signs = np.sign(vertices[faces].sum(axis=1))
    np.testing.assert_allclose(face_normals(vertices, faces), signs / np.sqrt(3), atol=1e-15)
    np.testing.assert_allclose(face_areas(vertices, faces), np.sqrt(3) / 2)
    np.testing.assert_allclose(vertex_normals(vertices, faces), vertices, atol=1e-15)
    np.testing.assert_allclose(vertex_areas(vertices, faces), 4 * np.sqrt(3) / 6)


def test_vertex_normals_are_weighted_by_area():
    # Vertex 0 carries a triangle of area 2 facing +z and one of area 1/2 facing +x.
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 1, 0], [0, 0, 1]], float)
    faces = np.array([[0, 1, 2], [0, 3, 4]])
    np.testing.assert_allclose(vertex_normals(vertices, faces)[0], np.array([0.5, 0, 2]) / np.hypot(0.5, 2))


def test_degenerate_triangles_and_unused_vertices_get_zero():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], float)
    faces = np.array([[0, 1, 2]])
    assert not face_normals(vertices, faces).any()
    assert not vertex_normals(vertices, faces).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_frames_are_as_single_meshes(dtype: type):
    vertices, faces = octahedron()
    frames = np.random.default_rng(0).normal(size=(3, *vertices.shape)).astype(dtype)
    for name in (face_normals, vertex_normals, face_areas):
        one_by_one = np.stack([name(frame, faces) for frame in frames])
        np.testing.assert_allclose(name(frames, faces), one_by_one, atol=1e-6)


def test_vertex_normals_turn_with_the_mesh_and_ignore_scale():
    vertices, faces = octahedron()
    vertices = vertices + 0.1 * np.random.default_rng(1).normal(size=vertices.shape)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)
    moved = 7.0 * vertices @ turn.T + 3.0
    np.testing.assert_allclose(vertex_normals(moved, faces), vertex_normals(vertices, faces) @ turn.T, atol=1e-12)


def test_unit_keeps_zero():
    np.testing.assert_array_equal(unit(np.array([[0.0, 0, 0], [0, 3, 4]])), [[0, 0, 0], [0, 0.6, 0.8]])
