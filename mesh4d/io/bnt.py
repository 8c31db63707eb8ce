"""Bosphorus .bnt: one range image with the picture taken with it, as the scanner's grid of points.

Little-endian, packed, no magic: u16 rows | u16 columns | f64 background | u16 length and that many bytes of the
picture's name | u32 count of doubles | five planes x, y, z, u, v of count/5 doubles each. Sample r*columns + c is row
r from the BOTTOM, column c from the left; millimetres, +z towards the camera. A sample is background where x, y or z
equals the background value. u, v are valid everywhere, v counted from the picture's TOP.
"""

import struct
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import bare_name, file_inside, read_bytes, write_bytes
from mesh4d.io.surface import checked_mesh
from mesh4d.io.textures import texture_beside
from mesh4d.mesh import Mesh

BEFORE_NAME = struct.Struct("<HHdH")
COUNT = struct.Struct("<I")
BACKGROUND = -1e9
JITTER = 1e-3
"""Samples lie on the pixels of a picture, where Delaunay triangles are not unique and Qhull takes quadratic time: they
are moved apart by up to this part of their mean distance while they are triangulated."""
LONGEST_EDGE = 4.0
"""In a file whose samples are no full grid, triangles with a longer edge are left out; in median edges, on u, v."""


@dataclass(frozen=True)
class RangeImage:
    """All samples of a .bnt file, background included."""

    rows: int
    columns: int
    background: float
    """What x, y and z hold where the scanner saw nothing."""
    picture: str
    """Name of the picture taken with it."""
    xyz: Float[np.ndarray, "N 3"]
    uv: Float[np.ndarray, "N 2"]
    """u from the picture's left, v from its TOP, 0 to 1."""

    @property
    def is_grid(self) -> bool:
        """True when there is one sample for each row and column; some files of the data set have fewer."""
        return len(self.xyz) == self.rows * self.columns

    @property
    def foreground(self) -> Bool[np.ndarray, " N"]:
        """Samples that are points of the surface: the vertices of the mesh, in this order."""
        return ~(self.xyz == self.background).any(axis=1)


def read_bnt(path: str | PathLike[str]) -> Mesh:
    """Read a .bnt file (or .bnt.gz) as a mesh: its foreground samples, in order, with the picture beside it.

    The picture is the one that the file names, else NAME.png.

    Raises:
        MeshFormatError: naming the field.
    """
    return parse_bnt(read_bytes(path), Path(path))


def read_range_image(path: str | PathLike[str]) -> RangeImage:
    """Read all samples of a .bnt file (or .bnt.gz).

    Raises:
        MeshFormatError: naming the field.
    """
    return _range_image(read_bytes(path), str(path))


def parse_bnt(data: bytes, path: Path) -> Mesh:
    """The mesh in the bytes of a .bnt file; `path` names it in errors and says where its picture lies."""
    image = _range_image(data, str(path))
    kept = image.foreground
    if not kept.any():
        raise MeshFormatError(path, "planes x, y, z", "at least one sample of the surface", "background alone")
    faces = grid_triangles(kept, image.rows, image.columns) if image.is_grid else _scattered_triangles(image, path)
    uv = image.uv[kept]
    return checked_mesh(
        str(path),
        image.xyz[kept],
        faces,
        uv=np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1),
        uv_faces=faces,
        texture=_picture(image.picture, path),
    )


def _range_image(data: bytes, source: str) -> RangeImage:
    if len(data) < BEFORE_NAME.size:
        raise MeshFormatError(source, "header", f"{BEFORE_NAME.size} bytes", f"{len(data)}")
    rows, columns, background, length = BEFORE_NAME.unpack_from(data)
    start = BEFORE_NAME.size + length
    if len(data) < start + COUNT.size:
        raise MeshFormatError(source, "picture name", f"{length} bytes and a count", f"{len(data)} bytes in all")
    count = COUNT.unpack_from(data, start)[0]
    start += COUNT.size
    if count % 5 or len(data) != start + 8 * count:
        expected = f"a multiple of 5 doubles that fills the file ({(len(data) - start) / 8:g})"
        raise MeshFormatError(source, "count of doubles", expected, str(count))
    planes = np.frombuffer(data, "<f8", count, start).reshape(5, -1).astype(np.float64).T
    picture = data[BEFORE_NAME.size : BEFORE_NAME.size + length].decode("latin-1").rstrip("\0 ")
    return RangeImage(rows, columns, background, picture, planes[:, :3], planes[:, 3:])


