"""Normals of triangles and of vertices, over one mesh or all frames of a sequence."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled


def face_vectors(vertices: Float[np.ndarray, "*T V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "*T F 3"]:
    """Cross product of two edges of each triangle: it points outward and its length is twice the area."""
    # One component at a time: np.take on contiguous columns is several times faster than row gathers.
    i, j, k = (np.ascontiguousarray(column) for column in faces.T)
    x, y, z = (np.ascontiguousarray(vertices[..., axis]) for axis in range(3))
    ux, uy, uz = (np.take(c, j, axis=-1) - np.take(c, i, axis=-1) for c in (x, y, z))
    vx, vy, vz = (np.take(c, k, axis=-1) - np.take(c, i, axis=-1) for c in (x, y, z))
    return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=-1)


def face_normals(vertices: Float[np.ndarray, "*T V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "*T F 3"]:
    """Unit outward normal of each triangle; zero where a triangle has no area."""
    return unit(face_vectors(vertices, faces))


def face_areas(vertices: Float[np.ndarray, "*T V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "*T F"]:
    """Area of each triangle, in the square of the vertices' unit."""
    return 0.5 * np.linalg.norm(face_vectors(vertices, faces), axis=-1)


def vertex_areas(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, " V"]:
    """A third of the area of the triangles around each vertex; the sum is the surface's area."""
    thirds = np.repeat(face_areas(vertices, faces) / 3.0, 3)
    return np.bincount(faces.reshape(-1), weights=thirds, minlength=len(vertices))


def vertex_normals(vertices: Float[np.ndarray, "*T V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "*T V 3"]:
    """Unit normal of each vertex: the mean of its triangles' normals weighted by their areas.

    A vertex that no triangle uses, or whose triangles cancel, gets a zero normal.
    """
    frames = np.ascontiguousarray(vertices, np.float64).reshape(-1, *vertices.shape[-2:])
    return unit(_summed_normals(frames, np.ascontiguousarray(faces)).reshape(vertices.shape))


def unit(vectors: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 3"]:
    """The vectors scaled to length 1; zero vectors stay zero."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return vectors / np.where(length > 0, length, 1.0)


@compiled()
@no_type_check
def _summed_normals(frames, faces):
    sums = np.zeros(frames.shape)
    for t in range(frames.shape[0]):
        for f in range(faces.shape[0]):
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ux, uy, uz = (
                frames[t, j, 0] - frames[t, i, 0],
                frames[t, j, 1] - frames[t, i, 1],
                frames[t, j, 2] - frames[t, i, 2],
            )
            vx, vy, vz = (
                frames[t, k, 0] - frames[t, i, 0],
                frames[t, k, 1] - frames[t, i, 1],
                frames[t, k, 2] - frames[t, i, 2],
            )
            x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            for v in (i, j, k):
                sums[t, v, 0] += x
                sums[t, v, 1] += y
                sums[t, v, 2] += z
    return sums
