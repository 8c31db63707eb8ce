import numpy as np
import pytest

from mesh4d.errors import MeshError
from mesh4d.materials import to_srgb
from mesh4d.mesh import Mesh
from mesh4d.render import uv_map, uv_position_map
from mesh4d.render.materials import sample_texture
from mesh4d.sequence import MeshSequence


def sheet(n: int = 9) -> Mesh:
    """A curved sheet whose atlas is two islands side by side, with a gap between them."""
    u, v = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    vertices = np.stack([100 * u, 60 * v, 10 * np.sin(3 * u)], axis=-1).reshape(-1, 3)
    ids = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    middle = vertices[faces].mean(axis=1)[:, 0] > 50
    flat = np.stack([u.ravel(), v.ravel()], axis=1)
    uv = np.concatenate([flat * [0.9, 1.0], flat * [0.9, 1.0] + [0.1, 0]])
    return Mesh(vertices, faces, uv=uv, uv_faces=faces + middle[:, None] * n * n)


def test_texels_hold_the_surface_point_with_their_texture_coordinates():
    mesh = sheet()
    result = uv_position_map(mesh, 64)
    assert result.values.shape == (1, 64, 64, 3) and result.values.dtype == np.float32
    row, column = np.nonzero(result.mask)
    u, v = (column + 0.5) / 64, 1 - (row + 0.5) / 64
    x = np.where(u < 0.5, u / 0.9, (u - 0.1) / 0.9) * 100
    points = result.values[0][row, column]
    np.testing.assert_allclose(points[:, 0], x, atol=0.01)
    np.testing.assert_allclose(points[:, 1], 60 * v, atol=0.01)
    gap = (column + 0.5) / 64
    assert not ((gap > 0.455) & (gap < 0.545)).any()
    assert not result.values[0][~result.mask].any()
    assert result.mask[:, :28].all() and result.mask[:, 36:].all()


def test_a_map_looked_up_at_a_vertex_gives_the_vertex():
    mesh = sheet()
    assert mesh.uv is not None and mesh.uv_faces is not None
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    positions = uv_position_map(mesh, 512).values[0]
    picture = np.rint(255 * np.clip((positions - low) / (high - low), 0, 1)).astype(np.uint8)
    inner = (np.abs(mesh.uv - 0.5) < 0.4).all(axis=1) & (np.abs(mesh.uv[:, 0] - 0.5) > 0.1)
    used = np.zeros(len(mesh.uv), bool)
    used[mesh.uv_faces] = True
    vertex_of = np.zeros(len(mesh.uv), np.int64)
    vertex_of[mesh.uv_faces] = mesh.faces
    chosen = np.flatnonzero(inner & used)
    assert len(chosen) > 20
    found = low + (high - low) * to_srgb(sample_texture(picture, mesh.uv[chosen]).astype(float))
    np.testing.assert_allclose(found, mesh.vertices[vertex_of[chosen]], atol=0.5)


def test_sequences_and_other_values_share_the_atlas():
    mesh = sheet()
    frames = np.stack([mesh.vertices, mesh.vertices + np.array([0, 0, 5.0])])
    moving = uv_position_map(MeshSequence(mesh, frames, 25.0), 32)
    np.testing.assert_allclose(
        moving.values[1][moving.mask] - moving.values[0][moving.mask], [[0, 0, 5.0]] * moving.mask.sum(), atol=1e-4
    )
    weights = uv_map(mesh, np.ones((1, mesh.n_vertices, 1)), 32)
    np.testing.assert_array_equal(weights.values[0, ..., 0], weights.mask.astype(np.float32))


def test_what_has_no_atlas_is_refused():
    mesh = sheet()
    with pytest.raises(MeshError, match="texture coordinates"):
        uv_position_map(Mesh(mesh.vertices, mesh.faces))
    with pytest.raises(MeshError, match="one row per vertex"):
        uv_map(mesh, np.zeros((1, 3, 1)))
    with pytest.raises(MeshError, match="size"):
        uv_position_map(mesh, 0)
