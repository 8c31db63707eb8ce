"""Light on a surface: soft Lambert and Blinn-Phong under distant lights, with a sky-ground ambient term.

Normals of triangles seen from behind are turned to the viewer, so open scans and reversed windings shade sensibly.
"""

from dataclasses import dataclass
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import unit
from mesh4d.materials import to_srgb
from mesh4d.render.materials import Albedo, interpolate
from mesh4d.render.rasterize import Fragments

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A distant light."""

    towards: tuple[float, float, float]
    """Direction to the light, in the frame that it is fixed to."""
    color: RGB
    """Linear strength."""
    fixed_to: Literal["camera", "face"] = "camera"
    """Turns with the camera, or stays at one side of the face."""

    def __post_init__(self) -> None:
        if not (np.isfinite([*self.towards, *self.color]).all() and any(self.towards)):
            raise MeshError(f"a light needs a direction and a finite colour, found {self}")


LIGHTS = (
    Light((-0.60, 0.60, 0.52), (1.02, 0.95, 0.87)),  # key: high on the viewer's left, warm; grazes the face's folds
    Light((0.80, 0.05, 0.60), (0.15, 0.18, 0.23)),  # fill: right, weak and cool
    Light((0.55, 0.55, -0.63), (0.80, 0.85, 0.92)),  # rim: behind, catches the outline on the dark side
)
SKY, GROUND = (0.11, 0.12, 0.13), (0.06, 0.05, 0.045)
VIEWER = np.array([0.0, 0.0, 1.0])
SOFTNESS = np.float32(0.2)  # how far the key reaches round the shadow edge: skin scatters light
PER_SOFTNESS = np.float32(1 / 1.2)
SHININESS_SQUARINGS = 5  # the highlight's exponent is 2^5
TABLE_STEPS = 4096
SRGB_OF_ROOT = to_srgb((np.arange(TABLE_STEPS + 2) / TABLE_STEPS) ** 2).astype(np.float32)
"""sRGB by the square root of linear light: nearly straight, so that linear steps err by less than 1e-6."""


@dataclass(frozen=True)
class Shading:
    """How the channel `shaded` is lit."""

    lights: tuple[Light, ...] = LIGHTS
    sky: RGB = SKY
    """Ambient light on normals that point up in the picture."""
    ground: RGB = GROUND
    """Ambient light on those that point down."""
    albedo: Albedo = "own"
    """Where colours come from, here and in the channel `texture`."""


STUDIO = Shading()
"""Key, fill and rim, fixed to the camera."""


def lit(
    normals: Float[np.ndarray, "3 P"],
    albedo: Float[np.ndarray, "3 P"],
    gloss: Float[np.ndarray, " P"],
    shading: Shading = STUDIO,
    camera_from_face: Float[np.ndarray, "3 3"] | None = None,
) -> Float[np.ndarray, "3 P"]:
    """Linear light towards the viewer, float32.

    Args:
        normals: unit, camera frame.
        albedo: linear.
        gloss: strength of the highlight.
        shading: the lights.
        camera_from_face: turns the directions of lights that are fixed to the face.
    """
    turn = np.eye(3) if camera_from_face is None else camera_from_face
    directions = [turn @ light.towards if light.fixed_to == "face" else light.towards for light in shading.lights]
    towards = unit(np.array(directions, np.float64).reshape(-1, 3))
    colors = np.array([light.color for light in shading.lights]).reshape(-1, 3)
    ambient = np.array([shading.sky, shading.ground])
    lights = (towards, unit(towards + VIEWER), colors, ambient)
    return _lit(*(np.ascontiguousarray(each, np.float32) for each in (normals, albedo, gloss, *lights)))


def camera_normals(
    normals: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    seen: Fragments,
    rotation: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "3 P"]:
    """Unit smooth normals in the camera frame, turned to the viewer where the back is seen; float32.

    Args:
        normals: of the vertices, float32.
        faces: int32.
        seen: where.
        rotation: from the mesh's frame to the camera's.
    """
    mixed = interpolate(normals, faces, seen.triangles, seen.weights)
    return _turned(mixed, seen.front, np.ascontiguousarray(rotation, np.float32))


@compiled()
@no_type_check
def encode_srgb(light, table):
    """sRGB of linear light, clipped to 0..1, by a table over its square root; in place, float32."""
    steps = np.float32(table.shape[0] - 2)
    flat = light.reshape(-1)
    for p in range(flat.shape[0]):
        root = np.sqrt(min(max(flat[p], np.float32(0.0)), np.float32(1.0))) * steps
        step = np.int32(root)
        flat[p] = table[step] + (table[step + 1] - table[step]) * (root - np.float32(step))
    return light


@compiled()
@no_type_check
def _lit(normals, albedo, gloss, towards, half_ways, colors, ambient):
    # Light by light over rows of numbers, without branches: the compiler makes vector instructions of it.
    out = np.empty(normals.shape, np.float32)
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    for p in range(normals.shape[1]):
        up = half + half * normals[1, p]
        for c in range(3):
            out[c, p] = albedo[c, p] * (up * ambient[0, c] + (one - up) * ambient[1, c])
    for light in range(towards.shape[0]):
        x, y, z = towards[light, 0], towards[light, 1], towards[light, 2]
        u, v, w = half_ways[light, 0], half_ways[light, 1], half_ways[light, 2]
        red, green, blue = colors[light, 0], colors[light, 1], colors[light, 2]
        for p in range(normals.shape[1]):
            cosine = x * normals[0, p] + y * normals[1, p] + z * normals[2, p]
            diffuse = (cosine + SOFTNESS) * PER_SOFTNESS
            diffuse = diffuse if diffuse > zero else zero
            shine = u * normals[0, p] + v * normals[1, p] + w * normals[2, p]
            shine = shine if (shine > zero) & (cosine > zero) else zero
            for _ in range(SHININESS_SQUARINGS):
                shine *= shine
            shine *= gloss[p]
            out[0, p] += red * (albedo[0, p] * diffuse + shine)
            out[1, p] += green * (albedo[1, p] * diffuse + shine)
            out[2, p] += blue * (albedo[2, p] * diffuse + shine)
    return out


@compiled()
@no_type_check
def _turned(mixed, front, rotation):
    """Rotated, scaled to length 1 and turned to the viewer, in place."""
    one, zero, tiny = np.float32(1.0), np.float32(0.0), np.float32(1e-30)
    for p in range(mixed.shape[1]):
        x, y, z = mixed[0, p], mixed[1, p], mixed[2, p]
        square = x * x + y * y + z * z
        scale = one / np.sqrt(square if square > tiny else one)
        scale = scale if square > tiny else zero
        scale = scale if front[p] else -scale
        mixed[0, p] = scale * (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z)
        mixed[1, p] = scale * (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z)
        mixed[2, p] = scale * (rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z)
    return mixed
