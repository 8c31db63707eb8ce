"""glTF: our files as other readers see them, and foreign files with all that the format allows."""

import base64
import json
import struct

import numpy as np
import pygltflib
import pytest
import trimesh

from mesh4d import Mesh, MeshError, MeshFormatError, MeshSequence, TopologyError
from mesh4d.io import (
    MorphMesh,
    read_mesh,
    read_morph_mesh,
    read_sequence,
    write_mesh,
    write_morph_mesh,
    write_sequence,
)
from mesh4d.io.glb import pack_glb


def grid(size: int = 12) -> Mesh:
    """A bent sheet of size x size vertices in millimetres, its two parts interleaved, the last vertex unused."""
    v, u = np.mgrid[:size, :size] / (size - 1)
    vertices = np.stack([150 * u, 220 * v, 40 * np.sin(3 * u) * np.cos(2 * v)], axis=-1).reshape(-1, 3)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).reshape(-1)
    faces = np.concatenate([corner[:, None] + [0, 1, size + 1], corner[:, None] + [0, size + 1, size]])
    vertices = np.float32(np.concatenate([vertices, [[1.0, 2.0, 3.0]]])).astype(np.float64)
    return Mesh(vertices, faces, part_of_face=np.arange(len(faces)) % 2, part_names=("skin", "tongue"))


