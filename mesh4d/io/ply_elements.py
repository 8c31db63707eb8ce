"""PLY files as tables: the header's elements and the columns of their rows, ASCII or binary, any order."""

import re
from dataclasses import dataclass, field
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int, Shaped

from mesh4d.compiled import compiled
from mesh4d.errors import MeshFormatError

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class Property:
    """One column: a number per row, or a list per row when `count` names the type of its length."""

    name: str
    kind: str
    count: str | None = None


@dataclass(frozen=True)
class Element:
    """One table of the header."""

    name: str
    rows: int
    properties: list[Property] = field(default_factory=list)


@dataclass(frozen=True)
class ListColumn:
    """Lists of different lengths, one after another."""

    values: Shaped[np.ndarray, " values"]
    sizes: Int[np.ndarray, " rows"]


@dataclass(frozen=True)
class Header:
    """What stands before end_header."""

    order: str
    """numpy's sign of the byte order; empty for ASCII."""
    elements: list[Element]
    comments: list[str]
    size: int
    """Bytes of the header; the rows start there."""


Columns = dict[str, Shaped[np.ndarray, "..."] | ListColumn]
"""Numbers of single columns are of the file's own type, mostly views into its rows; those of lists are native."""
Data = bytes | memoryview


def read_header(data: Data, source: str) -> Header:
    """Parse the header of a PLY file.

    Raises:
        MeshFormatError: naming the line.
    """
    if data[:3] != b"ply":
        raise MeshFormatError(source, "line 1", "ply", repr(bytes(data[:8])))
    end = re.compile(rb"[\r\n]end_header[ \t]*(\r\n|\n|\r)").search(data, 0, MAX_HEADER)
    if end is None:
        raise MeshFormatError(source, "header", f"end_header within {MAX_HEADER} bytes", "none")
    order: str | None = None
    elements: list[Element] = []
    comments: list[str] = []
    for number, line in enumerate(bytes(data[: end.start()]).decode("utf-8", "replace").splitlines()[1:], start=2):
        match line.split():
            case ["format", name, _] if name in FORMATS:
                order = FORMATS[name]
            case ["comment" | "obj_info", *_]:
                comments.append(line.strip().partition(" ")[2])
            case ["element", name, rows] if re.fullmatch(r"\d{1,15}", rows):
                elements.append(Element(name, int(rows)))
            case ["property", "list", count, kind, name] if elements and _is_integer(count) and kind in TYPES:
                elements[-1].properties.append(Property(name, TYPES[kind], TYPES[count]))
            case ["property", kind, name] if elements and kind in TYPES:
                elements[-1].properties.append(Property(name, TYPES[kind]))
            case []:
                pass
            case _:
                raise MeshFormatError(source, f"line {number}", "a PLY header line", repr(line[:80]))
    if order is None:
        raise MeshFormatError(source, "header", f"a format line with one of {list(FORMATS)}", "none")
    return Header(order, elements, comments, end.end())


def _is_integer(kind: str) -> bool:
    return TYPES.get(kind, "f")[0] in "iu"


def read_tables(data: Data, header: Header, source: str) -> dict[str, Columns]:
    """The columns of all elements: element name -> property name -> numbers or lists.

    Raises:
        MeshFormatError: when the file is shorter than its header says, or holds something else.
    """
    tables: dict[str, Columns] = {}
    if header.order:
        reader: BinaryRows | AsciiRows = BinaryRows(data, header.order, source, header.size)
    else:
        reader = AsciiRows.of_text(bytes(data[header.size :]), source)
    for element in header.elements:
        # A row holds at least one byte (or word) per property, so a larger count cannot be honest.
        if element.properties and element.rows > reader.left:
            raise MeshFormatError(source, f"element {element.name}", f"{element.rows} rows", "the end of the file")
        names = [column.name for column in element.properties]
        if len(set(names)) != len(names):
            raise MeshFormatError(source, f"element {element.name}", "different property names", str(names[:20]))
        columns = reader.table(element) if element.properties and element.rows else _no_rows(element)
        tables.setdefault(element.name, columns)
    return tables


def _no_rows(element: Element) -> Columns:
    nothing = ListColumn(np.zeros(0), np.zeros(0, np.int64))
    return {column.name: nothing if column.count else np.zeros(0) for column in element.properties}


