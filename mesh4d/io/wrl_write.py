"""VRML97 files as the makers of face scans write them: plain, or with the nodes and header of a Tricorder scanner."""

import re
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from mesh4d.io.sources import bare_name, write_bytes
from mesh4d.io.surface import first_of_polygon, polygon_corners
from mesh4d.io.textures import encode_png
from mesh4d.mesh import Mesh

Dialect = Literal["plain", "tricorder"]
CAMERAS = {
    "Front": ("0 0 600", "0 1 0 0"),
    "Back": ("0 0 -600", "0 1 0 3.14159"),
    "Left": ("-600 0 0", "0 1 0 -1.5708"),
    "Right": ("600 0 0", "0 1 0 1.5708"),
    "Top": ("0 600 0", "1 0 0 -1.5708"),
    "Bottom": ("0 -600 0", "1 0 0 1.5708"),
}
"""Position in mm and orientation of six viewpoints; their names and numbers are ours, their count is BU-3DFE's."""


def write_wrl(
    mesh: Mesh,
    path: str | PathLike[str],
    *,
    dialect: Dialect = "plain",
    decimals: int | None = None,
    texture_name: str | None = None,
) -> None:
    """Write a VRML97 file (or .wrl.gz): polygons, seams, colours; one shape per part over one set of points.

    With several parts, faces are grouped by part and part names become VRML names (no spaces).

    Args:
        mesh: what to write.
        path: where to.
        dialect: "tricorder" is the structure of BU-3DFE (header lines, one named Transform, six viewpoints, indices
            between spaces); "plain" has indices between commas and spaces, as readers of BU-4DFE expect.
        decimals: digits after the point; None writes the shortest text that reads back as the same number.
        texture_name: a picture that lies or will lie beside the file; by default the mesh's texture, where it has
            one, is written there as NAME.png.
    """
    path = Path(path)
    if texture_name is None and mesh.texture is not None and mesh.uv is not None:
        texture_name = bare_name(path) + ".png"
        write_bytes(path.with_name(texture_name), encode_png(mesh.texture))
    shapes = _shapes(mesh, dialect, decimals, texture_name)
    if dialect == "tricorder":
        header = "#VRML V2.0 utf8\n\n#Tricorder Technology plc - 2000\n\n"
        body = "DEF Tricorder_object Transform {\n  children [\n" + "".join(shapes) + "  ]\n}\n"
        cameras = [
            f"DEF Tricorder_Camera_{name} Viewpoint {{\n  position {position}\n  orientation {turn}\n"
            f'  description "{name}"\n}}\n'
            for name, (position, turn) in CAMERAS.items()
        ]
        text = header + body + "".join(cameras)
    else:
        text = "#VRML V2.0 utf8\nGroup {\n  children [\n" + "".join(shapes) + "  ]\n}\n"
    write_bytes(path, text.encode())


def _shapes(mesh: Mesh, dialect: Dialect, decimals: int | None, texture_name: str | None) -> list[str]:
    """The text of one Shape per part; the first defines the points and the others use them."""
    first = first_of_polygon(mesh)
    corners, sizes = polygon_corners(mesh.faces, first)
    uv_corners = None if mesh.uv_faces is None else polygon_corners(mesh.uv_faces, first)[0]
    part = np.zeros(len(first), np.int64) if mesh.part_of_face is None else mesh.part_of_face[first]
    used = np.unique(part).tolist() or [0]
    shared = len(used) > 1
    separator = " " if dialect == "tricorder" else ", "
    texts: list[str] = []
    for number, part_id in enumerate(used):
        chosen = part == part_id
        of_corner = np.repeat(chosen, sizes)
        lines = [
            "ccw TRUE", "solid FALSE", "convex TRUE", "creaseAngle 1.57",
            *_rows("coord", "Coordinate", "point", mesh.vertices, decimals, number, shared),
            f"coordIndex [\n{_index_rows(corners[of_corner], sizes[chosen], separator)}\n]",
        ]  # fmt: skip
        if mesh.uv is not None and uv_corners is not None:
            lines += _rows("texCoord", "TextureCoordinate", "point", mesh.uv, decimals, number, shared)
            lines.append(f"texCoordIndex [\n{_index_rows(uv_corners[of_corner], sizes[chosen], separator)}\n]")
        if mesh.colors is not None:
            lines.append("colorPerVertex TRUE")
            lines += _rows("color", "Color", "color", mesh.colors[:, :3], decimals, number, shared)
        name = f"DEF {_vrml_name(mesh.part_names[part_id])} " if shared else ""
        geometry = "\n".join(lines)
        texts.append(f"{name}Shape {{\n{_appearance(texture_name)}geometry IndexedFaceSet {{\n{geometry}\n}}\n}}\n")
    return texts


def _appearance(texture_name: str | None) -> str:
    if texture_name is None:
        return "appearance Appearance {\nmaterial Material {\n}\n}\n"
    url = texture_name.replace("\\", "\\\\").replace('"', '\\"')
    texture = f'texture ImageTexture {{\nurl "{url}"\nrepeatS FALSE\nrepeatT FALSE\n}}\n'
    return f"appearance Appearance {{\n{texture}}}\n"


def _rows(
    field: str,
    node_type: str,
    array: str,
    rows: Float[np.ndarray, "rows width"],
    decimals: int | None,
    number: int,
    shared: bool,
) -> list[str]:
    """`field Type { array [ ... ] }`, or the use of what the first shape defined."""
    if number:
        return [f"{field} USE mesh_{field}"]
    form = "%r" if decimals is None else f"%.{decimals}f"
    lines = map(" ".join([form] * rows.shape[1]).__mod__, map(tuple, rows.tolist()))
    define = f"DEF mesh_{field} " if shared else ""
    return [f"{field} {define}{node_type} {{\n{array} [\n" + ",\n".join(lines) + "\n]\n}"]


def _index_rows(corners: Int[np.ndarray, " corners"], sizes: Int[np.ndarray, " polygons"], separator: str) -> str:
    words = list(map(str, corners.tolist()))
    ends = np.cumsum(sizes).tolist()
    rows = [separator.join([*words[end - size : end], "-1"]) for end, size in zip(ends, sizes.tolist(), strict=True)]
    return ",\n".join(rows)


def _vrml_name(name: str) -> str:
    """A name that VRML97 allows: no spaces, quotes, brackets or signs, no digit first."""
    clean = re.sub(r"[^A-Za-z0-9_]", "_", name) or "part"
    return clean if not clean[0].isdigit() else f"part_{clean}"
