"""Writes a MorphMesh as glTF 2.0: exact vertex order, sparse morph targets, one weights animation."""

import base64
import json
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, Shaped

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.io.glb import pack_glb
from mesh4d.io.gltf_material import RGBA, material
from mesh4d.io.gltf_scene import GENERATOR
from mesh4d.io.gltf_split import POLYGON_STARTS, SOURCE_VERTEX, packed_starts, split_at_seams
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.surface import first_of_polygon
from mesh4d.io.textures import encode_png
from mesh4d.mesh import Mesh

VERTEX_DATA, INDEX_DATA = 34962, 34963
COMPONENT = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
WIDTH = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
STILL_M = 1e-8
"""Offsets below a hundredth of a micrometre are left out of sparse targets."""

Json = dict[str, object]


@dataclass
class Buffer:
    """The binary chunk as it grows, with the views and accessors into it."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    views: list[Json] = field(default_factory=list)
    accessors: list[Json] = field(default_factory=list)

    def view(self, content: bytes, target: int | None = None) -> int:
        """Append bytes at the next multiple of 4; the number of their buffer view."""
        entry: Json = {"buffer": 0, "byteOffset": self.size, "byteLength": len(content)}
        if target is not None:
            entry["target"] = target
        padded = content + b"\0" * (-len(content) % 4)
        self.parts.append(padded)
        self.size += len(padded)
        self.views.append(entry)
        return len(self.views) - 1

    def accessor(self, rows: Shaped[np.ndarray, "n W"], target: int | None = None, *, bounds: bool = False) -> int:
        """Append rows of numbers; the number of their accessor."""
        entry = _described(rows, bounds=bounds)
        entry["bufferView"] = self.view(np.ascontiguousarray(rows).tobytes(), target)
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def sparse_accessor(self, rows: Float[np.ndarray, "n 3"], still: float) -> int:
        """Append rows of which most are zero: as sparse accessor, or dense where that is smaller.

        Args:
            rows: float32.
            still: rows shorter than this are written as zero.
        """
        length = np.linalg.norm(rows.astype(np.float64), axis=1)
        moving = np.flatnonzero((length >= still) & (length > 0))
        kept = np.zeros_like(rows)
        kept[moving] = rows[moving]
        kind = np.dtype("<u2" if len(rows) <= 65535 else "<u4")
        if len(moving) * (kind.itemsize + 12) > 12 * len(rows):
            return self.accessor(kept, VERTEX_DATA, bounds=True)
        if len(moving) == 0:
            moving = np.zeros(1, np.int64)  # a sparse accessor needs a row: one that says zero
        entry = _described(kept, bounds=True)
        entry["sparse"] = {
            "count": len(moving),
            "indices": {
                "bufferView": self.view(moving.astype(kind).tobytes()),
                "componentType": COMPONENT[kind.str[1:]],
            },
            "values": {"bufferView": self.view(kept[moving].tobytes())},
        }
        self.accessors.append(entry)
        return len(self.accessors) - 1


def _described(rows: Shaped[np.ndarray, "n W"], *, bounds: bool) -> Json:
    entry: Json = {
        "componentType": COMPONENT[rows.dtype.str[1:]],
        "count": len(rows),
        "type": WIDTH[rows.shape[1]],
    }
    if bounds:
        entry["min"], entry["max"] = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
    return entry


def gltf_bytes(morph: MorphMesh, colors: dict[str, RGBA] | None, *, binary: bool) -> bytes:
    """The file's bytes: .glb when `binary`, else .gltf with the buffer as a data: URI.

    Raises:
        MeshError: a mesh without faces, or numbers beyond float32.
    """
    if morph.mesh.n_faces == 0:
        raise MeshError("glTF stores triangles; this mesh has none (write it as .npz or .ply)")
    buffer = Buffer()
    root: Json = {
        "asset": {"version": "2.0", "generator": GENERATOR},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "mesh", "mesh": 0, "scale": [float(morph.unit_m)] * 3}],
        "meshes": [_mesh(morph, buffer)],
        "materials": _materials(morph.mesh, colors),
    }
    if "TEXCOORD_0" in _attributes_of(root) and morph.mesh.texture is not None:
        root["images"] = [{"mimeType": "image/png", "bufferView": buffer.view(encode_png(morph.mesh.texture))}]
        root["samplers"] = [{}]
        root["textures"] = [{"source": 0, "sampler": 0}]
    if morph.target_names and morph.weights is not None and morph.times_s is not None:
        root["animations"] = [_animation(morph.weights, morph.times_s, buffer)]
    chunk = b"".join(buffer.parts)
    root["accessors"], root["bufferViews"] = buffer.accessors, buffer.views
    root["buffers"] = [{"byteLength": len(chunk)}]
    try:
        if binary:
            return pack_glb(root, chunk)
        root["buffers"] = [
            {
                "byteLength": len(chunk),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(chunk).decode(),
            }
        ]
        return json.dumps(root, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise MeshError(f"extras must be JSON: {error}") from error


def _attributes_of(root: Json) -> Json:
    return root["meshes"][0]["primitives"][0]["attributes"]  # type: ignore[index]


def _mesh(morph: MorphMesh, buffer: Buffer) -> Json:
    """All primitives share one set of rows and targets: the vertices in their order, then copies at seams."""
    mesh = morph.mesh
    rows = split_at_seams(mesh)
    positions = _float32(mesh.vertices, "vertices")[rows.source]
    attributes: Json = {"POSITION": buffer.accessor(positions, VERTEX_DATA, bounds=True)}
    normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)
    normals[~normals.any(axis=1)] = (0.0, 0.0, 1.0)  # glTF wants unit vectors also where no triangle is
    attributes["NORMAL"] = buffer.accessor(_float32(normals, "normals")[rows.source], VERTEX_DATA)
    if rows.uv is not None:
        flipped = np.stack([rows.uv[:, 0], 1.0 - rows.uv[:, 1]], axis=1)  # glTF counts v from the picture's top
        attributes["TEXCOORD_0"] = buffer.accessor(_float32(flipped, "uv"), VERTEX_DATA)
    if mesh.colors is not None and mesh.colors.shape[1] in (3, 4):
        shown = np.clip(mesh.colors, 0.0, 1.0)
        attributes["COLOR_0"] = buffer.accessor(_float32(shown, "colors")[rows.source], VERTEX_DATA)
    if len(rows.source) > mesh.n_vertices:
        attributes[SOURCE_VERTEX] = buffer.accessor(rows.source[:, None].astype("<f4"), VERTEX_DATA)
    still = STILL_M / morph.unit_m
    targets = [
        {"POSITION": buffer.sparse_accessor(_float32(delta, "deltas")[rows.source], still)} for delta in morph.deltas
    ]
    starts = np.zeros(mesh.n_faces, bool)
    starts[first_of_polygon(mesh)] = True
    primitives: list[Json] = []
    for number, chosen in enumerate(_faces_of_parts(mesh)):
        kind = "<u2" if len(rows.source) <= 65535 else "<u4"
        indices = buffer.accessor(rows.faces[chosen].reshape(-1, 1).astype(kind), INDEX_DATA)
        primitive: Json = {"attributes": dict(attributes), "indices": indices, "material": number, "mode": 4}
        if targets:
            primitive["targets"] = targets
        if not starts[chosen].all():
            primitive["extras"] = {POLYGON_STARTS: packed_starts(starts[chosen])}
        primitives.append(primitive)
    entry: Json = {"name": "mesh", "primitives": primitives}
    extras = dict(morph.extras)
    if targets:
        entry["weights"] = [0.0] * len(targets)
        extras["targetNames"] = list(morph.target_names)
    if extras:
        entry["extras"] = extras
    return entry


def _float32(rows: Float[np.ndarray, "n W"], what: str) -> Float[np.ndarray, "n W"]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(rows, "<f4")
    if not np.isfinite(single).all():
        raise MeshError(f"{what} reach beyond the float32 that glTF stores")
    return single


def _used_parts(mesh: Mesh) -> list[int]:
    return [] if mesh.part_of_face is None else np.unique(mesh.part_of_face).tolist()


def _faces_of_parts(mesh: Mesh) -> list[Int[np.ndarray, " f"]]:
    """Ids of the faces of each part."""
    if mesh.part_of_face is None:
        return [np.arange(mesh.n_faces)]
    return [np.flatnonzero(mesh.part_of_face == part) for part in _used_parts(mesh)]


def _materials(mesh: Mesh, colors: dict[str, RGBA] | None) -> list[Json]:
    names = [mesh.part_names[part] for part in _used_parts(mesh)] or [None]
    textured = mesh.texture is not None and mesh.uv is not None
    materials = [material(name, colors) for name in names]
    if textured:
        for entry in materials:
            surface = entry["pbrMetallicRoughness"]
            if isinstance(surface, dict):
                surface |= {"baseColorTexture": {"index": 0}, "baseColorFactor": [1.0, 1.0, 1.0, 1.0]}
    return materials


def _animation(weights: Float[np.ndarray, "T A"], times_s: Float[np.ndarray, " T"], buffer: Buffer) -> Json:
    """One sampler holds the weights of all targets, key after key."""
    times = _float32(times_s[:, None], "times_s")
    if (np.diff(times[:, 0]) <= 0).any():
        raise MeshError("times_s are closer together than the float32 that glTF stores can tell apart")
    sampler = {
        "input": buffer.accessor(times, bounds=True),
        "output": buffer.accessor(_float32(weights.reshape(-1, 1), "weights")),
        "interpolation": "LINEAR",
    }
    return {
        "name": "weights",
        "samplers": [sampler],
        "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}],
    }
