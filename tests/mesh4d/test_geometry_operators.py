"""Laplacian and geodesics: closed form on sphere and plane, and degenerate triangles that do no harm."""

import numpy as np
import pytest
import trimesh

from mesh4d.errors import MeshError
from mesh4d.geometry.operators import GeodesicDistance, cotangent_laplacian

BALL = trimesh.creation.icosphere(4, 50.0)
VERTICES, FACES = np.asarray(BALL.vertices, float), np.asarray(BALL.faces, int)
TRUE = 50.0 * np.arccos(np.clip(VERTICES @ VERTICES[0] / 2500.0, -1, 1))


def test_the_laplacian_of_a_sphere():
    laplacian = cotangent_laplacian(VERTICES, FACES)
    assert abs(laplacian.stiffness.sum(axis=1)).max() < 1e-9
    assert laplacian.mass.sum() == pytest.approx(4 * np.pi * 2500, rel=0.01)
    # Coordinates are eigenfunctions of a sphere's Laplacian with eigenvalue 2 / r^2: the energy tells it.
    energy = np.einsum("vc,vc->", VERTICES, laplacian.stiffness @ VERTICES)
    assert energy / np.einsum("v,vc,vc->", laplacian.mass, VERTICES, VERTICES) == pytest.approx(2 / 2500, rel=0.01)


def test_geodesics_on_a_sphere():
    distance = GeodesicDistance(VERTICES, FACES).from_vertices(np.array([0]))
    assert np.abs(distance - TRUE).max() < 2.0 and distance[0] == 0.0


def test_degenerate_triangles_change_little():
    extra = np.concatenate([VERTICES, VERTICES[:1], (VERTICES[FACES[0, :1]] + VERTICES[FACES[0, 1:2]]) / 2])
    bad = [[0, len(VERTICES), FACES[0, 0]], [FACES[0, 0], FACES[0, 1], len(VERTICES) + 1], [3, 3, 4]]
    faces = np.concatenate([FACES, bad])
    laplacian = cotangent_laplacian(extra, faces)
    assert np.isfinite(laplacian.stiffness.data).all() and abs(laplacian.stiffness.sum(axis=1)).max() < 1e-6
    distance = GeodesicDistance(extra, faces).from_vertices(np.array([0]))[: len(VERTICES)]
    assert np.abs(distance - TRUE).max() < 3.0


def test_other_pieces_are_infinitely_far():
    two = np.concatenate([VERTICES, VERTICES + np.array([200.0, 0, 0]), [[0.0, 0, 0]]])
    distance = GeodesicDistance(two, np.concatenate([FACES, FACES + len(VERTICES)])).from_vertices(np.array([0]))
    assert np.isfinite(distance[: len(VERTICES)]).all()
    assert np.isinf(distance[len(VERTICES) :]).all()


def test_scale_and_order_do_not_matter():
    small = GeodesicDistance(VERTICES * 1e-3, FACES[::-1]).from_vertices(np.array([0]))
    np.testing.assert_allclose(small * 1e3, GeodesicDistance(VERTICES, FACES).from_vertices(np.array([0])), atol=1e-3)


def test_what_has_no_surface_is_refused():
    with pytest.raises(MeshError, match="positive size"):
        cotangent_laplacian(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(MeshError, match="source"):
        GeodesicDistance(VERTICES, FACES).from_vertices(np.zeros(0, int))