def rig(targets: int = 5, frames: int = 7) -> MorphMesh:
    mesh = grid()
    rng = np.random.default_rng(0)
    deltas = np.zeros((targets, mesh.n_vertices, 3), np.float32)
    for number in range(targets):
        moving = rng.choice(mesh.n_vertices, 20, replace=False)
        deltas[number, moving] = rng.normal(size=(20, 3))
    deltas[1] = 0.0
    deltas[2] = rng.normal(size=deltas[2].shape)  # dense
    names = tuple(f"AU{number}" for number in range(targets))
    times = np.arange(frames) / 30.0
    return MorphMesh(mesh, names, deltas, rng.random((frames, targets)), times, {"regions": {"AU1": [1, 2]}}, 0.001)


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_morph_mesh_round_trip(tmp_path, suffix):
    morph = rig()
    write_morph_mesh(morph, tmp_path / f"a{suffix}")
    back = read_morph_mesh(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(back.mesh.vertices, morph.mesh.vertices)
    assert back.mesh.vertices.dtype == np.float64 and back.mesh.part_names == morph.mesh.part_names
    order = np.argsort(morph.mesh.part_of_face, kind="stable")
    np.testing.assert_array_equal(back.mesh.faces, morph.mesh.faces[order])
    np.testing.assert_array_equal(back.mesh.part_of_face, morph.mesh.part_of_face[order])
    np.testing.assert_array_equal(back.deltas, morph.deltas)
    assert (back.target_names, back.extras, back.unit_m) == (morph.target_names, morph.extras, 0.001)
    np.testing.assert_allclose(back.weights, morph.weights, atol=1e-7)
    np.testing.assert_allclose(back.times_s, morph.times_s, atol=1e-7)


def test_as_pygltflib_sees_it(tmp_path):
    morph = rig()
    write_morph_mesh(morph, tmp_path / "a.glb", colors={"tongue": (0.5, 0.25, 0.125, 1.0)})
    file = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    blob = file.binary_blob()

    def rows(number):
        accessor = file.accessors[number]
        width = {"SCALAR": 1, "VEC3": 3}[accessor.type]
        kind = {5123: "<u2", 5126: "<f4"}[accessor.componentType]
        table = np.zeros((accessor.count, width), kind)
        if accessor.bufferView is not None:
            view = file.bufferViews[accessor.bufferView]
            table[:] = np.frombuffer(blob, kind, accessor.count * width, view.byteOffset).reshape(-1, width)
        if accessor.sparse is not None:
            places, values = (
                file.bufferViews[part.bufferView] for part in (accessor.sparse.indices, accessor.sparse.values)
            )
            assert places.target is None and values.target is None
            ids = np.frombuffer(blob, "<u2", accessor.sparse.count, places.byteOffset)
            assert (np.diff(ids.astype(int)) > 0).all()
            table[ids] = np.frombuffer(blob, kind, accessor.sparse.count * 3, values.byteOffset).reshape(-1, 3)
        if accessor.min:
            assert accessor.min == table.min(axis=0).tolist() and accessor.max == table.max(axis=0).tolist()
        return table

    mesh = file.meshes[0]
    assert mesh.extras["targetNames"] == list(morph.target_names) and mesh.weights == [0.0] * 5
    assert [material.name for material in file.materials] == ["skin", "tongue"]
    assert file.materials[1].pbrMetallicRoughness.baseColorFactor == [0.5, 0.25, 0.125, 1.0]
    assert file.asset.generator == "facet4d" and file.nodes[0].scale == [0.001] * 3
    assert all(view.byteOffset % 4 == 0 for view in file.bufferViews)
    for part, primitive in enumerate(mesh.primitives):
        np.testing.assert_array_equal(rows(primitive.attributes.POSITION), morph.mesh.vertices)
        assert file.accessors[primitive.attributes.POSITION].min
        faces = rows(primitive.indices).reshape(-1, 3)
        np.testing.assert_array_equal(faces, morph.mesh.faces[morph.mesh.part_of_face == part])
        normals = rows(primitive.attributes.NORMAL)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
        assert (normals[:-1, 2] > 0).all()
        for target, delta in zip(primitive.targets, morph.deltas, strict=True):
            number = target["POSITION"] if isinstance(target, dict) else target.POSITION
            np.testing.assert_array_equal(rows(number), delta)
            assert file.accessors[number].min
    sparse = [file.accessors[target["POSITION"]].sparse is not None for target in mesh.primitives[0].targets]
    assert sparse == [True, True, False, True, True]
    animation = file.animations[0]
    assert len(animation.samplers) == 1 and animation.channels[0].target.path == "weights"
    np.testing.assert_allclose(rows(animation.samplers[0].output).reshape(7, 5), morph.weights, atol=1e-7)
    assert animation.samplers[0].interpolation == "LINEAR"


def test_as_trimesh_sees_it(tmp_path):
    morph = rig()
    write_morph_mesh(morph, tmp_path / "a.glb")
    scene = trimesh.load_scene(tmp_path / "a.glb", process=False)
    assert len(scene.geometry) == 2
    for name, geometry in scene.geometry.items():
        assert len(geometry.vertices) == morph.mesh.n_vertices
        transform, _ = scene.graph.get(next(n for n in scene.graph.nodes_geometry if scene.graph[n][1] == name))
        placed = trimesh.transform_points(geometry.vertices, transform)
        np.testing.assert_allclose(placed, morph.mesh.vertices * 0.001, atol=1e-7)


def test_offsets_too_small_to_see_are_dropped(tmp_path):
    mesh = grid()
    deltas = np.zeros((1, mesh.n_vertices, 3), np.float32)
    deltas[0, 3, 1], deltas[0, 4, 1] = 0.9e-5, 1.1e-5
    write_morph_mesh(MorphMesh(mesh, ("AU1",), deltas), tmp_path / "a.glb")
    assert np.flatnonzero(read_morph_mesh(tmp_path / "a.glb").deltas[0, :, 1]).tolist() == [4]


def test_sparse_is_small(tmp_path):
    write_morph_mesh(rig(targets=3), tmp_path / "a.glb")
    mesh = grid(60)
    deltas = np.zeros((32, mesh.n_vertices, 3), np.float32)
    deltas[:, :200] = 1.0
    write_morph_mesh(MorphMesh(mesh, tuple(map(str, range(32))), deltas), tmp_path / "b.glb")
    assert (tmp_path / "b.glb").stat().st_size < deltas.nbytes / 4


def test_attributes_and_unit_of_a_plain_mesh(tmp_path):
    mesh = grid()
    rng = np.random.default_rng(1)
    uv, colors = np.float32(rng.random((mesh.n_vertices, 2))), np.float32(rng.random((mesh.n_vertices, 4)))
    texture = rng.integers(0, 255, (5, 4, 4)).astype(np.uint8)
    painted = Mesh(mesh.vertices, mesh.faces, uv=uv, uv_faces=mesh.faces, colors=colors, texture=texture)
    write_mesh(painted, tmp_path / "a.glb")
    back = read_mesh(tmp_path / "a.glb")
    np.testing.assert_allclose(back.uv[back.uv_faces], uv[mesh.faces], atol=1e-7)
    np.testing.assert_array_equal(back.colors, colors)
    np.testing.assert_array_equal(back.texture, texture)
    np.testing.assert_array_equal(back.faces, mesh.faces)
    assert back.part_of_face is None and read_morph_mesh(tmp_path / "a.glb").unit_m == 0.001
    write_mesh(mesh.with_vertices(mesh.vertices / 1000), tmp_path / "metres.glb")
    assert read_morph_mesh(tmp_path / "metres.glb").unit_m == 1.0


def seamed(morphs: int = 2) -> MorphMesh:
    """Quads and triangles in two interleaved parts, with a texture whose seam cuts the sheet, and an unused vertex."""
    base = grid()
    cells = (len(base.faces)) // 2
    faces = np.stack([base.faces[:cells], base.faces[cells:]], axis=1).reshape(-1, 3)
    polygon = np.repeat(np.arange(cells), 2)
    polygon[-2:] = [cells, cells + 1]  # the last cell is two triangles
    part = np.repeat(np.arange(cells) % 2, 2)
    uv = np.concatenate([base.vertices[:, :2] / 250, base.vertices[:, :2] / 250 + [0.3, 0.0]])
    right = base.vertices[faces].mean(axis=1)[:, 0] > 75
    right[1::2] = right[::2]  # a polygon lies on one side of the seam
    texture = np.random.default_rng(2).integers(0, 255, (8, 8, 3), np.uint8)
    colors = np.random.default_rng(3).random((base.n_vertices, 3)).astype(np.float32).astype(np.float64)
    mesh = Mesh(
        base.vertices, faces, polygon, uv, faces + base.n_vertices * right[:, None], texture, colors,
        part, ("skin", "tongue"),
    )  # fmt: skip
    deltas = np.random.default_rng(4).normal(size=(morphs, mesh.n_vertices, 3)).astype(np.float32)
    return MorphMesh(mesh, tuple(f"AU{number + 1}" for number in range(morphs)), deltas)


def test_seams_and_polygons_survive(tmp_path):
    morph = seamed()
    mesh = morph.mesh
    write_morph_mesh(morph, tmp_path / "a.glb")
    stored = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    attributes = stored.meshes[0].primitives[0].attributes
    assert stored.accessors[attributes.POSITION].count > mesh.n_vertices  # split for other programs
    assert stored.accessors[attributes.TEXCOORD_0].count == stored.accessors[attributes.POSITION].count
    back = read_morph_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(back.mesh.vertices, mesh.vertices)
    np.testing.assert_array_equal(back.deltas, morph.deltas)
    np.testing.assert_array_equal(back.mesh.colors, mesh.colors)
    order = np.argsort(mesh.part_of_face, kind="stable")
    np.testing.assert_array_equal(back.mesh.faces, mesh.faces[order])
    np.testing.assert_allclose(back.mesh.uv[back.mesh.uv_faces], mesh.uv[mesh.uv_faces[order]], atol=1e-7)
    np.testing.assert_array_equal(back.mesh.texture, mesh.texture)
    assert sorted(map(tuple, back.mesh.polygons())) == sorted(map(tuple, mesh.polygons()))
    assert {len(polygon) for polygon in mesh.polygons()} == {3, 4}


def test_copies_that_were_moved_apart_stay_apart(tmp_path):
    write_morph_mesh(seamed(), tmp_path / "a.glb")
    stored = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    position = stored.accessors[stored.meshes[0].primitives[0].attributes.POSITION]
    view = stored.bufferViews[position.bufferView]
    blob = bytearray(stored.binary_blob())
    last = view.byteOffset + 12 * (position.count - 1)
    blob[last : last + 4] = struct.pack("<f", 9.0)
    stored.set_binary_blob(bytes(blob))
    stored.save(str(tmp_path / "b.glb"))
    assert read_mesh(tmp_path / "b.glb").n_vertices == position.count


@pytest.mark.parametrize("marks", ["", "@", "AAAA", "////////", 7])
def test_marks_that_fit_no_polygons_are_passed_over(tmp_path, marks):
    write_morph_mesh(seamed(), tmp_path / "a.glb")
    stored = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    for primitive in stored.meshes[0].primitives:
        primitive.extras = {"polygon_starts": marks}
    stored.save(str(tmp_path / "b.glb"))
    assert read_mesh(tmp_path / "b.glb").polygon_of_face is None


def test_more_vertices_than_16_bits_count(tmp_path):
    mesh = grid(257)
    assert mesh.n_vertices > 65535
    deltas = np.zeros((1, mesh.n_vertices, 3), np.float32)
    deltas[0, -2] = 1.0
    write_morph_mesh(MorphMesh(mesh, ("AU1",), deltas), tmp_path / "a.glb")
    back = read_morph_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(back.mesh.faces[back.mesh.part_of_face == 0], mesh.faces[mesh.part_of_face == 0])
    np.testing.assert_array_equal(back.deltas, deltas)


def test_sequence_as_frames_and_as_baked_weights(tmp_path):
    mesh = grid()
    frames = mesh.vertices + np.random.default_rng(2).normal(size=(9, mesh.n_vertices, 3))
    write_sequence(MeshSequence(mesh, frames, 29.97), tmp_path / "a.glb")
    back = read_sequence(tmp_path / "a.glb")
    assert back.fps == 29.97
    np.testing.assert_allclose(back.frames, frames, atol=1e-5)
    morph = rig(frames=31)
    write_morph_mesh(morph, tmp_path / "b.glb")
    baked = read_sequence(tmp_path / "b.glb")
    expected = morph.mesh.vertices + np.einsum("ta,avc->tvc", morph.weights, morph.deltas)
    assert baked.fps == 30.0 and baked.frames.dtype == np.float64
    np.testing.assert_allclose(baked.frames, expected, atol=1e-5)


def test_uneven_keys_are_sampled(tmp_path):
    mesh = grid()
    deltas = np.ones((1, mesh.n_vertices, 3), np.float32)
    weights, times = np.array([[0.0], [1.0], [0.5]]), np.array([0.0, 0.5, 2.0])
    write_morph_mesh(MorphMesh(mesh, ("AU1",), deltas, weights, times), tmp_path / "a.glb")
    baked = read_sequence(tmp_path / "a.glb")
    assert (len(baked), baked.fps) == (61, 30.0)
    drawn = np.interp(np.arange(61) / 30, times, weights[:, 0])
    np.testing.assert_allclose(baked.frames[:, 0, 0] - mesh.vertices[0, 0], drawn, atol=1e-6)


def test_what_cannot_be_written(tmp_path):
    mesh = grid()
    with pytest.raises(MeshError, match=r"1 to 64 frames.*found 65.*\.npz"):
        write_sequence(MeshSequence(mesh, np.zeros((65, mesh.n_vertices, 3)), 30.0), tmp_path / "a.glb")
    with pytest.raises(MeshError, match="this mesh has none"):
        write_mesh(Mesh(mesh.vertices, mesh.faces[:0]), tmp_path / "a.glb")
    with pytest.raises(MeshError, match="float32"):
        write_mesh(Mesh(mesh.vertices * 1e60, mesh.faces), tmp_path / "a.glb")
    empty = np.zeros((0, mesh.n_vertices, 3))
    for extras in ({"a": float("nan")}, {"a": {1, 2}}):
        with pytest.raises(MeshError, match="JSON"):
            write_morph_mesh(MorphMesh(mesh, (), empty, extras=extras), tmp_path / "a.glb")
    with pytest.raises(MeshFormatError, match="suffix"):
        write_morph_mesh(MorphMesh(mesh, (), empty), tmp_path / "a.obj")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MeshFormatError, match="an animation of morph weights"):
        write_mesh(mesh, tmp_path / "a.glb")
        read_sequence(tmp_path / "a.glb")


