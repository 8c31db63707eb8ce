"""What can be seen from outside, and which pieces are balls."""

import numpy as np
import trimesh

from mesh4d.mesh import Mesh
from mesh4d.registration.visibility import (
    boundary_vertices,
    fit_sphere,
    outer_faces,
    outward_faces,
    vertex_components,
    visible_faces,
)

OUTER, INNER = trimesh.creation.box((100, 100, 100)), trimesh.creation.icosphere(2, 20)
VERTICES = np.concatenate([OUTER.vertices, INNER.vertices])
FACES = np.concatenate([OUTER.faces, INNER.faces + len(OUTER.vertices)])


def test_a_ball_in_a_box_is_not_seen():
    seen = visible_faces(VERTICES, FACES)
    assert seen[: len(OUTER.faces)].all() and not seen[len(OUTER.faces) :].any()


def test_small_balls_are_no_skin_but_a_large_one_is():
    eye = trimesh.creation.icosphere(2, 10)
    skin = trimesh.creation.capsule(100, 70)
    both = trimesh.util.concatenate([skin, eye.apply_translation([75, 0, 0])])
    mesh = Mesh(np.asarray(both.vertices), np.asarray(both.faces))
    kept = outer_faces(mesh)
    assert kept.max() < len(skin.faces) and len(kept) > 0.9 * len(skin.faces)


def test_components_cross_texture_seams():
    exploded = OUTER.vertices[OUTER.faces].reshape(-1, 3)
    faces = np.arange(len(exploded)).reshape(-1, 3)
    assert len(np.unique(vertex_components(exploded, faces))) == 1
    assert len(np.unique(vertex_components(VERTICES, FACES))) == 2


def test_the_rim_of_a_cut_is_found():
    ball = np.asarray(INNER.vertices)
    kept = np.asarray(INNER.faces)[ball[INNER.faces].mean(axis=1)[:, 2] > 0]
    rim = boundary_vertices(ball, kept)
    assert rim.any() and np.abs(ball[rim, 2]).max() < 8
    assert not boundary_vertices(ball, np.asarray(INNER.faces)).any()


def test_sphere_fit_is_exact_on_a_sphere():
    centre, radius, misfit = fit_sphere(np.asarray(INNER.vertices) + np.array([3, -4, 5]))
    np.testing.assert_allclose(centre, [3, -4, 5], atol=1e-9)
    assert abs(radius - 20) < 1e-9 and misfit < 1e-9


def test_inside_out_meshes_are_turned():
    ball, faces = np.asarray(INNER.vertices) + 100, np.asarray(INNER.faces)
    np.testing.assert_array_equal(outward_faces(ball, faces), faces)
    np.testing.assert_array_equal(outward_faces(ball, faces[:, ::-1]), faces)
