"""Mesh: one surface with its own vertex order, and what a file may attach to it."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.errors import MeshError, TopologyError


@dataclass(frozen=True)
class Landmarks:
    """Named points on or near a surface, in the frame and unit of their mesh."""

    names: tuple[str, ...]
    points: Float[np.ndarray, "L 3"]
    confidence: Float[np.ndarray, " L"] | None = None
    """0 (a guess) to 1 (certain); None where the source gives none."""

    def __getitem__(self, name: str) -> Float[np.ndarray, "3"]:
        """The point called `name`."""
        return self.points[self.names.index(name)]


@dataclass(frozen=True)
class Mesh:
    """A triangulated surface; vertices keep the order of the file or generator they came from.

    Convention: faces wind counter-clockwise seen from outside. Coordinates are in the source's own
    frame and unit; heads made by this toolkit are in millimetres, +x the subject's left, +y up,
    +z out of the face.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    polygon_of_face: Int[np.ndarray, " F"] | None = None
    """Source polygon of each triangle. Polygons are fans: consecutive triangles with one id, first corner shared."""
    uv: Float[np.ndarray, "U 2"] | None = None
    """Texture coordinates, origin at the lower left, indexed by `uv_faces` (seams need no split vertices)."""
    uv_faces: Int[np.ndarray, "F 3"] | None = None
    texture: UInt8[np.ndarray, "H W C"] | None = None
    """Row 0 is the top of the picture."""
    colors: Float[np.ndarray, "V bands"] | None = None
    """Linear RGB or RGBA per vertex, 0 to 1."""
    part_of_face: Int[np.ndarray, " F"] | None = None
    """Index into `part_names` for each triangle (skin, eyes, teeth, ...)."""
    part_names: tuple[str, ...] = ()
    landmarks: Landmarks | None = None

    def __post_init__(self) -> None:
        check_indices("faces", self.faces, len(self.vertices))
        check_finite(self.vertices)
        if (self.uv is None) != (self.uv_faces is None):
            raise MeshError("uv and uv_faces come together; one of them is missing")
        if self.uv is not None and self.uv_faces is not None:
            check_indices("uv_faces", self.uv_faces, len(self.uv))
        for name in ("uv_faces", "polygon_of_face", "part_of_face"):
            rows = getattr(self, name)
            if rows is not None and len(rows) != len(self.faces):
                raise MeshError(f"{name} needs one row per face: expected {len(self.faces)}, found {len(rows)}")
        if self.colors is not None and len(self.colors) != len(self.vertices):
            raise MeshError(f"colors needs one row per vertex: expected {len(self.vertices)}, found {len(self.colors)}")
        if self.part_of_face is not None:
            check_indices("part_of_face", self.part_of_face, len(self.part_names))

    @property
    def n_vertices(self) -> int:
        return len(self.vertices)

    @property
    def n_faces(self) -> int:
        return len(self.faces)

    def with_vertices(self, vertices: Float[np.ndarray, "V 3"]) -> "Mesh":
        """The same topology and attributes at other positions. Landmarks are dropped: they no longer hold."""
        if vertices.shape != self.vertices.shape:
            raise TopologyError(f"expected vertices of shape {self.vertices.shape}, found {vertices.shape}")
        positions = np.asarray(vertices, np.float64)
        check_finite(positions)
        # Everything else was checked when this mesh was made; checking it again would take longer than posing a head.
        moved = object.__new__(type(self))
        for item in dataclasses.fields(self):
            object.__setattr__(moved, item.name, getattr(self, item.name))
        object.__setattr__(moved, "vertices", positions)
        object.__setattr__(moved, "landmarks", None)
        return moved

    def part_vertices(self, *names: str) -> Int[np.ndarray, " M"]:
        """Ids of the vertices used by the faces of the named parts, ascending."""
        if self.part_of_face is None:
            raise MeshError(f"this mesh names no parts; asked for {names}")
        unknown = [name for name in names if name not in self.part_names]
        if unknown:
            raise MeshError(f"unknown parts {unknown}; this mesh has {list(self.part_names)}")
        wanted = [self.part_names.index(name) for name in names]
        return np.unique(self.faces[np.isin(self.part_of_face, wanted)])

    def polygons(self) -> list[list[int]]:
        """The source polygons as vertex ids; triangles where no polygons were recorded."""
        if self.polygon_of_face is None:
            return self.faces.tolist()
        polygons: list[list[int]] = []
        previous = None
        for corner_ids, polygon in zip(self.faces.tolist(), self.polygon_of_face.tolist(), strict=True):
            if polygon == previous:
                polygons[-1].append(corner_ids[2])
            else:
                polygons.append(list(corner_ids))
            previous = polygon
        return polygons

    def to_trimesh(self):
        """A `trimesh.Trimesh` with the same vertex order (no merging, no repair)."""
        import trimesh

        return trimesh.Trimesh(self.vertices, self.faces, process=False)


def check_finite(vertices: Float[np.ndarray, "V 3"]) -> None:
    """Raise a MeshError that names the first vertex with a coordinate that is not finite."""
    flat = vertices.reshape(-1)
    if math.isfinite(flat @ flat):  # not where a coordinate is not; a single pass without intermediate arrays
        return
    bad = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if len(bad):
        raise MeshError(f"vertices must be finite; vertex {bad[0]} is {vertices[bad[0]].tolist()}")


def check_indices(name: str, indices: Int[np.ndarray, "..."], count: int) -> None:
    """Raise a MeshError when an index lies outside 0..count-1; it names the first bad row."""
    if indices.size and (indices.min() < 0 or indices.max() >= count):
        bad = (indices < 0) | (indices >= count)
        place = tuple(int(axis[0]) for axis in np.nonzero(bad))
        raise MeshError(f"{name}{list(place)} is {int(indices[place])}; expected 0 to {count - 1}")


def fan_triangles(
    corners: Int[np.ndarray, " corners"], sizes: Int[np.ndarray, " polygons"]
) -> tuple[Int[np.ndarray, "F 3"], Int[np.ndarray, " F"]]:
    """Triangulate polygons as fans around their first corner.

    Args:
        corners: the corners of all polygons, one after another (any kind of index).
        sizes: corners per polygon, each at least 3.

    Returns:
        Triangles, and the polygon each belongs to.
    """
    starts = np.cumsum(sizes) - sizes
    per_polygon = sizes - 2
    polygon = np.repeat(np.arange(len(sizes)), per_polygon)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(per_polygon) - per_polygon, per_polygon)
    first = starts[polygon]
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1), polygon
