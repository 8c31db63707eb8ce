import dataclasses

import numpy as np
import pytest
import trimesh

from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import rotation_from_axis_angle
from mesh4d.materials import to_linear, to_srgb
from mesh4d.mesh import Mesh
from mesh4d.render import CameraRig, Framing, Light, Shading, render_views
from mesh4d.render.channels import BACKGROUND, CHANNEL_BANDS
from mesh4d.render.shading import SRGB_OF_ROOT, encode_srgb
from mesh4d.sequence import MeshSequence

UNIT = Framing(np.zeros(3), 1.0)
STEEP = CameraRig("steep", (50.0,), (20.0,), 60.0)


def slab(**attributes: object) -> Mesh:
    """Two triangles on z = 0."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), **attributes)


def ball() -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=3, radius=0.8)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces))


def seamed() -> Mesh:
    """A ball whose texture coordinates wrap once round: corners of one vertex differ across the seam."""
    mesh = ball()
    u = np.arctan2(mesh.vertices[:, 0], mesh.vertices[:, 2]) / (2 * np.pi) + 0.5
    v = np.arccos(np.clip(-mesh.vertices[:, 1] / 0.8, -1, 1)) / np.pi
    u, v = u[mesh.faces], v[mesh.faces]
    u = np.where((np.ptp(u, axis=1, keepdims=True) > 0.5) & (u < 0.5), u + 1, u)
    uv_faces = np.arange(3 * mesh.n_faces).reshape(-1, 3)
    texture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    return dataclasses.replace(mesh, uv=np.stack([u.ravel(), v.ravel()], 1), uv_faces=uv_faces, texture=texture)


def test_position_lies_on_the_pixels_ray_at_the_depth_seen():
    channels = ("depth", "position", "mask")
    views = render_views(ball(), STEEP, 48, channels, UNIT)
    (camera,) = STEEP.cameras(UNIT)
    seen = views.channel("mask")[0] > 0
    points = views.channel("position")[0][seen].astype(float)
    places, depth = camera.project(points, 48)
    row, column = np.nonzero(seen)
    np.testing.assert_allclose(places, np.column_stack([column, row]) + 0.5, atol=2e-3)
    np.testing.assert_allclose(depth - STEEP.distance(UNIT), views.channel("depth")[0][seen], atol=1e-4)
    assert not views.channel("position")[0][~seen].any()


def test_triangle_ids_and_barycentric_coordinates_give_the_position():
    mesh = ball()
    views = render_views(mesh, STEEP, 48, ("triangle_id", "barycentric", "position"), UNIT, keep_triangle_ids=True)
    ids = views.channel("triangle_id")[0].astype(int)
    assert views.triangle_ids is not None
    np.testing.assert_array_equal(ids, views.triangle_ids[0])
    seen = ids >= 0
    weights = views.channel("barycentric")[0][seen]
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights.min() >= 0
    points = np.einsum("pk,pkc->pc", weights, mesh.vertices[mesh.faces[ids[seen]]])
    np.testing.assert_allclose(points, views.channel("position")[0][seen], atol=1e-6)


def test_uv_and_texture_are_perspective_correct_and_keep_seams():
    mesh = seamed()
    assert mesh.texture is not None
    views = render_views(mesh, CameraRig("back", (180.0, 150.0), (0.0, 30.0), 60.0), 64, ("uv", "position", "texture"))
    for number in range(2):
        uv, point = views.channel("uv")[number], views.channel("position")[number].astype(float)
        seen = (uv >= 0).all(axis=-1)
        assert seen.sum() > 1000
        expected = np.arctan2(point[seen][:, 0], point[seen][:, 2]) / (2 * np.pi) + 0.5
        away = np.abs((uv[seen][:, 0] - expected + 0.5) % 1 - 0.5)
        assert np.quantile(away[np.abs(point[seen][:, 1]) < 0.6], 0.999) < 0.01  # a seam smeared would be off by 0.5
        shown = views.channel("texture")[number][seen]
        np.testing.assert_allclose(shown, bilinear(mesh.texture, uv[seen].astype(float)), atol=2e-4)
        assert (views.channel("texture")[number][~seen] == BACKGROUND["texture"]).all()


def bilinear(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Plain numpy: sRGB of the mean of the four nearest texels' light, edges clamped, the picture repeated."""
    height, width = texture.shape[:2]
    uv = np.where((uv < 0) | (uv > 1), uv - np.floor(uv), uv)
    column = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    row = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    light = to_linear(texture / 255.0)
    total = np.zeros((len(uv), 3))
    for down in (0, 1):
        for right in (0, 1):
            i = np.minimum(np.floor(row).astype(int) + down, height - 1)
            j = np.minimum(np.floor(column).astype(int) + right, width - 1)
            share = np.abs(1 - down - row % 1) * np.abs(1 - right - column % 1)
            total += share[:, None] * light[i, j]
    return to_srgb(total)


