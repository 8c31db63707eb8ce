"""The statements of an OBJ file, found in bulk: which lines are vertices, texture coordinates, faces, names."""

import re
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshFormatError
from mesh4d.io.numbers import NumberError, floats

SPACE = ord(" ")
VERTEX, UV, FACE, GROUP, OBJECT, MATERIAL, LIBRARY = range(1, 8)
"""Kinds of lines."""
USE_MATERIAL, USE_LIBRARY = np.frombuffer(b"usemtl", np.uint8), np.frombuffer(b"mtllib", np.uint8)
IS_SPACE = np.isin(np.arange(256), [9, 10, 11, 12, 13, 32]).astype(np.int64)


@dataclass(frozen=True)
class Statements:
    """Where the statements of an OBJ file stand. Statement ids count the lines that are not empty from 0."""

    source: str
    original: bytes
    """The file as it is, for line numbers; byte offsets agree with `text`."""
    text: bytes
    """The file with comments and continuations turned into spaces."""
    values: bytearray
    """`text` with the words v, vt and f turned into spaces, so that only numbers are left of those statements."""
    starts: Int[np.ndarray, " lines"]
    ends: Int[np.ndarray, " lines"]
    words: Int[np.ndarray, " lines"]
    """Words in each line after its keyword."""
    vertices: Int[np.ndarray, " v"]
    uv: Int[np.ndarray, " vt"]
    faces: Int[np.ndarray, " f"]
    groups: Int[np.ndarray, " g"]
    objects: Int[np.ndarray, " o"]
    materials: Int[np.ndarray, " m"]
    """Of usemtl."""
    libraries: Int[np.ndarray, " l"]
    """Of mtllib."""

    def numbers_of(self, ids: Int[np.ndarray, " ids"]) -> bytes:
        """The arguments of the given statements, one after another."""
        if len(ids) == 0:
            return b""
        breaks = 1 + np.flatnonzero(np.diff(ids) != 1)
        first = self.starts[ids[np.concatenate([[0], breaks])]].tolist()
        last = self.ends[ids[np.concatenate([breaks - 1, [len(ids) - 1]])]].tolist()
        return b"".join([self.values[start:end] for start, end in zip(first, last, strict=True)])

    def line(self, statement: int) -> bytes:
        """The text of one statement."""
        return self.text[self.starts[statement] : self.ends[statement]]

    def name(self, statement: int) -> str:
        """What stands after the keyword."""
        return b" ".join(self.line(statement).split()[1:]).decode("utf-8", "replace")

    def error(self, statement: int, expected: str, found: str | None = None) -> MeshFormatError:
        """What to raise about one statement; it names the line of the file, from 1."""
        number = self.original.count(b"\n", 0, int(self.starts[statement])) + 1 if len(self.starts) else 1
        if found is None:
            found = repr(self.line(statement).decode("utf-8", "replace").strip()[:80])
        return MeshFormatError(self.source, f"line {number}", expected, found)

    def floats(self, ids: Int[np.ndarray, " ids"], fewest: int) -> Float[np.ndarray, " numbers"]:
        """All numbers of the given statements, one after another, each exactly as float() reads it."""
        short = ids[self.words[ids] < fewest]
        if len(short):
            raise self.error(int(short[0]), f"at least {fewest} numbers")
        content = self.numbers_of(ids)
        try:
            return floats(content, count=int(self.words[ids].sum()))
        except NumberError as error:
            before = len(content[: error.position].split())
            row = int(np.searchsorted(np.cumsum(self.words[ids]), before, side="right"))
            found = repr(error.word[:40].decode("utf-8", "replace"))
            raise self.error(int(ids[row]), "finite numbers", found) from error


