"""Reads the mesh nodes of a glTF scene into one MorphMesh; vertices of one POSITION accessor stay in its order."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.glb import Document
from mesh4d.io.gltf_material import base_color_texture
from mesh4d.io.gltf_split import POLYGON_STARTS, SOURCE_VERTEX, first_rows, unpacked_starts
from mesh4d.io.json_items import Item
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.surface import checked_mesh
from mesh4d.mesh import Mesh

GENERATOR = "facet4d"
TRIANGLES, STRIP, FAN = 4, 5, 6
IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]


@dataclass(frozen=True)
class Placement:
    """A mesh where a node puts it."""

    node: int
    name: str
    mesh: Item
    transform: Float[np.ndarray, "4 4"]


@dataclass
class Block:
    """The vertices of one POSITION accessor under one node."""

    start: int
    positions: Float[np.ndarray, "n 3"]
    names: tuple[str, ...]
    deltas: list[Float[np.ndarray, "n 3"] | None]
    colors: Float[np.ndarray, "n C"] | None = None
    source: Float[np.ndarray, " n"] | None = None
    """The vertex that each row is a copy of, where the file says so."""
    uv_starts: dict[int, int] = field(default_factory=dict)
    """TEXCOORD_0 accessor -> where its rows start among all texture coordinates."""


@dataclass
class Surface:
    """What the primitives read so far add up to."""

    blocks: dict[tuple, Block] = field(default_factory=dict)
    n_vertices: int = 0
    uv: list[Float[np.ndarray, "n 2"]] = field(default_factory=list)
    n_uv: int = 0
    faces: list[Int[np.ndarray, "f 3"]] = field(default_factory=list)
    uv_faces: list[Int[np.ndarray, "f 3"] | None] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """Part of each primitive; empty for a primitive without a name."""
    starts: list[Bool[np.ndarray, " f"] | None] = field(default_factory=list)
    """Which triangles of each primitive begin a polygon, where the file says so."""


def read_scene(document: Document) -> MorphMesh:
    """Merge all mesh nodes of the default scene.

    Node transforms are applied, with one exception: a file of our own (one node with nothing but a uniform scale)
    gives its own numbers, and the scale as `unit_m`. Default weights are not applied: the mesh is the neutral.
    """
    placements = list(_placements(document))
    if not placements:
        raise MeshFormatError(document.source, "JSON.nodes", "a node with a mesh in the scene", "none")
    unit_m = _own_unit(document, placements)
    surface = Surface()
    for placement in placements:
        if unit_m is not None:
            placement = Placement(placement.node, placement.name, placement.mesh, np.eye(4))
        for number, primitive in enumerate(placement.mesh.items("primitives")):
            label = _label(document, placements, placement, primitive, number)
            _add_primitive(document, surface, placement, primitive, label)
    if not surface.faces:
        raise MeshFormatError(document.source, "JSON.meshes", "triangles", "none")
    names = tuple(dict.fromkeys(name for block in surface.blocks.values() for name in block.names))
    deltas = _deltas(document, surface, names)
    mesh, deltas = _without_copies(_mesh(document, surface, placements), deltas, list(surface.blocks.values()))
    times, weights = _animation(document, placements, names)
    extras = placements[0].mesh.fields.get("extras")
    extras = {key: value for key, value in extras.items() if key != "targetNames"} if isinstance(extras, dict) else {}
    try:
        return MorphMesh(
            mesh,
            names,
            deltas,
            weights,
            times,
            extras,
            1.0 if unit_m is None else unit_m,
        )
    except MeshFormatError:
        raise
    except MeshError as error:
        raise MeshFormatError(document.source, "morph targets", "a consistent set", str(error)) from error


def _placements(document: Document) -> Iterator[Placement]:
    """Depth first through the default scene. A node met twice (a cycle, two parents) is an error."""
    nodes, scenes = document.table("nodes"), document.table("scenes")
    if scenes:
        scene = scenes[document.root.integer("scene", 0, below=len(scenes))]
        roots = scene.integers("nodes", below=len(nodes))
    else:
        children = {child for node in nodes for child in node.integers("children", below=len(nodes))}
        roots = [number for number in range(len(nodes)) if number not in children]
    stack = [(number, np.eye(4)) for number in reversed(roots)]
    seen: set[int] = set()
    while stack:
        number, parent = stack.pop()
        node = nodes[number]
        if number in seen:
            raise node.error("children", "a tree of nodes", f"node {number} twice")
        seen.add(number)
        transform = parent @ _local_transform(node)
        if not np.isfinite(transform).all():
            raise node.error("matrix", "a finite transform", "an overflow")
        if node.has("mesh"):
            mesh = document.refer(node, "mesh", "meshes")
            # A skinned mesh stands where its joints put it: in the bind pose, at its own coordinates.
            placed = np.eye(4) if node.has("skin") else transform
            yield Placement(number, node.text("name") or mesh.text("name") or f"mesh_{number}", mesh, placed)
        stack += [(child, transform) for child in reversed(node.integers("children", below=len(nodes)))]


def _local_transform(node: Item) -> Float[np.ndarray, "4 4"]:
    """The node's matrix, or translation x rotation x scale (glTF 2.0, 3.5.3)."""
    if node.has("matrix"):
        return np.array(node.numbers("matrix", IDENTITY)).reshape(4, 4).T
    x, y, z, w = node.numbers("rotation", [0.0, 0.0, 0.0, 1.0])
    transform = np.eye(4)
    transform[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    transform[:3, :3] *= node.numbers("scale", [1.0, 1.0, 1.0])
    transform[:3, 3] = node.numbers("translation", [0.0, 0.0, 0.0])
    return transform


def _own_unit(document: Document, placements: list[Placement]) -> float | None:
    """Metres per unit in a file that this package wrote; None for any other file."""
    scale = float(placements[0].transform[0, 0])
    only_scaled = bool((placements[0].transform == np.diag([scale, scale, scale, 1.0])).all())
    own = document.root.item("asset").text("generator") == GENERATOR
    return scale if own and len(placements) == 1 and only_scaled and scale > 0 else None


def _label(document: Document, placements: list[Placement], placement: Placement, primitive: Item, number: int) -> str:
    """The part's name: its material in a file of one mesh; its node, and the material if need be, in others."""
    material = ""
    if primitive.has("material"):
        material = document.refer(primitive, "material", "materials").text("name")
    primitives = len(placement.mesh.items("primitives")) if len(placements) > 1 else 0
    if primitives == 0:
        return material or (f"part_{number}" if len(placement.mesh.items("primitives")) > 1 else "")
    return placement.name if primitives == 1 else f"{placement.name}/{material or number}"


def _add_primitive(document: Document, surface: Surface, placement: Placement, primitive: Item, label: str) -> None:
    mode = primitive.integer("mode", TRIANGLES, below=7)
    attributes = primitive.item("attributes")
    if mode < TRIANGLES or not attributes.has("POSITION"):
        return  # points and lines are no surface
    block = _block(document, surface, placement, primitive)
    count = len(block.positions)
    if primitive.has("indices"):
        corners = document.accessor(document.refer(primitive, "indices", "accessors"))
        if corners.dtype.kind not in "iu" or corners.shape[1] != 1:
            raise primitive.error("indices", "an accessor of whole numbers", f"{corners.dtype}")
        corners = corners[:, 0].astype(np.int64)
    else:
        corners = np.arange(count)
    if len(corners) and (corners.min() < 0 or corners.max() >= count):
        raise primitive.error("indices", f"indices below {count}", int(corners.max()))
    faces = _triangles(corners, mode, primitive)
    document.spend(4 * faces.nbytes, primitive)
    if np.linalg.det(placement.transform[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirroring transform turns the winding around
    surface.faces.append(faces + block.start)
    surface.labels.append(label)
    extras = primitive.fields.get("extras")
    surface.starts.append(unpacked_starts(extras.get(POLYGON_STARTS) if isinstance(extras, dict) else None, faces))
    uv_start = _uv_start(document, surface, block, attributes)
    surface.uv_faces.append(None if uv_start is None else faces + uv_start)


def _triangles(corners: Int[np.ndarray, " n"], mode: int, primitive: Item) -> Int[np.ndarray, "f 3"]:
    if mode == TRIANGLES:
        if len(corners) % 3:
            raise primitive.error("indices", "a multiple of 3", len(corners))
        return corners.reshape(-1, 3)
    if len(corners) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == FAN:
        return np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
    faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    faces[1::2, :2] = faces[1::2, 1::-1]
    return faces


def _block(document: Document, surface: Surface, placement: Placement, primitive: Item) -> Block:
    """The block of a primitive's vertices, read once however many primitives share them."""
    attributes, targets = primitive.item("attributes"), primitive.items("targets")
    # A target without POSITION moves nothing.
    accessors = tuple(target.integer("POSITION") if target.has("POSITION") else None for target in targets)
    key = (placement.node, attributes.integer("POSITION"), accessors)
    if key not in surface.blocks:
        linear, shift = placement.transform[:3, :3], placement.transform[:3, 3]
        positions = _rows(document, attributes, "POSITION", 3)
        document.spend(2 * positions.nbytes, attributes)
        moved = not np.array_equal(placement.transform, np.eye(4))
        deltas: list[Float[np.ndarray, "n 3"] | None] = []
        for target in targets:
            rows = _rows(document, target, "POSITION", 3, len(positions)) if target.has("POSITION") else None
            deltas.append(None if rows is None else (rows @ linear.T if moved else rows).astype(np.float32))
        names = _target_names(placement.mesh, len(targets))
        placed = positions @ linear.T + shift if moved else positions
        surface.blocks[key] = Block(surface.n_vertices, placed, names, deltas)
        surface.n_vertices += len(positions)
    block = surface.blocks[key]
    if block.colors is None and attributes.has("COLOR_0"):
        block.colors = _rows(document, attributes, "COLOR_0", None, len(block.positions))
    if block.source is None and attributes.has(SOURCE_VERTEX):
        block.source = _rows(document, attributes, SOURCE_VERTEX, 1, len(block.positions))[:, 0]
    return block


def _rows(
    document: Document, item: Item, key: str, width: int | None, count: int | None = None
) -> Float[np.ndarray, "n W"]:
    """An attribute's accessor as float64, with the row length and count that it must have."""
    rows: Shaped[np.ndarray, "n W"] = document.accessor(document.refer(item, key, "accessors"))
    if (width is None and rows.shape[1] not in (3, 4)) or (width is not None and rows.shape[1] != width):
        raise item.error(key, f"rows of {width or '3 or 4'} numbers", f"rows of {rows.shape[1]}")
    if count is not None and len(rows) != count:
        raise item.error(key, f"{count} rows, as POSITION has", len(rows))
    if not np.isfinite(rows).all():
        raise item.error(key, "finite numbers", "others")
    return rows.astype(np.float64)


def _target_names(mesh: Item, count: int) -> tuple[str, ...]:
    """extras.targetNames where they fit (a convention, not part of glTF); each name once."""
    extras = mesh.fields.get("extras")
    given = extras.get("targetNames") if isinstance(extras, dict) else None
    names = given if isinstance(given, list) and len(given) >= count else []
    unique: dict[str, None] = {}
    for number in range(count):
        name = names[number] if names and isinstance(names[number], str) else f"target_{number}"
        unique[name if name not in unique else f"{name}_{number}"] = None
    if len(unique) != count:
        return tuple(f"target_{number}" for number in range(count))
    return tuple(unique)


def _uv_start(document: Document, surface: Surface, block: Block, attributes: Item) -> int | None:
    if not attributes.has("TEXCOORD_0"):
        return None
    accessor = attributes.integer("TEXCOORD_0")
    if accessor not in block.uv_starts:
        uv = _rows(document, attributes, "TEXCOORD_0", 2, len(block.positions))
        # glTF counts v from the top of the picture, Mesh from the bottom.
        surface.uv.append(np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1))
        block.uv_starts[accessor] = surface.n_uv
        surface.n_uv += len(uv)
    return block.uv_starts[accessor]


def _mesh(document: Document, surface: Surface, placements: list[Placement]) -> Mesh:
    faces = np.concatenate(surface.faces)
    uv = uv_faces = texture = part_of_face = None
    if surface.uv:
        if any(rows is None for rows in surface.uv_faces):
            surface.uv.append(np.zeros((1, 2)))  # primitives without coordinates share this row
        spare = [np.full_like(rows, surface.n_uv) for rows in surface.faces]
        rows_of = zip(surface.uv_faces, spare, strict=True)
        uv, uv_faces = np.concatenate(surface.uv), np.concatenate([b if a is None else a for a, b in rows_of])
        texture = base_color_texture(
            document, [one for placed in placements for one in placed.mesh.items("primitives")]
        )
    names = tuple(dict.fromkeys(label for label in surface.labels if label))
    if names:
        sizes = [len(rows) for rows in surface.faces]
        part_of_face = np.repeat([names.index(label) for label in surface.labels], sizes)
    return checked_mesh(
        document.source,
        np.concatenate([block.positions for block in surface.blocks.values()]),
        faces,
        polygon_of_face=_polygons(surface),
        uv=uv,
        uv_faces=uv_faces,
        texture=texture,
        colors=_colors(surface),
        part_of_face=part_of_face,
        part_names=names,
    )


def _without_copies(
    mesh: Mesh, deltas: Float[np.ndarray, "A n 3"], blocks: list[Block]
) -> tuple[Mesh, Float[np.ndarray, "A V 3"]]:
    """The vertices that were written, without the copies that seams made of them."""
    source = blocks[0].source if len(blocks) == 1 else None
    restored = None if source is None else first_rows(source, mesh.vertices, deltas)
    if restored is None:
        return mesh, deltas
    vertex, first = restored
    colors = None if mesh.colors is None else mesh.colors[first]
    changes = {"vertices": mesh.vertices[first], "faces": vertex[mesh.faces], "colors": colors}
    return dataclasses.replace(mesh, **changes), deltas[:, first]


def _polygons(surface: Surface) -> Int[np.ndarray, " F"] | None:
    """The polygon of each triangle; a primitive that says nothing has triangles."""
    if all(starts is None for starts in surface.starts):
        return None
    pairs = zip(surface.starts, surface.faces, strict=True)
    return np.cumsum(np.concatenate([np.ones(len(faces), bool) if s is None else s for s, faces in pairs])) - 1


def _colors(surface: Surface) -> Float[np.ndarray, "V C"] | None:
    """Colours of all blocks; white where a block has none, opaque where it has no alpha."""
    blocks = list(surface.blocks.values())
    given = [block.colors for block in blocks if block.colors is not None]
    if not given:
        return None
    colors = np.ones((surface.n_vertices, max(rows.shape[1] for rows in given)))
    for block in blocks:
        if block.colors is not None:
            colors[block.start : block.start + len(block.colors), : block.colors.shape[1]] = block.colors
    return colors


def _deltas(document: Document, surface: Surface, names: tuple[str, ...]) -> Float[np.ndarray, "A V 3"]:
    """Targets of one name in several meshes are one target; a mesh without it stands still."""
    document.spend(12 * len(names) * surface.n_vertices, document.root)
    deltas = np.zeros((len(names), surface.n_vertices, 3), np.float32)
    column = {name: number for number, name in enumerate(names)}
    for block in surface.blocks.values():
        for name, rows in zip(block.names, block.deltas, strict=True):
            if rows is not None:
                deltas[column[name], block.start : block.start + len(rows)] = rows
    return deltas


def _animation(
    document: Document, placements: list[Placement], names: tuple[str, ...]
) -> tuple[Float[np.ndarray, " T"] | None, Float[np.ndarray, "T A"] | None]:
    """The first animation of morph weights, on the times of its first channel; targets it leaves out stay at 0."""
    meshes = {placement.node: placement.mesh for placement in placements}
    column = {name: number for number, name in enumerate(names)}
    times = weights = None
    for animation in document.table("animations"):
        samplers = animation.items("samplers")
        for channel in animation.items("channels"):
            target = channel.item("target")
            node = target.integer("node") if target.has("node") else None
            if target.text("path") != "weights" or node not in meshes:
                continue
            count = max((len(primitive.items("targets")) for primitive in meshes[node].items("primitives")), default=0)
            own_times, own_weights = _sampled(
                document, samplers[channel.integer("sampler", below=len(samplers))], count
            )
            if times is None or weights is None:
                document.spend(8 * len(own_times) * len(names), channel)
                times, weights = own_times, np.zeros((len(own_times), len(names)))
            for name, values in zip(_target_names(meshes[node], count), own_weights.T, strict=True):
                if name in column:
                    weights[:, column[name]] = np.interp(times, own_times, values)
        if times is not None:
            break
    return times, weights


def _sampled(
    document: Document, sampler: Item, targets: int
) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, "T A"]]:
    """Key times and weights of one sampler; of cubic splines, the keys without their tangents."""
    times = document.accessor(document.refer(sampler, "input", "accessors"))[:, 0].astype(np.float64)
    values = document.accessor(document.refer(sampler, "output", "accessors")).astype(np.float64)
    per_key = 3 if sampler.text("interpolation") == "CUBICSPLINE" else 1
    if targets == 0 or len(times) == 0 or values.size != len(times) * targets * per_key:
        raise sampler.error("output", f"{len(times)} keys x {targets} targets, at least one of each", values.size)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise sampler.error("input", "ascending times", "others")
    return times, values.reshape(len(times), per_key, targets)[:, per_key // 2]
