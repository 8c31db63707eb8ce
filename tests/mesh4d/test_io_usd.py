"""USD: our files as Pixar's own library sees them, and files that are not what they should be."""

import sys

import numpy as np
import pytest

pytest.importorskip("pxr")
from pxr import Gf, Usd, UsdGeom, UsdSkel

from mesh4d import Mesh, MeshFormatError, MeshSequence
from mesh4d.io import MorphMesh, read_mesh, read_morph_mesh, read_sequence, write_mesh, write_morph_mesh, write_sequence
from mesh4d.io.usd_stage import MissingUsdError


def head() -> Mesh:
    """Two quads and a triangle in two parts, a seam through a vertex, a texture, an unused vertex; millimetres."""
    vertices = np.array(
        [[0, 0, 0], [40, 0, 1], [80, 0, 2], [0, 50, 3], [40, 50, 4], [80, 50, 5], [40, 90, 6], [9, 9, 9]], float
    )
    faces = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [3, 4, 6]])
    uv = np.array([[0, 0], [0.4, 0], [0.8, 0], [0, 0.5], [0.4, 0.5], [0.8, 0.5], [0.4, 0.9], [0.5, 0.1]], float)
    uv_faces = faces.copy()
    uv_faces[2:4, 0] = 7
    return Mesh(
        vertices, faces, np.array([0, 0, 1, 1, 2]), uv, uv_faces,
        np.random.default_rng(0).integers(0, 255, (6, 5, 3), np.uint8),
        part_of_face=np.array([1, 1, 0, 0, 1]), part_names=("eye lash", "skin"),
    )  # fmt: skip


def rig(frames: int = 7) -> MorphMesh:
    rng = np.random.default_rng(1)
    deltas = np.zeros((3, 8, 3), np.float32)
    deltas[0, [1, 4]] = rng.normal(size=(2, 3))
    deltas[2] = rng.normal(size=(8, 3))
    times = np.arange(frames) / 25.0
    extras = {"facet4d": {"a": [1, 2.5]}}
    return MorphMesh(head(), ("AU1", "AU12L", "no identifier"), deltas, rng.random((frames, 3)), times, extras)


def prim(name: str, points: str, counts: str, indices: str, more: str = "") -> str:
    """A mesh prim in USD's text; None for points writes a value block."""
    return (
        f'def Mesh "{name}"\n{{\npoint3f[] points = {points}\nint[] faceVertexCounts = {counts}\n'
        f"int[] faceVertexIndices = {indices}\n{f'uniform token {more}' if more else ''}\n}}\n"
    )


def same(back: Mesh, mesh: Mesh) -> None:
    np.testing.assert_array_equal(back.vertices, mesh.vertices)
    np.testing.assert_array_equal(back.faces, mesh.faces)
    assert back.polygons() == mesh.polygons()
    np.testing.assert_allclose(back.uv[back.uv_faces], mesh.uv[mesh.uv_faces], atol=1e-7)
    np.testing.assert_array_equal(back.texture, mesh.texture)
    names = [back.part_names[part] for part in back.part_of_face]
    assert names == [mesh.part_names[part] for part in mesh.part_of_face]


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usd"])
def test_everything_comes_back(tmp_path, suffix):
    morph = rig()
    write_morph_mesh(morph, tmp_path / f"a{suffix}")
    back = read_morph_mesh(tmp_path / f"a{suffix}")
    same(back.mesh, morph.mesh)
    np.testing.assert_array_equal(back.deltas, morph.deltas)
    np.testing.assert_allclose(back.weights, morph.weights, atol=1e-7)
    np.testing.assert_allclose(back.times_s, morph.times_s, atol=1e-9)
    assert (back.target_names, back.extras, back.unit_m) == (morph.target_names, morph.extras, morph.unit_m)


def test_usd_itself_blends_what_we_blend(tmp_path):
    morph = rig()
    write_morph_mesh(morph, tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == pytest.approx(0.001)
    assert len(UsdSkel.BlendShape(stage.GetPrimAtPath("/head/mesh/AU12L")).GetOffsetsAttr().Get()) == 1  # stands still
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (25.0, 6.0)
    assert UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetDefaultPrim()), Gf.Interval(0, 6))
    points = UsdGeom.Mesh(stage.GetPrimAtPath("/head/mesh")).GetPointsAttr()
    for frame in range(7):
        blended = morph.mesh.vertices + np.tensordot(morph.weights[frame], morph.deltas, axes=1)
        np.testing.assert_allclose(np.array(points.Get(float(frame))), blended, atol=1e-5)


