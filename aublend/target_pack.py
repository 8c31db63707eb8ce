"""A user's own MakeHuman .target files as action unit shapes of the embedded head.

A pack is a folder of files named after what they show: AU12.target, or AU12L.target and AU12R.target, plain or
gzipped. They displace vertices of MakeHuman's base mesh, in decimetres.
"""

import dataclasses
import gzip
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float

from aublend.head_model import HeadModel, head_model
from aublend.makehuman import MM_PER_DM, read_target_file
from aublend.padded_names import unit_of
from aublend.rig import AURig
from aublend.unit_shapes import SNAP_MM, identity_deltas
from aublend.units import AU_INDEX, N_UNITS
from mesh4d.errors import MeshError, MeshFormatError, TopologyError
from mesh4d.geometry.deformation_transfer import DeformationTransfer
from mesh4d.geometry.rigid import similarity_align

SUFFIXES = (".target", ".target.gz")
LARGEST_FILE = 8 << 20
"""Bytes of a target, unpacked. The base mesh has 19,158 vertices: all of them, in full, take under 1.5 MB."""
LONGEST_MM = 200.0
"""No part of a face moves further; a longer displacement is in another unit than decimetres."""
LARGEST_TURN_DEG = 20.0
"""How far a neutral may be turned against the head frame, and still count as being in it."""


def load_target_pack(folder: str | PathLike[str]) -> dict[str, Float[np.ndarray, "V 3"]]:
    """Displacements of the embedded head's vertices, in mm along the head frame's axes, by file stem.

    Vertices outside the head (body, clothes helpers) are left out. Sub-folders are not looked into; a link that
    leads out of the folder is refused.

    Raises:
        MeshFormatError: for a folder without targets, a stem that stands twice, or a broken file, with the line.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MeshFormatError(folder, "folder", "a folder of .target files", "no such folder")
    model = head_model()
    pack: dict[str, Float[np.ndarray, "V 3"]] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix is None or path.name.startswith("."):
            continue
        stem = path.name[: -len(suffix)]
        if stem in pack:
            raise MeshFormatError(path, "name", "each shape once", f"{stem}.target and {stem}.target.gz")
        pack[stem] = _target_deltas(path, folder, model)
    if not pack:
        raise MeshFormatError(folder, "folder", "at least one file NAME.target or NAME.target.gz", "none")
    return pack


def rig_with_shapes(rig: AURig, pack: Mapping[str, Float[np.ndarray, "V 3"]]) -> AURig:
    """The rig with the pack's action units in place of its own, carried to this identity.

    AU12 replaces a unit whole, AU12L and AU12R replace it with their sum, which the rig divides again by its smooth
    halves. Other names are left alone. Skin moves by deformation transfer, as the rig's own shapes did; eyeballs keep
    their rotations; where a shape leaves lashes, or lower teeth and tongue, in place, they follow lids and jaw.

    Args:
        rig: on the embedded topology, in the head frame and mm, as `head_model().rig(seed)` gives it.
        pack: as `load_target_pack` returns it.

    Raises:
        TopologyError: when the rig has another topology or frame.
        MeshError: for a half without its other half, a unit given twice, or a pack without action units.
    """
    model = head_model()
    _check_embedded(rig, model)
    shapes = _unit_deltas(pack)
    for name, delta in shapes.items():
        if delta.shape != rig.neutral.vertices.shape or not np.isfinite(delta).all():
            found = f"{delta.shape}" if delta.shape != rig.neutral.vertices.shape else "others"
            raise TopologyError(f"{name}: expected finite displacements {rig.neutral.vertices.shape}, found {found}")
    source = np.zeros((N_UNITS, *rig.neutral.vertices.shape))
    for name, delta in shapes.items():
        source[AU_INDEX[name]] = _with_followers(np.array(delta, np.float64), AU_INDEX[name], model)
    carried = _carried(source, rig.neutral.vertices, model)
    deltas = rig.deltas.copy()
    rows = [AU_INDEX[name] for name in shapes]
    deltas[rows] = carried[rows].astype(deltas.dtype)
    return dataclasses.replace(rig, deltas=deltas)


def _target_deltas(path: Path, folder: Path, model: HeadModel) -> Float[np.ndarray, "V 3"]:
    """One file's displacements of the head's vertices, mm."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise MeshFormatError(path, "path", f"a file inside {folder}", "a link that leads out of it")
    if not path.is_file():
        raise MeshFormatError(path, "path", "a regular file", "something else")
    moved = _read_bounded(path)
    ids = np.fromiter(moved, np.int64, len(moved))
    offsets = np.array(list(moved.values()), np.float64).reshape(-1, 3) * MM_PER_DM
    length = np.abs(offsets).max(axis=1, initial=0.0)
    if not (length <= LONGEST_MM).all():  # NaN fails as well
        worst = int(np.argmax(~(length <= LONGEST_MM)))
        expected = f"finite displacements in decimetres, at most {LONGEST_MM / MM_PER_DM:g}"
        raise MeshFormatError(path, f"vertex {ids[worst]}", expected, f"{offsets[worst] / MM_PER_DM}")
    base_ids = model.base_vertex_ids
    row = np.minimum(np.searchsorted(base_ids, ids), len(base_ids) - 1)
    inside = base_ids[row] == ids
    deltas = np.zeros((len(base_ids), 3))
    deltas[row[inside]] = offsets[inside]
    if not deltas.any():
        raise MeshFormatError(path, "file", "displacements of the head's vertices", f"{len(ids)} vertices elsewhere")
    return deltas


