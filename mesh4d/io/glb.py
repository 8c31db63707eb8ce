"""The containers of glTF 2.0: binary .glb and text .gltf, their buffers, and the accessors in them."""

import base64
import binascii
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from mesh4d.errors import MeshFormatError
from mesh4d.io.json_items import Item, parse_json
from mesh4d.io.sources import expansion_limit, file_inside

MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
HARMLESS_EXTENSIONS = ("KHR_mesh_quantization", "KHR_texture_transform", "KHR_materials_", "KHR_lights_")
"""Required extensions (or their prefixes) that leave positions, indices and morph targets readable."""


@dataclass
class Document:
    """A glTF document with its binary chunk; buffers and accessors are read on request.

    `budget` is what may still be decoded: a small file that names one accessor a million times runs out of it.
    """

    root: Item
    chunk: bytes
    folder: Path
    budget: int
    buffers: dict[int, bytes] = field(default_factory=dict)
    tables: dict[str, list[Item]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.root.source

    def table(self, key: str) -> list[Item]:
        """A top-level list of the document: nodes, meshes, accessors, ..."""
        if key not in self.tables:
            self.tables[key] = self.root.items(key)
        return self.tables[key]

    def refer(self, item: Item, key: str, table: str) -> Item:
        """The entry of a top-level list that a field of `item` points at."""
        entries = self.table(table)
        return entries[item.integer(key, below=len(entries))]

    def spend(self, size: int, item: Item) -> None:
        """Take bytes from the budget before they are allocated."""
        self.budget -= size
        if self.budget < 0:
            raise MeshFormatError(self.source, item.place, "data in proportion to the size of the file", "far more")

    def buffer(self, number: int) -> bytes:
        """The bytes of one buffer: the binary chunk, a data: URI, or a file in the same folder."""
        if number in self.buffers:
            return self.buffers[number]
        item = self.table("buffers")[number]
        length = item.integer("byteLength")
        uri = item.text("uri")
        content = self.chunk if number == 0 and not uri else self.resource(item, uri)
        if len(content) < length:
            raise item.error("byteLength", f"at most the {len(content)} bytes that are there", length)
        self.buffers[number] = content[:length]
        return self.buffers[number]

    def resource(self, item: Item, uri: str) -> bytes:
        """What a URI points at: base64 data, or a file inside the document's folder."""
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except (binascii.Error, ValueError) as error:
                raise item.error("uri", "base64 data", str(error)) from error
        path = file_inside(self.folder, uri.replace("%20", " "))
        if path is None:
            raise item.error("uri", f"a file in {self.folder}", uri)
        self.budget += expansion_limit(path.stat().st_size)
        return path.read_bytes()

    def view(self, item: Item, key: str = "bufferView") -> tuple[memoryview, Item]:
        """The bytes of the buffer view that a field points at, and the view's own entry."""
        view = self.refer(item, key, "bufferViews")
        buffer = self.buffer(view.integer("buffer", below=len(self.table("buffers"))))
        start = view.integer("byteOffset", 0)
        end = start + view.integer("byteLength")
        if end > len(buffer):
            raise view.error("byteLength", f"an end within the buffer's {len(buffer)} bytes", end)
        return memoryview(buffer)[start:end], view

    def accessor(self, item: Item) -> Shaped[np.ndarray, "count width"]:
        """The rows of an accessor: normalised integers as float64, sparse ones filled in, others in their own type."""
        count = item.integer("count")
        kind = COMPONENTS.get(item.integer("componentType"))
        width = WIDTHS.get(item.text("type"))
        if kind is None or width is None:
            raise item.error("type", f"one of {list(WIDTHS)} of a known componentType", item.fields.get("type"))
        self.spend(2 * count * width * np.dtype(kind).itemsize, item)
        if item.has("bufferView"):
            rows = self._rows(item, count, width, kind, strided=True)
        else:
            rows = np.zeros((count, width), kind)
        if item.has("sparse"):
            rows = self._with_sparse(item, rows, kind)
        if item.flag("normalized") and kind[1] in "iu":
            top = np.iinfo(kind).max
            return np.maximum(rows.astype(np.float64) / top, -1.0)
        return rows

    def _rows(self, item: Item, count: int, width: int, kind: str, *, strided: bool) -> Shaped[np.ndarray, "n w"]:
        content, view = self.view(item)
        start = item.integer("byteOffset", 0)
        size = np.dtype(kind).itemsize * width
        stride = view.integer("byteStride", size, below=253) if strided else size
        if stride < size or (count and start + stride * (count - 1) + size > len(content)):
            raise item.error("count", f"rows that fit into {len(content)} bytes", count)
        if count == 0:
            return np.zeros((0, width), kind)
        return np.ndarray((count, width), kind, content, start, (stride, np.dtype(kind).itemsize))

    def _with_sparse(self, item: Item, rows: Shaped[np.ndarray, "n w"], kind: str) -> Shaped[np.ndarray, "n w"]:
        sparse = item.item("sparse")
        count = sparse.integer("count", below=len(rows) + 1)
        index_item = sparse.item("indices")
        index_kind = COMPONENTS.get(index_item.integer("componentType"), "")
        if index_kind not in ("<u1", "<u2", "<u4"):
            raise index_item.error("componentType", "an unsigned type", index_item.fields.get("componentType"))
        ids = self._rows(index_item, count, 1, index_kind, strided=False)[:, 0].astype(np.int64)
        if count and ids.max() >= len(rows):
            raise index_item.error("bufferView", f"indices below {len(rows)}", int(ids.max()))
        filled = np.array(rows)
        filled[ids] = self._rows(sparse.item("values"), count, rows.shape[1], kind, strided=False)
        return filled


def read_document(data: bytes, path: Path) -> Document:
    """Parse a .glb or .gltf file.

    Raises:
        MeshFormatError: a broken container, not glTF 2, or an extension that hides the geometry.
    """
    source = str(path)
    content, chunk = _chunks(data, source) if data[:4] == b"glTF" else (data, b"")
    root = parse_json(content, source)
    version = root.item("asset").text("version")
    if not version.startswith("2."):
        raise MeshFormatError(source, "JSON.asset.version", "2.x", repr(version))
    for name in root.texts("extensionsRequired"):
        if not name.startswith(HARMLESS_EXTENSIONS):
            raise MeshFormatError(source, "JSON.extensionsRequired", "plain glTF (decompress the file first)", name)
    return Document(root, chunk, path.parent, expansion_limit(len(data)))


def _chunks(data: bytes, source: str) -> tuple[bytes, bytes]:
    """JSON and binary chunk of a .glb file."""
    if len(data) < 20:
        raise MeshFormatError(source, "GLB header", "12 bytes and a JSON chunk", f"{len(data)} bytes")
    _, version, length = struct.unpack_from("<III", data)
    if version != 2:
        raise MeshFormatError(source, "GLB header", "version 2", str(version))
    if length > len(data):
        raise MeshFormatError(source, "GLB header", f"a length of at most {len(data)} bytes", str(length))
    chunks: dict[int, bytes] = {}
    start = 12
    while start + 8 <= length:
        size, kind = struct.unpack_from("<II", data, start)
        if start + 8 + size > length:
            raise MeshFormatError(source, f"GLB chunk at byte {start}", f"an end by byte {length}", str(size))
        chunks.setdefault(kind, data[start + 8 : start + 8 + size])
        start += 8 + size
    if JSON_CHUNK not in chunks:
        raise MeshFormatError(source, "GLB", "a JSON chunk", "none")
    return chunks[JSON_CHUNK], chunks.get(BIN_CHUNK, b"")


def pack_glb(root: dict[str, object], chunk: bytes) -> bytes:
    """A .glb file of a JSON object and one binary chunk, both padded to 4 bytes."""
    text = json.dumps(root, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    chunk += b"\0" * (-len(chunk) % 4)
    header = struct.pack("<III", MAGIC, 2, 12 + 8 + len(text) + 8 + len(chunk))
    return b"".join(
        [header, struct.pack("<II", len(text), JSON_CHUNK), text, struct.pack("<II", len(chunk), BIN_CHUNK), chunk]
    )