def test_meshes_and_sequences(tmp_path):
    mesh = head()
    write_mesh(mesh, tmp_path / "a.usdc")
    same(read_mesh(tmp_path / "a.usdc"), mesh)
    frames = mesh.vertices + np.random.default_rng(2).normal(size=(70, 1, 3))
    write_sequence(MeshSequence(mesh, frames, 60.0), tmp_path / "b.usdc")
    back = read_sequence(tmp_path / "b.usdc")
    np.testing.assert_allclose(back.frames, frames, atol=1e-4)
    assert (back.fps, len(back)) == (60.0, 70)
    same(back.topology, mesh)
    write_morph_mesh(rig(), tmp_path / "c.usda")
    baked = read_sequence(tmp_path / "c.usda")
    assert baked.fps == 25.0 and len(baked) == 7


def test_a_rewritten_file_is_read_anew(tmp_path):
    write_mesh(head(), tmp_path / "a.usda")
    first = read_mesh(tmp_path / "a.usda")
    write_mesh(first.with_vertices(first.vertices + 1), tmp_path / "a.usda")
    np.testing.assert_array_equal(read_mesh(tmp_path / "a.usda").vertices, first.vertices + 1)


def test_transforms_of_strangers_are_applied_and_meshes_merged(tmp_path):
    prims = [
        prim("skin", "[(0,0,0), (1,0,0), (0,1,0)]", "[3]", "[0, 1, 2]"),
        prim("eye", "[(5,0,0), (6,0,0), (6,1,0), (5,1,0)]", "[4]", "[0, 1, 2, 3]", 'orientation = "leftHanded"'),
        prim("cage", "[(5,0,0), (6,0,0), (6,1,0)]", "[3]", "[0, 1, 2]", 'purpose = "guide"'),
    ]
    (tmp_path / "a.usda").write_text(
        '#usda 1.0\n(\n metersPerUnit = 0.01\n upAxis = "Z"\n)\ndef Xform "x"\n{\n'
        "double3 xformOp:translate = (1, 2, 3)\n"
        'uniform token[] xformOpOrder = ["xformOp:translate"]\n' + "".join(prims) + "}\n"
    )
    morph = read_morph_mesh(tmp_path / "a.usda")
    assert morph.mesh.vertices.tolist()[:2] == [[1, 2, 3], [2, 2, 3]] and morph.mesh.n_vertices == 7
    assert morph.mesh.part_names == ("skin", "eye") and morph.unit_m == pytest.approx(0.01)
    assert morph.mesh.faces.tolist() == [[0, 1, 2], [5, 4, 3], [6, 5, 3]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("not usd", "file"),
        ("#usda 1.0\n", "stage"),
        ('#usda 1.0\ndef "a" (references = @/etc/passwd@) {}\n', "references"),
        ("#usda 1.0\n(subLayers = [@b.usda@])\n", "references"),
        ("#usda 1.0\n" + prim("a", "[(0,0,0)]", "[3]", "[0, 0, 7]"), "mesh"),
        ("#usda 1.0\n" + prim("a", "[(0,0,0)]", "[4]", "[0, 0, 0]"), "faceVertexCounts"),
        ("#usda 1.0\n" + prim("a", "None", "[3]", "[0, 0, 0]"), "points"),
        ("#usda 1.0\n" + prim("a", "[(0,0,nan)]", "[3]", "[0, 0, 0]"), "mesh"),
    ],
)
def test_broken_files_are_named(tmp_path, text, place):
    (tmp_path / "a.usda").write_text(text)
    with pytest.raises(MeshFormatError, match=rf"a\.usda.*{place}"):
        read_mesh(tmp_path / "a.usda")


def test_cut_binaries_are_refused(tmp_path):
    write_morph_mesh(rig(), tmp_path / "a.usdc")
    content = (tmp_path / "a.usdc").read_bytes()
    (tmp_path / "b.usdc").write_bytes(content[: len(content) // 2])
    with pytest.raises(MeshFormatError):
        read_mesh(tmp_path / "b.usdc")


def test_without_the_library_the_message_says_what_to_install(tmp_path, monkeypatch):
    write_mesh(head(), tmp_path / "a.usda")
    monkeypatch.setitem(sys.modules, "pxr", None)
    for work in (lambda: read_mesh(tmp_path / "a.usda"), lambda: write_mesh(head(), tmp_path / "b.usda")):
        with pytest.raises(MissingUsdError, match=r"facet4d\[usd\]"):
            work()