def test_a_tilted_square_shows_its_texture_coordinates_where_rays_meet_it():
    mesh = slab(uv=np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), uv_faces=slab().faces)
    (camera,) = STEEP.cameras(UNIT)
    uv = render_views(mesh, STEEP, 64, ("uv",), UNIT).channel("uv")[0].astype(float)
    row, column = np.nonzero(uv[..., 0] >= 0)
    ray = np.stack([(column + 0.5) / 32 - 1, 1 - (row + 0.5) / 32, np.full(len(row), -camera.focal)], axis=1)
    ray, eye = ray @ camera.rotation, -camera.rotation.T @ camera.translation
    met = eye + (-eye[2] / ray[:, 2:]) * ray
    np.testing.assert_allclose(uv[row, column], met[:, :2] + 0.5, atol=1e-4)


def test_motion_is_the_displacement_in_the_face_frame():
    mesh = ball()
    step = np.array([0.0, 0.03, 0.01])
    frames = np.stack([mesh.vertices + t * step for t in range(4)])
    sequence = MeshSequence(mesh, frames, 25.0)
    since_onset = render_views(sequence, STEEP, 40, ("motion", "mask"), UNIT, onset=1)
    since_before = render_views(sequence, STEEP, 40, ("motion", "mask"), UNIT, motion_from="previous")
    for views, expected in ((since_onset, [-1, 0, 1, 2]), (since_before, [0, 1, 1, 1])):
        for t, factor in enumerate(expected):
            seen = views.channel("mask")[t] > 0
            np.testing.assert_allclose(
                views.channel("motion")[t][seen], np.tile(factor * step, (seen.sum(), 1)), atol=1e-6
            )
            assert not views.channel("motion")[t][~seen].any()
    turn = rotation_from_axis_angle(np.array([0.3, -1.0, 0.5]))
    elsewhere = MeshSequence(mesh.with_vertices(mesh.vertices @ turn.T), frames @ turn.T, 25.0)
    same = render_views(elsewhere, STEEP, 40, ("motion",), Framing(np.zeros(3), 1.0, turn.T), onset=1)
    close = np.abs(same.images - since_onset.channel("motion")).max(axis=-1) < 1e-5
    assert close.mean() > 0.995  # vertices round to other subpixels: outlines differ by a pixel here and there


def test_motion_is_linear_on_the_surface():
    mesh = ball()
    sequence = MeshSequence(mesh, np.stack([mesh.vertices, 1.2 * mesh.vertices]), 25.0)
    views = render_views(sequence, STEEP, 48, ("motion", "position", "mask"), UNIT)
    seen = views.channel("mask")[1] > 0
    now = views.channel("position")[1][seen]
    np.testing.assert_allclose(views.channel("motion")[1][seen], now - now / 1.2, atol=1e-6)