def _native(values: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, " values"] | Int[np.ndarray, " values"]:
    """All values, one after another, as float64 or int64."""
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64, order="C").reshape(-1)


@dataclass
class BinaryRows:
    """Reads one table after another from the body of a binary file."""

    body: Data
    order: str
    source: str
    position: int

    @property
    def left(self) -> int:
        return len(self.body) - self.position

    def table(self, element: Element) -> Columns:
        """The next table."""
        return self._uniform(element) or self._row_by_row(element)

    def _uniform(self, element: Element) -> Columns | None:
        """All rows in one call, when every list is as long as the first row's; None when they differ."""
        sizes = self._list_sizes(element, self.position)[0]
        fields: list[tuple] = []
        for number, column in enumerate(element.properties):
            if column.count:
                fields.append((f"count{number}", self.order + column.count))
            shape = (sizes[number],) if column.count else ()
            fields.append((f"value{number}", self.order + column.kind, shape))
        try:
            rows = np.dtype(fields)
        except ValueError:  # a row of more than 2 GB
            return None
        if rows.itemsize * element.rows > self.left:
            if not any(column.count for column in element.properties):
                raise self._truncated(element)
            return None
        table = np.frombuffer(self.body, rows, element.rows, self.position)
        columns: Columns = {}
        for number, column in enumerate(element.properties):
            values = table[f"value{number}"]
            if column.count:
                if (table[f"count{number}"] != sizes[number]).any():
                    return None
                columns[column.name] = ListColumn(_native(values), np.full(element.rows, sizes[number], np.int64))
            else:
                columns[column.name] = values
        self.position += rows.itemsize * element.rows
        return columns

    def _list_sizes(self, element: Element, start: int) -> tuple[list[int], list[int], int]:
        """Lengths and byte offsets of the values of one row at `start`, and where the row ends."""
        sizes: list[int] = []
        offsets: list[int] = []
        for column in element.properties:
            size = 1
            if column.count:
                width = int(column.count[1])
                if start + width > len(self.body):
                    raise self._truncated(element)
                little = "big" if self.order == ">" else "little"
                size = int.from_bytes(self.body[start : start + width], little, signed=column.count[0] == "i")
                if size < 0:
                    raise MeshFormatError(self.source, f"element {element.name}", "a list length from 0", str(size))
                start += width
            sizes.append(size)
            offsets.append(start)
            start += size * int(column.kind[1])
            if start > len(self.body):
                raise self._truncated(element)
        return sizes, offsets, start

    def _truncated(self, element: Element) -> MeshFormatError:
        return MeshFormatError(self.source, f"element {element.name}", f"{element.rows} rows", "the end of the file")

    def _row_by_row(self, element: Element) -> Columns:
        """Rows whose lists differ in length: one walk to measure, one to copy each property together."""
        properties = element.properties
        widths = np.array([int(column.kind[1]) for column in properties])
        counts = np.array([int(column.count[1]) if column.count else 0 for column in properties])
        signed = np.array([bool(column.count) and column.count[0] == "i" for column in properties])
        if int(np.where(counts, counts, widths).sum()) * element.rows > self.left:
            raise self._truncated(element)
        sizes = np.empty((np.count_nonzero(counts), element.rows), np.int64)
        layout = (np.frombuffer(self.body, np.uint8), self.position, counts, signed, widths, self.order == ">", sizes)
        ends = np.zeros(len(properties), np.int64)
        position = int(_walk_rows(*layout, np.zeros(0, np.uint8), ends))
        if position == TRUNCATED:
            raise self._truncated(element)
        if position == NEGATIVE:
            raise MeshFormatError(self.source, f"element {element.name}", "list lengths from 0", "a negative one")
        ends = np.cumsum(ends)
        packed = np.empty(ends[-1], np.uint8)
        _walk_rows(*layout, packed, np.concatenate([[0], ends[:-1]]))
        self.position = position
        columns: Columns = {}
        lengths = iter(sizes)
        for column, piece in zip(properties, np.split(packed, ends[:-1]), strict=True):
            values = np.frombuffer(piece, self.order + column.kind)
            columns[column.name] = ListColumn(_native(values), next(lengths)) if column.count else values
        return columns


