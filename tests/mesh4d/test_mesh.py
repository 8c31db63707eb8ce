import numpy as np
import pytest

from mesh4d import Landmarks, Mesh, MeshError, MeshSequence, TopologyError
from mesh4d.mesh import fan_triangles

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


def test_fans_and_polygons_are_inverse():
    corners, sizes = np.array([0, 1, 2, 3, 3, 2, 1, 0, 1, 2, 3, 0]), np.array([4, 3, 5])
    faces, polygon = fan_triangles(corners, sizes)
    np.testing.assert_array_equal(polygon, [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(faces[:3], [[0, 1, 2], [0, 2, 3], [3, 2, 1]])
    mesh = Mesh(SQUARE, faces, polygon_of_face=polygon)
    assert mesh.polygons() == [[0, 1, 2, 3], [3, 2, 1], [0, 1, 2, 3, 0]]


@pytest.mark.parametrize("bad", [-1, 4])
def test_indices_out_of_range_are_named(bad):
    with pytest.raises(MeshError, match=r"faces\[0, 2\]"):
        Mesh(SQUARE, np.array([[0, 1, bad]]))


def test_values_that_are_not_numbers_are_named():
    vertices = SQUARE.copy()
    vertices[2, 1] = np.nan
    with pytest.raises(MeshError, match="vertex 2"):
        Mesh(vertices, np.array([[0, 1, 2]]))


def test_parts():
    mesh = Mesh(SQUARE, np.array([[0, 1, 2], [0, 2, 3]]), part_of_face=np.array([0, 1]), part_names=("skin", "eye"))
    np.testing.assert_array_equal(mesh.part_vertices("eye"), [0, 2, 3])
    with pytest.raises(MeshError, match="hair"):
        mesh.part_vertices("hair")
    with pytest.raises(MeshError, match="names no parts"):
        Mesh(SQUARE, mesh.faces).part_vertices("eye")


def test_moving_vertices_drops_what_no_longer_holds():
    landmarks = Landmarks(("tip",), np.zeros((1, 3)))
    mesh = Mesh(SQUARE, np.array([[0, 1, 2]]), landmarks=landmarks)
    np.testing.assert_array_equal(mesh.landmarks["tip"], [0, 0, 0])
    assert mesh.with_vertices(SQUARE + 1).landmarks is None


def test_trimesh_keeps_the_order():
    vertices = np.concatenate([SQUARE, SQUARE])  # duplicates that merging would drop
    mesh = Mesh(vertices, np.array([[0, 1, 2], [4, 6, 7]]))
    np.testing.assert_array_equal(mesh.to_trimesh().vertices, vertices)


def test_sequences_have_one_topology_and_a_clock():
    mesh = Mesh(SQUARE, np.array([[0, 1, 2]]))
    sequence = MeshSequence(mesh, np.stack([SQUARE, SQUARE + 1, SQUARE + 2]), 25.0)
    assert len(sequence) == 3 and sequence.duration_s == pytest.approx(0.12)
    np.testing.assert_array_equal([frame.vertices[0, 0] for frame in sequence], [0, 1, 2])
    with pytest.raises(TopologyError):
        MeshSequence(mesh, np.zeros((2, 5, 3)), 25.0)
    with pytest.raises(MeshError, match="fps"):
        MeshSequence(mesh, np.zeros((2, 4, 3)), 0.0)
