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
from mesh4d.io.numbers import line_number
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
LAST_WORD = b"endfacet"
FACET_TEXT = "facet normal %r %r %r\n  outer loop\n" + 3 * "    vertex %r %r %r\n" + "  endloop\nendfacet"
PIECE = 1 << 19
MAX_SOLIDS = 10_000
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
    original = data.replace(b"\r", b"\n") if b"\n" not in data else data
    text = original.lower()
    solids: list[tuple[str, Float[np.ndarray, "F 3 3"]]] = []
    position = 0
    while rest := text[position : position + 4096].strip() or text[position:].strip():
        start = text.find(b"solid", position)
        if not rest.startswith(b"solid") or start < 0:
            place = f"line {line_number(text, text.index(rest[:40], position))}"
            raise MeshFormatError(source, place, "solid", repr(rest[:40].decode("latin-1")))
        body = _end_of_line(text, start)
        end = text.find(b"endsolid", body)
        if end < 0:
            raise MeshFormatError(source, "end of the file", "endsolid", "none")
        name = " ".join(original[start + len(b"solid") : body].decode("utf-8", "replace").split())
        if len(solids) == MAX_SOLIDS:
            raise MeshFormatError(source, f"line {line_number(text, start)}", f"at most {MAX_SOLIDS} solids", "more")
        solids.append((name, _facets(text, body, end, source)))
        position = _end_of_line(text, end)
    return solids


def _end_of_line(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


def _facets(text: bytes, start: int, end: int, source: str) -> Float[np.ndarray, "F 3 3"]:
    """The corners of the facets between two bytes, in pieces, as words take far more memory than numbers."""
    pieces = [np.zeros((0, 3, 3))]
    while start < end:
        cut = text.find(LAST_WORD, start + PIECE, end)
        stop = end if cut < 0 else cut + len(LAST_WORD)
        corners = _corners(text[start:stop])
        if corners is None:
            raise _bad_facet(text, start, stop, source)
        pieces.append(corners)
        start = stop
    return np.concatenate(pieces)


def _corners(text: bytes) -> Float[np.ndarray, "F 3 3"] | None:
    """The corners of whole facets; None when there is anything else in the text."""
    words = text.split()
    if len(words) % WORDS_PER_FACET or b"_" in text:  # float() takes 1_0, STL does not
        return None
    count = len(words) // WORDS_PER_FACET
    if any(words[place::WORDS_PER_FACET].count(keyword) != count for place, keyword in KEYWORDS.items()):
        return None
    corners = np.empty((count, len(POSITIONS)))
    try:
        for column, place in enumerate(POSITIONS):
            corners[:, column] = np.fromiter(map(float, words[place::WORDS_PER_FACET]), np.float64, count)
    except ValueError:
        return None
    return corners.reshape(count, 3, 3) if np.isfinite(corners).all() else None


def _bad_facet(text: bytes, start: int, stop: int, source: str) -> MeshFormatError:
    """What to raise: it names the line of the first facet that cannot be read."""
    while start < stop:
        end = text.find(LAST_WORD, start, stop)
        end = stop if end < 0 else end + len(LAST_WORD)
        if _corners(text[start:end]) is None:
            break
        start = end
    facet = text[start:stop].lstrip()
    line = line_number(text, stop - len(facet))
    found = " ".join(facet[:200].decode("latin-1").split())[:80]
    return MeshFormatError(
        source, f"line {line}", "facet normal, outer loop, 3 x vertex, endloop, endfacet", repr(found)
    )


def write_stl(mesh: Mesh, path: str | PathLike[str], encoding: Encoding = "binary") -> None:
    """Write an STL file (or .stl.gz); binary has float32 positions, ASCII the exact numbers and one solid per part.

    Raises:
        MeshError: a position too large for float32 (binary).
    """
    path = Path(path)
    normals = face_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)
    corners = mesh.vertices[mesh.faces]
    if encoding == "binary":
        if np.abs(corners).max(initial=0.0) > np.finfo(np.float32).max:
            raise MeshError(f"{path}: a position is too large for binary STL (float32)")
        facets = np.zeros(mesh.n_faces, FACET)
        facets["normal"], facets["corners"] = normals, corners
        header = b"facet4d".ljust(HEADER_BYTES, b" ")
        write_bytes(path, header + mesh.n_faces.to_bytes(4, "little") + facets.tobytes())
        return
    part = np.zeros(mesh.n_faces, np.int64) if mesh.part_of_face is None else mesh.part_of_face
    lines: list[str] = []
    for part_id in np.unique(part).tolist() or [0]:
        name = bare_name(path) if mesh.part_of_face is None else mesh.part_names[part_id]
        name = re.sub("solid", "part", " ".join(name.split()), flags=re.IGNORECASE)
        rows = np.concatenate([normals[:, None], corners], axis=1)[part == part_id].reshape(-1, 12)
        lines += [f"solid {name}", *map(FACET_TEXT.__mod__, map(tuple, rows.tolist())), f"endsolid {name}"]
    write_bytes(path, ("\n".join(lines) + "\n").encode())
