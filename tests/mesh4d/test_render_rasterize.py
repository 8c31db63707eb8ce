import numpy as np
import pytest
import trimesh

from mesh4d.errors import MeshError
from mesh4d.render import clip
from mesh4d.render import rasterize as kernel
from mesh4d.render.cameras import Camera, CameraRig, Framing
from mesh4d.render.rasterize import rasterize
from mesh4d.render.reference import rasterize_reference

SIZE = 32
PIXELS = Camera(np.eye(3), np.array([-1.0, 1.0, -100.0]), 1.0, orthographic=True, near=-np.inf)


def at_pixels(points: np.ndarray, z: float | np.ndarray = 0.0) -> np.ndarray:
    """Vertices that the camera PIXELS shows at (column, row) of a SIZE x SIZE picture."""
    points = np.asarray(points, float)
    return np.column_stack([points[:, 0] * 2 / SIZE, -points[:, 1] * 2 / SIZE, np.broadcast_to(z, len(points))])


def soup(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of all sizes and windings, among them slivers, points, exact doubles and shared edges."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(count, 3)) * rng.choice([0.3, 1.0, 3.0], size=(count, 1))
    vertices[::7] = np.round(vertices[::7] * 8) / 8
    faces = rng.integers(0, count, size=(2 * count, 3))
    return vertices, np.concatenate([faces, faces[:20], faces[20:30, ::-1]])


def rig(fov: float | None) -> tuple[Camera, ...]:
    return CameraRig("test", (0.0, 37.0), (0.0, -61.0), fov).cameras(Framing(np.array([0.1, -0.2, 0.3]), 1.5))


def assert_same(vertices: np.ndarray, faces: np.ndarray, camera: Camera, size: int) -> None:
    fast, slow = rasterize(vertices, faces, camera, size), rasterize_reference(vertices, faces, camera, size)
    np.testing.assert_array_equal(fast.triangle_ids, slow.triangle_ids)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-5)
    np.testing.assert_allclose(fast.barycentric, slow.barycentric, atol=1e-5)


@pytest.mark.parametrize("fov", [None, 20.0, 90.0])
@pytest.mark.parametrize("size", [1, 33, 64])
@pytest.mark.parametrize("seed", [0, 1])
def test_kernel_is_the_reference_on_triangle_soup(fov: float | None, size: int, seed: int):
    vertices, faces = soup(seed, 60)
    for camera in rig(fov):
        assert_same(vertices, faces, camera, size)


def test_kernel_is_the_reference_among_near_planes_and_far_off_vertices():
    vertices, faces = soup(2, 60)
    camera = Camera(np.eye(3), np.array([0.0, 0.0, -1.0]), 1.0, near=0.05)
    assert_same(vertices, faces, camera, 48)
    vertices[3], vertices[4] = [1e12, 0, 0], [np.nan, 0, 0]
    assert_same(vertices, faces, camera, 48)


@pytest.mark.parametrize("fov", [None, 30.0])
def test_sphere_depth_is_the_spheres(fov: float | None):
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    vertices, faces = np.asarray(sphere.vertices), np.asarray(sphere.faces)
    view = CameraRig("test", (25.0,), (10.0,), fov)
    framing = Framing(np.zeros(3), 1.0)
    (camera,) = view.cameras(framing)
    raster = rasterize(vertices, faces, camera, 96)
    assert_same(vertices, faces[::8], camera, 96)
    row, column = np.mgrid[:96, :96] + 0.5
    x, y = (column / 48 - 1) / camera.focal, (1 - row / 48) / camera.focal
    centre = view.distance(framing)
    if fov is None:
        squared = 1 - x**2 - y**2
        expected, hit = centre - np.sqrt(np.maximum(squared, 0)), squared > 0
    else:  # |t (x, y, -1) - (0, 0, -centre)| = 1, t is the depth
        a, b, c = x**2 + y**2 + 1, -centre, centre**2 - 1
        squared = b * b - a * c
        expected, hit = (-b - np.sqrt(np.maximum(squared, 0))) / a, squared > 0
    seen = raster.triangle_ids >= 0
    assert np.mean(seen != hit) < 0.01
    inner = hit & (squared > 0.1 * squared.max())
    assert seen[inner].all()
    np.testing.assert_allclose(raster.depth[inner], expected[inner], rtol=0, atol=4e-3)  # facets lie inside the sphere


def test_perspective_plane_depth_and_barycentric_are_exact():
    # Corners that fall on subpixel positions, so that only floating point rounding is left.
    camera = Camera(np.eye(3), np.zeros(3), 1.0)
    depth = np.array([2.0, 8.0, 4.0])
    across = np.array([[-0.9375, -0.875], [0.9375, -0.5], [0.0, 0.9375]])
    vertices = np.column_stack([across * depth[:, None], -depth])
    raster = rasterize(vertices, np.array([[0, 1, 2]]), camera, 64)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])
    rows, columns = np.nonzero(raster.triangle_ids == 0)
    assert len(rows) > 500
    rays = np.column_stack([(columns + 0.5) / 32 - 1, 1 - (rows + 0.5) / 32, -np.ones(len(rows))])
    expected = (normal @ vertices[0]) / (rays @ normal)
    np.testing.assert_allclose(raster.depth[rows, columns], expected, rtol=1e-6)
    points = raster.barycentric[rows, columns] @ vertices
    np.testing.assert_allclose(points, rays * expected[:, None], atol=1e-5)


