"""A scanner for meshes: what a structured-light or stereo rig would bring home of a head.

A frontal range image is drawn of the head with `mesh4d.render`'s z-buffer and spoilt as real ones are: grazing
surfaces are lost, holes open, single samples spike, depth is noisy, the hairline is ragged and its samples wild, the
neck ends anywhere. The grid falls elsewhere in each call, so no two frames share a topology.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import face_normals
from mesh4d.io.bnt import BACKGROUND, RangeImage, grid_triangles
from mesh4d.mesh import Mesh
from mesh4d.render import render_views
from mesh4d.render.cameras import Camera, CameraRig, Framing
from mesh4d.render.rasterize import rasterize

PICTURE_FRAME_MM = 1.15
"""Radius of the picture's circle over the half-height of the scanned window."""


@dataclass(frozen=True)
class ScanStyle:
    """Of a scanner and the person before it; lengths in mm, in the mesh's frame (+z towards the scanner)."""

    step_mm: float = 2.0
    """Distance of samples in x and y."""
    centre_mm: tuple[float, float] = (0.0, -24.0)
    """x and y of the middle of the scanned window; heads have their origin between the eyes."""
    half_width_mm: float = 78.0
    half_height_mm: float = 108.0
    hairline_mm: float = 62.0
    """y above which samples are hair: wild and often absent."""
    noise_mm: float = 0.08
    """Standard deviation of depth."""
    grazing_deg: float = 78.0
    """Surfaces turned further away from the scanner are lost."""
    holes: int = 3
    hole_mm: tuple[float, float] = (2.0, 6.0)
    """Radii of holes."""
    spikes: float = 0.001
    """Share of samples that jump."""
    spike_mm: float = 12.0
    picture_px: int = 256
    """Side of the picture of each camera."""
    yaws_deg: tuple[float, ...] = (0.0,)
    """Of the cameras that take the texture, side by side in one picture."""

    def __post_init__(self) -> None:
        if not (self.step_mm > 0 and self.half_width_mm > 0 and self.half_height_mm > 0 and self.yaws_deg):
            raise MeshError(f"a scan needs a positive step, a window and a camera, found {self}")


@dataclass(frozen=True)
class RangeScan:
    """A range image with its picture. Row 0 is the bottom, column 0 the subject's right (-x), as in a .bnt file."""

    points: Float[np.ndarray, "R C 3"]
    """mm; NaN where nothing was seen."""
    uv: Float[np.ndarray, "S R C 2"]
    """Where each of S cameras sees a sample in the picture, origin lower left; NaN where there is no sample."""
    picture: UInt8[np.ndarray, "H W 3"]

    @property
    def seen(self) -> Bool[np.ndarray, "R C"]:
        """Samples that are points of the surface."""
        return np.isfinite(self.points[..., 2])

    def to_mesh(self) -> Mesh:
        """Seen samples in rows from the bottom, triangles between neighbours; each triangle is textured by one camera.

        With two cameras, triangles left and right of the middle differ in camera: their shared vertices have two
        texture coordinates.
        """
        seen = self.seen
        rows, columns = seen.shape
        faces = grid_triangles(seen.ravel(), rows, columns)
        vertices = self.points[seen]
        used = np.unique(faces)
        number = np.full(len(vertices), -1)
        number[used] = np.arange(len(used))
        faces, vertices = number[faces], vertices[used]
        uv = np.stack([camera[seen][used] for camera in self.uv])
        cameras = len(uv)
        middle = vertices[:, 0][faces].mean(axis=1)
        side = np.clip(np.searchsorted([0.0], middle) if cameras == 2 else np.zeros(len(faces), int), 0, cameras - 1)
        corners, uv_faces = np.unique(side[:, None] * len(vertices) + faces, return_inverse=True)
        return Mesh(
            vertices,
            faces,
            uv=uv.reshape(-1, 2)[corners],
            uv_faces=uv_faces.reshape(-1, 3),
            texture=self.picture,
        )

    def to_range_image(self, picture_name: str) -> RangeImage:
        """The scan as the content of a .bnt file, with its first camera's picture."""
        rows, columns = self.seen.shape
        xyz = np.where(np.isfinite(self.points), self.points, BACKGROUND).reshape(-1, 3)
        grid_u, grid_v = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        flat = np.stack([grid_u, grid_v], axis=-1)  # what u, v are where there is no surface to project
        uv = np.where(self.seen[..., None], self.uv[0], flat).reshape(-1, 2)
        return RangeImage(rows, columns, BACKGROUND, picture_name, xyz, np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1))


