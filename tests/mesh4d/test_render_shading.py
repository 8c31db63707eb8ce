import numpy as np
import pytest
import trimesh

from mesh4d.errors import MeshError
from mesh4d.materials import SKIN, material_of_part, to_linear, to_srgb
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import CameraRig, Framing
from mesh4d.render.channels import BACKGROUND, bands_of
from mesh4d.render.materials import albedo_at, sample_texture, surface_of
from mesh4d.render.multiview import render_views
from mesh4d.render.shading import lit

ORTHO = CameraRig("ortho", (0.0, 60.0), (0.0, -30.0))
UNIT = Framing(np.zeros(3), 1.0)


def sphere(**attributes: object) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    return Mesh(np.asarray(ball.vertices), np.asarray(ball.faces), **attributes)


def quad(**attributes: object) -> Mesh:
    """A square in the plane z = 0 that faces +z and more than fills the picture."""
    corners = np.array([[-2.0, -2, 0], [2, -2, 0], [2, 2, 0], [-2, 2, 0]])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), **attributes)


def test_sphere_channels_in_camera_space():
    views = render_views(sphere(), ORTHO, 64, ("mask", "normal", "depth"), UNIT)
    row, column = np.mgrid[:64, :64] + 0.5
    x, y = 1.04 * (column / 32 - 1), 1.04 * (1 - row / 32)
    inner = x**2 + y**2 < 0.95
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    for number in range(2):  # a sphere looks the same from everywhere, in the camera's frame
        mask = views.channel("mask")[number] > 0
        assert mask[inner].all() and not mask[x**2 + y**2 > 1.01].any()
        normal = views.channel("normal")[number]
        np.testing.assert_allclose(normal[inner], np.stack([x, y, z], axis=-1)[inner], atol=0.02)
        np.testing.assert_allclose(np.linalg.norm(normal[mask], axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(views.channel("depth")[number][inner], -z[inner], atol=0.01)
        assert (views.channel("depth")[number][~mask] == BACKGROUND["depth"]).all()
        assert not normal[~mask].any()


@pytest.mark.parametrize("fov", [None, 40.0])
def test_normals_face_the_viewer_whatever_the_winding(fov: float | None):
    rig = CameraRig("front and back", (0.0, 180.0), (0.0, 0.0), fov)
    for mesh in (quad(), Mesh(quad().vertices, quad().faces[:, ::-1])):
        views = render_views(mesh, rig, 8, ("normal", "shaded"), UNIT)
        np.testing.assert_allclose(views.channel("normal"), np.broadcast_to([0, 0, 1.0], (2, 8, 8, 3)), atol=1e-6)
        np.testing.assert_allclose(views.channel("shaded")[0], views.channel("shaded")[1], atol=1e-6)


def test_light_is_linear_in_albedo_and_key_comes_from_the_upper_left():
    normals = np.array([[-0.6, 0.6, 0.52], [0.6, -0.6, 0.52]], np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo, matt = np.full((2, 3), 0.2, np.float32), np.zeros(2, np.float32)
    single, double = lit(normals.T, albedo.T, matt).T, lit(normals.T, 2 * albedo.T, matt).T
    np.testing.assert_allclose(double, 2 * single, rtol=1e-5)
    assert (single[0] > 2 * single[1]).all()
    assert (single <= lit(normals.T, albedo.T, np.ones(2, np.float32)).T).all()


def test_srgb_known_values_and_round_trip():
    np.testing.assert_allclose(
        to_srgb(np.array([0.0, 0.0031308, 0.2140411, 1.0, 7.0])), [0, 0.04045, 0.5, 1, 1], atol=1e-4
    )
    values = np.linspace(0, 1, 101)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=1e-6)


def test_part_materials():
    names = ("skin", "helper-l-eyelashes-1", "helper-l-eye", "upper_teeth", "Tongue", "whatever")
    lashes, eye, teeth, tongue = (material_of_part(name) for name in names[1:5])
    assert len({lashes, eye, teeth, tongue, SKIN}) == 5
    assert material_of_part("whatever") is SKIN
    mesh = quad(part_of_face=np.array([0, 1]), part_names=("skin", "tongue"))
    surface = surface_of(mesh)
    colours = albedo_at(surface, mesh.faces.astype(np.int32), np.array([1, 0], np.int32), np.zeros((2, 3), np.float32))
    np.testing.assert_allclose(colours.T, to_linear(np.array([tongue.srgb, SKIN.srgb])), rtol=1e-6)


def test_vertex_colors_are_interpolated_and_win_over_parts():
    colors = np.array([[0.0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1], [0, 1, 0, 1]])
    mesh = quad(colors=colors, part_of_face=np.array([0, 0]), part_names=("tongue",))
    shaded = render_views(mesh, "frontal_ortho", 32, ("shaded",), UNIT).channel("shaded")[0]
    light = to_linear(shaded.astype(float))
    gloss = light[0, 0, 2]  # blue holds the highlight alone
    np.testing.assert_allclose(light[..., 2], gloss, atol=1e-5)
    assert (np.diff(light[..., 0], axis=1) > 0).all()  # red grows to the right
    assert (np.diff(light[..., 1], axis=0) < 0).all()  # green grows upwards


def test_texture_is_upright_and_wins_over_colors():
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[0, 1], texture[1, 0], texture[1, 1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    mesh = quad(uv=uv, uv_faces=quad().faces, texture=texture, colors=np.zeros((4, 3)))
    shaded = render_views(mesh, "frontal_ortho", 32, ("shaded",), Framing(np.zeros(3), 1.99)).channel("shaded")[0]
    corners = shaded[[3, 3, -4, -4], [3, -4, 3, -4]]
    assert corners[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert corners[3].min() > corners[:3].min(axis=1).max()


def test_texture_sampling_at_centres_between_them_and_beyond():
    texture = 20 * np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    light = to_linear(texture / 255.0)
    centres = np.array([[0.25, 0.75], [0.75, 0.75], [0.25, 0.25], [0.75, 0.25]])
    for uv, expected in (
        (centres, light.reshape(4, 3)),
        (np.array([[0.5, 0.5]]), light.mean(axis=(0, 1))[None]),
        (centres + np.array([1.0, -2.0]), light.reshape(4, 3)),
        (np.array([[0.0, 1.0], [1.0, 0.0]]), light[[0, 1], [0, 1]]),
    ):
        np.testing.assert_allclose(sample_texture(texture, uv), expected, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_and_transparent_textures(channels: int):
    texture = np.full((3, 5, channels), 128, np.uint8)
    mesh = quad(uv=np.zeros((4, 2)), uv_faces=quad().faces, texture=texture)
    surface = surface_of(mesh)
    assert surface.texture is not None and np.shares_memory(surface.texture, texture)
    texture[..., 1:3] = 64  # of one or two channels the first is grey, and the second is transparency
    colour = render_views(mesh, "frontal", 8, ("texture",), UNIT).channel("texture")
    expected = [128] * 3 if channels < 3 else [128, 64, 64]
    np.testing.assert_allclose(255 * colour, np.broadcast_to(expected, colour.shape), atol=1e-3)


def test_channel_names():
    assert bands_of(("shaded", "depth")) == ("shaded_r", "shaded_g", "shaded_b", "depth")
    for wrong in ((), ("depth", "depth"), ("colour",)):
        with pytest.raises(MeshError, match="channels"):
            bands_of(wrong)
