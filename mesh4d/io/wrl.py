"""VRML97 (.wrl): every IndexedFaceSet of a file, with polygons, seams, textures; the dialects of BU-3DFE and BU-4DFE.

Vertices are the points of the file's Coordinate nodes, in the order in which its shapes use them; shapes that share
a Coordinate node share vertices. Numbers may stand between spaces or commas. Transform nodes are applied. Several
shapes become parts. Not read: normals, colours per face, animation, prototypes, Inline files.
"""

import logging
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from mesh4d.errors import MeshFormatError
from mesh4d.io.allocation import check_triangles
from mesh4d.io.sources import bare_name, file_inside, read_bytes
from mesh4d.io.surface import Fans, checked_mesh
from mesh4d.io.textures import texture_beside
from mesh4d.io.wrl_scene import Node, Scene, parse_scene
from mesh4d.mesh import Mesh

logger = logging.getLogger(__name__)

MAX_VISITS = 20_000
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
Matrix = Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class PlacedShape:
    """A Shape with an IndexedFaceSet, and the transforms above it."""

    name: str
    shape: Node
    face_set: Node
    to_world: Matrix


@dataclass(frozen=True)
class Polygons:
    """The surface of one shape; indices are into the rows of the whole file."""

    corners: Int[np.ndarray, " corners"]
    sizes: Int[np.ndarray, " polygons"]
    uv_corners: Int[np.ndarray, " corners"] | None


def read_wrl(path: str | PathLike[str]) -> Mesh:
    """Read a VRML97 file (or .wrl.gz), vertices in its own order.

    The texture is the picture that the file names, beside it; else a picture of the same name as the file; else,
    for NAME_RAW.wrl, that of NAME_F3D (BU-3DFE has one picture for both).

    Raises:
        MeshFormatError: naming the line.
    """
    return parse_wrl(read_bytes(path), Path(path))


def parse_wrl(data: bytes, path: Path) -> Mesh:
    """The mesh in the bytes of a VRML97 file; `path` names it in errors and says where its texture lies."""
    scene = parse_scene(data, str(path))
    placed = _placed_shapes(scene)
    if not placed:
        raise MeshFormatError(path, "file", "a Shape with an IndexedFaceSet", "none")
    rows = _Rows(scene)
    parts = [_polygons(scene, rows, shape) for shape in placed]
    corners = np.concatenate([part.corners for part in parts])
    sizes = np.concatenate([part.sizes for part in parts])
    check_triangles(scene.source, "coordIndex", int((sizes - 2).sum()), len(data))
    fans = Fans.over(sizes)
    uv, uv_corners = rows.texture_coordinates(parts)
    part_of_face, part_names = _parts(placed, parts)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found and refused by name
        vertices = rows.vertices()
    return checked_mesh(
        scene.source,
        vertices,
        fans.triangles(corners),
        polygon_of_face=fans.polygon_of_face,
        uv=uv,
        uv_faces=None if uv_corners is None else fans.triangles(uv_corners),
        texture=None if uv is None else _texture(scene, placed, path),
        colors=rows.colors(),
        part_of_face=part_of_face,
        part_names=part_names,
    )


def _placed_shapes(scene: Scene) -> list[PlacedShape]:
    """The shapes of the scene in the order of the file; a node that is used twice counts twice."""
    found: list[PlacedShape] = []
    waiting = [(scene.root, "", np.eye(4))]
    for _ in range(MAX_VISITS):
        if not waiting:
            return found
        node, name, to_world = waiting.pop()
        if node.type == "Transform":
            with np.errstate(over="ignore", invalid="ignore"):
                to_world = to_world @ _transform(scene, node)
        face_set = node.child("geometry", "IndexedFaceSet") if node.type == "Shape" else None
        if face_set is not None:
            found.append(PlacedShape(node.name or name, node, face_set, to_world))
        waiting += [(child, node.name or name, to_world) for child in reversed(_drawn_children(scene, node))]
    raise MeshFormatError(scene.source, "nodes", f"at most {MAX_VISITS} nodes with those used again", "more")


def _drawn_children(scene: Scene, node: Node) -> list[Node]:
    """The children that a viewer would draw from near: one of a Switch, the first level of an LOD."""
    if node.type in ("PROTO", "EXTERNPROTO", "Script", "Shape"):
        return []
    if node.type == "LOD":
        return [child for name, child in node.children if name == "level"][:1]
    if node.type == "Switch":
        choice = int(scene.numbers(node, "whichChoice", (-1.0,))[0])
        choices = [child for name, child in node.children if name == "choice"]
        return choices[choice : choice + 1] if choice >= 0 else []
    return [child for _, child in node.children]


