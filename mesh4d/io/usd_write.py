"""Meshes as USD: exact vertex order, polygons, seams, parts, UsdSkel blend shapes and the animation of their weights.

Layout: /head (a SkelRoot where there are blend shapes), /head/mesh, /head/mesh/<target>, /head/skeleton (one joint that
never moves: UsdSkel asks for a skeleton), /head/animation, /head/materials. Y is up and metersPerUnit is the mesh's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.sources import bare_name, write_bytes
from mesh4d.io.surface import first_of_polygon, polygon_corners
from mesh4d.io.textures import encode_png
from mesh4d.io.usd_stage import usd_library
from mesh4d.materials import material_of_part, to_linear
from mesh4d.mesh import Mesh

EXTRAS = "mesh4d:extras"
STILL_M = 1e-8
"""Offsets below a hundredth of a micrometre are left out of blend shapes."""
DEFAULT_FPS = 24.0
"""Time codes per second where the keys are unevenly spaced."""


def stage_of(morph: MorphMesh, path: Path) -> Any:
    """A new stage with the mesh, its targets and animation; a texture is written as NAME.png beside `path`."""
    usd = usd_library()
    stage = usd.Usd.Stage.CreateInMemory()
    usd.UsdGeom.SetStageUpAxis(stage, usd.UsdGeom.Tokens.y)
    usd.UsdGeom.SetStageMetersPerUnit(stage, morph.unit_m)
    root = (usd.UsdSkel.Root if morph.target_names else usd.UsdGeom.Xform).Define(stage, "/head")
    stage.SetDefaultPrim(root.GetPrim())
    mesh = usd.UsdGeom.Mesh.Define(stage, "/head/mesh")
    _geometry(usd, mesh, morph.mesh)
    _materials(usd, stage, mesh, morph.mesh, path)
    if morph.extras:
        mesh.GetPrim().SetCustomDataByKey(EXTRAS, _as_json(morph.extras))
    if morph.target_names:
        _blend_shapes(usd, stage, mesh, morph)
    return stage


def add_frames(stage: Any, frames: Float[np.ndarray, "T V 3"], fps: float) -> None:
    """Positions of the mesh at every frame, as time samples."""
    usd = usd_library()
    _clock(stage, fps, float(len(frames) - 1))
    points = usd.UsdGeom.Mesh(stage.GetPrimAtPath("/head/mesh")).GetPointsAttr()
    for number, frame in enumerate(frames):
        points.Set(usd.Vt.Vec3fArray.FromNumpy(_single(frame, "frames")), float(number))


def _as_json(extras: dict[str, object]) -> str:
    try:
        return json.dumps(extras, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise MeshError(f"extras must be JSON: {error}") from error


def _clock(stage: Any, fps: float, last: float) -> None:
    stage.SetTimeCodesPerSecond(fps)
    stage.SetFramesPerSecond(fps)
    stage.SetStartTimeCode(0.0)
    stage.SetEndTimeCode(max(last, 0.0))


def _single(rows: Float[np.ndarray, "n W"], what: str) -> Float[np.ndarray, "n W"]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(rows, np.float32)
    if not np.isfinite(single).all():
        raise MeshError(f"{what} reach beyond the float32 that USD stores")
    return single


def _geometry(usd: Any, prim: Any, mesh: Mesh) -> None:
    points = usd.Vt.Vec3fArray.FromNumpy(_single(mesh.vertices, "vertices"))
    first = first_of_polygon(mesh)
    corners, sizes = polygon_corners(mesh.faces, first)
    prim.CreatePointsAttr(points)
    if mesh.n_vertices:
        prim.CreateExtentAttr(usd.UsdGeom.PointBased.ComputeExtent(points))
    prim.CreateFaceVertexCountsAttr(usd.Vt.IntArray.FromNumpy(sizes.astype(np.int32)))
    prim.CreateFaceVertexIndicesAttr(usd.Vt.IntArray.FromNumpy(corners.astype(np.int32)))
    prim.CreateSubdivisionSchemeAttr(usd.UsdGeom.Tokens.none)
    prim.CreateOrientationAttr(usd.UsdGeom.Tokens.rightHanded)
    prim.CreateDoubleSidedAttr(True)  # the mouth bag and the lashes are seen from both sides
    normals = vertex_normals(np.asarray(mesh.vertices, np.float64), mesh.faces)
    prim.CreateNormalsAttr(usd.Vt.Vec3fArray.FromNumpy(_single(normals, "normals")))
    prim.SetNormalsInterpolation(usd.UsdGeom.Tokens.vertex)
    primvars = usd.UsdGeom.PrimvarsAPI(prim)
    if mesh.uv is not None and mesh.uv_faces is not None:
        kind, where = usd.Sdf.ValueTypeNames.TexCoord2fArray, usd.UsdGeom.Tokens.faceVarying
        st = primvars.CreatePrimvar("st", kind, where)
        st.Set(usd.Vt.Vec2fArray.FromNumpy(_single(mesh.uv, "uv")))
        st.SetIndices(usd.Vt.IntArray.FromNumpy(polygon_corners(mesh.uv_faces, first)[0].astype(np.int32)))
    if mesh.colors is not None and mesh.colors.shape[1] in (3, 4):
        kind, where = usd.Sdf.ValueTypeNames.Color3fArray, usd.UsdGeom.Tokens.vertex
        colors = primvars.CreatePrimvar("displayColor", kind, where)
        colors.Set(usd.Vt.Vec3fArray.FromNumpy(_single(mesh.colors[:, :3], "colors")))


def _materials(usd: Any, stage: Any, prim: Any, mesh: Mesh, path: Path) -> None:
    """A material, and where there are parts a subset of the polygons, for each part."""
    textured = mesh.texture is not None and mesh.uv is not None
    picture = f"{bare_name(path)}.png" if textured else None
    if mesh.texture is not None and picture is not None:
        write_bytes(path.with_name(picture), encode_png(mesh.texture))
    if mesh.part_of_face is None:
        _bind(usd, prim, _material(usd, stage, "", "skin", picture))
        return
    part_of_polygon = mesh.part_of_face[first_of_polygon(mesh)]
    for part in np.unique(part_of_polygon).tolist():
        name = mesh.part_names[part]
        own = f"{usd.Tf.MakeValidIdentifier(name)}_{part}"  # two names may become one identifier
        members = usd.Vt.IntArray.FromNumpy(np.flatnonzero(part_of_polygon == part).astype(np.int32))
        subset = usd.UsdGeom.Subset.CreateGeomSubset(
            prim, own, usd.UsdGeom.Tokens.face, members, usd.UsdShade.Tokens.materialBind
        )
        subset.GetPrim().SetDisplayName(name)
        _bind(usd, subset, _material(usd, stage, name, own, picture))


def _bind(usd: Any, prim: Any, material: Any) -> None:
    usd.UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)


def _material(usd: Any, stage: Any, part: str, own: str, picture: str | None) -> Any:
    """UsdPreviewSurface in the part's colour, or with the picture over the texture coordinates."""
    look = material_of_part(part or "skin")
    types = usd.Sdf.ValueTypeNames
    material = usd.UsdShade.Material.Define(stage, f"/head/materials/{own}")
    surface = usd.UsdShade.Shader.Define(stage, f"{material.GetPath()}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(0.75 - 0.6 * look.gloss)
    color = surface.CreateInput("diffuseColor", types.Color3f)
    if picture is None:
        color.Set(usd.Gf.Vec3f(*to_linear(np.array(look.srgb)).tolist()))
    else:
        reader = usd.UsdShade.Shader.Define(stage, f"{material.GetPath()}/coordinates")
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", types.String).Set("st")
        texture = usd.UsdShade.Shader.Define(stage, f"{material.GetPath()}/picture")
        texture.CreateIdAttr("UsdUVTexture")
        texture.CreateInput("file", types.Asset).Set(f"./{picture}")
        texture.CreateInput("st", types.Float2).ConnectToSource(reader.CreateOutput("result", types.Float2))
        color.ConnectToSource(texture.CreateOutput("rgb", types.Float3))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    return material


def _blend_shapes(usd: Any, stage: Any, mesh: Any, morph: MorphMesh) -> None:
    """A sparse BlendShape per target, the skeleton that UsdSkel asks for, and the animation of the weights."""
    still = STILL_M / morph.unit_m
    shapes = []
    for number, (name, delta) in enumerate(zip(morph.target_names, morph.deltas, strict=True)):
        own = usd.Tf.MakeValidIdentifier(name)
        taken = stage.GetPrimAtPath(f"/head/mesh/{own}").IsValid()
        shape = usd.UsdSkel.BlendShape.Define(stage, f"/head/mesh/{own}{f'_{number}' if taken else ''}")
        moving = np.flatnonzero(np.linalg.norm(delta.astype(np.float64), axis=1) >= still)
        if len(moving) == 0:
            moving = np.zeros(1, np.int64)  # Blender leaves out a shape without offsets: one row that says zero
        shape.CreateOffsetsAttr(usd.Vt.Vec3fArray.FromNumpy(_single(delta[moving], "deltas")))
        shape.CreatePointIndicesAttr(usd.Vt.IntArray.FromNumpy(moving.astype(np.int32)))
        shapes.append(shape.GetPath())
    skeleton = usd.UsdSkel.Skeleton.Define(stage, "/head/skeleton")
    skeleton.CreateJointsAttr(["root"])
    still_matrix = usd.Vt.Matrix4dArray([usd.Gf.Matrix4d(1.0)])
    skeleton.CreateBindTransformsAttr(still_matrix)
    skeleton.CreateRestTransformsAttr(still_matrix)
    animation = usd.UsdSkel.Animation.Define(stage, "/head/animation")
    animation.CreateBlendShapesAttr(list(morph.target_names))
    _weights(usd, stage, animation, morph)
    usd.UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    binding = usd.UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateBlendShapesAttr(list(morph.target_names))
    binding.CreateBlendShapeTargetsRel().SetTargets(shapes)
    binding.CreateJointIndicesPrimvar(True, 1).Set(usd.Vt.IntArray([0]))
    binding.CreateJointWeightsPrimvar(True, 1).Set(usd.Vt.FloatArray([1.0]))


def _weights(usd: Any, stage: Any, animation: Any, morph: MorphMesh) -> None:
    attribute = animation.CreateBlendShapeWeightsAttr(usd.Vt.FloatArray([0.0] * len(morph.target_names)))
    if morph.weights is None or morph.times_s is None:
        return
    steps = np.diff(morph.times_s)
    even = len(steps) > 0 and np.abs(steps - steps.mean()).max() < 0.01 * steps.mean()
    fps = round(float(1.0 / steps.mean()), 6) if even else DEFAULT_FPS
    codes = morph.times_s * fps
    codes = np.rint(codes) if even and np.abs(codes - np.rint(codes)).max() < 0.01 else codes
    _clock(stage, fps, float(codes[-1]))
    for code, row in zip(codes.tolist(), _single(morph.weights, "weights"), strict=True):
        attribute.Set(usd.Vt.FloatArray.FromNumpy(row), code)
