"""Reads the meshes of a USD stage into one MorphMesh or MeshSequence; points stay in their own order."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.sources import expansion_limit
from mesh4d.io.surface import Fans, checked_mesh
from mesh4d.io.textures import texture_beside
from mesh4d.io.usd_stage import open_stage, usd_library
from mesh4d.io.usd_write import EXTRAS
from mesh4d.mesh import Mesh

_log = logging.getLogger(__name__)


@dataclass
class Piece:
    """One mesh prim."""

    prim: Any
    points: Float[np.ndarray, "n 3"]
    to_world: Float[np.ndarray, "4 4"]
    """Row vectors times this matrix, as USD has it."""
    faces: Int[np.ndarray, "f 3"]
    polygon_of_face: Int[np.ndarray, " f"]
    uv: Float[np.ndarray, "u 2"] | None = None
    uv_faces: Int[np.ndarray, "f 3"] | None = None
    colors: Float[np.ndarray, "n 3"] | None = None
    part_of_face: Int[np.ndarray, " f"] | None = None
    part_names: tuple[str, ...] = ()
    targets: dict[str, Float[np.ndarray, "n 3"]] = field(default_factory=dict)


class StageReader:
    """What a file holds, merged over its mesh prims; their transforms are applied, the up axis is kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.usd, self.stage = path, usd_library(), open_stage(path)
        self.budget = expansion_limit(path.stat().st_size)
        prims = [prim for prim in self.stage.Traverse() if prim.IsA(self.usd.UsdGeom.Mesh) and _is_shown(prim)]
        if not prims:
            raise MeshFormatError(path, "stage", "a mesh prim", "none")
        self.pieces = [self._piece(prim) for prim in prims]
        self.unit_m = float(self.usd.UsdGeom.GetStageMetersPerUnit(self.stage))

    def morph_mesh(self) -> MorphMesh:
        """The meshes as one, with the blend shapes of all, and the first animation of blend shape weights."""
        mesh = self._merged()
        names = tuple(dict.fromkeys(name for piece in self.pieces for name in piece.targets))
        self._spend(12 * len(names) * mesh.n_vertices, "blend shapes")
        deltas = np.zeros((len(names), mesh.n_vertices, 3), np.float32)
        start = 0
        for piece in self.pieces:
            for name, offsets in piece.targets.items():
                deltas[names.index(name), start : start + len(piece.points)] = offsets
            start += len(piece.points)
        times, weights = self._animation(names)
        try:
            return MorphMesh(mesh, names, deltas, weights, times, self._extras(), self.unit_m)
        except MeshFormatError:
            raise
        except MeshError as error:
            raise MeshFormatError(self.path, "blend shapes", "a consistent set", str(error)) from error

    def frames(self) -> tuple[Mesh, Float[np.ndarray, "T V 3"], float] | None:
        """Topology, positions at every time sample of the first mesh that has some, and their rate; None where none."""
        codes = sorted({code for piece in self.pieces for code in self._points_of(piece.prim).GetTimeSamples()})
        if len(codes) < 2:
            return None
        mesh = self._merged()
        self._spend(12 * mesh.n_vertices * len(codes), "time samples")
        frames = np.empty((len(codes), mesh.n_vertices, 3), np.float32)
        for row, code in enumerate(codes):
            frames[row] = np.concatenate([self._placed(piece, code) for piece in self.pieces])
        if not np.isfinite(frames).all():
            raise MeshFormatError(self.path, "points", "finite numbers", "others")
        step = float(np.mean(np.diff(codes)))
        return mesh, frames, float(self.stage.GetTimeCodesPerSecond()) / step

    def _points_of(self, prim: Any) -> Any:
        return self.usd.UsdGeom.Mesh(prim).GetPointsAttr()

    def _placed(self, piece: Piece, code: float | None = None) -> Float[np.ndarray, "n 3"]:
        points = piece.points
        if code is not None:
            points = np.array(self._points_of(piece.prim).Get(code), np.float64).reshape(-1, 3)
            if len(points) != len(piece.points):
                found = f"{len(points)} at time code {code:g}"
                raise MeshFormatError(self.path, str(piece.prim.GetPath()), f"{len(piece.points)} points", found)
        if np.array_equal(piece.to_world, np.eye(4)):
            return points
        return points @ piece.to_world[:3, :3] + piece.to_world[3, :3]

    def _spend(self, size: int, place: str) -> None:
        self.budget -= size
        if self.budget < 0:
            raise MeshFormatError(self.path, place, "data in proportion to the size of the file", "far more")

    def _piece(self, prim: Any) -> Piece:
        geometry, place = self.usd.UsdGeom.Mesh(prim), str(prim.GetPath())
        samples = geometry.GetPointsAttr().GetTimeSamples()
        rest = geometry.GetPointsAttr().Get()
        points = np.array(rest if rest is not None or not samples else geometry.GetPointsAttr().Get(samples[0]))
        sizes = np.array(geometry.GetFaceVertexCountsAttr().Get() or [], np.int64)
        corners = np.array(geometry.GetFaceVertexIndicesAttr().Get() or [], np.int64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise MeshFormatError(self.path, f"{place}.points", "rows of 3 numbers", f"shape {points.shape}")
        if (sizes < 3).any() or sizes.sum() != len(corners):
            found = f"{int(sizes.sum())} in all, the smallest {int(sizes.min(initial=3))}"
            raise MeshFormatError(self.path, f"{place}.faceVertexCounts", f"at least 3, {len(corners)} in all", found)
        fans = Fans.over(sizes)
        faces = fans.triangles(corners)
        turned = geometry.GetOrientationAttr().Get() == self.usd.UsdGeom.Tokens.leftHanded
        to_world = np.array(self.usd.UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0.0))
        polygon = np.arange(len(faces)) if fans.polygon_of_face is None else fans.polygon_of_face
        piece = Piece(prim, points.astype(np.float64), to_world, faces, polygon)
        self._texture_coordinates(piece, fans, corners)
        self._colors(piece)
        self._parts(piece, len(sizes))
        self._targets(piece)
        if turned != (np.linalg.det(to_world[:3, :3]) < 0):
            piece.faces = piece.faces[:, ::-1]
            piece.uv_faces = None if piece.uv_faces is None else piece.uv_faces[:, ::-1]
        return piece

    def _texture_coordinates(self, piece: Piece, fans: Fans, corners: Int[np.ndarray, " c"]) -> None:
        primvars = self.usd.UsdGeom.PrimvarsAPI(piece.prim).GetPrimvars()
        chosen = [one for one in primvars if one.GetTypeName().role == "TextureCoordinate" and one.HasValue()]
        chosen.sort(key=lambda one: one.GetPrimvarName() != "st")
        if not chosen:
            return
        values = np.array(chosen[0].Get(), np.float64)
        indices = chosen[0].GetIndices()
        where = chosen[0].GetInterpolation()
        rows = np.array(indices, np.int64) if indices else np.arange(len(values))
        if where in ("vertex", "varying") and len(rows) == len(piece.points):
            rows = rows[np.clip(corners, 0, len(rows) - 1)]
        usable = values.ndim == 2 and values.shape[1] == 2 and len(rows) == len(corners)
        if not usable or (len(rows) and (rows.min() < 0 or rows.max() >= len(values))):
            _log.warning("%s: texture coordinates of %s do not fit; read without", self.path, piece.prim.GetPath())
            return
        piece.uv, piece.uv_faces = values, fans.triangles(rows)

    def _colors(self, piece: Piece) -> None:
        shown = self.usd.UsdGeom.PrimvarsAPI(piece.prim).GetPrimvar("displayColor")
        values = np.array(shown.Get() if shown and shown.HasValue() else [], np.float64)
        if values.shape == piece.points.shape and not shown.GetIndices():
            piece.colors = values

    def _parts(self, piece: Piece, polygons: int) -> None:
        subsets = self.usd.UsdShade.MaterialBindingAPI(piece.prim).GetMaterialBindSubsets()
        part_of_polygon = np.full(polygons, -1)
        for number, subset in enumerate(subsets):
            members = np.array(subset.GetIndicesAttr().Get() or [], np.int64)
            if len(members) and (members.min() < 0 or members.max() >= polygons):
                place = str(subset.GetPath())
                raise MeshFormatError(self.path, place, f"faces below {polygons}", str(int(members.max())))
            part_of_polygon[members] = number
        names = [subset.GetPrim().GetDisplayName() or subset.GetPrim().GetName() for subset in subsets]
        if not names:
            return
        if (part_of_polygon < 0).any():
            part_of_polygon[part_of_polygon < 0] = len(names)
            names.append(piece.prim.GetName())
        piece.part_of_face, piece.part_names = part_of_polygon[piece.polygon_of_face], tuple(names)

    def _targets(self, piece: Piece) -> None:
        binding = self.usd.UsdSkel.BindingAPI(piece.prim)
        names = list(binding.GetBlendShapesAttr().Get() or [])
        paths = binding.GetBlendShapeTargetsRel().GetTargets() if names else []
        if len(names) != len(paths):
            found = f"{len(paths)} targets"
            raise MeshFormatError(self.path, f"{piece.prim.GetPath()}.skel:blendShapes", f"{len(names)} targets", found)
        turn = piece.to_world[:3, :3]
        for name, target in zip(names, paths, strict=True):
            shape = self.usd.UsdSkel.BlendShape(self.stage.GetPrimAtPath(target))
            offsets = np.array((shape.GetOffsetsAttr().Get() if shape else None) or [], np.float32).reshape(-1, 3)
            indices = shape.GetPointIndicesAttr().Get() if shape else None
            rows = np.arange(len(offsets)) if indices is None else np.array(indices, np.int64)
            if len(rows) != len(offsets) or (len(rows) and not 0 <= rows.min() <= rows.max() < len(piece.points)):
                found = f"{len(rows)} for {len(offsets)} offsets and {len(piece.points)} points"
                raise MeshFormatError(self.path, str(target), "one point index per offset", found)
            self._spend(12 * len(piece.points), str(target))
            piece.targets[name] = np.zeros(piece.points.shape, np.float32)
            piece.targets[name][rows] = offsets if np.array_equal(turn, np.eye(3)) else offsets @ turn

    def _animation(
        self, names: tuple[str, ...]
    ) -> tuple[Float[np.ndarray, " T"] | None, Float[np.ndarray, "T A"] | None]:
        for prim in self.stage.Traverse():
            if not prim.IsA(self.usd.UsdSkel.Animation):
                continue
            animation = self.usd.UsdSkel.Animation(prim)
            driven = list(animation.GetBlendShapesAttr().Get() or [])
            attribute = animation.GetBlendShapeWeightsAttr()
            codes = attribute.GetTimeSamples()
            columns = [(names.index(name), column) for column, name in enumerate(driven) if name in names]
            if not codes or not columns:
                continue
            weights = np.zeros((len(codes), len(names)))
            for row, code in enumerate(codes):
                values = np.array(attribute.Get(code), np.float64)
                if len(values) != len(driven):
                    found = f"{len(values)} at time code {code:g}"
                    raise MeshFormatError(self.path, f"{prim.GetPath()}.blendShapeWeights", str(len(driven)), found)
                weights[row, [to for to, _ in columns]] = values[[column for _, column in columns]]
            start = self.stage.GetStartTimeCode() if self.stage.HasAuthoredTimeCodeRange() else 0.0
            times = (np.array(codes) - min(start, codes[0])) / self.stage.GetTimeCodesPerSecond()
            return times, weights
        return None, None

    def _extras(self) -> dict[str, object]:
        text = self.pieces[0].prim.GetCustomDataByKey(EXTRAS)
        try:
            extras = json.loads(text) if isinstance(text, str) else {}
        except (ValueError, RecursionError) as error:
            place = f"{self.pieces[0].prim.GetPath()} {EXTRAS}"
            raise MeshFormatError(self.path, place, "JSON", str(error)) from error
        return extras if isinstance(extras, dict) else {}

    def _merged(self) -> Mesh:
        several = len(self.pieces) > 1
        names: dict[str, int] = {}
        parts, faces, polygons, uv_faces = [], [], [], []
        starts = np.cumsum([0, *(len(piece.points) for piece in self.pieces)])
        uv_rows = [np.zeros((1, 2)) if piece.uv is None else piece.uv for piece in self.pieces]
        uv_starts, n_polygons = np.cumsum([0, *map(len, uv_rows)]), 0
        for number, piece in enumerate(self.pieces):
            own = piece.prim.GetName()
            local = [f"{own}/{name}" if several else name for name in piece.part_names] or [own]
            ids = np.array([names.setdefault(name, len(names)) for name in local])
            parts.append(ids[np.zeros(len(piece.faces), int) if piece.part_of_face is None else piece.part_of_face])
            faces.append(piece.faces + starts[number])
            polygons.append(piece.polygon_of_face + n_polygons)
            n_polygons += int(piece.polygon_of_face.max(initial=-1)) + 1
            rows = np.zeros_like(piece.faces) if piece.uv_faces is None else piece.uv_faces
            uv_faces.append(rows + uv_starts[number])
        has_uv = any(piece.uv is not None for piece in self.pieces)
        has_parts = several or self.pieces[0].part_of_face is not None
        all_colored = all(piece.colors is not None for piece in self.pieces)
        polygon = np.concatenate(polygons)
        return checked_mesh(
            str(self.path),
            np.concatenate([self._placed(piece) for piece in self.pieces]),
            np.concatenate(faces),
            polygon_of_face=None if n_polygons == len(polygon) else polygon,
            uv=np.concatenate(uv_rows) if has_uv else None,
            uv_faces=np.concatenate(uv_faces) if has_uv else None,
            texture=self._texture() if has_uv else None,
            colors=np.concatenate([piece.colors for piece in self.pieces]) if all_colored else None,  # type: ignore[misc]
            part_of_face=np.concatenate(parts) if has_parts else None,
            part_names=tuple(names) if has_parts else (),
        )

    def _texture(self) -> Any:
        """The first picture that a shader of the file names, from the file's own folder."""
        for prim in self.stage.Traverse():
            shader = self.usd.UsdShade.Shader(prim) if prim.IsA(self.usd.UsdShade.Shader) else None
            if shader and shader.GetIdAttr().Get() == "UsdUVTexture" and shader.GetInput("file"):
                asset = shader.GetInput("file").Get()
                return texture_beside(self.path.parent, asset.path) if asset else None
        return None


def _is_shown(prim: Any) -> bool:
    purpose = prim.GetAttribute("purpose").Get() if prim.HasAttribute("purpose") else None
    return purpose not in ("guide", "proxy")