def test_inconsistent_morph_meshes_are_refused():
    morph = rig()
    good = {"mesh": morph.mesh, "target_names": morph.target_names, "deltas": morph.deltas}
    with pytest.raises(TopologyError, match="names x vertices x 3"):
        MorphMesh(**good | {"target_names": ("AU1",)})
    with pytest.raises(MeshError, match="finite"):
        MorphMesh(**good | {"deltas": morph.deltas * np.nan})
    with pytest.raises(MeshError, match="come together"):
        MorphMesh(**good, weights=morph.weights)
    with pytest.raises(MeshError, match="ascend"):
        MorphMesh(**good, weights=morph.weights, times_s=morph.times_s[::-1])
    with pytest.raises(MeshError, match="unit_m"):
        MorphMesh(**good, unit_m=0.0)


# Foreign files, built by hand ---------------------------------------------------------------------------------------


class Foreign:
    """A small glTF file of another program, to which tests add what they need."""

    def __init__(self):
        self.chunk = b""
        self.root = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": 0}], "bufferViews": [], "accessors": [],
                     "meshes": [], "nodes": [], "scenes": [{"nodes": [0]}]}  # fmt: skip

    def view(self, content: bytes, **more) -> int:
        self.root["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.chunk), "byteLength": len(content), **more}
        )
        self.chunk += content + b"\0" * (-len(content) % 4)
        self.root["buffers"][0]["byteLength"] = len(self.chunk)
        return len(self.root["bufferViews"]) - 1

    def accessor(self, rows, kind="<f4", **more) -> int:
        rows = np.asarray(rows, kind)
        code = {"|i1": 5120, "|u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}[rows.dtype.str]
        shape = "SCALAR" if rows.ndim == 1 else f"VEC{rows.shape[1]}"
        entry = {"bufferView": self.view(rows.tobytes()), "componentType": code, "count": len(rows), "type": shape}
        self.root["accessors"].append(entry | more)
        return len(self.root["accessors"]) - 1

    def mesh(self, *primitives, **more) -> int:
        self.root["meshes"].append({"primitives": list(primitives), **more})
        return len(self.root["meshes"]) - 1

    def save(self, path):
        path.write_bytes(pack_glb(self.root, self.chunk))
        return path


TETRA = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64)