TRUNCATED, NEGATIVE = -1, -2
"""What is wrong with rows that cannot be walked."""


@compiled()
@no_type_check
def _walk_rows(body, at, counts, signed, widths, big, sizes, packed, ends):
    """Walk over rows with lists; note the lengths of the lists, and copy values to where `ends` says.

    Args:
        body: the file.
        at: where the rows begin.
        counts: bytes of the length of each property's lists, 0 where it is a number.
        signed: whether that length may be negative.
        widths: bytes of each property's values.
        big: most significant byte first.
        sizes: filled with the lengths, for each property with lists.
        packed: where the values go; nothing is copied when it is empty.
        ends: for each property, where its next value goes; moved on.

    Returns:
        Where the rows end, or TRUNCATED or NEGATIVE.
    """
    for row in range(sizes.shape[1]):
        number = 0
        for column in range(len(widths)):
            size = 1
            if counts[column]:
                if counts[column] > len(body) - at:
                    return TRUNCATED
                size = 0
                for byte in range(counts[column]):
                    size = 256 * size + np.int64(body[at + byte if big else at + counts[column] - 1 - byte])
                if signed[column] and size >> (8 * counts[column] - 1):
                    return NEGATIVE
                at += counts[column]
                sizes[number, row] = size
                number += 1
            length = size * widths[column]
            if length > len(body) - at:
                return TRUNCATED
            if len(packed):
                for byte in range(length):
                    packed[ends[column] + byte] = body[at + byte]
            ends[column] += length
            at += length
    return at


@dataclass
class AsciiRows:
    """Reads one table after another from the numbers of an ASCII file."""

    numbers: Float[np.ndarray, " numbers"]
    source: str
    position: int = 0

    @classmethod
    def of_text(cls, body: bytes, source: str) -> "AsciiRows":
        words = body.split()
        try:
            if b"_" in body:
                raise ValueError("float() takes 1_0, PLY does not")
            return cls(np.fromiter(map(float, words), np.float64, count=len(words)), source)
        except ValueError as error:
            raise MeshFormatError(source, "rows after the header", "numbers", str(error)) from error

    @property
    def left(self) -> int:
        return len(self.numbers) - self.position

    def table(self, element: Element) -> Columns:
        """The next table."""
        return self._uniform(element) or self._row_by_row(element)

    def _uniform(self, element: Element) -> Columns | None:
        """All rows in one reshape, when every list is as long as the first row's; None when they differ."""
        spans = self._spans(element, self.position)
        width = spans[-1][1] - self.position
        if width * element.rows > self.left:
            return None
        table = self.numbers[self.position : self.position + width * element.rows].reshape(element.rows, width)
        columns: Columns = {}
        for column, (start, end) in zip(element.properties, spans, strict=True):
            values = table[:, start - self.position : end - self.position]
            if column.count:
                if (table[:, start - self.position - 1] != end - start).any():
                    return None
                columns[column.name] = ListColumn(values.reshape(-1), np.full(element.rows, end - start, np.int64))
            else:
                columns[column.name] = values[:, 0]
        self.position += width * element.rows
        return columns

    def _spans(self, element: Element, start: int) -> list[tuple[int, int]]:
        """Where the values of each property of one row at `start` stand."""
        spans: list[tuple[int, int]] = []
        for column in element.properties:
            size = 1.0
            if column.count:
                size = self.numbers[start] if start < len(self.numbers) else 0.0
                start += 1
            if not (size >= 0 and size == np.floor(size) and start + size <= len(self.numbers)):
                place = f"element {element.name}, property {column.name}"
                raise MeshFormatError(self.source, place, f"{element.rows} rows", "the end of the file or a bad length")
            spans.append((start, start + int(size)))
            start += int(size)
        return spans

    def _row_by_row(self, element: Element) -> Columns:
        spans: list[list[tuple[int, int]]] = []
        for _ in range(element.rows):
            spans.append(self._spans(element, self.position))
            self.position = spans[-1][-1][1]
        columns: Columns = {}
        for column, places in zip(element.properties, zip(*spans, strict=True), strict=True):
            values = np.concatenate([self.numbers[start:end] for start, end in places])
            sizes = np.array([end - start for start, end in places], np.int64)
            columns[column.name] = ListColumn(values, sizes) if column.count else values
        return columns
