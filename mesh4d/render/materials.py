"""The colours a mesh brings, ready to be looked up: parts' materials, vertex colours, textures; in linear light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.materials import SKIN, material_of_part, to_linear
from mesh4d.mesh import Mesh


@dataclass(frozen=True)
class Surface:
    """A mesh's colours, ready to be looked up at (triangle, barycentric) points. Linear light, 0 to 1.

    `face_colors` and `face_gloss` are float32.
    """

    face_colors: Float[np.ndarray, "F 3"]
    face_gloss: Float[np.ndarray, " F"]
    vertex_colors: Float[np.ndarray, "V 3"] | None = None
    texture: UInt8[np.ndarray, "H W 3"] | None = None
    """sRGB bytes: only the texels that are looked up are turned into light."""
    uv: Float[np.ndarray, "U 2"] | None = None
    uv_faces: Int[np.ndarray, "F 3"] | None = None


def surface_of(mesh: Mesh) -> Surface:
    """The colours a mesh brings: its texture, else its vertex colours, else its parts' materials, else skin."""
    materials = [material_of_part(name) for name in mesh.part_names] or [SKIN]
    part = np.zeros(mesh.n_faces, np.int64) if mesh.part_of_face is None else mesh.part_of_face
    palette = to_linear(np.array([material.srgb for material in materials])).astype(np.float32)
    gloss = np.array([material.gloss for material in materials], np.float32)
    if mesh.texture is not None and mesh.uv is not None and mesh.uv_faces is not None:
        return Surface(
            palette[part],
            gloss[part],
            None,
            _rgb(mesh.texture),
            mesh.uv,
            np.ascontiguousarray(mesh.uv_faces, np.int32),
        )
    colors = None if mesh.colors is None else np.ascontiguousarray(mesh.colors[:, :3], np.float64)
    return Surface(palette[part], gloss[part], colors)


def sample_texture(texture: UInt8[np.ndarray, "H W 3"], uv: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 3"]:
    """Linear light of an sRGB texture at uv (origin lower left), bilinear; outside 0..1 the picture repeats."""
    height, width = texture.shape[:2]
    uv = np.where((uv < 0) | (uv > 1), uv - np.floor(uv), uv)
    column = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    row = np.clip((1.0 - uv[:, 1]) * height - 0.5, 0, height - 1)
    left, top = column.astype(np.int64), row.astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (column - left)[:, None], (row - top)[:, None]
    light = to_linear(np.arange(256) / 255.0)
    upper = light[texture[top, left]] * (1 - across) + light[texture[top, right]] * across
    lower = light[texture[bottom, left]] * (1 - across) + light[texture[bottom, right]] * across
    return upper * (1 - down) + lower * down


def _rgb(texture: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W 3"]:
    """Grey pictures with three equal channels, alpha left out; a view, not a copy."""
    if texture.shape[2] >= 3:
        return texture[..., :3]
    return np.broadcast_to(texture[..., :1], (*texture.shape[:2], 3))