def test_node_transforms_are_applied_and_meshes_merged(tmp_path):
    file = Foreign()
    position, indices = file.accessor(TETRA), file.accessor([0, 2, 1, 0, 1, 3], "u1")
    delta = file.accessor(TETRA + 1)
    primitive = {"attributes": {"POSITION": position}, "indices": indices, "targets": [{"POSITION": delta}]}
    face = file.mesh(primitive, name="face", extras={"targetNames": ["smile"], "note": 1})
    eye = file.mesh({"attributes": {"POSITION": position}, "indices": indices})
    half = float(np.sqrt(0.5))
    file.root["nodes"] = [
        {"children": [1, 2], "scale": [2, 2, 2]},
        {"mesh": face, "translation": [1, 0, 0], "rotation": [0, 0, half, half], "name": "Head"},
        {"mesh": eye, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1], "name": "Eye"},
    ]
    morph = read_morph_mesh(file.save(tmp_path / "a.glb"))
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(morph.mesh.vertices[:4], 2 * (TETRA @ turn.T + [1, 0, 0]), atol=1e-6)
    np.testing.assert_allclose(morph.mesh.vertices[4:], 2 * (TETRA * [-1, 1, 1] + [0, 0, 5]), atol=1e-6)
    assert morph.mesh.faces.tolist() == [[0, 2, 1], [0, 1, 3], [5, 6, 4], [7, 5, 4]]  # mirrored: turned around
    assert morph.mesh.part_names == ("Head", "Eye") and morph.unit_m == 1.0
    assert morph.target_names == ("smile",) and morph.extras == {"note": 1}
    np.testing.assert_allclose(morph.deltas[0, :4], 2 * (TETRA + 1) @ turn.T, atol=1e-6)
    assert not morph.deltas[0, 4:].any()


