"""What glTF cannot say about a mesh, said beside it: which rows are one vertex, and which triangles one polygon.

glTF has one texture coordinate per vertex, so vertices on a seam are written several times: the vertices themselves
first, in their order, then the copies. The attribute `_SOURCE_VERTEX` says of each row whose copy it is. Polygons are
fans of triangles whose beginnings `extras.polygon_starts` of a primitive marks, a bit per triangle in base64. Readers
that know neither see an ordinary textured mesh of triangles.
"""

import base64
import binascii
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.io.surface import uv_of_vertices
from mesh4d.mesh import Mesh

SOURCE_VERTEX = "_SOURCE_VERTEX"
POLYGON_STARTS = "polygon_starts"
MOST_ROWS = 1 << 24
"""Whole numbers up to here are exact in float32, the only wide type that glTF allows an attribute."""


@dataclass(frozen=True)
class Rows:
    """The rows that a mesh's vertices become in a file."""

    source: Int[np.ndarray, " n"]
    """The vertex of each row; 0, 1, ... V - 1 and then the copies."""
    faces: Int[np.ndarray, "F 3"]
    """The mesh's faces as rows."""
    uv: Float[np.ndarray, "n 2"] | None
    """Texture coordinates of the rows, origin at the lower left."""


def split_at_seams(mesh: Mesh) -> Rows:
    """One row per vertex, and one more for each further texture coordinate that a vertex has."""
    vertices = np.arange(mesh.n_vertices)
    uv = uv_of_vertices(mesh)
    if mesh.uv is None or mesh.uv_faces is None or uv is not None:
        return Rows(vertices, mesh.faces, uv)
    values, value_of_row = np.unique(mesh.uv, axis=0, return_inverse=True)
    corner = mesh.faces * np.int64(len(values)) + value_of_row.reshape(-1)[mesh.uv_faces]
    pairs, corner_pair = np.unique(corner, return_inverse=True)
    vertex, value = np.divmod(pairs, len(values))
    is_copy = np.append(False, vertex[1:] == vertex[:-1])
    row = np.where(is_copy, mesh.n_vertices + np.cumsum(is_copy) - 1, vertex)
    source = np.concatenate([vertices, vertex[is_copy]])
    if len(source) > MOST_ROWS:
        return Rows(vertices, mesh.faces, None)
    uv = np.zeros((len(source), 2))
    uv[row] = values[value]
    return Rows(source, row[corner_pair].reshape(-1, 3), uv)


def first_rows(
    source: Float[np.ndarray, " n"], positions: Float[np.ndarray, "n 3"], deltas: Float[np.ndarray, "A n 3"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " V"]] | None:
    """The vertex of each row and the first row of each vertex, from the attribute `_SOURCE_VERTEX`.

    None where the attribute is no such map, or where the copies of a vertex have been moved apart since.
    """
    count = float(source.max(initial=-1.0)) + 1
    if not 1 <= count <= len(source) or (source != np.rint(source)).any() or source.min() < 0:
        return None
    vertex = source.astype(np.int64)
    found, first = np.unique(vertex, return_index=True)
    if len(found) != count:
        return None
    together = (positions == positions[first[vertex]]).all() and (deltas == deltas[:, first[vertex]]).all()
    return (vertex, first) if together else None


def packed_starts(starts: Bool[np.ndarray, " f"]) -> str:
    """Marks of the triangles that begin a polygon, as text."""
    return base64.b64encode(np.packbits(starts).tobytes()).decode()


def unpacked_starts(text: object, faces: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, " f"] | None:
    """The marks, or None where they are not marks of fans among these triangles."""
    if not isinstance(text, str) or len(faces) == 0:
        return None
    try:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    except (binascii.Error, ValueError):
        return None
    if len(bits) != -(-len(faces) // 8) * 8:
        return None
    starts = bits[: len(faces)].astype(bool)
    goes_on = (faces[1:, 0] == faces[:-1, 0]) & (faces[1:, 1] == faces[:-1, 2])
    return starts if starts[0] and (starts[1:] | goes_on).all() else None