def _read_bounded(path: Path) -> dict[int, tuple[float, float, float]]:
    """`read_target_file` with a bound on what a file may unpack to, and every failure a format error."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise MeshFormatError(path, "file", "text, or text packed by gzip", str(error)[:120]) from error
    if len(content) > LARGEST_FILE:
        raise MeshFormatError(path, "file", f"at most {LARGEST_FILE >> 20} MB unpacked", "more")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise MeshFormatError(path, f"line {line}", "text in UTF-8", repr(content[error.start : error.end])) from error
    return read_target_file(path)


def _check_embedded(rig: AURig, model: HeadModel) -> None:
    """Refuse a rig that has other vertices or another frame than the embedded head."""
    if rig.neutral.n_vertices != model.topology.n_vertices or not np.array_equal(
        rig.neutral.faces, model.topology.faces
    ):
        raise TopologyError(
            f"a target pack needs a rig on the embedded topology ({model.topology.n_vertices} vertices), "
            f"found {rig.neutral.n_vertices} vertices or other faces"
        )
    fit = similarity_align(model.topology.vertices, rig.neutral.vertices)
    turn = np.degrees(np.arccos(np.clip((np.trace(fit.rotation) - 1) / 2, -1, 1)))
    if turn > LARGEST_TURN_DEG or not 0.5 < fit.scale < 2.0:
        raise TopologyError(
            "a target pack needs a rig in the head frame and mm, "
            f"found one turned by {turn:.0f} degrees and {fit.scale:.3g} times as large"
        )


def _unit_deltas(pack: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whole units of a pack: as given, or the sum of their halves."""
    whole: dict[str, np.ndarray] = {}
    halves: dict[str, dict[str, np.ndarray]] = {}
    for stem, delta in pack.items():
        name, side = unit_of(stem), stem[-1:].upper()
        if name is None and side in ("L", "R") and (name := unit_of(stem[:-1])) is not None:
            if side in halves.setdefault(name, {}):
                raise MeshError(f"target pack: {name}{side} is given twice")
            halves[name][side] = delta
        elif name is not None:
            if name in whole:
                raise MeshError(f"target pack: {name} is given twice")
            whole[name] = delta
    for name, sides in halves.items():
        if name in whole:
            raise MeshError(f"target pack: expected {name} whole or as halves, found both")
        if len(sides) != 2:
            raise MeshError(f"target pack: expected {name}L and {name}R, found {name}{next(iter(sides))} alone")
        whole[name] = sides["L"] + sides["R"]
    if not whole:
        raise MeshError(f"target pack: expected shapes named after action units, found {', '.join(pack)[:200]}")
    return whole


def _with_followers(delta: Float[np.ndarray, "V 3"], unit: int, model: HeadModel) -> Float[np.ndarray, "V 3"]:
    """Lashes ride on the lids, teeth and tongue on the jaw, where the shape itself forgot them."""
    shapes, parts = model.shapes, model.parts
    delta[np.linalg.norm(delta, axis=1) < SNAP_MM] = 0.0
    if not delta[parts.lashes].any():
        delta[parts.lashes] = shapes.lashes.carried(shapes.rest, shapes.rest + delta) - shapes.rest[parts.lashes]
    jaw = np.concatenate([parts.lower_teeth, parts.tongue])
    if not delta[jaw].any():
        delta[jaw] = shapes.deltas[:, unit, jaw].mean(axis=0)
    if (delta[parts.skin] != 0.0).any(axis=1).all():
        raise MeshError("target pack: a shape moves every vertex of the skin; expected the skull to stay in place")
    return delta


def _carried(
    source: Float[np.ndarray, "A V 3"], neutral: Float[np.ndarray, "V 3"], model: HeadModel
) -> Float[np.ndarray, "A V 3"]:
    """Template displacements on an identity, the way the rig's own shapes got there."""
    still = (source == 0.0).all(axis=2)
    shapes = dataclasses.replace(
        model.shapes,
        deltas=source[None],
        transfer=DeformationTransfer(model.shapes.rest, model.shapes.faces, still),
    )
    return identity_deltas(shapes, model.parts, neutral, np.ones(1))