@pytest.mark.parametrize(("kind", "top"), [("i1", 127), ("u1", 255), ("<i2", 32767), ("<u2", 65535)])
def test_quantised_attributes(tmp_path, kind, top):
    file = Foreign()
    file.root["extensionsRequired"] = ["KHR_mesh_quantization"]
    rows = np.round(np.linspace(0, top, 12)).reshape(4, 3)
    position = file.accessor(rows, kind, normalized=True)
    file.mesh({"attributes": {"POSITION": position}, "indices": file.accessor([0, 1, 2], "<u4")})
    file.root["nodes"] = [{"mesh": 0}]
    np.testing.assert_allclose(read_mesh(file.save(tmp_path / "a.glb")).vertices, rows / top, atol=1e-9)
    del file.root["accessors"][position]["normalized"]
    np.testing.assert_array_equal(read_mesh(file.save(tmp_path / "a.glb")).vertices, rows)


def test_strided_and_sparse_accessors_strips_and_fans(tmp_path):
    file = Foreign()
    records = np.zeros(4, [("normal", "<f4", 3), ("position", "<f4", 3)])
    records["position"] = TETRA
    view = file.view(records.tobytes(), byteStride=24)
    places, values = (
        file.view(np.array([3, 0], "u1").tobytes()),
        file.view(np.float32([[7, 8, 9], [4, 5, 6]]).tobytes()),
    )
    sparse = {"count": 2, "indices": {"bufferView": places, "componentType": 5121}, "values": {"bufferView": values}}
    file.root["accessors"] = [
        {"bufferView": view, "byteOffset": 12, "componentType": 5126, "count": 4, "type": "VEC3", "sparse": sparse},
        {"componentType": 5126, "count": 4, "type": "VEC3"},
    ]
    targets = [{"POSITION": 1}, {}]
    base = {"attributes": {"POSITION": 0}, "targets": targets}
    strip, fan = base | {"mode": 5}, base | {"mode": 6, "indices": file.accessor([3, 2, 1, 0], "u1")}
    file.mesh(strip, fan, base | {"mode": 0}, base | {"mode": 1})
    file.root["nodes"] = [{"mesh": 0}]
    morph = read_morph_mesh(file.save(tmp_path / "a.glb"))
    assert morph.mesh.vertices.tolist() == [[4, 5, 6], [1, 0, 0], [0, 1, 0], [7, 8, 9]]
    assert morph.mesh.faces.tolist() == [[0, 1, 2], [2, 1, 3], [3, 2, 1], [3, 1, 0]]
    assert morph.mesh.part_names == ("part_0", "part_1")
    assert morph.target_names == ("target_0", "target_1") and not morph.deltas.any()