def _transform(scene: Scene, node: Node) -> Matrix:
    """T C R SR S SR^-1 C^-1, as VRML97 (ISO/IEC 14772-1, 6.52) defines it."""
    center = _moved(scene.numbers(node, "center", (0.0, 0.0, 0.0)))
    turned = _turned(scene.numbers(node, "scaleOrientation", (0.0, 0.0, 1.0, 0.0)))
    scale = np.diag(np.append(scene.numbers(node, "scale", (1.0, 1.0, 1.0)), 1.0))
    about_center = _turned(scene.numbers(node, "rotation", (0.0, 0.0, 1.0, 0.0))) @ turned @ scale @ turned.T
    translation = _moved(scene.numbers(node, "translation", (0.0, 0.0, 0.0)))
    return translation @ center @ about_center @ _moved(-center[:3, 3])


def _moved(offset: Float[np.ndarray, "3"]) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def _turned(rotation: Float[np.ndarray, "4"]) -> Matrix:
    """A turn about an axis by an angle in radians (Rodrigues)."""
    length = np.linalg.norm(rotation[:3])
    matrix = np.eye(4)
    if length > 0 and np.isfinite(length):
        x, y, z = rotation[:3] / length
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        matrix[:3, :3] += np.sin(rotation[3]) * cross + (1.0 - np.cos(rotation[3])) * (cross @ cross)
    return matrix


class _Rows:
    """Collects the points and texture coordinates of all shapes, each node's once for each place it stands in."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._points: list[Float[np.ndarray, "rows 3"]] = []
        self._colors: list[Float[np.ndarray, "rows 3"] | None] = []
        self._uv: list[Float[np.ndarray, "rows 2"]] = []
        self._blocks: dict[object, tuple[int, int]] = {}
        self._left = len(scene.data) // 2 + 1_000_000

    def spend(self, numbers: int, node: Node) -> None:
        """Refuse a file that makes more numbers out of nodes used again than it could hold itself."""
        self._left -= numbers
        if self._left < 0:
            place = self.scene.place(node.start, node.type)
            raise MeshFormatError(self.scene.source, place, "no more numbers than the file can hold", "more")

    def points(self, placed: PlacedShape) -> tuple[int, int]:
        """The first row and the number of rows of the shape's points."""
        coordinate = placed.face_set.child("coord", "Coordinate")
        if coordinate is None:
            return 0, 0
        key = (id(coordinate), placed.to_world.tobytes())
        if key not in self._blocks:
            points = self.scene.floats(coordinate, "point", 3)
            self.spend(points.size, coordinate)
            self._blocks[key] = (sum(map(len, self._points)), len(points))
            if not np.array_equal(placed.to_world, np.eye(4)):
                with np.errstate(over="ignore", invalid="ignore"):
                    points = points @ placed.to_world[:3, :3].T + placed.to_world[:3, 3]
            self._points.append(points)
            self._colors.append(self._colors_of(placed.face_set, len(points)))
        return self._blocks[key]

    def _colors_of(self, face_set: Node, count: int) -> Float[np.ndarray, "rows 3"] | None:
        node = face_set.child("color", "Color")
        if node is None or face_set.values("colorPerVertex", 1) == ["FALSE"] or "colorIndex" in face_set.arrays:
            return None
        colors = self.scene.floats(node, "color", 3)
        return colors[:count] if len(colors) >= count else None

    def uv(self, face_set: Node) -> tuple[int, int] | None:
        """The first row and the number of rows of the shape's texture coordinates; None when it has none."""
        node = face_set.child("texCoord", "TextureCoordinate")
        if node is None:
            return None
        if id(node) not in self._blocks:
            uv = self.scene.floats(node, "point", 2)
            self.spend(uv.size, node)
            self._blocks[id(node)] = (sum(map(len, self._uv)), len(uv))
            self._uv.append(uv)
        return self._blocks[id(node)] if self._blocks[id(node)][1] else None

    def vertices(self) -> Float[np.ndarray, "V 3"]:
        return np.concatenate([np.zeros((0, 3)), *self._points]) if len(self._points) != 1 else self._points[0]

    def colors(self) -> Float[np.ndarray, "V C"] | None:
        """Colours, where every shape has one per vertex."""
        present = [colors for colors in self._colors if colors is not None]
        return np.concatenate(present) if present and len(present) == len(self._colors) else None

    def texture_coordinates(
        self, parts: list[Polygons]
    ) -> tuple[Float[np.ndarray, "U 2"] | None, Int[np.ndarray, " corners"] | None]:
        """All rows and the row of each corner; shapes without coordinates share an extra (0, 0)."""
        if all(part.uv_corners is None for part in parts):
            return None, None
        uv = np.concatenate(self._uv)
        if any(part.uv_corners is None for part in parts):
            uv = np.concatenate([uv, np.zeros((1, 2))])
        extra = len(uv) - 1
        corners = [np.full(len(p.corners), extra) if p.uv_corners is None else p.uv_corners for p in parts]
        return uv, np.concatenate(corners)