def scan(data: bytes, source: str) -> Statements:
    """Find the statements of an OBJ file; no number is read yet."""
    text = _without_comments(data)
    if not text.endswith(b"\n"):
        text += b"\n"
    letters = np.frombuffer(text, np.uint8)
    lines = int(np.count_nonzero(letters == ord("\n")))
    index = np.int32 if len(text) < 1 << 31 else np.int64  # a file may hold little else than the ends of lines
    starts, ends, words = np.empty((3, lines), index)
    kinds = np.empty(lines, np.uint8)
    values = bytearray(text)
    count = _find_statements(letters, np.frombuffer(values, np.uint8), starts, ends, words, kinds)
    starts, ends, words, kinds = starts[:count], ends[:count], words[:count], kinds[:count]
    of_kind = [np.flatnonzero(kinds == kind) for kind in range(VERTEX, LIBRARY + 1)]
    original = data.replace(b"\r", b"\n") if b"\n" not in data else data
    return Statements(source, original, text, values, starts, ends, words, *of_kind)


@compiled()
@no_type_check
def _is_word(text, at, word):
    """Whether `word`, and a space after it, stands at `at`."""
    end = at + len(word)
    if end >= len(text):
        return False
    for number in range(len(word)):
        if text[at + number] != word[number]:
            return False
    return text[end] == 32 or 9 <= text[end] <= 13


@compiled()
@no_type_check
def _find_statements(text, values, starts, ends, words, kinds):
    """Fill the rows of the lines that are not empty, and turn the words v, vt and f in `values` into spaces.

    Returns how many those are. Space is what bytes.split() takes for it, the codes 9 to 13 and 32. The text ends with
    a line feed.
    """
    at, line = 0, 0
    while at < len(text):
        starts[line] = at
        while text[at] != 10 and (text[at] == 32 or 9 <= text[at] <= 13):
            at += 1
        first, count, before = at, 0, 1
        while text[at] != 10:
            space = IS_SPACE[text[at]]
            count += before & ~space
            before = space
            at += 1
        at += 1
        if count == 0:
            continue
        ends[line], words[line] = at, count - 1
        kind, one, two = 0, text[first], text[min(first + 1, at - 1)]
        alone = two == 32 or 9 <= two <= 13
        if one == 118 and alone:
            kind = VERTEX
        elif one == 118 and two == 116:
            three = text[min(first + 2, at - 1)]
            if three == 32 or 9 <= three <= 13:
                kind = UV
                values[first + 1] = SPACE
        elif one == 102 and alone:
            kind = FACE
        elif one == 103 and alone:
            kind = GROUP
        elif one == 111 and alone:
            kind = OBJECT
        elif one == USE_MATERIAL[0] and _is_word(text, first, USE_MATERIAL):
            kind = MATERIAL
        elif one == USE_LIBRARY[0] and _is_word(text, first, USE_LIBRARY):
            kind = LIBRARY
        kinds[line] = kind
        if VERTEX <= kind <= FACE:
            values[first] = SPACE
        line += 1
    return line


def _without_comments(data: bytes) -> bytes:
    """Turn comments and line continuations into spaces of the same length; a lone CR ends a line as LF does."""

    def blank(found: re.Match[bytes]) -> bytes:
        return b" " * len(found[0])

    def blank_comment(found: re.Match[bytes]) -> bytes:
        rest, before = found[0], text[found.start() - 1 : found.start()]
        start = 0 if not before.strip() else rest.find(b" #")  # a name may hold a #: head#2
        return rest if start < 0 else rest[:start] + b" " * (len(rest) - start)

    text = data.replace(b"\r", b"\n") if b"\n" not in data else data
    if b"\\" in text:
        text = re.sub(rb"\\\r?\n", blank, text)
    if b"#" in text:
        text = re.sub(rb"#[^\n]*", blank_comment, text)
    return text


CORNER = re.compile(rb"([+-]?\d{1,18})(?:/([+-]?\d{1,18})?(?:/([+-]?\d{1,18})?)?)?")


@dataclass(frozen=True)
class Corners:
    """The corners of all faces, one after another."""

    vertex: Int[np.ndarray, " corners"]
    uv: Int[np.ndarray, " corners"]
    """-1 where a corner has no texture coordinate."""
    sizes: Int[np.ndarray, " faces"]


