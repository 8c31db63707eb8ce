"""Stanford PLY: ASCII and binary of both byte orders, polygons, colours, texture coordinates, parts.

Colours are the file's numbers: floats as they are, integers divided by their type's largest number. Texture
coordinates are read from vertices (s t, u v, texture_u texture_v) or from faces (MeshLab's list `texcoord`).
Parts are our own addition that other readers skip: comments `part NAME` and a face property `part`.
"""

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from mesh4d.errors import MeshFormatError
from mesh4d.io.allocation import check_triangles
from mesh4d.io.ply_elements import FORMATS, Columns, Header, ListColumn, read_header, read_tables
from mesh4d.io.sources import bare_name, read_buffer, write_bytes
from mesh4d.io.surface import Fans, checked_mesh, first_of_polygon, polygon_corners, uv_of_vertices
from mesh4d.io.textures import encode_png, texture_beside
from mesh4d.mesh import Mesh

UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
Encoding = Literal["ascii", "binary_little_endian", "binary_big_endian"]


def read_ply(path: str | PathLike[str]) -> Mesh:
    """Read a PLY file (or .ply.gz), vertices in its own order.

    Raises:
        MeshFormatError: naming the header line or the element.
    """
    return parse_ply(read_buffer(path), Path(path))


def parse_ply(data: bytes | memoryview, path: Path) -> Mesh:
    """The mesh in the bytes of a PLY file; `path` names it in errors and says where its texture lies."""
    source = str(path)
    header = read_header(data, source)
    tables = read_tables(data, header, source)
    vertex = tables.get("vertex", {})
    vertices = _side_by_side([_numbers(vertex, axis, source) for axis in ("x", "y", "z")])
    face = tables.get("face", {})
    corners = face.get("vertex_indices", face.get("vertex_index"))
    if not isinstance(corners, ListColumn):
        if any(element.name == "face" and element.rows for element in header.elements):
            raise MeshFormatError(source, "element face", "a list vertex_indices", f"only {sorted(face)[:20]}")
        corners = ListColumn(np.zeros(0), np.zeros(0, np.int64))
    if corners.sizes.min(initial=3) < 3:
        row = int(np.argmax(corners.sizes < 3))
        raise MeshFormatError(source, f"face {row}", "at least 3 corners", str(corners.sizes[row]))
    check_triangles(source, "element face", int(corners.sizes.sum()) - 2 * len(corners.sizes), len(data))
    fans = Fans.over(corners.sizes)
    faces = fans.triangles(_indices(corners.values, source, "vertex_indices"))
    uv, uv_faces = _texture_coordinates(vertex, face, corners.sizes, faces, fans, source)
    part_of_polygon, part_names = _parts(header, face, source)
    if part_of_polygon is not None and fans.polygon_of_face is not None:
        part_of_polygon = part_of_polygon[fans.polygon_of_face]
    return checked_mesh(
        source,
        vertices,
        faces,
        polygon_of_face=fans.polygon_of_face,
        uv=uv,
        uv_faces=uv_faces,
        texture=None if uv is None else _texture(header, path.parent),
        colors=_colors(vertex, header),
        part_of_face=part_of_polygon,
        part_names=part_names,
    )


def _numbers(table: Columns, name: str, source: str) -> Shaped[np.ndarray, " rows"]:
    column = table.get(name)
    if column is None or isinstance(column, ListColumn):
        raise MeshFormatError(source, "header", f"a number {name} per vertex", "a list" if column else "none")
    return column


def _side_by_side(columns: list[Shaped[np.ndarray, " rows"]]) -> Float[np.ndarray, "rows columns"]:
    """Columns as the float64 columns of one array: in one pass where they are neighbours in the rows of a file."""
    first = columns[0]
    places = [column.__array_interface__["data"][0] for column in columns]
    neighbours = all(
        column.dtype == first.dtype and column.strides == first.strides and place == places[0] + number * first.itemsize
        for number, (column, place) in enumerate(zip(columns, places, strict=True))
    )
    if not neighbours:
        return np.stack(columns, axis=1, dtype=np.float64)
    shape, strides = (len(first), len(columns)), (first.strides[0], first.itemsize)
    return np.lib.stride_tricks.as_strided(first, shape, strides, writeable=False).astype(np.float64, order="C")


