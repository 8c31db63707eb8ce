"""A GLB as the page reads it: morph targets sparse and in 16 bits, indices as steps, all of it deflated.

The container stays a GLB; what the page adds to glTF's own ways stands in `extras` of an accessor: `scale` multiplies
its integers, `steps` says that each number is the difference to the one before. A target's offsets are rounded to
1/32767 of its largest, so that one whose vertices move 40 mm is wrong by 0.6 micrometres at most.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer, Shaped

from aublend.rig_files.packed_pairs import unpacked_pair
from mesh4d.io.glb import Document, pack_glb, read_document
from mesh4d.io.gltf_split import SOURCE_VERTEX
from mesh4d.io.json_items import Item

LARGEST = 32767
NEGLIGIBLE = 1e-7
"""Offsets below half this share of the head's extent are left out: 0.03 micrometres on a head of 0.3 m."""
COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "i4": 5124, "u4": 5125, "f4": 5126}


def page_payload(glb_bytes: bytes) -> bytes:
    """What the page decompresses: the compact GLB, gzip.

    Raises:
        MeshFormatError: when the bytes are no GLB.
    """
    return gzip.compress(compact_glb(glb_bytes), 6, mtime=0)


def compact_glb(glb_bytes: bytes) -> bytes:
    """The same scene with small morph targets and indices.

    Raises:
        MeshFormatError: when the bytes are no GLB.
    """
    document = read_document(glb_bytes, Path("rig.glb"))
    roles = dict(_roles(document))
    extent = _extent(document)
    chunk = _Chunk()
    accessors: list[dict[str, object]] = []
    for number, item in enumerate(document.table("accessors")):
        role = roles.get(number, "unused")
        if role == "unused":
            accessors.append({"componentType": 5126, "count": 0, "type": "SCALAR", "bufferView": chunk.view(b"")})
        elif role == "target":
            accessors.append(_target(chunk, document.accessor(item), NEGLIGIBLE * extent))
        elif role == "indices":
            accessors.append(chunk.steps(document.accessor(item)[:, 0]))
        elif role == "normals":
            rounded = np.rint(np.clip(document.accessor(item), -1, 1) * 127).astype("<i1")
            accessors.append(chunk.rows(rounded, "VEC3") | {"normalized": True})
        else:
            rows = document.accessor(item)
            accessors.append(chunk.rows(rows.astype("<f4"), item.text("type")))
    root = dict(document.root.fields)
    root["meshes"] = [_with_pairs(document, chunk, accessors, mesh) for mesh in document.table("meshes")]
    root["images"] = [_image(document, chunk, image) for image in document.table("images")]
    root |= {"accessors": accessors, "bufferViews": chunk.views, "buffers": [{"byteLength": len(chunk.content)}]}
    return pack_glb(root, bytes(chunk.content))


class _Chunk:
    """A binary chunk that grows, and its views."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, int]] = []

    def view(self, data: bytes) -> int:
        self.content += b"\0" * (-len(self.content) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.content), "byteLength": len(data)})
        self.content += data
        return len(self.views) - 1

    def rows(self, rows: Shaped[np.ndarray, "n width"], kind: str) -> dict[str, object]:
        component = COMPONENTS[rows.dtype.str[1:]]
        return {"bufferView": self.view(rows.tobytes()), "componentType": component, "count": len(rows), "type": kind}

    def steps(self, numbers: Integer[np.ndarray, " n"]) -> dict[str, object]:
        """Whole numbers as differences: neighbours in a mesh have neighbouring numbers, which deflate well."""
        differences = np.diff(numbers.astype(np.int64), prepend=0)
        largest = np.abs(differences).max(initial=0)
        small = differences.astype("<i1" if largest < 1 << 7 else "<i2" if largest < 1 << 15 else "<i4")
        return self.rows(small[:, None], "SCALAR") | {"extras": {"steps": True}}


def _roles(document: Document) -> Iterator[tuple[int, str]]:
    """What each accessor is for; a later role does not take an earlier one's place in what the page reads."""
    for mesh in document.table("meshes"):
        for primitive in mesh.items("primitives"):
            attributes = primitive.item("attributes")
            for name in attributes.fields:
                yield attributes.integer(name), "normals" if name == "NORMAL" else "rows"
            if primitive.has("indices"):
                yield primitive.integer("indices"), "indices"
            for target in primitive.items("targets"):
                if target.has("POSITION"):
                    yield target.integer("POSITION"), "target"
    for animation in document.table("animations"):
        for sampler in animation.items("samplers"):
            yield sampler.integer("input"), "rows"
            yield sampler.integer("output"), "rows"


