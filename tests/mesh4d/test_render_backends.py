"""The same pictures from every backend; those that are not installed are skipped, their guards are not."""

import sys
import types

import numpy as np
import pytest
import trimesh

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.render import BACKENDS, Camera, CameraRig, Framing, MissingBackendError, render_views
from mesh4d.render.backends import backend_named
from mesh4d.render.backends.pytorch3d_raster import screen_vertices
from mesh4d.render.backends.surface_points import fragments_of_ids
from mesh4d.render.rasterize import draw, rasterize

FRAMING = Framing(np.array([0.0, -20.0, 0.0]), 120.0)
RIGS = {
    "perspective": CameraRig("perspective", (0.0, 35.0, -160.0), (0.0, 20.0, -10.0), 30.0),
    "orthographic": CameraRig("orthographic", (0.0, 35.0), (0.0, -30.0)),
}
CHANNELS = ("depth", "normal", "mask", "shaded", "barycentric", "triangle_id", "position")


def installed(name: str) -> bool:
    try:
        backend_named(name)
    except MissingBackendError:
        return False
    return True


PEERS = [
    pytest.param(name, marks=pytest.mark.skipif(not installed(name), reason=f"{name} or its system library is absent"))
    for name in BACKENDS
    if name != "numba"
]


def lumpy() -> Mesh:
    """A ball with dents, and a loose shell that half hides it: inner outlines as well as outer ones."""
    made = trimesh.creation.icosphere(subdivisions=5, radius=1.0)
    points = np.asarray(made.vertices)
    points = points * (80 + 6 * np.sin(9 * points[:, :1]) * np.cos(7 * points[:, 1:2]))
    shell = trimesh.creation.icosphere(subdivisions=3, radius=30.0)
    beside = np.asarray(shell.vertices) * [1.0, 1.4, 0.3] + [40.0, 10.0, 80.0]
    faces = np.concatenate([np.asarray(made.faces), np.asarray(shell.faces) + len(points)])
    return Mesh(np.concatenate([points, beside]), faces)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("rig", RIGS.values(), ids=RIGS)
def test_every_backend_draws_the_same(name: str, rig: CameraRig):
    mesh = lumpy()
    ours, theirs = (render_views(mesh, rig, 160, CHANNELS, FRAMING, backend=each) for each in ("numba", name))
    seen, other = ours.channel("mask") > 0, theirs.channel("mask") > 0
    assert (seen != other).sum() < 1e-3 * seen.sum()
    both = seen & other
    depth = np.abs(ours.channel("depth") - theirs.channel("depth"))[both]
    assert np.mean(depth > 1e-4) < 1e-3  # inner outlines, where a pixel sees one surface or the other
    assert np.quantile(depth, 0.99) < 2e-5
    same = both & (ours.channel("triangle_id") == theirs.channel("triangle_id"))
    assert same.sum() > 0.99 * both.sum()
    for channel, tolerance in (("normal", 1e-3), ("shaded", 1e-3), ("barycentric", 1e-2), ("position", 0.02)):
        np.testing.assert_allclose(ours.channel(channel)[same], theirs.channel(channel)[same], atol=tolerance)


@pytest.mark.parametrize("name", PEERS)
def test_every_backend_keeps_to_the_near_plane_and_bears_no_faces(name: str):
    wall = np.array([[-3.0, -3, 1], [3, -3, 1], [0, 3, -9.0]])
    camera = Camera(np.eye(3), np.zeros(3), 1.5, near=0.5)
    drawer = backend_named(name).prepare(wall, np.array([[0, 1, 2]], np.int32))
    ours, theirs = draw(wall, np.array([[0, 1, 2]]), camera, 64), drawer(camera, 64)
    assert len(ours) > 500
    missed = len(np.setxor1d(ours.pixels, theirs.pixels))
    assert missed <= 8  # a pixel or two of outline
    common, mine, its = np.intersect1d(ours.pixels, theirs.pixels, return_indices=True)
    assert len(common)
    np.testing.assert_allclose(theirs.depth[its], ours.depth[mine], rtol=1e-3)
    empty = backend_named(name).prepare(wall, np.zeros((0, 3), np.int32))(camera, 16)
    assert len(empty) == 0


