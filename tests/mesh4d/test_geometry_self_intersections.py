import numpy as np
import pytest

from mesh4d.geometry.self_intersections import crossing_depths, intersecting_triangles, new_intersections

FLAT = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])


def _soup(triangles):
    corners = np.concatenate(triangles)
    return corners, np.arange(len(corners)).reshape(-1, 3)


@pytest.mark.parametrize(
    ("other", "crosses"),
    [
        ([[1, 1, -1], [1, 1, 1], [9, 9, 0.5]], True),  # an edge through the inside
        ([[1, 1, 0], [1, 1, 1], [2, 1, 1]], False),  # a corner that touches
        ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], False),  # in one plane
        ([[1, 1, 0.1], [2, 1, 0.1], [1, 2, 0.3]], False),  # above
        ([[5, 5, -1], [5, 5, 1], [6, 5, 0]], False),  # through the plane, beside the triangle
        ([[-9, 1, -3], [9, 1, -3], [0, 1, 0.5]], True),  # only the flat triangle's edges pass through this one
        ([[0, 0, 0], [4, 0, 0], [1, 1, 3]], False),  # an edge in common, by place though not by index
    ],
)
def test_two_triangles(other, crosses):
    vertices, faces = _soup([FLAT, np.array(other, float)])
    expected = [[0, 1]] if crosses else []
    assert intersecting_triangles(vertices, faces).tolist() == expected
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    assert intersecting_triangles(vertices @ turned.T + 7, faces[::-1]).tolist() == expected or not crosses


def test_neighbours_never_count():
    vertices = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [3, 3, 1], [3, 3, -1]])
    faces = np.array([[0, 1, 2], [0, 3, 4]])
    assert len(intersecting_triangles(vertices, faces)) == 0


def _segment_through(p, q, triangle):
    """Solves p + t (q - p) = a + u e1 + v e2."""
    a, b, c = triangle
    matrix = np.stack([p - q, b - a, c - a], axis=1)
    t, u, v = np.linalg.solve(matrix, p - a)
    return 0 < t < 1 and u > 0 and v > 0 and u + v < 1


def test_tree_finds_what_comparing_all_pairs_finds():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1.5, (220, 1, 3))
    vertices, faces = _soup(list(centres + rng.normal(0, 1, (220, 3, 3)) * rng.uniform(0.1, 1.5, (220, 1, 1))))
    slow = []
    for i in range(len(faces)):
        for j in range(i + 1, len(faces)):
            one, other = vertices[faces[i]], vertices[faces[j]]
            if any(
                _segment_through(a[k], a[(k + 1) % 3], b) for a, b in ((one, other), (other, one)) for k in range(3)
            ):
                slow.append([i, j])
    fast = intersecting_triangles(vertices, faces)
    assert len(slow) > 200 and fast.tolist() == slow
    among = rng.random(len(faces)) < 0.1
    assert intersecting_triangles(vertices, faces, among).tolist() == [p for p in slow if among[p].any()]


def _sphere(n=24):
    u, v = np.meshgrid(np.linspace(0.1, 3.0, n), np.arange(n) / n * 2 * np.pi, indexing="ij")
    vertices = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n), indexing="ij")
    a, b, c, d = i * n + j, (i + 1) * n + j, (i + 1) * n + (j + 1) % n, i * n + (j + 1) % n
    return vertices, np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def test_a_sphere_is_free_of_them_until_its_pole_is_pushed_through():
    vertices, faces = _sphere()
    assert len(intersecting_triangles(vertices, faces)) == 0
    dented = vertices.copy()
    dented[vertices[:, 2] > 0.8, 2] -= 2.1
    pairs = new_intersections(vertices, dented, faces)
    assert len(pairs) > 10
    assert np.array_equal(pairs, intersecting_triangles(dented, faces)), "only what moved was looked at, all found"
    assert len(new_intersections(dented, dented, faces)) == 0
    shifted = dented.copy()
    shifted[0, 0] += 1e-6
    assert len(new_intersections(dented, shifted, faces)) == 0, "those at rest are not counted"


def test_depth_is_what_reaches_through():
    vertices, faces = _soup([FLAT, np.array([[1, 1, -0.25], [1, 1.5, 3], [1.5, 1, 3.0]])])
    pairs = intersecting_triangles(vertices, faces)
    assert len(pairs) == 1
    assert crossing_depths(vertices, faces, pairs)[0] == pytest.approx(0.25)
    assert crossing_depths(vertices, faces, pairs[:, ::-1])[0] == pytest.approx(0.25)


def test_nothing_to_test():
    assert intersecting_triangles(np.zeros((3, 3)), np.empty((0, 3), int)).shape == (0, 2)
    assert intersecting_triangles(np.zeros((3, 3)), np.array([[0, 1, 2]])).shape == (0, 2)