def test_top_and_left_edges_own_their_pixel_centres():
    square = at_pixels(np.array([[4.5, 3.5], [9.5, 3.5], [9.5, 8.5], [4.5, 8.5]]))
    expected = np.zeros((SIZE, SIZE), bool)
    expected[3:8, 4:9] = True  # rows 3 and columns 4 lie on the edges that own; row 8 and column 9 on those that do not
    for faces in ([[0, 1, 2], [0, 2, 3]], [[1, 2, 3], [1, 3, 0]], [[2, 1, 0], [3, 2, 0]]):
        ids = rasterize(square, np.array(faces), PIXELS, SIZE).triangle_ids
        np.testing.assert_array_equal(ids >= 0, expected)
        assert set(np.unique(ids)) == {-1, 0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_shared_edges_neither_crack_nor_overlap(seed: int):
    rng = np.random.default_rng(seed)
    n = 9
    grid = np.stack(np.meshgrid(np.linspace(0, SIZE, n), np.linspace(0, SIZE, n)), axis=-1)
    grid[1:-1, 1:-1] += rng.uniform(-1.5, 1.5, size=(n - 2, n - 2, 2))
    grid[1:-1:2, 1:-1] = np.floor(grid[1:-1:2, 1:-1]) + 0.5  # many vertices and edges on pixel centres
    corner = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertices = at_pixels(grid.reshape(-1, 2))
    assert (rasterize(vertices, faces, PIXELS, SIZE).triangle_ids >= 0).all()
    drawn = [np.count_nonzero(rasterize(vertices, face[None], PIXELS, SIZE).triangle_ids >= 0) for face in faces]
    assert sum(drawn) == SIZE * SIZE


def test_the_nearest_wins_in_any_order_and_ties_go_to_the_lowest_id():
    vertices, faces = soup(3, 50)
    (camera, _) = rig(40.0)
    plain = rasterize(vertices, faces, camera, SIZE)
    order = np.random.default_rng(0).permutation(len(faces))
    shuffled = rasterize(vertices, faces[order], camera, SIZE)
    np.testing.assert_array_equal(shuffled.depth, plain.depth)
    triangle = at_pixels(np.array([[2.0, 2.0], [30.0, 4.0], [8.0, 30.0]]))
    twins = rasterize(triangle, np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]]), PIXELS, SIZE)
    assert set(np.unique(twins.triangle_ids)) == {-1, 0}
    both = np.concatenate([triangle, triangle + np.array([0, 0, 1.0])])  # the second is nearer
    assert set(np.unique(rasterize(both, np.array([[0, 1, 2], [3, 4, 5]]), PIXELS, SIZE).triangle_ids)) == {-1, 1}


def test_background_and_no_faces():
    raster = rasterize(np.zeros((0, 3)), np.zeros((0, 3), np.int64), PIXELS, 5)
    assert (raster.triangle_ids == -1).all() and np.isnan(raster.depth).all() and not raster.barycentric.any()


