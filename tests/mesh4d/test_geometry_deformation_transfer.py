import numpy as np
import pytest
import trimesh

from mesh4d.geometry.deformation_transfer import DeformationTransfer, deformation_gradients
from mesh4d.geometry.rigid import rotation_from_axis_angle


@pytest.fixture
def ball():
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=10.0)
    return np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)


def bump(vertices, height=3.0):
    delta = np.zeros_like(vertices)
    near = np.exp(-((vertices - [0, 0, 10]) ** 2).sum(axis=1) / 20)
    near[near < 0.02] = 0
    delta[:, 2] = height * near
    return delta


def test_transfer_to_itself_is_the_identity(ball):
    vertices, faces = ball
    delta = bump(vertices)
    transfer = DeformationTransfer(vertices, faces, (delta == 0).all(axis=1)[None])
    carried = transfer.carry(deformation_gradients(vertices, delta[None], faces), vertices)[0]
    np.testing.assert_allclose(carried, delta, atol=1e-6)


def test_gradients_of_a_rotation_are_the_rotation(ball):
    vertices, faces = ball
    turn = rotation_from_axis_angle(np.array([0.3, -0.5, 0.2]))
    gradients = deformation_gradients(vertices, (vertices @ turn.T - vertices)[None], faces)[0]
    np.testing.assert_allclose(gradients, np.broadcast_to(turn, gradients.shape), atol=1e-9)


def test_a_target_twice_the_size_moves_twice_as_far(ball):
    vertices, faces = ball
    delta = bump(vertices)
    transfer = DeformationTransfer(vertices, faces, (delta == 0).all(axis=1)[None])
    carried = transfer.carry(deformation_gradients(vertices, delta[None], faces), 2 * vertices + 5)[0]
    np.testing.assert_allclose(carried, 2 * delta, atol=1e-6)


def test_fixed_vertices_stay_and_shapes_do_not_mix(ball):
    vertices, faces = ball
    deltas = np.stack([bump(vertices), bump(vertices, -2.0), np.zeros_like(vertices)])
    fixed = (deltas == 0).all(axis=2)
    target = vertices * [1.0, 1.3, 0.9]
    transfer = DeformationTransfer(vertices, faces, fixed)
    carried = transfer.carry(deformation_gradients(vertices, deltas, faces), target)
    assert np.abs(carried[fixed]).max() == 0 and np.abs(carried[2]).max() == 0
    alone = DeformationTransfer(vertices, faces, fixed[:1])
    np.testing.assert_allclose(
        alone.carry(deformation_gradients(vertices, deltas[:1], faces), target)[0], carried[0], atol=1e-9
    )


def test_collapsed_triangles_of_the_target_do_no_harm(ball):
    vertices, faces = ball
    delta = bump(vertices)
    target = vertices.copy()
    first = faces[np.argmax(vertices[faces].mean(axis=1)[:, 2])]
    target[first[1]] = target[first[0]] + 1e-7  # an edge of no length where the motion is strongest
    transfer = DeformationTransfer(vertices, faces, (delta == 0).all(axis=1)[None])
    carried = transfer.carry(deformation_gradients(vertices, delta[None], faces), target)[0]
    assert np.isfinite(carried).all() and np.abs(carried).max() < 1.6 * np.abs(delta).max()