def simulate_scan(mesh: Mesh, style: ScanStyle, rng: np.random.Generator) -> RangeScan:
    """Scan a head from the front.

    Args:
        mesh: in the face frame, mm; its own colours become the picture.
        style: the scanner.
        rng: the only source of chance.

    Raises:
        MeshError: nothing of the mesh is in the scanned window.
    """
    size = int(np.ceil(2 * max(style.half_width_mm, style.half_height_mm) / style.step_mm))
    camera = _range_camera(style, size, rng.uniform(-0.5, 0.5, 2) * style.step_mm)
    raster = rasterize(mesh.vertices, mesh.faces, camera, size)
    ids, depth = raster.triangle_ids[::-1], raster.depth[::-1].astype(float)  # row 0 at the bottom
    seen = ids >= 0
    facing = face_normals(mesh.vertices, mesh.faces)[:, 2][np.maximum(ids, 0)]
    seen &= np.abs(facing) > np.cos(np.radians(style.grazing_deg))
    half = 0.5 * size * style.step_mm
    along = (np.arange(size) + 0.5) * style.step_mm - half
    x = along[None, :] - camera.translation[0]
    y = along[:, None] - camera.translation[1]
    points = np.stack(np.broadcast_arrays(x, y, -depth - camera.translation[2]), axis=-1)
    seen &= _window(points, style, rng)
    seen &= ~_holes(points, seen, style, rng)
    points[..., 2] += _depth_errors(points, style, rng)
    points[~seen] = np.nan
    if not seen.any():
        raise MeshError("nothing of the mesh lies in the scanned window: expected the face frame in mm")
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    points = points[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture, uv = _picture(mesh, points, style)
    return RangeScan(points, uv, picture)


def _range_camera(style: ScanStyle, size: int, shift: Float[np.ndarray, "2"]) -> Camera:
    """An orthographic camera far before the face: one pixel per sample."""
    x, y = style.centre_mm
    translation = np.array([shift[0] - x, shift[1] - y, -1000.0])
    return Camera(np.eye(3), translation, 2.0 / (size * style.step_mm), orthographic=True, near=-np.inf)


def _window(points: Float[np.ndarray, "R C 3"], style: ScanStyle, rng: np.random.Generator) -> Bool[np.ndarray, "R C"]:
    """An oval with a ragged edge; above the hairline samples are lost in tufts, and the neck ends on a slant."""
    x = (points[..., 0] - style.centre_mm[0]) / style.half_width_mm
    y = (points[..., 1] - style.centre_mm[1]) / style.half_height_mm
    angle = np.arctan2(y, x)
    waves = np.arange(2, 9)
    phases, heights = rng.uniform(0, 2 * np.pi, len(waves)), rng.normal(0, 0.12, len(waves)) / waves
    edge = 1.0 + np.tensordot(heights, np.cos(waves[:, None, None] * angle + phases[:, None, None]), 1)
    inside = np.sqrt(np.abs(x) ** 2.5 + np.abs(y) ** 2.5) < edge
    neck = y > -0.94 + 0.06 * rng.normal() + 0.15 * rng.normal() * x
    hair = points[..., 1] > style.hairline_mm + 4.0 * np.cos(3 * angle + phases[0])
    return inside & neck & ~(hair & (_smooth_noise(points.shape[:2], rng) > 0.1))


def _holes(
    points: Float[np.ndarray, "R C 3"], seen: Bool[np.ndarray, "R C"], style: ScanStyle, rng: np.random.Generator
) -> Bool[np.ndarray, "R C"]:
    gone = np.zeros(seen.shape, bool)
    rows = np.argwhere(seen)
    for _ in range(style.holes if len(rows) else 0):
        centre = points[tuple(rows[rng.integers(len(rows))])][:2]
        stretch = rng.uniform(0.5, 1.5)
        offset = (points[..., :2] - centre) * [stretch, 1 / stretch]
        gone |= np.linalg.norm(offset, axis=-1) < rng.uniform(*style.hole_mm)
    return gone


def _depth_errors(
    points: Float[np.ndarray, "R C 3"], style: ScanStyle, rng: np.random.Generator
) -> Float[np.ndarray, "R C"]:
    shape = points.shape[:2]
    noise = rng.normal(0, style.noise_mm, shape)
    spikes = np.where(rng.random(shape) < style.spikes, rng.normal(0, style.spike_mm, shape), 0.0)
    hair = np.where(points[..., 1] > style.hairline_mm, 2.0 * _smooth_noise(shape, rng) + rng.normal(0, 0.8, shape), 0)
    return noise + spikes + hair


def _smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Float[np.ndarray, "R C"]:
    """Noise with a grain of a few samples, standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(rng.normal(size=shape), 1.5)
    return grain / max(float(grain.std()), 1e-12)


def _picture(
    mesh: Mesh, points: Float[np.ndarray, "R C 3"], style: ScanStyle
) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "S R C 2"]]:
    """The pictures of the texture cameras side by side, and where they see each sample."""
    front = np.nanmedian(points[..., 2])
    framing = Framing(np.array([*style.centre_mm, float(front)]), PICTURE_FRAME_MM * style.half_height_mm)
    rig = CameraRig("scanner", style.yaws_deg, (0.0,) * len(style.yaws_deg), fov_deg=12.0)
    views = render_views(mesh, rig, style.picture_px, ("shaded",), framing=framing, threads=1)
    picture = np.concatenate(list((255 * views.images).round().astype(np.uint8)), axis=1)
    flat, count = points.reshape(-1, 3), len(rig)
    places = []
    for number, camera in enumerate(rig.cameras(framing)):
        pixels, _ = camera.project(flat, style.picture_px)
        u = (number + np.clip(pixels[:, 0] / style.picture_px, 0, 1)) / count
        v = 1.0 - np.clip(pixels[:, 1] / style.picture_px, 0, 1)
        places.append(np.stack([u, v], axis=1).reshape(*points.shape[:2], 2))
    return picture, np.stack(places)


def nearest_samples(scan: Mesh, places: Float[np.ndarray, "L 3"]) -> Int[np.ndarray, " L"]:
    """The scan's vertex nearest to each place: where an annotator would click."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(scan.vertices).query(places)[1], np.int64)
