"""The colours a mesh brings, ready to be looked up: parts' materials, vertex colours, textures; in linear light."""

from dataclasses import dataclass
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.compiled import compiled
from mesh4d.errors import MeshError
from mesh4d.materials import SKIN, material_of_part, to_linear
from mesh4d.mesh import Mesh

Albedo = Literal["own", "texture", "vertex", "part"]
"""Where a surface's colour comes from; "own" takes the first of texture, vertex colours and part that there is."""
LIGHT_OF_BYTE = to_linear(np.arange(256) / 255.0).astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """A mesh's colours, ready to be looked up at (triangle, barycentric) points. Linear light, 0 to 1."""

    palette: Float[np.ndarray, "M 3"]
    """Colour of each part, float32."""
    gloss: Float[np.ndarray, " M"]
    """Of each part, float32."""
    part_of_face: Int[np.ndarray, " F"] | None = None
    """Row of both; None where there is but one."""
    vertex_colors: Float[np.ndarray, "V 3"] | None = None
    texture: UInt8[np.ndarray, "H W C"] | None = None
    """sRGB or grey bytes: only the texels that are looked up are turned into light."""
    uv: Float[np.ndarray, "U 2"] | None = None
    uv_faces: Int[np.ndarray, "F 3"] | None = None
    """Corners in `uv`, int32; seams have several for one vertex."""


def surface_of(mesh: Mesh, albedo: Albedo = "own") -> Surface:
    """The colours a mesh brings: its texture, else its vertex colours, else its parts' materials, else skin.

    Raises:
        MeshError: `albedo` asks for a texture or vertex colours that the mesh has not.
    """
    materials = [material_of_part(name) for name in mesh.part_names] or [SKIN]
    palette = to_linear(np.array([material.srgb for material in materials])).astype(np.float32)
    gloss = np.array([material.gloss for material in materials], np.float32)
    uv = None if mesh.uv is None else np.ascontiguousarray(mesh.uv, np.float64)
    uv_faces = None if mesh.uv_faces is None else np.ascontiguousarray(mesh.uv_faces, np.int32)
    textured = mesh.texture is not None and uv is not None
    if (albedo == "texture" and not textured) or (albedo == "vertex" and mesh.colors is None):
        wanted = "a texture with texture coordinates" if albedo == "texture" else "vertex colours"
        raise MeshError(f"albedo {albedo!r}: expected a mesh with {wanted}, found one without")
    texture = np.ascontiguousarray(mesh.texture) if textured and albedo in ("own", "texture") else None
    colors = None
    if texture is None and mesh.colors is not None and albedo in ("own", "vertex"):
        colors = np.ascontiguousarray(mesh.colors[:, :3], np.float64)
    return Surface(palette, gloss, mesh.part_of_face, colors, texture, uv, uv_faces)


def albedo_at(
    surface: Surface,
    faces: Int[np.ndarray, "F 3"],
    triangles: Int[np.ndarray, " P"],
    weights: Float[np.ndarray, "P 3"],
) -> Float[np.ndarray, "3 P"]:
    """Linear colour at points of the surface, float32."""
    if surface.texture is not None and surface.uv is not None and surface.uv_faces is not None:
        return _sample_surface(surface.texture, surface.uv, surface.uv_faces, triangles, weights, LIGHT_OF_BYTE)
    if surface.vertex_colors is not None:
        return interpolate(surface.vertex_colors, faces, triangles, weights)
    return np.take(surface.palette.T, parts_at(surface, triangles), axis=1)


def parts_at(surface: Surface, triangles: Int[np.ndarray, " P"]) -> Int[np.ndarray, " P"]:
    """The row in the palette of each triangle."""
    return np.zeros_like(triangles) if surface.part_of_face is None else np.take(surface.part_of_face, triangles)


def sample_texture(texture: UInt8[np.ndarray, "H W C"], uv: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 3"]:
    """Linear light of an sRGB or grey texture at uv (origin lower left), bilinear; outside 0..1 the picture repeats."""
    out = np.empty((3, len(uv)), np.float32)
    _sample(np.ascontiguousarray(texture), np.ascontiguousarray(uv, np.float64), LIGHT_OF_BYTE, out)
    return out.T


@compiled()
@no_type_check
def interpolate(values, corners, triangles, weights):
    """Values per corner, mixed by barycentric weights: (C, P) float32."""
    out = np.empty((values.shape[1], triangles.shape[0]), np.float32)
    for p in range(triangles.shape[0]):
        t = triangles[p]
        i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
        for c in range(values.shape[1]):
            out[c, p] = weights[p, 0] * values[i, c] + weights[p, 1] * values[j, c] + weights[p, 2] * values[k, c]
    return out


@compiled(inline="always")
@no_type_check
def _texel(texture, u, v, light, out, p):
    """One bilinear sample into column `p` of `out`."""
    height, width, bands = texture.shape
    if u < 0.0 or u > 1.0:
        u -= np.floor(u)
    if v < 0.0 or v > 1.0:
        v -= np.floor(v)
    column = min(max(u * width - 0.5, 0.0), width - 1.0)
    row = min(max((1.0 - v) * height - 0.5, 0.0), height - 1.0)
    left, top = int(column), int(row)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across, down = np.float32(column - left), np.float32(row - top)
    one = np.float32(1.0)
    for c in range(3):
        band = c if bands >= 3 else 0  # grey, with or without alpha
        upper = light[texture[top, left, band]] * (one - across) + light[texture[top, right, band]] * across
        lower = light[texture[bottom, left, band]] * (one - across) + light[texture[bottom, right, band]] * across
        out[c, p] = upper * (one - down) + lower * down


@compiled()
@no_type_check
def _sample(texture, uv, light, out):
    for p in range(uv.shape[0]):
        _texel(texture, uv[p, 0], uv[p, 1], light, out, p)


@compiled()
@no_type_check
def _sample_surface(texture, uv, uv_faces, triangles, weights, light):
    out = np.empty((3, triangles.shape[0]), np.float32)
    for p in range(triangles.shape[0]):
        t = triangles[p]
        i, j, k = uv_faces[t, 0], uv_faces[t, 1], uv_faces[t, 2]
        u = weights[p, 0] * uv[i, 0] + weights[p, 1] * uv[j, 0] + weights[p, 2] * uv[k, 0]
        v = weights[p, 0] * uv[i, 1] + weights[p, 1] * uv[j, 1] + weights[p, 2] * uv[k, 1]
        _texel(texture, u, v, light, out, p)
    return out
