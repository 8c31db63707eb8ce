"""The nodes of a VRML97 file: what holds what, with the big arrays left as spans of bytes to be read in bulk."""

import re
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshFormatError
from mesh4d.io.numbers import NumberError, floats, integers, line_number

TOKEN = re.compile(rb'[\s,]*(?:([\[\]{}])|("[^"]*")|([^\s,\[\]{}"]+))')
MAX_TOKENS = 100_000
"""Words and brackets outside arrays of numbers; scans have a few hundred."""
MAX_DEPTH = 100


@dataclass(slots=True, eq=False)
class Node:
    """`DEF name type { ... }`."""

    type: str
    name: str
    start: int
    """Byte of the file where its body begins."""
    words: list[str] = field(default_factory=list)
    """Fields with one or a few plain values, names and values in the file's order; texts keep a leading quote."""
    arrays: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Fields in brackets that hold no nodes: where their content begins and ends."""
    children: list[tuple[str, "Node"]] = field(default_factory=list)
    """Nodes in its fields; one that is used twice (USE) is the same object."""

    def child(self, field_name: str, node_type: str) -> "Node | None":
        """The first node of that type in that field."""
        return next(
            (node for name, node in self.children if name == field_name and node.type == node_type),
            None,
        )

    def values(self, field_name: str, count: int) -> list[str]:
        """The `count` words after the field's name; none when the field is absent."""
        if field_name not in self.words:
            return []
        start = self.words.index(field_name) + 1
        return self.words[start : start + count]


@dataclass(frozen=True)
class Scene:
    """A parsed file."""

    root: Node
    data: bytes
    """The file."""
    text: bytearray
    """The file with comments, and what stands in quotes, turned into spaces; byte offsets agree with `data`."""
    source: str

    def place(self, position: int, what: str) -> str:
        """How errors name something that begins at a byte of the file."""
        return f"line {line_number(self.data, position)}, {what}"

    def floats(self, node: Node, name: str, width: int) -> Float[np.ndarray, "rows width"]:
        """The numbers of an array field in rows of `width`; no rows when the field is absent.

        Raises:
            MeshFormatError: something else than numbers, or an incomplete row.
        """
        start, end = node.arrays.get(name, (0, 0))
        try:
            numbers = floats(memoryview(self.text)[start:end], commas=True)
        except NumberError as error:
            raise error.in_file(self.source, self.data, start) from error
        if len(numbers) % width:
            raise MeshFormatError(
                self.source, self.place(start, name), f"rows of {width} numbers", f"{len(numbers)} numbers"
            )
        return numbers.reshape(-1, width)

    def integers(self, node: Node, name: str) -> Int[np.ndarray, " numbers"]:
        """The whole numbers of an array field; none when the field is absent.

        Raises:
            MeshFormatError: something else than whole numbers.
        """
        start, end = node.arrays.get(name, (0, 0))
        try:
            return integers(memoryview(self.text)[start:end], commas=True)
        except NumberError as error:
            raise error.in_file(self.source, self.data, start) from error

    def numbers(self, node: Node, name: str, default: tuple[float, ...]) -> Float[np.ndarray, " numbers"]:
        """A field with as many plain numbers as its default has."""
        words = node.values(name, len(default))
        try:
            return floats(" ".join(words).encode()).reshape(len(default)) if words else np.array(default)
        except ValueError as error:
            place = self.place(node.start, f"{node.type}.{name}")
            raise MeshFormatError(self.source, place, f"{len(default)} numbers", repr(words)[:80]) from error

    def texts(self, node: Node, name: str) -> list[str]:
        """The texts of a field, with or without brackets."""
        if name not in node.arrays:
            return [word[1:] for word in node.values(name, 1) if word.startswith('"')]
        start, end = node.arrays[name]
        quoted = re.finditer(rb'"([^"]*)"', self.text[start : min(end, start + (1 << 16))])
        return [_unescaped(self.data[start + text.start(1) : start + text.end(1)]) for text in quoted]


def _unescaped(content: bytes) -> str:
    return re.sub(rb'\\(["\\])', rb"\1", content).decode("utf-8", "replace")


def parse_scene(data: bytes, source: str) -> Scene:
    """The nodes of a VRML97 file.

    Raises:
        MeshFormatError: no VRML97, unbalanced brackets, more nodes or levels than any scan has.
    """
    if not re.match(rb"(\xef\xbb\xbf)?\s*#VRML V2\.0", data):
        raise MeshFormatError(source, "line 1", "#VRML V2.0", repr(data[:16].decode("latin-1")))
    text = _without_comments_and_texts(data, source)
    root = Node("", "", 0)
    builder = _Builder(data, text, source, [(root, "")])
    position = 0
    for _ in range(MAX_TOKENS):
        token = TOKEN.match(text, position)
        if token is None:
            break
        position = builder.take(token)
    else:
        raise builder.error(position, f"at most {MAX_TOKENS} words outside arrays", "more")
    if len(builder.open) > 1:
        node, field_name = builder.open[-1]
        expected = f"]  that closes {field_name}" if field_name else f"}} that closes {node.type}"
        raise builder.error(len(data), expected, "the end of the file")
    return Scene(root, data, text, source)


