import numpy as np
import pytest

from mesh4d.errors import MeshError, SpecError
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import MARGIN, Camera, CameraRig, Framing, camera_rig, frame_of
from mesh4d.specs import load_toml

FRAMING = Framing(np.array([10.0, 20.0, 30.0]), 100.0)


def grid_sphere(n: int, radius: float = 1.0, squeeze: float = 1.0) -> Mesh:
    """A sphere of latitude and longitude; `squeeze` crowds the parallels towards one pole without moving the shape."""
    azimuth, height = np.meshgrid(np.linspace(0, 2 * np.pi, n), np.pi * np.linspace(0, 1, n) ** squeeze)
    points = np.stack(
        [np.cos(azimuth) * np.sin(height), np.cos(height), np.sin(azimuth) * np.sin(height)], axis=-1
    ).reshape(-1, 3)
    corner = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    return Mesh(radius * points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


@pytest.mark.parametrize("name", sorted(load_toml("views")["rigs"]))
def test_every_rig_looks_at_the_centre_from_one_distance(name: str):
    rig = camera_rig(name)
    for camera in rig.cameras(FRAMING):
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-14)
        np.testing.assert_allclose(np.linalg.det(camera.rotation), 1.0)
        position, depth = camera.project(FRAMING.centre[None], 224)
        np.testing.assert_allclose(position, [[112, 112]], atol=1e-9)
        np.testing.assert_allclose(depth, rig.distance(FRAMING))


def test_named_rigs():
    assert camera_rig("pm40").yaws_deg == (-40, 0, 40)
    assert len(camera_rig("fer7")) == 7
    assert len(set(zip(camera_rig("sphere24").yaws_deg, camera_rig("sphere24").pitches_deg, strict=True))) == 24
    assert camera_rig("frontal_ortho").fov_deg is None
    with pytest.raises(SpecError, match="'nothing'"):
        camera_rig("nothing")


def test_frontal_picture_shows_left_on_the_right_and_up_on_top():
    for name in ("frontal", "frontal_ortho"):
        (camera,) = camera_rig(name).cameras(FRAMING)
        (left, up), _ = camera.project(FRAMING.centre + np.array([[50.0, 0, 0], [0, 50.0, 0]]), 224)
        assert left[0] > 112 and left[1] == pytest.approx(112)
        assert up[1] < 112 and up[0] == pytest.approx(112)


def test_yaw_and_pitch_signs():
    rig = CameraRig("turned", (90.0, 0.0), (0.0, 90.0), 20.0)
    side, above = rig.cameras(FRAMING)
    eye = [-camera.rotation.T @ camera.translation - FRAMING.centre for camera in (side, above)]
    np.testing.assert_allclose(eye[0], [rig.distance(FRAMING), 0, 0], atol=1e-9)  # at the subject's left
    np.testing.assert_allclose(eye[1], [0, rig.distance(FRAMING), 0], atol=1e-9)
    np.testing.assert_allclose(side.rotation @ [0, 0, 1], [-1, 0, 0], atol=1e-12)  # the nose points left in the picture


@pytest.mark.parametrize("fov", [None, 20.0, 60.0])
def test_the_framed_sphere_touches_the_margin(fov: float | None):
    rig = CameraRig("any", (30.0,), (10.0,), fov)
    (camera,) = rig.cameras(FRAMING)
    directions = np.random.default_rng(0).normal(size=(20000, 3))
    sphere = FRAMING.centre + MARGIN * FRAMING.radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    position, _ = camera.project(sphere, 200)
    assert position.min() == pytest.approx(0, abs=0.5) and position.max() == pytest.approx(200, abs=0.5)


def test_perspective_divides_by_depth():
    camera = Camera(np.eye(3), np.zeros(3), focal=2.0)
    position, depth = camera.project(np.array([[1.0, 1.0, -4.0], [1.0, 1.0, -8.0]]), 100)
    np.testing.assert_allclose(depth, [4, 8])
    np.testing.assert_allclose(position, [[75, 25], [62.5, 37.5]])


def test_framing_ignores_stray_points_density_and_order():
    mesh = grid_sphere(60, 80.0)
    plain = frame_of(mesh)
    assert plain.radius == pytest.approx(80.0, rel=0.01)
    np.testing.assert_allclose(plain.centre, 0, atol=0.5)
    crowded = frame_of(grid_sphere(60, 80.0, squeeze=2.0))
    assert crowded.radius == pytest.approx(plain.radius, rel=0.01)
    np.testing.assert_allclose(crowded.centre, plain.centre, atol=1.0)
    stray = Mesh(np.concatenate([mesh.vertices, [[1e6, 0, 0]]]), mesh.faces)
    assert frame_of(stray).radius == pytest.approx(plain.radius)
    order = np.random.default_rng(0).permutation(mesh.n_vertices)
    shuffled = Mesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    np.testing.assert_allclose(frame_of(shuffled).centre, plain.centre, atol=1e-9)


def test_framing_scales_and_moves_with_the_mesh():
    mesh = grid_sphere(20, 3.0)
    framing, moved = frame_of(mesh), frame_of(mesh.with_vertices(1000.0 * mesh.vertices + 5.0))
    assert moved.radius == pytest.approx(1000.0 * framing.radius)
    np.testing.assert_allclose(moved.centre, 1000.0 * framing.centre + 5.0, atol=1e-9)


def test_impossible_cameras_are_refused():
    with pytest.raises(SpecError, match="as many yaws"):
        CameraRig("odd", (0.0, 1.0), (0.0,), 20.0)
    with pytest.raises(SpecError, match="fov_deg"):
        CameraRig("wide", (0.0,), (0.0,), 180.0)
    with pytest.raises(MeshError, match="positive radius"):
        Framing(np.zeros(3), 0.0)
    with pytest.raises(MeshError, match="no area"):
        frame_of(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])))
