"""Wavefront OBJ: text, polygons, texture coordinates with seams, groups, one texture.

Reads v (with optional colours), vt, f in all forms, g, usemtl, o, mtllib; skips vn, lines, points, curves.
The file's own vertex order and count are kept, always.
"""

import codecs
import re
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.io.allocation import check_triangles
from mesh4d.io.obj_statements import Corners, Statements, read_corners, scan
from mesh4d.io.sources import bare_name, file_inside, read_bytes, write_bytes
from mesh4d.io.surface import Fans, checked_mesh, first_of_polygon, polygon_corners
from mesh4d.io.textures import encode_png, texture_beside
from mesh4d.mesh import Mesh

UNNAMED_PART = "default"
MAX_MATERIAL_FILE = 16 << 20


def read_obj(path: str | PathLike[str]) -> Mesh:
    """Read an OBJ file (or .obj.gz); parts are its `g` groups, else its materials, else its `o` objects.

    Raises:
        MeshFormatError: naming the line.
    """
    return parse_obj(read_bytes(path), Path(path))


def parse_obj(data: bytes, path: Path) -> Mesh:
    """The mesh in the bytes of an OBJ file; `path` names it in errors and says where its texture lies."""
    statements = scan(data.removeprefix(codecs.BOM_UTF8), str(path))
    if len(statements.vertices) == 0:
        raise statements.error(0, "an OBJ file with v lines", "none")
    vertices, colors = _vertices(statements)
    corners = read_corners(statements)
    check_triangles(statements.source, "faces", int((corners.sizes - 2).sum()), len(data))
    fans = Fans.over(corners.sizes)
    uv, uv_faces = _texture_coordinates(statements, corners, fans)
    part_of_polygon, part_names = _parts(statements)
    if part_of_polygon is not None and fans.polygon_of_face is not None:
        part_of_polygon = part_of_polygon[fans.polygon_of_face]
    return checked_mesh(
        statements.source,
        vertices,
        fans.triangles(corners.vertex),
        polygon_of_face=fans.polygon_of_face,
        uv=uv,
        uv_faces=uv_faces,
        texture=None if uv is None else _texture(statements, path.parent),
        colors=colors,
        part_of_face=part_of_polygon,
        part_names=part_names,
    )


def _vertices(statements: Statements) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V C"] | None]:
    """Positions, and colours where every v line has 6 (RGB) or 7 (RGBA) numbers. A fourth number alone is a weight."""
    ids = statements.vertices
    words = statements.words[ids]
    numbers = statements.floats(ids, 3)
    if words.min() == words.max():
        rows = numbers.reshape(len(ids), int(words[0]))
    else:
        rows = numbers[(np.cumsum(words) - words)[:, None] + np.arange(3)]
    if rows.shape[1] not in (6, 7):
        return rows[:, :3], None
    colors = np.ascontiguousarray(rows[:, 3:])
    # Numbers above 1 are bytes: some scanners write 0 to 255.
    return rows[:, :3], colors / 255.0 if colors.max() > 1.0 else colors


def _texture_coordinates(
    statements: Statements, corners: Corners, fans: Fans
) -> tuple[Float[np.ndarray, "U 2"] | None, Int[np.ndarray, "F 3"] | None]:
    """Coordinates and corners; in a file where only some corners have one, the others share an extra (0, 0)."""
    missing = corners.uv < 0
    if len(missing) == 0 or missing.all():
        return None, None
    words = statements.words[statements.uv]
    numbers = statements.floats(statements.uv, 1)
    starts = np.cumsum(words) - words
    if (words >= 2).all():
        uv = numbers.reshape(-1, 2) if len(numbers) == 2 * len(words) else numbers[starts[:, None] + np.arange(2)]
    else:  # v is optional and 0 by default
        uv = np.stack([numbers[starts], np.where(words > 1, numbers[starts + np.minimum(words - 1, 1)], 0.0)], axis=1)
    indices = corners.uv
    if missing.any():
        indices = np.where(missing, len(uv), indices)
        uv = np.concatenate([uv, np.zeros((1, 2))])
    return uv, fans.triangles(indices)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _parts(statements: Statements) -> tuple[Int[np.ndarray, " polygons"] | None, tuple[str, ...]]:
    """The part of each f line, and the names of the parts that have one, in the order of the file."""
    for ids in (statements.groups, statements.materials, statements.objects):
        if len(ids):
            break
    else:
        return None, ()
    used, run = np.unique(np.searchsorted(ids, statements.faces), return_inverse=True)  # 0: before the first name
    order: dict[str, int] = {}
    parts = [
        order.setdefault((statements.name(int(ids[number - 1])) if number else "") or UNNAMED_PART, len(order))
        for number in used.tolist()
    ]
    return np.array(parts, np.int64)[run], tuple(order)


