"""Channels of a picture from what each pixel sees (triangle and barycentric coordinates).

| channel | bands | values | background |
| --- | --- | --- | --- |
| depth | depth | (depth - depth of the framing's centre) / framing radius: about -1 (near) to 1 (far) | 1 |
| normal | normal_x, _y, _z | unit, camera frame (+x right, +y up, +z to the viewer), smooth over vertices | 0 |
| mask | mask | 1 where the mesh is seen | 0 |
| shaded | shaded_r, _g, _b | sRGB, 0 to 1: the lights of `Shading` on the mesh's own colours | 0.25 |
| texture | texture_r, _g, _b | sRGB, 0 to 1, unlit: texture (bilinear), else vertex colours, else part colours | 0.25 |
| triangle_id | triangle_id | row of the mesh's faces | -1 |
| barycentric | barycentric_a, _b, _c | weights of that row's corners, sum 1 | 0 |
| uv | uv_u, uv_v | texture coordinates, origin at the lower left | -1 |
| position | position_x, _y, _z | the surface point in the mesh's own frame and unit | 0 |
| motion | motion_x, _y, _z | how far it moved since the onset or the frame before: face frame, mesh's unit (mm) | 0 |

All are interpolated on the surface, so perspective is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import Camera, Framing
from mesh4d.render.materials import Surface, albedo_at, interpolate, parts_at, surface_of
from mesh4d.render.rasterize import Fragments
from mesh4d.render.shading import SRGB_OF_ROOT, Shading, camera_normals, encode_srgb, lit

CHANNEL_BANDS = {
    "depth": ("depth",),
    "normal": ("normal_x", "normal_y", "normal_z"),
    "mask": ("mask",),
    "shaded": ("shaded_r", "shaded_g", "shaded_b"),
    "texture": ("texture_r", "texture_g", "texture_b"),
    "triangle_id": ("triangle_id",),
    "barycentric": ("barycentric_a", "barycentric_b", "barycentric_c"),
    "uv": ("uv_u", "uv_v"),
    "position": ("position_x", "position_y", "position_z"),
    "motion": ("motion_x", "motion_y", "motion_z"),
}
BACKGROUND = {"depth": 1.0, "shaded": 0.25, "texture": 0.25, "triangle_id": -1.0, "uv": -1.0}
"""Where nothing is seen; 0 in the other channels."""
MAX_IDS = 1 << 24  # float32 holds whole numbers up to here


@dataclass(frozen=True)
class Topology:
    """What all frames of one topology share, prepared once."""

    faces: Int[np.ndarray, "F 3"]
    """int32."""
    surface: Surface


@dataclass(frozen=True)
class Scene:
    """One frame's geometry and colours, shared by all views of it."""

    topology: Topology
    vertices: Float[np.ndarray, "V 3"]
    normals: Float[np.ndarray, "V 3"] | None = None
    """Of the vertices, float32, where a channel needs them."""
    motion: Float[np.ndarray, "V 3"] | None = None
    """Displacement of each vertex since the reference frame."""


def bands_of(channels: Sequence[str]) -> tuple[str, ...]:
    """The bands of the channels, in order: ('depth', 'normal') -> ('depth', 'normal_x', 'normal_y', 'normal_z')."""
    unknown = [name for name in channels if name not in CHANNEL_BANDS]
    if unknown or not channels or len(set(channels)) < len(channels):
        raise MeshError(f"channels must be distinct names among {list(CHANNEL_BANDS)}, found {list(channels)}")
    return tuple(band for name in channels for band in CHANNEL_BANDS[name])


def topology_of(mesh: Mesh, channels: Sequence[str], shading: Shading) -> Topology:
    """Prepare a mesh's faces and colours.

    Raises:
        MeshError: the mesh lacks what a channel shows.
    """
    if "uv" in channels and mesh.uv_faces is None:
        raise MeshError("channel 'uv': expected a mesh with texture coordinates, found one without")
    if "triangle_id" in channels and mesh.n_faces > MAX_IDS:
        raise MeshError(f"channel 'triangle_id': expected at most {MAX_IDS} triangles, found {mesh.n_faces}")
    return Topology(np.ascontiguousarray(mesh.faces, np.int32), surface_of(mesh, shading.albedo))