def _extent(document: Document) -> float:
    """The largest side of the boxes around the scene's positions, in the file's numbers."""
    sides = [0.0]
    for mesh in document.table("meshes"):
        for primitive in mesh.items("primitives"):
            if primitive.item("attributes").has("POSITION"):
                accessor = document.refer(primitive.item("attributes"), "POSITION", "accessors")
                sides.append(float(np.ptp(document.accessor(accessor), axis=0).max(initial=0.0)))
    return max(sides)


def _target(chunk: _Chunk, offsets: Shaped[np.ndarray, "V 3"], negligible: float) -> dict[str, object]:
    scale = max(float(np.abs(offsets).max(initial=0.0)) / LARGEST, negligible, np.finfo(np.float32).tiny)
    rounded = np.rint(offsets / scale).astype("<i2")
    moved = np.flatnonzero(rounded.any(axis=1))
    indices = chunk.steps(moved)
    sparse = {
        "count": len(moved),
        "indices": {key: indices[key] for key in ("bufferView", "componentType", "extras")},
        "values": {"bufferView": chunk.view(rounded[moved].tobytes())},
    }
    return {"componentType": 5122, "count": len(offsets), "type": "VEC3", "sparse": sparse, "extras": {"scale": scale}}


def _with_pairs(document: Document, chunk: _Chunk, accessors: list[dict[str, object]], mesh: Item) -> dict[str, object]:
    """A mesh with its packed pairs as targets behind the others."""
    extras = mesh.item("extras")
    packed = extras.item("facet4d").item("pairs")
    primitives = mesh.items("primitives")
    if not packed.fields or not primitives:
        return mesh.fields
    names = list(extras.texts("targetNames"))
    attributes = primitives[0].item("attributes")
    source = np.arange(document.refer(attributes, "POSITION", "accessors").integer("count"))
    if attributes.has(SOURCE_VERTEX):
        source = document.accessor(document.refer(attributes, SOURCE_VERTEX, "accessors"))[:, 0].astype(np.int64)
    added: dict[str, dict[str, int]] = {}
    for name, shape in packed.fields.items():
        if name in names or name.partition("+")[0] not in names:
            continue
        try:
            offsets = unpacked_pair(shape, int(source.max(initial=-1)) + 1)[source]
        except (KeyError, TypeError, ValueError) as error:
            raise packed.error(name, "a packed pair", str(error)) from error
        accessors.append(_target(chunk, offsets, 0.0))
        added[name] = {"POSITION": len(accessors) - 1}
    kept = {key: value for key, value in extras.item("facet4d").fields.items() if key != "pairs"}
    targets = [
        primitive.fields | {"targets": [*_fields(primitive, "targets"), *added.values()]} for primitive in primitives
    ]
    return mesh.fields | {
        "primitives": targets,
        "extras": extras.fields | {"targetNames": [*names, *added], "facet4d": kept},
    }


def _fields(item: Item, key: str) -> list[dict[str, object]]:
    return [entry.fields for entry in item.items(key)]


def _image(document: Document, chunk: _Chunk, image: Item) -> dict[str, object]:
    if not image.has("bufferView"):
        return dict(image.fields)
    content, _ = document.view(image)
    return dict(image.fields) | {"bufferView": chunk.view(bytes(content))}