def floor(n: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """A plane below a camera that stands at the origin and looks along -z; half of it lies behind."""
    x, z = np.meshgrid(np.linspace(-40, 40, n), np.linspace(-40, 40, n))
    rng = np.random.default_rng(5)
    x[1:-1, 1:-1] += rng.uniform(-4, 4, (n - 2, n - 2))
    z[1:-1, 1:-1] += rng.uniform(-4, 4, (n - 2, n - 2))
    corner = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return np.column_stack([x.ravel(), np.full(n * n, -1.0), z.ravel()]), faces


def test_triangles_are_cut_at_the_near_plane():
    camera = Camera(np.eye(3), np.zeros(3), 1.0, near=0.5)
    vertices, faces = floor()
    raster = rasterize(vertices, faces, camera, 64)
    row, column = np.mgrid[:64, :64] + 0.5
    down = row / 32 - 1
    with np.errstate(divide="ignore"):
        depth = np.where(down > 0, 1 / down, np.inf)  # y = -1 is met where depth * down = 1
    sideways = np.abs(column / 32 - 1) * depth
    seen = (depth < 39) & (sideways < 39)
    assert (raster.triangle_ids >= 0)[seen].all() and not (raster.triangle_ids >= 0)[depth > 41].any()
    np.testing.assert_allclose(raster.depth[seen], depth[seen], rtol=2e-3)
    assert_same(vertices, faces, camera, 64)
    points = np.einsum("pk,pkc->pc", raster.barycentric[seen], vertices[faces[raster.triangle_ids[seen]]])
    np.testing.assert_allclose(-points[:, 2], depth[seen], rtol=5e-3)
    np.testing.assert_allclose(points[:, 1], -1, atol=1e-5)


def test_nothing_is_drawn_before_the_near_plane():
    camera = Camera(np.eye(3), np.zeros(3), 1.0, near=1.0)
    corners = np.array([[-1.0, -1, -2], [1, -1, -2], [0, 1, -2]])
    faces = np.array([[0, 1, 2]])
    whole = rasterize(corners, faces, camera, 64).triangle_ids == 0
    for depth in (0.5, 0.0, -3.0):
        corners[2, 2] = -depth
        raster = rasterize(corners, faces, camera, 64)
        assert (raster.triangle_ids == 0).any() and np.nanmin(raster.depth) >= 1.0
        assert np.nanmin(raster.depth) < 1.15  # nearly up to the plane: pixel centres seldom lie on it
    assert whole.any()
    corners[:, 2] = -0.9
    assert (rasterize(corners, faces, camera, 64).triangle_ids == -1).all()
    ortho = Camera(np.eye(3), np.zeros(3), 1.0, orthographic=True, near=1.0)
    assert np.nanmin(rasterize(np.array([[-1.0, -1, -2], [1, -1, -2], [0, 1, 0]]), faces, ortho, 64).depth) >= 1.0


@pytest.mark.parametrize("near", [0.5, 0.013, 0.0])
def test_cut_edges_neither_crack_nor_overlap(near: float):
    camera = Camera(np.eye(3), np.zeros(3), 1.0, near=near)
    vertices, faces = floor(9)
    turned = vertices @ np.array([[0.96, 0.28, 0], [-0.28, 0.96, 0], [0, 0, 1.0]])
    together = rasterize(turned, faces, camera, 96).triangle_ids >= 0
    alone = sum((rasterize(turned, face[None], camera, 96).triangle_ids >= 0).astype(int) for face in faces)
    np.testing.assert_array_equal(alone, together.astype(int))
    filled = np.maximum.accumulate(together, axis=0)
    assert filled[-1].any() and not (filled & ~together)[60:].any()  # no pinhole below the horizon


def test_far_off_vertices_are_cut_not_dropped():
    vertices = np.array([[0.0, -1e12, 0], [1e12, 1e12, 0], [-1e12, 1e12, 0]])
    raster = rasterize(vertices, np.array([[0, 1, 2]]), PIXELS, SIZE)
    assert (raster.triangle_ids == 0).all()
    np.testing.assert_allclose(raster.depth, 100.0)
    vertices[1, 0] = np.nan
    assert (rasterize(vertices, np.array([[0, 1, 2]]), PIXELS, SIZE).triangle_ids == -1).all()


@pytest.mark.parametrize("fov", [None, 70.0])
def test_no_order_changes_a_bit_of_the_depth(fov: float | None):
    rng = np.random.default_rng(9)
    vertices, faces = soup(7, 80)
    near = Camera(np.eye(3), np.array([0.0, 0.0, -1.0]), 1.0, orthographic=fov is None, near=0.05)
    for camera in (*rig(fov), near):
        plain = rasterize(vertices, faces, camera, 48)
        order, rows = rng.permutation(len(vertices)), rng.permutation(len(faces))
        corners = np.argsort(order)[faces][rows]
        turned = np.stack([np.roll(corner, rng.integers(3)) for corner in corners])
        shuffled = rasterize(vertices[order], turned, camera, 48)
        np.testing.assert_array_equal(shuffled.depth, plain.depth)
        back = np.where(shuffled.triangle_ids < 0, -1, rows[shuffled.triangle_ids])
        same = np.sort(faces[back], axis=-1) == np.sort(faces[plain.triangle_ids], axis=-1)
        assert same[plain.triangle_ids >= 0].all()  # but for exact doubles, which hold the same corners


def test_one_compiled_version_serves_all_input_types():
    vertices, faces = soup(4, 20)
    (camera, _) = rig(None)
    expected = rasterize(vertices.astype(np.float32).astype(float), faces, camera, 16).triangle_ids
    as_float32 = rasterize(vertices.astype(np.float32), faces.astype(np.int16), camera, 16)
    reversed_view = rasterize(np.asfortranarray(vertices.astype(np.float32)), faces[::-1][::-1], camera, 16)
    np.testing.assert_array_equal(as_float32.triangle_ids, expected)
    np.testing.assert_array_equal(reversed_view.triangle_ids, expected)
    for function in (kernel._project, kernel._draw, kernel._resolve, clip._clip):
        assert len(function.signatures) == 1


@pytest.mark.parametrize("size", [0, 16385])
def test_sizes_out_of_range_are_refused(size: int):
    with pytest.raises(MeshError, match="size"):
        rasterize(np.zeros((3, 3)), np.array([[0, 1, 2]]), PIXELS, size)