def scene_of(
    topology: Topology,
    vertices: Float[np.ndarray, "V 3"],
    channels: Sequence[str],
    reference: Float[np.ndarray, "V 3"] | None = None,
    face_axes: Float[np.ndarray, "3 3"] | None = None,
) -> Scene:
    """Prepare one frame.

    Args:
        topology: what it shares with other frames.
        vertices: its positions.
        channels: what will be asked of it.
        reference: positions that motion is measured from.
        face_axes: `Framing.rotation`: the axes that motion is given along.
    """
    vertices = np.ascontiguousarray(vertices, np.float64)
    normals = motion = None
    if not {"normal", "shaded"}.isdisjoint(channels):
        normals = vertex_normals(vertices, topology.faces).astype(np.float32)
    if "motion" in channels:
        motion = np.zeros_like(vertices) if reference is None else vertices - np.asarray(reference, np.float64)
        motion = motion if face_axes is None else np.ascontiguousarray(motion @ face_axes.T)
    return Scene(topology, vertices, normals, motion)


def fill_channels(
    picture: Float[np.ndarray, "H W C"],
    seen: Fragments,
    scene: Scene,
    camera: Camera,
    channels: Sequence[str],
    centre_distance: float,
    framing: Framing,
    shading: Shading,
) -> None:
    """Write the channels into `picture`, float32, whose bands are `bands_of(channels)`.

    Args:
        picture: any values; all are replaced.
        seen: what each pixel sees.
        scene: the frame.
        camera: that saw it.
        channels: what to write.
        centre_distance: depth that counts as 0.
        framing: its radius is the depth that counts as 1 beyond it; its axes are those of lights fixed to the face.
        shading: lights and colours.
    """
    columns = _Columns(seen, scene, camera, shading, camera.rotation @ framing.rotation.T)
    background = [np.full(len(CHANNEL_BANDS[name]), BACKGROUND.get(name, 0.0), np.float32) for name in channels]
    flat = picture.reshape(-1, picture.shape[-1])
    _clear(flat, np.concatenate(background))
    band = 0
    for name in channels:
        if name == "depth":
            values = ((seen.depth - np.float32(centre_distance)) / np.float32(framing.radius))[None]
        else:
            values = columns.of(name)
        _put(flat, band, seen.pixels, values)
        band += len(values)


class _Columns:
    """Values of the seen pixels, a row per band; channels that share normals or colours compute them once."""

    def __init__(
        self, seen: Fragments, scene: Scene, camera: Camera, shading: Shading, camera_from_face: np.ndarray
    ) -> None:
        self.seen, self.scene, self.camera, self.shading = seen, scene, camera, shading
        self.camera_from_face = camera_from_face
        self._normals: np.ndarray | None = None
        self._albedo: np.ndarray | None = None

    def of(self, name: str) -> Float[np.ndarray, "B P"]:
        """The channel's bands, float32; the caller knows the depth channel's scale."""
        seen, scene = self.seen, self.scene
        if name == "mask":
            return np.ones((1, len(seen)), np.float32)
        if name == "normal":
            return self.normals()
        if name == "shaded":
            surface = scene.topology.surface
            gloss = np.take(surface.gloss, parts_at(surface, seen.triangles))
            light = lit(self.normals(), self.albedo(), gloss, self.shading, self.camera_from_face)
            return encode_srgb(light, SRGB_OF_ROOT)
        if name == "texture":
            return encode_srgb(self.albedo().copy(), SRGB_OF_ROOT)
        if name == "triangle_id":
            return seen.triangles.astype(np.float32)[None]
        if name == "barycentric":
            return np.ascontiguousarray(seen.weights.T)
        if name == "position":
            return interpolate(scene.vertices, scene.topology.faces, seen.triangles, seen.weights)
        if name == "uv":
            surface = scene.topology.surface
            return interpolate(surface.uv, surface.uv_faces, seen.triangles, seen.weights)
        return interpolate(scene.motion, scene.topology.faces, seen.triangles, seen.weights)

    def normals(self) -> Float[np.ndarray, "3 P"]:
        """In the camera frame."""
        if self._normals is None:
            assert self.scene.normals is not None, "scene_of prepared other channels"
            faces = self.scene.topology.faces
            self._normals = camera_normals(self.scene.normals, faces, self.seen, self.camera.rotation)
        return self._normals

    def albedo(self) -> Float[np.ndarray, "3 P"]:
        """Linear colours."""
        if self._albedo is None:
            topology, seen = self.scene.topology, self.seen
            self._albedo = albedo_at(topology.surface, topology.faces, seen.triangles, seen.weights)
        return self._albedo


@compiled()
@no_type_check
def _clear(picture, background):
    for p in range(picture.shape[0]):
        for c in range(picture.shape[1]):
            picture[p, c] = background[c]


@compiled()
@no_type_check
def _put(picture, first, pixels, values):
    for p in range(pixels.shape[0]):
        for c in range(values.shape[0]):
            picture[pixels[p], first + c] = values[c, p]
