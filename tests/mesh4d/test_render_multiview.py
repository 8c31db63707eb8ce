import numpy as np
import pytest
import trimesh
from PIL import Image

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.render import CameraRig, Framing, Views, camera_rig, contact_sheet, frame_of, image_grid, render_views
from mesh4d.render.contact_sheet import GAP, PAGE, TITLE_HEIGHT
from mesh4d.sequence import MeshSequence
from mesh4d.threads import thread_count


def blob() -> Mesh:
    """A lopsided ball: no two views of it look alike."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=1.0)
    vertices = np.asarray(ball.vertices) * [60, 90, 70]
    bump = 40 * np.exp(-8 * np.sum((np.asarray(ball.vertices) - [0.3, -0.1, 0.95]) ** 2, axis=1))
    return Mesh(vertices + bump[:, None] * [0, 0, 1.0], np.asarray(ball.faces))


def growing(mesh: Mesh, count: int) -> MeshSequence:
    scale = np.linspace(1.0, 0.5, count)[:, None, None]
    return MeshSequence(mesh, mesh.vertices * scale, fps=25.0)


def test_shapes_names_and_channels():
    views = render_views(blob(), size=40)
    assert views.images.shape == (7, 40, 40, 7) and views.images.dtype == np.float32
    assert views.channel_names[:4] == ("depth", "normal_x", "normal_y", "normal_z")
    assert views.channels == ("depth", "normal", "shaded")
    assert views.channel("depth").shape == (7, 40, 40)
    assert views.channel("shaded").shape == (7, 40, 40, 3)
    np.testing.assert_array_equal(views.channel("normal")[..., 1], views.channel("normal_y"))
    assert views.channel("shaded").min() >= 0 and views.channel("shaded").max() <= 1
    with pytest.raises(MeshError, match="mask"):
        views.channel("mask")


def test_sequences_put_frames_first_under_one_framing():
    sequence = growing(blob(), 3)
    views = render_views(sequence, "pm40", 32, ("depth", "mask"), keep_triangle_ids=True)
    assert (len(views), views.n_frames) == (9, 3)
    for t, mesh in enumerate(sequence):
        alone = render_views(mesh, "pm40", 32, ("depth", "mask"), framing=views.framing, keep_triangle_ids=True)
        np.testing.assert_array_equal(views.by_frame()[t], alone.images)
        assert views.triangle_ids is not None and alone.triangle_ids is not None
        np.testing.assert_array_equal(views.triangle_ids[3 * t : 3 * t + 3], alone.triangle_ids)
    area = views.by_frame()[:, 1, ..., 1].sum(axis=(1, 2))
    assert area[0] > 1.5 * area[1] > 2 * area[2]  # the ball shrinks in the picture: the camera does not follow


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_the_picture(threads: int):
    sequence = growing(blob(), 2)
    one = render_views(sequence, size=24, threads=1, keep_triangle_ids=True)
    many = render_views(sequence, size=24, threads=threads, keep_triangle_ids=True)
    np.testing.assert_array_equal(one.images, many.images)
    np.testing.assert_array_equal(one.triangle_ids, many.triangle_ids)


def test_pictures_ignore_unit_and_place_of_the_mesh():
    mesh = blob()
    moved = mesh.with_vertices(mesh.vertices * 0.001 + [4.0, 5.0, 6.0])
    one, other = (render_views(each, size=64) for each in (mesh, moved))
    difference = np.abs(one.images - other.images).max(axis=-1)
    assert np.mean(difference > 1e-2) < 2e-3  # a vertex may round to the next 1/256 pixel


def test_pictures_ignore_vertex_and_face_order():
    mesh, rng = blob(), np.random.default_rng(0)
    order, faces = rng.permutation(mesh.n_vertices), rng.permutation(mesh.n_faces)
    shuffled = Mesh(mesh.vertices[order], np.argsort(order)[mesh.faces][faces])
    one, other = (render_views(each, size=48, framing=frame_of(mesh)) for each in (mesh, shuffled))
    np.testing.assert_allclose(one.images, other.images, atol=1e-5)


def test_mirrored_mesh_gives_the_mirrored_picture_of_the_opposite_yaw():
    mesh = blob()
    mirrored = Mesh(mesh.vertices * [-1, 1, 1], mesh.faces[:, ::-1])
    framing = Framing(np.zeros(3), 100.0)
    left = render_views(mesh, CameraRig("left", (40.0,), (0.0,), 20.0), 64, ("depth",), framing)
    right = render_views(mirrored, CameraRig("right", (-40.0,), (0.0,), 20.0), 64, ("depth",), framing)
    difference = np.abs(left.images[0] - right.images[0][:, ::-1])
    assert np.mean(difference > 1e-2) < 5e-3  # pixel centres exactly on an outline belong to one side only


def test_depth_and_triangle_ids_agree_with_the_mask():
    views = render_views(blob(), "sphere24", 24, ("mask", "depth"), keep_triangle_ids=True)
    assert views.triangle_ids is not None
    np.testing.assert_array_equal(views.channel("mask") == 1, views.triangle_ids >= 0)
    np.testing.assert_array_equal(views.channel("depth") == 1, views.triangle_ids < 0)


def test_bad_input_is_refused():
    frames = np.repeat(blob().vertices[None], 2, axis=0)
    frames[1, 5, 0] = np.nan
    with pytest.raises(MeshError, match="frame 1"):
        render_views(MeshSequence(blob(), frames, 25.0))
    with pytest.raises(MeshError, match="3 bands, but 1"):
        Views(np.zeros((1, 4, 4, 3), np.float32), ("depth",), camera_rig("frontal"), frame_of(blob()))
    with pytest.raises(MeshError, match="no multiple"):
        Views(np.zeros((4, 4, 4, 1), np.float32), ("depth",), camera_rig("pm40"), frame_of(blob()))


def test_thread_count_follows_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert thread_count() >= 1


def test_contact_sheet_has_a_row_per_channel_and_a_column_per_view(tmp_path):
    views = render_views(blob(), "pm40", 200, ("depth", "normal", "mask", "shaded"))
    contact_sheet(views, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as page:
        assert page.size == (3 * (200 + GAP) + GAP, 4 * (200 + TITLE_HEIGHT + GAP) + GAP)
        pixels = np.asarray(page.convert("RGB"))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    top = GAP + 3 * (200 + TITLE_HEIGHT + GAP) + TITLE_HEIGHT  # rows: depth, normal, mask, shaded
    shown = pixels[top : top + 200, GAP : GAP + 200] / 255.0
    np.testing.assert_allclose(shown, views.channel("shaded")[0], atol=0.5 / 255 + 1e-6)


def test_contact_sheet_shows_the_frame_asked_for(tmp_path):
    views = render_views(growing(blob(), 2), "frontal", 100, ("mask",))
    for frame in (0, 1):
        contact_sheet(views, tmp_path / "sheet.png", frame)
        with Image.open(tmp_path / "sheet.png") as page:
            shown = np.asarray(page)[GAP + TITLE_HEIGHT : GAP + TITLE_HEIGHT + 100, GAP : GAP + 100, 0]
        np.testing.assert_array_equal(shown > 128, views.channel("mask")[frame] > 0)
    with pytest.raises(MeshError, match="0 to 1, found 2"):
        contact_sheet(views, tmp_path / "sheet.png", 2)


def test_image_grid_takes_bytes_floats_sizes_and_ragged_rows(tmp_path):
    pictures = [np.full((10, 30, 3), 255, np.uint8), np.zeros((20, 10, 3)), np.full((20, 30, 3), 0.5)]
    image_grid(pictures, ["", "", ""], 2, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as page:
        pixels = np.asarray(page)
    assert pixels.shape == (2 * (20 + GAP) + GAP, 2 * (30 + GAP) + GAP, 3)
    assert (pixels[GAP + 15, GAP + 5] == 255).all()  # the low picture stands on its cell's floor
    assert (pixels[GAP + 25 + GAP, GAP + 5] == 128).all()
    assert (pixels[-1, -1] == PAGE).all()
    with pytest.raises(MeshError, match="a title for each"):
        image_grid(pictures, ["one"], 2, tmp_path / "grid.png")


def test_sizes_out_of_range_are_refused_before_anything_is_allocated():
    triangle = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    for size in (-5, 0, 10**6):
        with pytest.raises(MeshError, match="pixels"):
            render_views(triangle, size=size)