@dataclass
class _Builder:
    """Puts tokens into nodes. `open` holds the nodes not closed yet, with the field name for an open [ of nodes."""

    data: bytes
    text: bytearray
    source: str
    open: list[tuple[Node, str]]
    named: dict[str, Node] = field(default_factory=dict)

    def error(self, position: int, expected: str, found: str) -> MeshFormatError:
        return MeshFormatError(self.source, f"line {line_number(self.data, position)}", expected, found)

    def take(self, token: re.Match[bytes]) -> int:
        """Use one token; returns where the next one is to be looked for."""
        bracket, quoted, _ = token.groups()
        node, field_name = self.open[-1]
        if quoted is not None:
            start, end = token.span(2)
            node.words.append('"' + _unescaped(self.data[start + 1 : end - 1]))
        elif bracket is None:
            word = token[3].decode("latin-1")
            if node.words[-1:] == ["USE"]:
                node.words.pop()
                self._place(node, field_name, self.named.get(word))
            else:
                node.words.append(word)
        elif bracket == b"{":
            self._open_node(node, field_name, token.end())
        elif bracket == b"[":
            return self._open_list(node, token.end())
        elif (bracket == b"]") != bool(field_name) or len(self.open) == 1:
            opened = f"{field_name} [" if field_name else f"{node.type} {{" if node.type else "nothing"
            raise self.error(token.end(), f"the end of {opened}", repr(bracket.decode()))
        else:
            self.open.pop()
            if bracket == b"}" and node.name:
                self.named[node.name] = node
        return token.end()

    def _place(self, node: Node, field_name: str, child: Node | None) -> None:
        """Put a child into the open field, or into the field whose name is the last word."""
        name = field_name or (node.words.pop() if node.words else "")
        if child is not None:
            node.children.append((name, child))

    def _open_node(self, node: Node, field_name: str, position: int) -> None:
        words = node.words
        if not words or words[-1].startswith('"'):
            raise self.error(position, "the type of a node before {", repr(words[-1:]))
        node_type, name = words.pop(), ""
        if words[-2:-1] == ["DEF"]:
            name = words.pop()
            words.pop()
        child = Node(node_type, name, position)
        self._place(node, field_name, child)
        self._push(child, "", position)

    def _open_list(self, node: Node, position: int) -> int:
        if not node.words:
            raise self.error(position, "the name of a field before [", "none")
        name = node.words.pop()
        end = self.text.find(b"]", position)
        if end < 0:
            raise self.error(position, f"] that closes {name[:40]}", "the end of the file")
        only_uses = self.text[position : position + 100].split()[:1] == [b"USE"]
        if only_uses or self.text.find(b"{", position, end) >= 0 or self.text.find(b"[", position, end) >= 0:
            self._push(node, name, position)
            return position
        node.arrays.setdefault(name, (position, end))
        return end + 1

    def _push(self, node: Node, field_name: str, position: int) -> None:
        if len(self.open) > MAX_DEPTH:
            raise self.error(position, f"at most {MAX_DEPTH} levels of nodes", "more")
        self.open.append((node, field_name))


def _without_comments_and_texts(data: bytes, source: str) -> bytearray:
    """Turn comments and the insides of quotes into spaces of the same length."""
    text = bytearray(data)
    newline = b"\n" if b"\n" in data else b"\r"
    position, next_hash, next_quote = 0, data.find(b"#"), data.find(b'"')
    while next_hash >= 0 or next_quote >= 0:
        if next_quote < 0 or 0 <= next_hash < next_quote:
            end = data.find(newline, next_hash)
            start, position = next_hash, len(data) if end < 0 else end
            text[start:position] = b" " * (position - start)
        else:
            end = data.find(b'"', next_quote + 1)
            while end >= 0 and _is_escaped(data, end):
                end = data.find(b'"', end + 1)
            if end < 0:
                raise MeshFormatError(source, f"line {line_number(data, next_quote)}", 'a closing "', "none")
            text[next_quote + 1 : end] = b" " * (end - next_quote - 1)
            position = end + 1
        # Each search goes on from where it stopped: a file full of one sign must not be searched for the other again.
        if 0 <= next_hash < position:
            next_hash = data.find(b"#", position)
        if 0 <= next_quote < position:
            next_quote = data.find(b'"', position)
    return text


def _is_escaped(data: bytes, position: int) -> bool:
    """True when an odd number of backslashes stands before a quote."""
    before = position
    while before and data[before - 1] == ord("\\"):
        before -= 1
    return (position - before) % 2 == 1
