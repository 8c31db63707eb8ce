"""Channels of a picture from what each pixel sees (triangle and barycentric coordinates).

| channel | bands | values | background |
| --- | --- | --- | --- |
| depth | depth | (depth - depth of the framing's centre) / framing radius: about -1 (near) to 1 (far) | 1 |
| normal | normal_x, _y, _z | unit, camera frame (+x right, +y up, +z to the viewer), smooth over vertices | 0 |
| mask | mask | 1 where the mesh is seen | 0 |
| shaded | shaded_r, _g, _b | sRGB, 0 to 1: three lights fixed to the camera on the mesh's own colours | 0.25 |

Normals of triangles seen from behind are turned to the viewer, so open scans and reversed windings shade sensibly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import unit
from mesh4d.materials import to_srgb
from mesh4d.render.cameras import Camera
from mesh4d.render.materials import Surface, sample_texture
from mesh4d.render.rasterize import Raster

CHANNEL_BANDS = {
    "depth": ("depth",),
    "normal": ("normal_x", "normal_y", "normal_z"),
    "mask": ("mask",),
    "shaded": ("shaded_r", "shaded_g", "shaded_b"),
}
BACKGROUND = {"depth": 1.0, "normal": 0.0, "mask": 0.0, "shaded": 0.25}


@dataclass(frozen=True)
class Light:
    """A distant light, fixed to the camera."""

    towards: tuple[float, float, float]
    """Direction to the light, camera frame."""
    color: tuple[float, float, float]
    """Linear RGB strength."""


LIGHTS = (
    Light((-0.60, 0.60, 0.52), (1.02, 0.95, 0.87)),  # key: high on the viewer's left, warm; grazes the face's folds
    Light((0.80, 0.05, 0.60), (0.15, 0.18, 0.23)),  # fill: right, weak and cool
    Light((0.55, 0.55, -0.63), (0.80, 0.85, 0.92)),  # rim: behind, catches the outline on the dark side
)
SKY, GROUND = (0.11, 0.12, 0.13), (0.06, 0.05, 0.045)
VIEWER = np.array([0.0, 0.0, 1.0])
SOFTNESS = 0.2  # how far the key reaches round the shadow edge: skin scatters light
SHININESS_SQUARINGS = 5  # the highlight's exponent is 2^5


@dataclass(frozen=True)
class Scene:
    """One frame's geometry and colours, shared by all views of it."""

    vertices: Float[np.ndarray, "V 3"]
    normals: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    surface: Surface


def bands_of(channels: Sequence[str]) -> tuple[str, ...]:
    """The bands of the channels, in order: ('depth', 'normal') -> ('depth', 'normal_x', 'normal_y', 'normal_z')."""
    unknown = [name for name in channels if name not in CHANNEL_BANDS]
    if unknown or not channels or len(set(channels)) < len(channels):
        raise MeshError(f"channels must be distinct names among {list(CHANNEL_BANDS)}, found {list(channels)}")
    return tuple(band for name in channels for band in CHANNEL_BANDS[name])


def fill_channels(
    picture: Float[np.ndarray, "H W C"],
    raster: Raster,
    scene: Scene,
    camera: Camera,
    channels: Sequence[str],
    centre_distance: float,
    radius: float,
) -> None:
    """Write the channels into `picture`, whose bands are `bands_of(channels)`.

    Args:
        centre_distance: depth that counts as 0.
        radius: depth that counts as 1 beyond it.
    """
    # Seen pixels are listed and written back row by row: several times faster than masks over strided bands.
    pixels = np.flatnonzero(raster.triangle_ids >= 0)
    triangles, weights = raster.triangle_ids.reshape(-1)[pixels], raster.barycentric.reshape(-1, 3)[pixels]
    columns = []
    normals = None
    if "normal" in channels or "shaded" in channels:
        normals = _camera_normals(scene, triangles, weights, camera)
    for name in channels:
        if name == "depth":
            columns.append((raster.depth.reshape(-1)[pixels, None] - centre_distance) / radius)
        elif name == "mask":
            columns.append(np.ones((len(pixels), 1), np.float32))
        elif name == "normal":
            columns.append(normals)
        elif normals is not None:
            columns.append(to_srgb(lit(normals, *surface_colors(scene, triangles, weights))))
    picture[...] = np.concatenate([np.full(len(CHANNEL_BANDS[name]), BACKGROUND[name]) for name in channels])
    picture.reshape(-1, picture.shape[-1])[pixels] = np.concatenate(columns, axis=1)


