"""Closest points: against brute force and closed form, and the filters that make them ours."""

import numpy as np
import pytest
import trimesh

from mesh4d.registration.closest import triangle_tree

RNG = np.random.default_rng(4)
BALL = trimesh.creation.icosphere(2, 50.0)
VERTICES, FACES = np.asarray(BALL.vertices, float), np.asarray(BALL.faces, int)


def test_nearest_points_agree_with_trimesh():
    points = RNG.normal(size=(200, 3)) * 60
    places = triangle_tree(VERTICES, FACES).query(points)
    nearest, distance, _ = trimesh.proximity.closest_point(BALL, points)
    np.testing.assert_allclose(np.abs(places.signed_distance), distance, atol=1e-9)
    np.testing.assert_allclose(places.interpolate(VERTICES, FACES), nearest, atol=1e-7)
    np.testing.assert_allclose(places.barycentric.sum(axis=1), 1.0)


def test_sign_is_positive_outside():
    inside, outside = VERTICES[:40] * 0.9, VERTICES[:40] * 1.1
    tree = triangle_tree(VERTICES, FACES)
    assert (tree.query(outside).signed_distance > 0).all()
    assert (tree.query(inside).signed_distance < 0).all()


def test_a_triangle_that_faces_away_does_not_qualify():
    point, facing = np.array([[49.0, 0.0, 0.0]]), np.array([[-1.0, 0.0, 0.0]])
    places = triangle_tree(VERTICES, FACES).query(point, facing, 0.5)
    assert places.interpolate(VERTICES, FACES)[0, 0] < -20


def test_a_query_does_not_use_the_other_side():
    low = VERTICES[FACES].mean(axis=1)[:, 2] < 0
    tree = triangle_tree(VERTICES, FACES, sides=np.where(low, -1, 1))
    points = np.tile([30.0, 0.0, -30.0], (3, 1))
    heights = tree.query(points, sides=np.array([-1, 0, 1])).interpolate(VERTICES, FACES)[:, 2]
    assert heights[0] < -20 and heights[1] < -20 and heights[2] > -12


def test_nothing_in_reach_is_said_so():
    places = triangle_tree(VERTICES, FACES).query(np.array([[500.0, 0.0, 0.0]]), max_distance=10.0)
    assert not places.found.any() and np.isinf(places.signed_distance).all()
    np.testing.assert_array_equal(places.interpolate(VERTICES, FACES), 0.0)


def test_collapsed_triangles_and_empty_meshes_are_harmless():
    flat = np.array([[0, 0, 0], [0, 1, 2]])
    places = triangle_tree(VERTICES, np.concatenate([FACES, flat])).query(VERTICES[:5])
    np.testing.assert_allclose(places.signed_distance, 0.0, atol=1e-9)
    assert not triangle_tree(VERTICES, FACES[:0]).query(VERTICES[:5]).found.any()


@pytest.mark.parametrize("count", [1, 3, 4, 5, 17, 320])
def test_every_triangle_is_reachable(count):
    tree = triangle_tree(VERTICES, FACES[:count])
    centres = VERTICES[FACES[:count]].mean(axis=1)
    np.testing.assert_array_equal(tree.query(centres).triangles, np.arange(count))