def test_animations_of_several_meshes_meet_by_name(tmp_path):
    file = Foreign()
    position, delta = file.accessor(TETRA), file.accessor(TETRA)
    both = {"attributes": {"POSITION": position}, "targets": [{"POSITION": delta}] * 2}
    file.mesh(both | {"mode": 6}, extras={"targetNames": ["blink", "jaw"]})
    file.mesh(both | {"mode": 6}, extras={"targetNames": ["jaw", "tongue"]})
    file.root["nodes"] = [{"mesh": 0}, {"mesh": 1}]
    file.root["scenes"] = [{"nodes": [0, 1]}]
    cubic = np.arange(12.0)  # 2 keys x (in, value, out) x 2 targets
    samplers = [
        {"input": file.accessor([0.0, 1.0]), "output": file.accessor([0.0, 0.1, 0.2, 0.3])},
        {"input": file.accessor([0.0, 2.0]), "output": file.accessor(cubic), "interpolation": "CUBICSPLINE"},
    ]
    channels = [{"sampler": n, "target": {"node": n, "path": "weights"}} for n in (0, 1)]
    turned = {"samplers": samplers, "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}]}
    file.root["animations"] = [turned, {"samplers": samplers, "channels": channels}]
    morph = read_morph_mesh(file.save(tmp_path / "a.glb"))
    assert morph.target_names == ("blink", "jaw", "tongue")
    np.testing.assert_allclose(morph.times_s, [0, 1])
    np.testing.assert_allclose(morph.weights, [[0, 2, 3], [0.2, 5, 6]], atol=1e-6)
    assert morph.deltas[1].any(axis=1).tolist() == [False, True, True, True] * 2


def test_external_buffers_only_from_the_folder(tmp_path):
    file = Foreign()
    file.mesh({"attributes": {"POSITION": file.accessor(TETRA)}, "mode": 6})
    file.root["nodes"] = [{"mesh": 0}]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "my data.bin").write_bytes(file.chunk)
    (tmp_path / "out.bin").write_bytes(file.chunk)
    inline = "data:application/octet-stream;base64," + base64.b64encode(file.chunk).decode()
    for uri in ("my data.bin", "my%20data.bin", inline):
        file.root["buffers"][0]["uri"] = uri
        (folder / "a.gltf").write_text(json.dumps(file.root))
        np.testing.assert_array_equal(read_mesh(folder / "a.gltf").vertices, TETRA)
    for uri in ("../out.bin", str(tmp_path / "out.bin"), "none.bin", "data:;base64,@", "http://example.org/a.bin"):
        file.root["buffers"][0]["uri"] = uri
        (folder / "a.gltf").write_text(json.dumps(file.root))
        with pytest.raises(MeshFormatError, match="uri"):
            read_mesh(folder / "a.gltf")


def simple() -> Foreign:
    file = Foreign()
    position, indices = file.accessor(TETRA), file.accessor([0, 1, 2], "u1")
    file.mesh({"attributes": {"POSITION": position}, "indices": indices, "targets": [{"POSITION": position}]})
    file.root["nodes"] = [{"mesh": 0}]
    return file


