"""Maps over a mesh's texture atlas: positions in UV space, as Feng et al. (PRNet, ECCV 2018) regress them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import Camera
from mesh4d.render.materials import interpolate
from mesh4d.render.rasterize import Fragments, draw
from mesh4d.sequence import MeshSequence


@dataclass(frozen=True)
class UVMap:
    """Values over the texture atlas; texel centres lie where a texture of the same size has them."""

    values: Float[np.ndarray, "T H W C"]
    """float32, row 0 on top (v = 1); 0 where no triangle lies."""
    mask: Bool[np.ndarray, "H W"]
    """Texels on a triangle of the atlas."""


def uv_position_map(shape: Mesh | MeshSequence, size: int = 256) -> UVMap:
    """Where the surface point of each texel lies: x, y, z in the mesh's own frame and unit.

    Args:
        shape: a mesh (T = 1) or sequence with texture coordinates. Where triangles overlap in the atlas the first wins.
        size: height and width in texels.

    Raises:
        MeshError: no texture coordinates, or a size out of range.
    """
    frames = shape.frames if isinstance(shape, MeshSequence) else shape.vertices[None]
    return uv_map(shape.topology if isinstance(shape, MeshSequence) else shape, np.asarray(frames, np.float64), size)


def uv_map(mesh: Mesh, values: Float[np.ndarray, "T V C"], size: int = 256) -> UVMap:
    """Values per vertex, linear on the triangles, over the texture atlas.

    Args:
        mesh: with texture coordinates; seams need no split vertices.
        values: per frame and vertex: positions, displacements, weights, ...
        size: height and width in texels.

    Raises:
        MeshError: no texture coordinates, values for another number of vertices, a size out of range.
    """
    if mesh.uv is None or mesh.uv_faces is None:
        raise MeshError("a UV map needs a mesh with texture coordinates, found one without")
    if values.shape[1] != mesh.n_vertices:
        raise MeshError(f"values need one row per vertex: expected {mesh.n_vertices}, found {values.shape[1]}")
    seen = _atlas(mesh, size)
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    images = np.zeros((len(values), size * size, values.shape[2]), np.float32)
    for image, frame in zip(images, values, strict=True):
        image[seen.pixels] = interpolate(np.ascontiguousarray(frame, np.float64), faces, seen.triangles, seen.weights).T
    mask = np.zeros(size * size, bool)
    mask[seen.pixels] = True
    return UVMap(images.reshape(len(values), size, size, -1), mask.reshape(size, size))


def _atlas(mesh: Mesh, size: int) -> Fragments:
    """What each texel centre sees of the unit square, from straight above."""
    assert mesh.uv is not None and mesh.uv_faces is not None
    flat = np.column_stack([mesh.uv, np.zeros(len(mesh.uv))]).astype(np.float64)
    above = Camera(np.eye(3), np.array([-0.5, -0.5, -1.0]), focal=2.0, orthographic=True, near=-np.inf)
    return draw(flat, mesh.uv_faces, above, size)