@pytest.mark.parametrize("orthographic", [True, False])
def test_points_of_ids_are_those_of_the_rasteriser(orthographic: bool):
    mesh = lumpy()
    (camera,) = CameraRig("one", (30.0,), (10.0,), None if orthographic else 40.0).cameras(FRAMING)
    faces = mesh.faces.astype(np.int32)
    raster, seen = rasterize(mesh.vertices, faces, camera, 96), draw(mesh.vertices, faces, camera, 96)
    found = fragments_of_ids(mesh.vertices, faces, camera, raster.triangle_ids)
    np.testing.assert_array_equal(found.pixels, seen.pixels)
    np.testing.assert_array_equal(found.triangles, seen.triangles)
    np.testing.assert_allclose(found.depth, seen.depth, rtol=1e-4)
    assert np.quantile(np.abs(found.weights - seen.weights), 0.99) < 2e-3
    assert found.weights.min() >= 0
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("name", "module", "hint"), [
    ("open3d", "open3d", "facet4d[open3d]"),
    ("pyrender", "pyrender", "libegl1"),
    ("pytorch3d", "pytorch3d", "INSTALL.md"),
])  # fmt: skip
def test_a_missing_backend_says_what_to_install(name: str, module: str, hint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks what cannot be imported
    if name == "pyrender":
        from mesh4d.render.backends import pyrender_egl

        monkeypatch.setattr(pyrender_egl, "_renderer", pyrender_egl._renderer.__wrapped__)
    with pytest.raises(MissingBackendError) as caught:
        render_views(lumpy(), size=8, backend=name)
    assert hint in str(caught.value) and name in str(caught.value)


def test_unknown_backends_are_refused():
    with pytest.raises(MeshError, match="numba, open3d, pyrender, pytorch3d"):
        render_views(lumpy(), size=8, backend="vulkan")


def test_pytorch3d_screen_has_x_to_the_left_and_y_up():
    camera = Camera(np.eye(3), np.array([0.0, 0.0, -4.0]), 2.0)
    points = screen_vertices(np.array([[1.0, 0.5, 0.0]]), camera)
    np.testing.assert_allclose(points, [[-0.5, 0.25, 4.0]])
    flat = screen_vertices(np.array([[0.1, 0.2, 0.0]]), Camera(np.eye(3), np.array([0.0, 0.0, -4.0]), 2.0, True))
    np.testing.assert_allclose(flat, [[-0.2, 0.4, 4.0]])


def test_pytorch3d_plumbing_by_a_stand_in(monkeypatch: pytest.MonkeyPatch):
    """A stand-in that keeps to the documented interface (screen x to the left, y up) draws our picture."""
    torch = pytest.importorskip("torch")
    calls = []

    def rasterize_meshes(meshes, image_size, **options):
        calls.append(options)
        points, corners = (part[0].numpy() for part in meshes)
        ids, nearest = np.full((image_size, image_size), -1), np.full((image_size, image_size), np.inf)
        centre = 1 - (2 * np.arange(image_size) + 1) / image_size  # +x to the left, +y up, pixel 0 at the upper left
        x, y = np.meshgrid(centre, centre)
        for number, (a, b, c) in enumerate(points[corners].astype(float)):
            weights = [(q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for p, q in ((b, c), (c, a), (a, b))]
            inside = np.all([w > 0 for w in weights], axis=0) | np.all([w < 0 for w in weights], axis=0)
            inverse = sum(w / v[2] for w, v in zip(weights, (a, b, c), strict=True)) / sum(weights)
            closer = inside & (1 / inverse < nearest)
            ids[closer], nearest[closer] = number, (1 / inverse)[closer]
        return torch.from_numpy(ids)[None, ..., None], None, None, None

    for name in ("pytorch3d", "pytorch3d.structures", "pytorch3d.renderer", "pytorch3d.renderer.mesh"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    inner = types.ModuleType("pytorch3d.renderer.mesh.rasterize_meshes")
    inner.rasterize_meshes = rasterize_meshes
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer.mesh.rasterize_meshes", inner)
    sys.modules["pytorch3d.structures"].Meshes = lambda vertices, faces: (vertices, faces)
    made = trimesh.creation.icosphere(subdivisions=2, radius=70.0)
    mesh = Mesh(np.asarray(made.vertices) + np.array([10.0, 5, 0]), np.asarray(made.faces))
    rig = CameraRig("one", (25.0,), (15.0,), 35.0)
    ours, theirs = (
        render_views(mesh, rig, 48, ("depth", "normal"), FRAMING, backend=b) for b in ("numba", "pytorch3d")
    )
    assert np.mean(np.abs(ours.images - theirs.images).max(axis=-1) > 1e-3) < 2e-3
    assert calls[0]["perspective_correct"] and not calls[0]["cull_backfaces"] and calls[0]["blur_radius"] == 0
    assert calls[0]["z_clip_value"] > 0 and calls[0]["faces_per_pixel"] == 1