def _indices(values: Shaped[np.ndarray, " values"], source: str, what: str) -> Int[np.ndarray, " values"]:
    """Numbers as int64; fractions and numbers too large for an index are refused before the cast."""
    if values.dtype.kind == "f":
        whole = (np.abs(values) < 2.0**53) & (values == np.floor(values))
        if not whole.all():
            raise MeshFormatError(source, what, "whole numbers", str(values[np.argmin(whole)]))
    return values.astype(np.int64, copy=False)


def _texture_coordinates(
    vertex: Columns,
    face: Columns,
    sizes: Int[np.ndarray, " polygons"],
    faces: Int[np.ndarray, "F 3"],
    fans: Fans,
    source: str,
) -> tuple[Float[np.ndarray, "U 2"] | None, Int[np.ndarray, "F 3"] | None]:
    per_corner = face.get("texcoord")
    if isinstance(per_corner, ListColumn) and len(sizes) and (per_corner.sizes == 2 * sizes).all():
        # One row per corner in the file: equal rows become one again, so that seams are where they differ.
        rows = per_corner.values.astype(np.float64).view(np.complex128)  # sorts pairs far faster than axis=0 does
        uv, corner_uv = np.unique(rows, return_inverse=True)
        return uv.view(np.float64).reshape(-1, 2), fans.triangles(corner_uv)
    for u, v in UV_NAMES:
        if u in vertex and v in vertex:
            return _side_by_side([_numbers(vertex, u, source), _numbers(vertex, v, source)]), faces
    return None, None


def _colors(vertex: Columns, header: Header) -> Float[np.ndarray, "V C"] | None:
    channels: list[Shaped[np.ndarray, " V"]] = []
    kinds = {column.name: column.kind for element in header.elements for column in element.properties
             if element.name == "vertex"}  # fmt: skip
    for name in ("red", "green", "blue", "alpha"):
        column = vertex.get(name)
        if column is None or isinstance(column, ListColumn):
            break
        channels.append(column if kinds[name][0] == "f" else column / np.iinfo(kinds[name]).max)
    return _side_by_side(channels) if len(channels) >= 3 else None


def _parts(header: Header, face: Columns, source: str) -> tuple[Int[np.ndarray, " polygons"] | None, tuple[str, ...]]:
    names = tuple(comment.partition(" ")[2] for comment in header.comments if comment.startswith("part "))
    column = face.get("part")
    if not names or column is None or isinstance(column, ListColumn):
        return None, ()
    return _indices(column, source, "part"), names


def _texture(header: Header, folder: Path) -> UInt8[np.ndarray, "H W C"] | None:
    for comment in header.comments:
        keyword, _, name = comment.partition(" ")
        if keyword == "TextureFile" and name.strip():
            return texture_beside(folder, name.strip())
    return None


def write_ply(mesh: Mesh, path: str | PathLike[str], encoding: Encoding = "binary_little_endian") -> None:
    """Write a PLY file (or .ply.gz): float64 positions, the source's polygons, colours, uv, parts.

    Colours that are bytes in all but name (k/255) become bytes, others float64. Texture coordinates go to the
    vertices where each vertex has one, else to the corners. A texture goes beside the file as NAME.png.
    """
    path = Path(path)
    columns = [(axis, mesh.vertices[:, number].astype(np.float64)) for number, axis in enumerate("xyz")]
    columns += _color_columns(mesh)
    uv = uv_of_vertices(mesh)
    if uv is not None:
        columns += [("s", uv[:, 0]), ("t", uv[:, 1])]
    lines = ["ply", f"format {encoding} 1.0", "comment facet4d"]
    if mesh.texture is not None and mesh.uv is not None:
        name = re.sub(r"\s", "_", bare_name(path)) + ".png"
        write_bytes(path.with_name(name), encode_png(mesh.texture))
        lines.append(f"comment TextureFile {name}")
    lines += [f"comment part {' '.join(name.split()) or 'default'}" for name in mesh.part_names]
    lines += [f"element vertex {mesh.n_vertices}"]
    lines += [f"property {'uchar' if values.dtype == np.uint8 else 'double'} {name}" for name, values in columns]
    order = FORMATS[encoding]
    rows = np.empty(mesh.n_vertices, [(name, (order or "=") + values.dtype.str[1:]) for name, values in columns])
    for name, values in columns:
        rows[name] = values
    body = rows.tobytes() if order else _ascii(rows.tolist())
    face_header, face_body = _faces(mesh, order, per_corner_uv=mesh.uv is not None and uv is None)
    lines += [*face_header, "end_header"]
    write_bytes(path, ("\n".join(lines) + "\n").encode() + body + face_body)


