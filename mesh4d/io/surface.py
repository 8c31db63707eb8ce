"""Between the polygons of files and the triangles of Mesh, the same way for every format."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.mesh import Mesh, fan_triangles


def checked_mesh(
    source: str,
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    *,
    polygon_of_face: Int[np.ndarray, " F"] | None = None,
    uv: Float[np.ndarray, "U 2"] | None = None,
    uv_faces: Int[np.ndarray, "F 3"] | None = None,
    texture: UInt8[np.ndarray, "H W C"] | None = None,
    colors: Float[np.ndarray, "V C"] | None = None,
    part_of_face: Int[np.ndarray, " F"] | None = None,
    part_names: tuple[str, ...] = (),
) -> Mesh:
    """A Mesh of what a file held; what Mesh refuses becomes a MeshFormatError that names the file."""
    for name, values in (("texture coordinates", uv), ("colours", colors)):
        if values is not None and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise MeshFormatError(source, f"{name}, row {row}", "finite numbers", str(values[row].tolist()))
    try:
        return Mesh(
            vertices=np.ascontiguousarray(vertices, np.float64),
            faces=np.ascontiguousarray(faces, np.int64),
            polygon_of_face=polygon_of_face,
            uv=uv,
            uv_faces=uv_faces,
            texture=texture,
            colors=colors,
            part_of_face=part_of_face,
            part_names=part_names,
        )
    except MeshError as error:
        raise MeshFormatError(source, "mesh", "a consistent surface", str(error)) from error


@dataclass(frozen=True)
class Fans:
    """How polygons, one after another, fall into triangles; the same for every kind of corner they have."""

    polygon_of_face: Int[np.ndarray, " F"] | None
    """The polygon of each triangle; None where all polygons are triangles."""
    positions: Int[np.ndarray, "F 3"] | None
    """Positions in the list of corners; None where all polygons have `size` corners."""
    size: int

    @classmethod
    def over(cls, sizes: Int[np.ndarray, " polygons"]) -> "Fans":
        """Fans over polygons with `sizes` corners each, at least 3."""
        size = int(sizes.max(initial=3))
        if size > int(sizes.min(initial=size)):
            positions, polygon_of_face = fan_triangles(np.arange(sizes.sum()), sizes)
            return cls(polygon_of_face, positions, 0)
        return cls(None if size == 3 else np.repeat(np.arange(len(sizes)), size - 2), None, size)

    def triangles(self, corners: Int[np.ndarray, " corners"]) -> Int[np.ndarray, "F 3"]:
        """The triangles of all polygons, from their corners one after another."""
        if self.positions is not None:
            return corners[self.positions]
        rows = corners.reshape(-1, self.size)
        if self.size == 3:
            return rows
        fans = np.empty((len(rows), self.size - 2, 3), corners.dtype)
        fans[:, :, 0], fans[:, :, 1], fans[:, :, 2] = rows[:, :1], rows[:, 1:-1], rows[:, 2:]
        return fans.reshape(-1, 3)


def first_of_polygon(mesh: Mesh) -> Int[np.ndarray, " polygons"]:
    """The first triangle of each source polygon; a triangle that does not go on with its fan starts a new one."""
    if mesh.polygon_of_face is None or len(mesh.faces) == 0:
        return np.arange(len(mesh.faces))
    goes_on = mesh.polygon_of_face[1:] == mesh.polygon_of_face[:-1]
    for corners in (mesh.faces, mesh.uv_faces):
        if corners is not None:
            goes_on &= (corners[1:, 0] == corners[:-1, 0]) & (corners[1:, 1] == corners[:-1, 2])
    return np.concatenate([[0], 1 + np.flatnonzero(~goes_on)])


def polygon_corners(
    triangles: Int[np.ndarray, "F 3"], first: Int[np.ndarray, " polygons"]
) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " polygons"]]:
    """Undo `fan_triangles`: the corners of all polygons, one after another, and how many each has.

    Args:
        triangles: vertex ids (or texture coordinate ids), fan after fan.
        first: the first triangle of each fan, from `first_of_polygon`.
    """
    keep = np.zeros((len(triangles), 3), bool)
    keep[:, 2] = True
    keep[first] = True
    sizes = np.diff(np.append(first, len(triangles))) + 2
    return triangles[keep], sizes


def uv_of_vertices(mesh: Mesh) -> Float[np.ndarray, "V 2"] | None:
    """One texture coordinate per vertex, zero for vertices of no face; None where a vertex has several."""
    if mesh.uv is None or mesh.uv_faces is None:
        return None
    uv = np.zeros((mesh.n_vertices, 2))
    uv[mesh.faces] = mesh.uv[mesh.uv_faces]
    return uv if (uv[mesh.faces] == mesh.uv[mesh.uv_faces]).all() else None