def surface_colors(
    scene: Scene, triangles: Int[np.ndarray, " P"], weights: Float[np.ndarray, "P 3"]
) -> tuple[Float[np.ndarray, "P 3"], Float[np.ndarray, " P"]]:
    """Linear colour and gloss at points of the surface."""
    surface = scene.surface
    gloss = surface.face_gloss[triangles]
    if surface.texture is not None and surface.uv is not None and surface.uv_faces is not None:
        uv = _interpolate(surface.uv.astype(np.float64), surface.uv_faces, triangles, weights)
        return sample_texture(surface.texture, uv).astype(np.float32), gloss
    if surface.vertex_colors is not None:
        return _interpolate(surface.vertex_colors, scene.faces, triangles, weights), gloss
    return surface.face_colors[triangles], gloss


def lit(
    normals: Float[np.ndarray, "P 3"], albedo: Float[np.ndarray, "P 3"], gloss: Float[np.ndarray, " P"]
) -> Float[np.ndarray, "P 3"]:
    """Linear light towards the viewer: soft Lambert and Blinn-Phong under LIGHTS, and a sky-ground ambient term."""
    towards = np.array([light.towards for light in LIGHTS])
    colors = np.array([light.color for light in LIGHTS])
    return _lit(normals, albedo, gloss, unit(towards), unit(unit(towards) + VIEWER), colors, np.array([SKY, GROUND]))


def _camera_normals(
    scene: Scene, triangles: Int[np.ndarray, " P"], weights: Float[np.ndarray, "P 3"], camera: Camera
) -> Float[np.ndarray, "P 3"]:
    """Unit smooth normals in the camera frame, turned to the viewer on triangles seen from behind."""
    # Where the rays come from, homogeneous: a point (w = 1) or the direction of parallel rays (w = 0).
    if camera.orthographic:
        eye = np.append(camera.rotation[2], 0.0)
    else:
        eye = np.append(-camera.rotation.T @ camera.translation, 1.0)
    return _turned_normals(scene.vertices, scene.normals, scene.faces, triangles, weights, camera.rotation, eye)


@compiled()
@no_type_check
def _lit(normals, albedo, gloss, towards, half_ways, colors, ambient):
    out = np.empty((normals.shape[0], 3), np.float32)
    for p in range(normals.shape[0]):
        x, y, z = np.float64(normals[p, 0]), np.float64(normals[p, 1]), np.float64(normals[p, 2])
        up = 0.5 + 0.5 * y
        for c in range(3):
            out[p, c] = albedo[p, c] * (up * ambient[0, c] + (1.0 - up) * ambient[1, c])
        for light in range(towards.shape[0]):
            cosine = x * towards[light, 0] + y * towards[light, 1] + z * towards[light, 2]
            diffuse = max((cosine + SOFTNESS) / (1.0 + SOFTNESS), 0.0)
            shine = 0.0
            if cosine > 0.0:
                shine = max(x * half_ways[light, 0] + y * half_ways[light, 1] + z * half_ways[light, 2], 0.0)
                for _ in range(SHININESS_SQUARINGS):
                    shine *= shine
            for c in range(3):
                out[p, c] += colors[light, c] * (albedo[p, c] * diffuse + gloss[p] * shine)
    return out


@compiled()
@no_type_check
def _interpolate(values, corners, triangles, weights):
    """Values per corner, mixed by barycentric weights: (P, C) float32."""
    out = np.empty((triangles.shape[0], values.shape[1]), np.float32)
    for p in range(triangles.shape[0]):
        t = triangles[p]
        i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
        for c in range(values.shape[1]):
            out[p, c] = weights[p, 0] * values[i, c] + weights[p, 1] * values[j, c] + weights[p, 2] * values[k, c]
    return out


@compiled()
@no_type_check
def _turned_normals(vertices, normals, faces, triangles, weights, rotation, eye):
    out = np.empty((triangles.shape[0], 3), np.float32)
    n = np.empty(3)
    for p in range(triangles.shape[0]):
        t = triangles[p]
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        ux, uy, uz = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        vx, vy, vz = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        facing = (
            (uy * vz - uz * vy) * (eye[0] - eye[3] * vertices[i, 0])
            + (uz * vx - ux * vz) * (eye[1] - eye[3] * vertices[i, 1])
            + (ux * vy - uy * vx) * (eye[2] - eye[3] * vertices[i, 2])
        )
        for c in range(3):
            n[c] = weights[p, 0] * normals[i, c] + weights[p, 1] * normals[j, c] + weights[p, 2] * normals[k, c]
        length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
        scale = (1.0 if facing >= 0 else -1.0) / length if length > 0 else 0.0
        for c in range(3):
            out[p, c] = scale * (rotation[c, 0] * n[0] + rotation[c, 1] * n[1] + rotation[c, 2] * n[2])
    return out
