"""STL, binary and ASCII: triangles that share nothing.

The format has no vertex list: facet k has the vertices 3k, 3k+1, 3k+2, in the file's order. They are never merged,
as equal positions need not be one vertex; a mesh written here comes back with three vertices per face. Facet normals
and attribute bytes are not read: the order of the corners says what is outside. Several ASCII solids become parts.
"""

import re
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.geometry.normals import face_normals
from mesh4d.io.numbers import NumberError, floats, line_number
from mesh4d.io.sources import bare_name, read_bytes, write_bytes
from mesh4d.io.surface import checked_mesh
from mesh4d.mesh import Mesh

HEADER_BYTES, FACET_BYTES = 80, 50
FACET = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
KEYWORDS = {
    0: b"facet", 1: b"normal", 5: b"outer", 6: b"loop", 7: b"vertex", 11: b"vertex", 15: b"vertex", 19: b"endloop",
    20: b"endfacet",
}  # fmt: skip
"""Words of one ASCII facet that are not numbers, by their place among its 21 words."""
WORDS_PER_FACET = 21
POSITIONS = (8, 9, 10, 12, 13, 14, 16, 17, 18)
PIECE = 1 << 19
Encoding = Literal["binary", "ascii"]


def read_stl(path: str | PathLike[str]) -> Mesh:
    """Read an STL file (or .stl.gz), three vertices per facet.

    Raises:
        MeshFormatError: naming the header or the line.
    """
    return parse_stl(read_bytes(path), Path(path))


def parse_stl(data: bytes, path: Path) -> Mesh:
    """The mesh in the bytes of an STL file; `path` names it in errors."""
    source = str(path)
    count = int.from_bytes(data[HEADER_BYTES : HEADER_BYTES + 4], "little")
    body = len(data) - HEADER_BYTES - 4
    # A binary header may begin with "solid" too, so the size decides.
    if body >= 0 and body == count * FACET_BYTES:
        corners = np.frombuffer(data, FACET, count, HEADER_BYTES + 4)["corners"].astype(np.float64)
        solids = [("", corners)]
    elif data[:256].lstrip().lower().startswith(b"solid"):
        solids = _ascii_solids(data, source)
    else:
        found = f"{count} facets in {max(body, 0)} bytes"
        raise MeshFormatError(source, "header", f"solid, or a count that fits {FACET_BYTES} bytes per facet", found)
    vertices = np.concatenate([corners for _, corners in solids]).reshape(-1, 3)
    if len(vertices) == 0:
        raise MeshFormatError(source, "file", "at least one facet", "none")
    facets = [len(corners) for _, corners in solids]
    several = len(solids) > 1
    names = tuple(name or f"solid {number}" for number, (name, _) in enumerate(solids, 1))
    return checked_mesh(
        source,
        vertices,
        np.arange(len(vertices)).reshape(-1, 3),
        part_of_face=np.repeat(np.arange(len(solids)), facets) if several else None,
        part_names=names if several else (),
    )


def _ascii_solids(data: bytes, source: str) -> list[tuple[str, Float[np.ndarray, "F 3 3"]]]:
    """Name and corners of each `solid NAME ... endsolid NAME`."""
    text = data.replace(b"\r", b"\n") if b"\n" not in data else data
    solids: list[tuple[str, Float[np.ndarray, "F 3 3"]]] = []
    line = re.compile(rb"[ \t]*(end)?solid\b([^\n]*)", re.IGNORECASE)
    position = 0
    while position < len(text) and text[position:].strip() if len(text) - position < 256 else True:
        position += len(text[position : position + 4096]) - len(text[position : position + 4096].lstrip())
        opened = line.match(text, position)
        if opened is None or opened[1]:
            place = f"line {line_number(text, position)}"
            raise MeshFormatError(source, place, "solid", repr(text[position : position + 40].decode("latin-1")))
        end = _end_of_solid(text, opened.end())
        closed = line.match(text, end) if end >= 0 else None
        if closed is None:
            raise MeshFormatError(source, "end of file", "endsolid", "none")
        name = " ".join(opened[2].decode("utf-8", "replace").split())
        solids.append((name, _facets(text, opened.end(), end, source)))
        position = closed.end()
    return solids


def _end_of_solid(text: bytes, start: int) -> int:
    found = re.compile(rb"endsolid", re.IGNORECASE).search(text, start)
    return found.start() if found else -1


def _facets(text: bytes, start: int, end: int, source: str) -> Float[np.ndarray, "F 3 3"]:
    """The corners of the facets between two bytes of the file, piece by piece: words cost far more than numbers."""
    pieces = [np.zeros((0, 3, 3))]
    while start < end:
        cut = text.find(b"facet", start + PIECE, end)
        cut = text.find(b"\n", cut, end) if cut >= 0 else -1
        while cut >= 0 and not text[:cut].rstrip()[-8:].lower() == b"endfacet":
            cut = text.find(b"\n", cut + 1, end)
        stop = end if cut < 0 else cut
        pieces.append(_piece(text, start, stop, source))
        start = stop
    return np.concatenate(pieces)