def _ascii(rows: Iterable[tuple]) -> bytes:
    """Rows of numbers and lists of numbers as lines; repr is the shortest text that reads back as the same float."""
    lines: list[str] = []
    for row in rows:
        numbers = [number for item in row for number in (item if isinstance(item, list) else [item])]
        lines.append(" ".join(map(repr, numbers)))
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _lists(rows: Shaped[np.ndarray, " rows"]) -> list[tuple]:
    columns = [rows[name].tolist() for name in rows.dtype.names or ()]
    return list(zip(*columns, strict=True))


def _color_columns(mesh: Mesh) -> list[tuple[str, Shaped[np.ndarray, " V"]]]:
    if mesh.colors is None:
        return []
    scaled = np.asarray(mesh.colors, np.float64) * 255.0
    whole = np.rint(scaled)
    as_bytes = bool((np.abs(scaled - whole) < 1e-6).all() and (whole >= 0).all() and (whole <= 255).all())
    colors = whole.astype(np.uint8) if as_bytes else np.asarray(mesh.colors, np.float64)
    return list(zip(("red", "green", "blue", "alpha"), colors.T, strict=False))


def _faces(mesh: Mesh, order: str, *, per_corner_uv: bool) -> tuple[list[str], bytes]:
    """Header lines and rows of the faces; rows of one length are packed together."""
    first = first_of_polygon(mesh)
    corners, sizes = polygon_corners(mesh.faces, first)
    parts = None if mesh.part_of_face is None else mesh.part_of_face[first]
    uv_corners = polygon_corners(mesh.uv_faces, first)[0] if per_corner_uv and mesh.uv_faces is not None else None
    count = "uchar" if sizes.max(initial=3) < 128 else "int"
    header = [f"element face {len(sizes)}", f"property list {count} int vertex_indices"]
    if uv_corners is not None:
        header.append(f"property list {count} double texcoord")
    if parts is not None:
        header.append("property int part")
    starts = np.cumsum(sizes) - sizes
    same = np.concatenate([[0], 1 + np.flatnonzero(np.diff(sizes)), [len(sizes)]]) if len(sizes) else np.zeros(1, int)
    body: list[bytes] = []
    for begin, end in zip(same[:-1].tolist(), same[1:].tolist(), strict=True):
        size = int(sizes[begin])
        at = starts[begin:end, None] + np.arange(size)
        kind = (order or "=") + ("u1" if count == "uchar" else "i4")
        fields = [("n", kind), ("corners", (order or "=") + "i4", (size,))]
        if uv_corners is not None:
            fields += [("m", kind), ("uv", (order or "=") + "f8", (2 * size,))]
        if parts is not None:
            fields.append(("part", (order or "=") + "i4"))
        rows = np.empty(end - begin, fields)
        rows["n"], rows["corners"] = size, corners[at]
        if uv_corners is not None and mesh.uv is not None:
            rows["m"], rows["uv"] = 2 * size, mesh.uv[uv_corners[at]].reshape(end - begin, -1)
        if parts is not None:
            rows["part"] = parts[begin:end]
        body.append(rows.tobytes() if order else _ascii(_lists(rows)))
    return header, b"".join(body)
