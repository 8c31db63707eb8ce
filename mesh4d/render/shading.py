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
from mesh4d.render.cameras import Camera
from mesh4d.render.materials import Albedo

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
SOFTNESS = 0.2  # how far the key reaches round the shadow edge: skin scatters light
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
    normals: Float[np.ndarray, "P 3"],
    albedo: Float[np.ndarray, "P 3"],
    gloss: Float[np.ndarray, " P"],
    shading: Shading = STUDIO,
    camera_from_face: Float[np.ndarray, "3 3"] | None = None,
) -> Float[np.ndarray, "P 3"]:
    """Linear light towards the viewer.

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
    colors = np.array([light.color for light in shading.lights], np.float64).reshape(-1, 3)
    ambient = np.array([shading.sky, shading.ground], np.float64)
    return _lit(normals, albedo, gloss, towards, unit(towards + VIEWER), colors, ambient)


def camera_normals(
    vertices: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    triangles: Int[np.ndarray, " P"],
    weights: Float[np.ndarray, "P 3"],
    camera: Camera,
) -> Float[np.ndarray, "P 3"]:
    """Unit smooth normals in the camera frame, turned to the viewer on triangles seen from behind; float32."""
    # Where the rays come from, homogeneous: a point (w = 1) or the direction of parallel rays (w = 0).
    if camera.orthographic:
        eye = np.append(camera.rotation[2], 0.0)
    else:
        eye = np.append(-camera.rotation.T @ camera.translation, 1.0)
    rotation = np.ascontiguousarray(camera.rotation, np.float64)
    return _turned_normals(vertices, normals, faces, triangles, weights, rotation, eye)


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