def edited(path: list, value) -> bytes:
    file = simple()
    place = file.root
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return pack_glb(file.root, file.chunk)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["asset"], {"version": "1.0"}, "asset.version"), (["asset"], [], "asset"), (["nodes"], [], "scenes[0].nodes"),
        (["nodes", 0], {}, "nodes"), (["nodes", 0, "mesh"], 1, "nodes[0].mesh"),
        (["nodes", 0, "mesh"], -1, "nodes[0].mesh"),
        (["nodes", 0, "mesh"], True, "nodes[0].mesh"), (["nodes", 0, "children"], [0], "nodes[0].children"),
        (["nodes", 0, "scale"], [1, 1], "nodes[0].scale"), (["nodes", 0, "scale"], [1, 1, "1"], "nodes[0].scale"),
        (["nodes", 0, "translation"], [1e200, 0, 10**400], "translation"),
        (["accessors", 0, "count"], 5, "accessors[0].count"), (["accessors", 0, "count"], 1 << 40, "accessors[0]"),
        (["accessors", 0, "componentType"], 5124, "accessors[0].type"), (["accessors", 0, "type"], "VEC2", "POSITION"),
        (["accessors", 0, "byteOffset"], 4, "accessors[0].count"), (["accessors", 1, "count"], 2, "indices"),
        (["accessors", 1, "componentType"], 5126, "accessors[1].count"),
        (["bufferViews", 0, "byteStride"], 4, "count"),
        (["bufferViews", 0, "byteLength"], 400, "bufferViews[0].byteLength"),
        (["bufferViews", 0, "buffer"], 1, "buffer"),
        (["buffers", 0, "byteLength"], 4000, "buffers[0].byteLength"), (["meshes", 0, "primitives"], [], "meshes"),
        (["meshes", 0, "primitives", 0, "mode"], 7, "mode"),
        (["meshes", 0, "primitives", 0, "targets"], [7], "targets[0]"),
        (["meshes", 0, "primitives", 0, "targets"], [{"POSITION": 1}], "POSITION"),
        (["meshes", 0, "primitives", 0, "attributes"], {"POSITION": 0, "TEXCOORD_0": 0}, "TEXCOORD_0"),
        (["extensionsRequired"], ["KHR_draco_mesh_compression"], "extensionsRequired"),
        (["animations"], [{"channels": [{"sampler": 0, "target": {"path": "weights", "node": 0}}]}], "sampler"),
    ],
)  # fmt: skip
def test_errors_name_the_field(tmp_path, path, value, place):
    (tmp_path / "a.glb").write_bytes(edited(path, value))
    with pytest.raises(MeshFormatError) as caught:
        read_mesh(tmp_path / "a.glb")
    assert place in caught.value.place


def test_indices_out_of_range(tmp_path):
    file = Foreign()
    file.mesh({"attributes": {"POSITION": file.accessor(TETRA)}, "indices": file.accessor([0, 1, 4], "u1")})
    file.root["nodes"] = [{"mesh": 0}]
    with pytest.raises(MeshFormatError, match=r"indices: expected indices below 4, found 4"):
        read_mesh(file.save(tmp_path / "a.glb"))


def test_small_files_cannot_ask_for_much_memory(tmp_path):
    file = simple()
    file.root["accessors"].append({"componentType": 5126, "count": 4, "type": "VEC3"})
    file.root["accessors"][0] = {"componentType": 5126, "count": 1 << 20, "type": "VEC3"}
    file.root["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}] * 10000
    with pytest.raises(MeshFormatError, match="in proportion"):
        read_mesh(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize(
    "damage",
    [lambda d: d[:15], lambda d: d[:40], lambda d: d[:4] + struct.pack("<I", 3) + d[8:],
     lambda d: d[:12] + struct.pack("<I", 1 << 31) + d[16:], lambda d: d[:16] + b"XXXX" + d[20:],
     lambda d: d[:20] + b"[" * (len(d) - 20), lambda d: b"{", lambda d: b"[]",
     lambda d: b'{"asset":{"version":"2.0"},"nodes":[{"mesh":0,"scale":[1e999,1,1]}],"meshes":[{}]}',
     lambda d: b'{"asset":{"version":"2.0"},"nodes":[{"mesh":0,"scale":[NaN,1,1]}],"meshes":[{}]}',
     lambda d: b"\xff\xfe{}"],
)  # fmt: skip
def test_broken_containers(tmp_path, damage):
    (tmp_path / "a.glb").write_bytes(damage(edited(["scene"], 0)))
    with pytest.raises(MeshFormatError):
        read_mesh(tmp_path / "a.glb")