def read_corners(statements: Statements) -> Corners:
    """The corners of all f statements as indices from 0.

    Raises:
        MeshFormatError: naming the line, for a malformed corner, fewer than 3 corners, an index out of range.
    """
    sizes = statements.words[statements.faces]
    if (sizes < 3).any():
        raise statements.error(int(statements.faces[np.argmax(sizes < 3)]), "at least 3 corners")
    vertex, uv = _positive_corners(statements, int(sizes.sum())) or _any_corners(statements)
    corners = Corners(vertex, uv, sizes)
    _check_range(statements, corners, vertex, len(statements.vertices), "vertex", 0)
    _check_range(statements, corners, uv, len(statements.uv), "texture coordinate", -1)
    return corners


def _positive_corners(
    statements: Statements, count: int
) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " corners"]] | None:
    """The corners when all numbers count from the start of the file: read in one call. None otherwise."""
    letters = np.frombuffer(statements.numbers_of(statements.faces), np.uint8)
    vertex, uv = np.empty(count, np.int64), np.empty(count, np.int64)  # apart: a mesh without uv keeps one
    return (vertex, uv) if _read_positive(letters, vertex, uv) else None


@compiled()
@no_type_check
def _read_positive(text, vertex, uv):
    """Fill the indices from 0 of corners like 1, 1/2, 1//3, 1/2/3; False at the first word of another form."""
    end, at, corner = len(text), 0, 0
    while True:
        while at < end and (text[at] == 32 or 9 <= text[at] <= 13):
            at += 1
        if at == end:
            return corner == len(vertex)
        if corner == len(vertex):
            return False
        uv[corner] = -1
        for place in range(3):
            first, value = at, 0
            while at < end and 48 <= text[at] <= 57 and at - first < 18:
                value = 10 * value + (np.int64(text[at]) - 48)
                at += 1
            if at > first and value == 0:
                return False
            if place == 0:
                if at == first:
                    return False
                vertex[corner] = value - 1
            elif place == 1 and at > first:
                uv[corner] = value - 1
            if at == end or text[at] != 47:
                break
            at += 1
        if at < end and not (text[at] == 32 or 9 <= text[at] <= 13):
            return False
        corner += 1


def _any_corners(statements: Statements) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " corners"]]:
    """The corners one by one: mixed forms and numbers that count back from the line they stand in."""
    vertex: list[int] = []
    uv: list[int] = []
    before = np.searchsorted(statements.vertices, statements.faces).tolist()
    uv_before = np.searchsorted(statements.uv, statements.faces).tolist()
    for statement, vertices_so_far, uv_so_far in zip(statements.faces.tolist(), before, uv_before, strict=True):
        for word in statements.line(statement).split()[1:]:
            corner = CORNER.fullmatch(word)
            if corner is None:
                raise statements.error(statement, "corners like 1, 1/2, 1//3, 1/2/3", repr(word[:40].decode("latin-1")))
            vertex.append(_from_zero(int(corner[1]), vertices_so_far))
            uv.append(-1 if corner[2] is None else _from_zero(int(corner[2]), uv_so_far))
    return np.array(vertex, np.int64), np.array(uv, np.int64)


OUT_OF_RANGE = np.iinfo(np.int64).min


def _from_zero(number: int, so_far: int) -> int:
    """Index from 0 of a number that counts from 1, or back from -1; OUT_OF_RANGE when it counts back too far."""
    if number > 0:
        return number - 1
    return so_far + number if number < 0 and so_far + number >= 0 else OUT_OF_RANGE


def _check_range(
    statements: Statements, corners: Corners, indices: Int[np.ndarray, " corners"], count: int, what: str, lowest: int
) -> None:
    bad = (indices < lowest) | (indices >= count)
    if bad.any():
        corner = int(np.argmax(bad))
        face = int(np.searchsorted(np.cumsum(corners.sizes), corner, side="right"))
        raise statements.error(int(statements.faces[face]), f"{what} numbers among the file's {count}")
