"""The statements of an OBJ file, found in bulk: which lines are vertices, texture coordinates, faces, names."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshFormatError

SPACE, SLASH = ord(" "), ord("/")


@dataclass(frozen=True)
class Statements:
    """Where the statements of an OBJ file stand. Statement ids count the lines of the file from 0."""

    source: str
    original: bytes
    """The file as it is, for line numbers; byte offsets agree with `text`."""
    text: bytes
    """The file with comments and continuations turned into spaces."""
    values: bytes
    """`text` with the words v, vt and f turned into spaces, so that only numbers are left of those statements."""
    starts: Int[np.ndarray, " lines"]
    ends: Int[np.ndarray, " lines"]
    words: Int[np.ndarray, " lines"]
    """Words in each line after its keyword."""
    vertices: Int[np.ndarray, " v"]
    uv: Int[np.ndarray, " vt"]
    faces: Int[np.ndarray, " f"]
    names: Int[np.ndarray, " n"]
    """Lines that may be g, o, usemtl or mtllib (their first letter fits)."""

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

    def error(self, statement: int, expected: str, found: str | None = None) -> MeshFormatError:
        """What to raise about one statement; it names the line of the file, from 1."""
        number = self.original.count(b"\n", 0, int(self.starts[statement])) + 1
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
            if b"_" in content:
                raise ValueError("float() takes 1_0, OBJ does not")
            numbers = np.fromiter(map(float, content.split()), np.float64, count=int(self.words[ids].sum()))
        except ValueError as error:
            raise self._bad_number(ids) from error
        if not np.isfinite(numbers).all():
            position = int(np.argmin(np.isfinite(numbers)))
            row = int(np.searchsorted(np.cumsum(self.words[ids]), position, side="right"))
            raise self.error(int(ids[row]), "finite numbers")
        return numbers

    def _bad_number(self, ids: Int[np.ndarray, " ids"]) -> MeshFormatError:
        number = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
        for statement in ids.tolist():
            for word in self.line(statement).split()[1:]:
                if not number.fullmatch(word):
                    return self.error(statement, "numbers", repr(word[:40].decode("utf-8", "replace")))
        return MeshFormatError(self.source, "vertex lines", "numbers", "something else")


def scan(data: bytes, source: str) -> Statements:
    """Find the statements of an OBJ file; no number is read yet."""
    text = _without_comments(data) + b"\n\n\n"  # so that a keyword at the very end has bytes after it
    letters = np.frombuffer(text, np.uint8)
    space = (letters == SPACE) | ((letters - 9) <= 4)  # space, \t \n \v \f \r: what bytes.split() takes for space
    word_starts = 1 + np.flatnonzero(space[:-1] & ~space[1:])
    if not space[0]:
        word_starts = np.concatenate([[0], word_starts])
    ends = 1 + np.flatnonzero(letters == ord("\n"))
    starts = np.concatenate([[0], ends[:-1]])
    first_word = np.searchsorted(word_starts, np.append(starts, ends[-1]))
    words = np.diff(first_word) - 1
    ids = np.flatnonzero(words >= 0)
    at = word_starts[first_word[ids]]
    one, two, three = letters[at], letters[at + 1], space[at + 2]
    vertex = (one == ord("v")) & space[at + 1]
    uv = (one == ord("v")) & (two == ord("t")) & three
    face = (one == ord("f")) & space[at + 1]
    named = np.isin(one, np.frombuffer(b"gomu", np.uint8))
    blanked = letters.copy()
    blanked[at[vertex | uv | face]] = SPACE
    blanked[at[uv] + 1] = SPACE
    original = data.replace(b"\r", b"\n") if b"\n" not in data else data
    return Statements(
        source, original, text, blanked.tobytes(), starts, ends, words, ids[vertex], ids[uv], ids[face], ids[named]
    )


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
    vertex, uv = _uniform_corners(statements, int(sizes.sum())) or _any_corners(statements)
    corners = Corners(vertex, uv, sizes)
    _check_range(statements, corners, vertex, len(statements.vertices), "vertex", 0)
    _check_range(statements, corners, uv, len(statements.uv), "texture coordinate", -1)
    return corners


def _uniform_corners(
    statements: Statements, count: int
) -> tuple[Int[np.ndarray, " corners"], Int[np.ndarray, " corners"]] | None:
    """The corners when all are written in one form with positive numbers: read in one call. None otherwise."""
    content = statements.numbers_of(statements.faces)
    if count == 0 or content.translate(None, b"0123456789/ \t\r\n\v\f"):
        return None
    letters = np.frombuffer(content, np.uint8)
    space = (letters == SPACE) | ((letters - 9) <= 4)
    corner_starts = 1 + np.flatnonzero(space[:-1] & ~space[1:])  # a keyword stood before the first corner
    slashes = np.add.reduceat(letters == SLASH, corner_starts, dtype=np.int32)
    if slashes.min() != slashes.max():
        return None
    doubled = content.count(b"//")
    fields = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (2, count): 2}.get((int(slashes[0]), doubled))
    # Only digits and spaces are left, so np.fromstring cannot stop early; 18 digits cannot overflow int64.
    numbers = np.fromstring(content.replace(b"/", b" "), np.int64, sep=" ")
    if fields is None or len(numbers) != fields * count:
        return None
    rows = numbers.reshape(count, fields) - 1
    if fields == 1 or doubled:
        return rows[:, 0], np.full(count, -1)
    return (rows[:, 0], rows[:, 1]) if rows[:, 1].min() >= 0 else None


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


def named_runs(
    statements: Statements, keyword: bytes, decode: Callable[[bytes], str]
) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """The statements with `keyword` (g, o, usemtl, mtllib) and the rest of their lines."""
    ids: list[int] = []
    names: list[str] = []
    for statement in statements.names.tolist():
        words = statements.line(statement).split()
        if words[0] == keyword:
            ids.append(statement)
            names.append(decode(b" ".join(words[1:])))
    return np.array(ids, np.int64), names