def _texture(statements: Statements, folder: Path) -> UInt8[np.ndarray, "H W C"] | None:
    """The picture of the first material (in the order of use) that has a map_Kd inside the file's folder."""
    libraries = [statements.name(statement) for statement in statements.libraries[:16].tolist()]
    pictures: dict[str, str] = {}
    for name in libraries:
        path = file_inside(folder, name)
        if path is not None and path.stat().st_size <= MAX_MATERIAL_FILE:
            pictures = _diffuse_maps(_text(path.read_bytes())) | pictures
    used = map(statements.name, statements.materials.tolist() if pictures else [])
    name = next((name for name in used if name in pictures), None)
    return None if name is None else texture_beside(folder, pictures[name])


def _diffuse_maps(materials: str) -> dict[str, str]:
    """Material name -> picture of its map_Kd, from the text of an MTL file."""
    pictures: dict[str, str] = {}
    material = ""
    for line in materials.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "newmtl":
            material = " ".join(rest.split())
        elif keyword.lower() == "map_kd" and rest.strip():
            # Options (-s 1 1 1, -clamp on, ...) stand before the name; a name may hold spaces.
            name = rest.split()[-1] if rest.strip().startswith("-") else rest.strip()
            pictures.setdefault(material, name)
    return pictures


def write_obj(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write an OBJ file (or .obj.gz): exact numbers, the source's polygons, parts as `g` groups.

    A texture goes beside it as NAME.png with NAME.mtl. An alpha channel of the colours is dropped: OBJ has none.
    """
    path = Path(path)
    lines: list[str] = []
    textured = mesh.texture is not None and mesh.uv is not None
    if textured and mesh.texture is not None:
        stem = re.sub(r"\s", "_", bare_name(path))
        write_bytes(path.with_name(f"{stem}.png"), encode_png(mesh.texture))
        write_bytes(path.with_name(f"{stem}.mtl"), f"newmtl texture\nKd 1 1 1\nmap_Kd {stem}.png\n".encode())
        lines.append(f"mtllib {stem}.mtl")
    rows = mesh.vertices if mesh.colors is None else np.concatenate([mesh.vertices, mesh.colors[:, :3]], axis=1)
    lines += map(" ".join(["v", *["%r"] * rows.shape[1]]).__mod__, map(tuple, rows.tolist()))
    if mesh.uv is not None:
        lines += map("vt %r %r".__mod__, map(tuple, mesh.uv.tolist()))
    if textured:
        lines.append("usemtl texture")
    lines += _face_lines(mesh)
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _face_lines(mesh: Mesh) -> list[str]:
    first = first_of_polygon(mesh)
    corners, sizes = polygon_corners(mesh.faces, first)
    words = list(map(str, (corners + 1).tolist()))
    if mesh.uv_faces is not None:
        uv_corners, _ = polygon_corners(mesh.uv_faces, first)
        words = list(map("%s/%d".__mod__, zip(words, (uv_corners + 1).tolist(), strict=True)))
    ends = np.cumsum(sizes).tolist()
    lines = ["f " + " ".join(words[end - size : end]) for end, size in zip(ends, sizes.tolist(), strict=True)]
    if mesh.part_of_face is None:
        return lines
    part = mesh.part_of_face[first]
    changes = np.concatenate([[0], 1 + np.flatnonzero(np.diff(part))]) if len(part) else np.zeros(0, np.int64)
    for row in changes[::-1].tolist():
        name = " ".join(re.sub(r"[#\\\x00-\x1f]", "_", mesh.part_names[part[row]]).split())
        lines.insert(row, f"g {name or UNNAMED_PART}")
    return lines