def _polygons(scene: Scene, rows: _Rows, placed: PlacedShape) -> Polygons:
    """The polygons of one shape.

    Raises:
        MeshFormatError: fewer than 3 corners, an index out of range, texCoordIndex with other polygons.
    """
    face_set = placed.face_set
    first, count = rows.points(placed)
    indices = scene.integers(face_set, "coordIndex")
    rows.spend(len(indices), face_set)
    corners, sizes = _split(scene, face_set, "coordIndex", indices, count)
    uv_rows = rows.uv(face_set)
    uv_corners = None
    if uv_rows is not None:
        uv_indices = scene.integers(face_set, "texCoordIndex")
        name = "texCoordIndex" if len(uv_indices) else "coordIndex"
        uv_corners, uv_sizes = _split(scene, face_set, name, uv_indices if len(uv_indices) else indices, uv_rows[1])
        if not np.array_equal(uv_sizes, sizes):
            place = scene.place(face_set.arrays["texCoordIndex"][0], "texCoordIndex")
            raise MeshFormatError(scene.source, place, "the same polygons as coordIndex", f"{len(uv_sizes)} others")
        uv_corners = uv_corners + uv_rows[0]
    # ccw FALSE and mirrors turn polygons over; reversing a fan keeps its first corner.
    if (face_set.values("ccw", 1) == ["FALSE"]) != (np.linalg.det(placed.to_world[:3, :3]) < 0):
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        back = np.repeat(sizes, sizes)
        order = starts + (back - (np.arange(len(corners)) - starts)) % np.maximum(back, 1)
        corners = corners[order]
        uv_corners = None if uv_corners is None else uv_corners[order]
    return Polygons(corners + first if first else corners, sizes, uv_corners)


def _split(
    scene: Scene, face_set: Node, name: str, indices: Int[np.ndarray, " numbers"], count: int
) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " polygons"]]:
    """The corners of all polygons and how many each has, from indices with -1 after each polygon."""
    ends = np.flatnonzero(indices == -1)
    if len(indices) and indices[-1] != -1:  # the last -1 may be left out
        ends = np.append(ends, len(indices))
    sizes = np.diff(ends, prepend=-1) - 1
    small = sizes < 3
    if small.any():
        polygon = int(np.argmax(small))
        place = scene.place(face_set.arrays[name][0], f"{name}, polygon {polygon}")
        raise MeshFormatError(scene.source, place, "at least 3 corners", str(sizes[polygon]))
    corners = indices[indices != -1]
    bad = (corners < 0) | (corners >= count)
    if bad.any():
        corner = int(np.argmax(bad))
        polygon = int(np.searchsorted(np.cumsum(sizes), corner, side="right"))
        place = scene.place(face_set.arrays[name][0], f"{name}, polygon {polygon}")
        raise MeshFormatError(scene.source, place, f"indices among {count} points", str(corners[corner]))
    return corners, sizes


def _parts(placed: list[PlacedShape], parts: list[Polygons]) -> tuple[Int[np.ndarray, " F"] | None, tuple[str, ...]]:
    """The part of each triangle: its shape's DEF name or number; none in a file with one shape."""
    if len(placed) == 1:
        return None, ()
    order: dict[str, int] = {}
    ids = [order.setdefault(shape.name or f"shape {number}", len(order)) for number, shape in enumerate(placed, 1)]
    triangles = [int((part.sizes - 2).sum()) for part in parts]
    return np.repeat(np.array(ids), triangles), tuple(order)


def _texture(scene: Scene, placed: list[PlacedShape], path: Path) -> UInt8[np.ndarray, "H W C"] | None:
    """The first picture that is there: those the file names, then those with the file's own name."""
    names: list[str] = []
    for shape in placed:
        appearance = shape.shape.child("appearance", "Appearance")
        picture = appearance.child("texture", "ImageTexture") if appearance else None
        names += [] if picture is None else scene.texts(picture, "url")
    names = list(dict.fromkeys(names))
    if len(names) > 1:
        logger.warning("%s names several textures %s; the first that exists is read", path, names[:5])
    stem = bare_name(path)
    stems = [stem, stem[: -len("_RAW")] + "_F3D"] if stem.upper().endswith("_RAW") else [stem]
    candidates = [*names[:16], *(stem + suffix for stem in stems for suffix in PICTURES)]
    for name in candidates:
        if file_inside(path.parent, name) is not None:
            return texture_beside(path.parent, name)
    return texture_beside(path.parent, names[0]) if names else None  # which says that it is missing
