"""OFF (Geomview): text, polygons, colours per vertex.

Reads OFF, COFF, NOFF, STOFF and their combinations, with comments anywhere. Colours are the file's numbers, or a
255th of them where one is above 1. Normals and colours of faces are skipped. Written files are OFF or COFF: texture
coordinates, parts and textures are left out (.obj, .ply and .npz keep them).
"""

import codecs
import re
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshFormatError
from mesh4d.io.allocation import check_triangles
from mesh4d.io.numbers import NumberError, floats, line_number, lines_with_words, without_comments
from mesh4d.io.sources import read_bytes, write_bytes
from mesh4d.io.surface import Fans, checked_mesh, first_of_polygon, polygon_corners
from mesh4d.mesh import Mesh

KEYWORD = re.compile(rb"\s*(ST)?(C)?(N)?OFF\b")


def read_off(path: str | PathLike[str]) -> Mesh:
    """Read an OFF file (or .off.gz), vertices in its own order.

    Raises:
        MeshFormatError: naming the line.
    """
    return parse_off(read_bytes(path), Path(path))


def parse_off(data: bytes, path: Path) -> Mesh:
    """The mesh in the bytes of an OFF file; `path` names it in errors."""
    source = str(path)
    text = data.removeprefix(codecs.BOM_UTF8)
    text = text.replace(b"\r\n", b" \n").replace(b"\r", b"\n")
    text = without_comments(text)
    keyword = KEYWORD.match(text)
    if keyword is None:
        found = repr(text[:16].decode("latin-1"))
        raise MeshFormatError(source, "line 1", "OFF, COFF, NOFF or STOFF with three coordinates", found)
    lines = _Lines(text, source, keyword.end())
    counts = lines.take(1)
    if len(counts) < 2 or not (_is_count(counts[0]) and _is_count(counts[1])):
        raise lines.error(0, "the numbers of vertices and faces", str(counts[:3].tolist()))
    width = 3 + (3 if keyword[3] else 0) + (2 if keyword[1] else 0)
    vertex = _table(lines, int(counts[0]), width, colored=keyword[2] is not None)
    corners, sizes = _faces(lines, int(counts[1]), len(vertex))
    fans = Fans.over(sizes)
    faces = fans.triangles(corners)
    textured = keyword[1] is not None
    return checked_mesh(
        source,
        vertex[:, :3],
        faces,
        polygon_of_face=fans.polygon_of_face,
        uv=vertex[:, -2:].copy() if textured else None,
        uv_faces=faces if textured else None,
        colors=_colors(vertex, keyword) if keyword[2] else None,
    )


def _is_count(number: float) -> bool:
    return bool(0 <= number < 2**53 and number == int(number))


class _Lines:
    """The lines of a file that hold something, taken from the top."""

    def __init__(self, text: bytes, source: str, position: int) -> None:
        self.text, self.source = text, source
        self.starts, self.words = lines_with_words(text[position:])
        self.starts += position
        self.next = self.first = 0

    @property
    def left(self) -> int:
        return len(self.starts) - self.next

    def error(self, row: int, expected: str, found: str) -> MeshFormatError:
        """What to raise about the row `row` of those taken last."""
        line = min(self.first + row, len(self.starts) - 1)
        number = line_number(self.text, int(self.starts[line])) if line >= 0 else 1
        return MeshFormatError(self.source, f"line {number}", expected, found)

    def take(self, rows: int) -> Float[np.ndarray, " numbers"]:
        """All numbers of the next lines."""
        self.first = self.next
        if rows > self.left:
            raise self.error(self.left, f"{rows} more lines", "the end of the file")
        if rows == 0:
            return np.zeros(0)
        self.next += rows
        start = int(self.starts[self.first])
        end = int(self.starts[self.next]) if self.left else len(self.text)
        try:
            return floats(self.text[start:end])
        except NumberError as error:
            raise error.in_file(self.source, self.text, start) from error


def _table(lines: _Lines, rows: int, width: int, *, colored: bool) -> Float[np.ndarray, "V columns"]:
    """The lines of the vertices, all of one length; `width` numbers and those of a colour."""
    numbers = lines.take(rows)
    if rows == 0:
        raise lines.error(0, "at least one vertex", "0")
    words = lines.words[lines.first : lines.next]
    allowed = (width + 3, width + 4) if colored else (width,)
    odd = words != (words[0] if words[0] in allowed else allowed[0])
    if odd.any():
        row = int(np.argmax(odd))
        raise lines.error(row, f"{' or '.join(map(str, allowed))} numbers per vertex", f"{words[row]}")
    return numbers.reshape(rows, -1)


def _colors(vertex: Float[np.ndarray, "V columns"], keyword: re.Match[bytes]) -> Float[np.ndarray, "V C"]:
    start = 6 if keyword[3] else 3
    colors = vertex[:, start : vertex.shape[1] - 2 if keyword[1] else None]
    return colors / 255.0 if colors.max(initial=0.0) > 1.0 else colors.copy()


def _faces(lines: _Lines, rows: int, vertices: int) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " polygons"]]:
    """Corners and sizes from lines `n i1 ... in [colour]`."""
    numbers = lines.take(rows)
    words = lines.words[lines.first : lines.next]
    starts = np.cumsum(words) - words
    sizes = numbers[starts]
    bad = (sizes < 3) | (sizes != np.floor(sizes)) | (sizes > words - 1)
    if bad.any():
        row = int(np.argmax(bad))
        raise lines.error(row, "a count from 3 and as many corners", f"{sizes[row]:g} and {words[row] - 1} numbers")
    sizes = sizes.astype(np.int64)
    check_triangles(lines.source, "faces", int((sizes - 2).sum()), len(lines.text))
    at = np.repeat(starts + 1 - (np.cumsum(sizes) - sizes), sizes)
    at += np.arange(len(at))
    corners = numbers[at]
    del at, numbers  # a large part of the memory that reading takes
    bad = (corners < 0) | (corners >= vertices) | (corners != np.floor(corners))
    if bad.any():
        corner = int(np.argmax(bad))
        row = int(np.searchsorted(np.cumsum(sizes), corner, side="right"))
        raise lines.error(row, f"corners from 0 to {vertices - 1}", f"{corners[corner]:g}")
    return corners.astype(np.int64), sizes


def write_off(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write an OFF file (or .off.gz), COFF when the mesh has colours: exact numbers, the source's polygons."""
    rows = mesh.vertices
    if mesh.colors is not None:
        alpha = np.ones((mesh.n_vertices, 4 - mesh.colors.shape[1]))
        rows = np.concatenate([mesh.vertices, mesh.colors, alpha], axis=1)
    corners, sizes = polygon_corners(mesh.faces, first_of_polygon(mesh))
    words = list(map(str, corners.tolist()))
    ends = np.cumsum(sizes).tolist()
    lines = ["OFF" if mesh.colors is None else "COFF", f"{mesh.n_vertices} {len(sizes)} 0"]
    lines += map(" ".join(["%r"] * rows.shape[1]).__mod__, map(tuple, rows.tolist()))
    lines += [f"{size} " + " ".join(words[end - size : end]) for end, size in zip(ends, sizes.tolist(), strict=True)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())