def test_default_framing_is_that_of_the_onset():
    mesh = ball()
    frames = np.stack([s * mesh.vertices + [s, 0, 0] for s in (1.0, 2.0, 3.0)])
    sequence = MeshSequence(mesh.with_vertices(50 * mesh.vertices), frames, 25.0)
    for onset in (0, 2):
        views = render_views(sequence, "frontal", 16, ("mask",), onset=onset)
        assert views.framing.radius == pytest.approx(0.8 * (onset + 1), rel=0.02)
        assert views.framing.centre[0] == pytest.approx(onset + 1, abs=0.05)


def test_lights_add_and_those_fixed_to_the_face_stay_there():
    mesh = ball()
    rig = CameraRig("pair", (0.0, 90.0), (0.0, 0.0))
    red = Light((1.0, 0.0, 0.0), (0.5, 0.0, 0.0), "face")
    green = Light((1.0, 0.0, 0.0), (0.0, 0.5, 0.0), "camera")

    def light(*lights: Light, albedo: str = "own") -> np.ndarray:
        shading = Shading(lights, (0.0,) * 3, (0.0,) * 3, albedo)
        shaded = render_views(mesh, rig, 33, ("shaded",), UNIT, shading=shading).channel("shaded")
        return to_linear(shaded.astype(float))

    both = light(red, green)
    np.testing.assert_allclose(both, np.maximum(light(red), light(green)), atol=1e-6)
    assert both[0, 16, 28, 0] > 0.1 > both[0, 16, 4, 0]  # from the subject's left, on the right of the picture
    assert both[1, 16, 16, 0] > both[1, 16, 28, 0]  # seen from that side it comes from the viewer
    assert both[1, 16, 28, 1] > 0.1 > both[1, 16, 4, 1]  # while the camera's own light turned with it
    assert light().max() < to_linear(np.array(BACKGROUND["shaded"])) + 1e-6  # no light, no colour


def test_albedo_can_be_chosen():
    mesh = dataclasses.replace(seamed(), colors=np.tile([0.0, 0.0, 1.0], (ball().n_vertices, 1)))

    def colour(albedo: str) -> np.ndarray:
        views = render_views(mesh, "frontal", 32, ("texture",), UNIT, shading=Shading(albedo=albedo))
        return views.channel("texture")[0]

    np.testing.assert_array_equal(colour("own"), colour("texture"))
    np.testing.assert_allclose(colour("vertex")[16, 16], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(colour("part")[16, 16], [0.80, 0.63, 0.54], atol=1e-3)
    with pytest.raises(MeshError, match="vertex colours"):
        render_views(ball(), channels=("texture",), shading=Shading(albedo="vertex"))
    with pytest.raises(MeshError, match="texture coordinates"):
        render_views(ball(), channels=("shaded",), shading=Shading(albedo="texture"))


def test_channels_need_what_they_show():
    with pytest.raises(MeshError, match="'uv'"):
        render_views(ball(), channels=("uv",))
    with pytest.raises(MeshError, match="'motion'"):
        render_views(ball(), channels=("motion",))
    with pytest.raises(MeshError, match="onset"):
        render_views(MeshSequence(ball(), ball().vertices[None], 25.0), onset=1)
    with pytest.raises(MeshError, match="a light"):
        Light((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_channel_does_not_depend_on_the_others():
    mesh = seamed()
    names = tuple(name for name in CHANNEL_BANDS if name != "motion")
    together = render_views(mesh, "pm40", 32, names, UNIT)
    for name in names:
        alone = render_views(mesh, "pm40", 32, (name,), UNIT)
        np.testing.assert_array_equal(alone.images, together.channel(name).reshape(alone.images.shape))


def test_srgb_table_is_the_formula():
    light = np.concatenate([np.linspace(-0.1, 1.1, 5001), np.geomspace(1e-9, 1, 5001)]).astype(np.float32)
    np.testing.assert_allclose(encode_srgb(light.copy(), SRGB_OF_ROOT), to_srgb(light.astype(float)), atol=2e-6)