def grid_triangles(kept: Bool[np.ndarray, " N"], rows: int, columns: int) -> Int[np.ndarray, "F 3"]:
    """Triangles between neighbours in a grid: two per cell, one where a corner of the cell is missing.

    Args:
        kept: samples that are vertices; row 0 is the bottom, column 0 the left.
        rows: rows of the grid.
        columns: columns of the grid.

    Returns:
        Numbers among the kept samples, counter-clockwise seen from the front.
    """
    vertex_of = np.where(kept, np.cumsum(kept) - 1, -1).reshape(rows, columns)
    a, b, c, d = vertex_of[:-1, :-1], vertex_of[:-1, 1:], vertex_of[1:, 1:], vertex_of[1:, :-1]
    # With all four corners a-b-c and a-c-d; with three, the triangle of those.
    first = np.stack([a, b, np.where(c >= 0, c, d)], axis=-1)
    second = np.stack([np.where(a >= 0, a, b), c, d], axis=-1)
    triangles = np.stack([first, second], axis=2).reshape(-1, 3)
    return triangles[(triangles >= 0).all(axis=1)]


def _scattered_triangles(image: RangeImage, path: Path) -> Int[np.ndarray, "F 3"]:
    """Delaunay triangles of the foreground on the picture, without those that bridge holes."""
    from scipy.spatial import Delaunay, QhullError

    points = image.uv[image.foreground] * np.array([1.0, -1.0])  # v counts downwards
    if not np.isfinite(points).all() or np.abs(points).max() > 1e6:
        raise MeshFormatError(path, "planes u, v", "places on the picture, 0 to 1", "others")
    spacing = np.ptp(points, axis=0).max() / np.sqrt(len(points))
    moved = points + JITTER * spacing * np.random.default_rng(0).uniform(-1.0, 1.0, points.shape)
    try:
        triangles = np.asarray(Delaunay(moved).simplices, np.int64)
    except (QhullError, ValueError) as error:
        raise MeshFormatError(path, "planes u, v", "points that span an area", "others") from error
    corners = points[triangles]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    (ux, vx), (uy, vy) = (corners[:, 1:] - corners[:, :1]).transpose(2, 1, 0)
    area = ux * vy - uy * vx
    typical = np.median(edges)
    kept = (edges.max(axis=1) <= LONGEST_EDGE * typical) & (np.abs(area) > 1e-6 * typical**2)
    return np.where((area < 0)[:, None], triangles[:, ::-1], triangles)[kept]


def _picture(name: str, path: Path) -> UInt8[np.ndarray, "H W C"] | None:
    beside = bare_name(path) + ".png"
    named = name if name and file_inside(path.parent, name) is not None else beside
    return texture_beside(path.parent, named)


def write_range_image(image: RangeImage, path: str | PathLike[str]) -> None:
    """Write a .bnt file (or .bnt.gz), all samples as they are.

    Raises:
        MeshError: a number or name that does not fit its field.
    """
    name = image.picture.encode("latin-1", "replace")
    planes = np.concatenate([image.xyz, image.uv], axis=1).T.astype("<f8")
    try:
        header = BEFORE_NAME.pack(image.rows, image.columns, image.background, len(name))
        count = COUNT.pack(planes.size)
    except struct.error as error:
        raise MeshError(f"{path}: rows, columns, name or samples do not fit a .bnt file: {error}") from error
    write_bytes(path, header + name + count + planes.tobytes())
