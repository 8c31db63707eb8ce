"""Rigs on disk: .npz for researchers, .glb with named morph targets for animators."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aublend.curves import AUCurves
from aublend.halves import MidPlane
from aublend.rig import AURig
from aublend.rigid_parts import RigidPart
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import MorphMesh, atomic_write, read_morph_mesh, write_morph_mesh
from mesh4d.io.npz import SHAPES, mesh_arrays, mesh_from_arrays, read_arrays

FORMAT = "facet4d AURig 1"
RIG_SHAPES = {
    "deltas": "f**3", "au_names": "U*", "unit_m": "f", "mid_plane": "f5", "rigid_names": "U*", "rigid_sides": "U*",
    "rigid_sizes": "i*", "rigid_vertex_ids": "i*", "rigid_pivots": "f*3", "rigid_rotations": "f*3",
}  # fmt: skip
"""What a rig adds to a mesh's fields, in the notation of `mesh4d.io.npz.SHAPES`."""


def write_rig(rig: AURig, path: str | PathLike[str], curves: AUCurves | None = None) -> None:
    """Write a rig, with an animation where the format has room for one.

    .npz keeps everything exactly. .glb holds float32 positions, 32 morph targets named AU1 ... AU64, and with
    `curves` a weights animation; units that the curves drive one-sidedly get further targets such as AU12L.

    Raises:
        MeshError: for another suffix, or curves with .npz.
    """
    path = Path(path)
    if path.suffix == ".glb":
        write_morph_mesh(_morph_mesh(rig, curves), path)
    elif path.suffix == ".npz" and curves is None:
        with atomic_write(path) as file:
            np.savez_compressed(file, allow_pickle=False, **_npz_arrays(rig))
    else:
        raise MeshError(f"{path}: expected .glb, or .npz without curves, found {path.suffix!r}")


def read_rig(path: str | PathLike[str]) -> AURig:
    """Read a rig from .npz, or from a .glb that has morph targets named after all 32 units.

    Raises:
        MeshFormatError: when the file is something else; it names the missing units.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _rig_from_npz(path)
    if path.suffix == ".glb":
        return _rig_from_morph_mesh(path, read_morph_mesh(path))
    raise MeshFormatError(path, "suffix", ".npz or .glb", repr(path.suffix))


def _morph_mesh(rig: AURig, curves: AUCurves | None) -> MorphMesh:
    extras: dict[str, object] = {
        "facet4d": {
            "format": FORMAT,
            "mid_plane": {
                "normal": rig.mid_plane.normal.tolist(),
                "offset": rig.mid_plane.offset,
                "blend": rig.mid_plane.blend,
            },
            "rigid_parts": [_part_json(part) for part in rig.rigid_parts],
        }
    }
    if curves is None:
        return MorphMesh(rig.neutral, rig.au_names, rig.deltas, extras=extras, unit_m=rig.unit_m)
    names, weights = split_halves(curves)
    share = {"L": rig.left_weight, "R": 1 - rig.left_weight}
    extra = [rig.deltas[AU_INDEX[name[:-1]]] * share[name[-1]][:, None] for name in names[N_UNITS:]]
    deltas = np.concatenate([rig.deltas, np.array(extra).reshape(-1, *rig.deltas.shape[1:])]).astype(np.float32)
    times = np.arange(len(curves)) / curves.fps
    return MorphMesh(rig.neutral, names, deltas, weights, times, extras, rig.unit_m)


def split_halves(curves: AUCurves) -> tuple[tuple[str, ...], Float[np.ndarray, "T targets"]]:
    """Weights of the 32 units, then of the halves that are needed on top: what a file without L and R can hold.

    Both halves get the smaller weight through the whole unit; what one has beyond it goes to its own half.
    """
    halves = curves.halves()
    columns = {name: halves[:, :, index].min(axis=1) for index, name in enumerate(AU_NAMES)}
    for side, letter in enumerate("LR"):
        for index, name in enumerate(AU_NAMES):
            beyond = halves[:, side, index] - columns[name]
            if beyond.max() > 1e-9:
                columns[name + letter] = beyond
    return tuple(columns), np.stack(list(columns.values()), axis=1)


def _rig_from_morph_mesh(path: Path, morph: MorphMesh) -> AURig:
    missing = [name for name in AU_NAMES if name not in morph.target_names]
    if missing:
        raise MeshFormatError(path, "targetNames", "the 32 action units", f"no {', '.join(missing)}")
    ours: Any = morph.extras.get("facet4d")
    mid_plane, parts = MidPlane(np.array([1.0, 0.0, 0.0]), 0.0, 0.012 / morph.unit_m), ()
    if ours is not None:
        try:
            plane = ours["mid_plane"]
            normal = np.asarray(plane["normal"], np.float64).reshape(3)
            mid_plane = MidPlane(normal, float(plane["offset"]), float(plane["blend"]))
            parts = tuple(_part_from_json(part, morph.mesh.n_vertices) for part in ours["rigid_parts"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise MeshFormatError(path, "extras.facet4d", "mid_plane and rigid_parts of a rig", repr(error)) from error
    rows = [morph.target_names.index(name) for name in AU_NAMES]
    return AURig(morph.mesh, morph.deltas[rows], AU_NAMES, mid_plane, parts, morph.unit_m)


def _part_json(part: RigidPart) -> dict[str, object]:
    turning = np.flatnonzero(np.abs(part.rotation_vectors).max(axis=1))
    return {
        "name": part.name,
        "side": part.side,
        "pivot": part.pivot.tolist(),
        "vertex_ids": part.vertex_ids.tolist(),
        "rotation_vectors": {AU_NAMES[row]: part.rotation_vectors[row].tolist() for row in turning},
    }


def _part_from_json(part: dict[str, Any], n_vertices: int) -> RigidPart:
    vectors = np.zeros((N_UNITS, 3))
    for name, vector in part["rotation_vectors"].items():
        vectors[AU_INDEX[name]] = np.asarray(vector, np.float64).reshape(3)
    ids = np.asarray(part["vertex_ids"], np.int64)
    pivot = np.asarray(part["pivot"], np.float64).reshape(3)
    return _checked_part(str(part["name"]), str(part["side"]), ids, pivot, vectors, n_vertices)


def _npz_arrays(rig: AURig) -> dict[str, np.ndarray]:
    parts = rig.rigid_parts
    return mesh_arrays(rig.neutral) | {
        "format": np.array(FORMAT),
        "deltas": rig.deltas,
        "au_names": np.array(rig.au_names),
        "unit_m": np.array(rig.unit_m),
        "mid_plane": np.array([*rig.mid_plane.normal, rig.mid_plane.offset, rig.mid_plane.blend]),
        "rigid_names": np.array([part.name for part in parts], dtype=np.str_),
        "rigid_sides": np.array([part.side for part in parts], dtype=np.str_),
        "rigid_sizes": np.array([len(part.vertex_ids) for part in parts], dtype=np.int64),
        "rigid_vertex_ids": np.concatenate([np.empty(0, np.int64), *(part.vertex_ids for part in parts)]),
        "rigid_pivots": np.array([part.pivot for part in parts]).reshape(-1, 3),
        "rigid_rotations": np.array([part.rotation_vectors for part in parts]).reshape(-1, 3),
    }


def _rig_from_npz(path: Path) -> AURig:
    arrays = read_arrays(path, SHAPES | RIG_SHAPES)
    missing = sorted((set(RIG_SHAPES) | {"format"}) - set(arrays))
    if missing or str(arrays["format"]) != FORMAT:
        found = f"no {', '.join(missing)}" if missing else repr(str(arrays["format"])[:80])
        raise MeshFormatError(path, "archive", f"the fields of {FORMAT!r}", found)
    neutral = mesh_from_arrays(str(path), arrays)
    plane = arrays["mid_plane"].astype(np.float64)
    try:
        ids = np.split(arrays["rigid_vertex_ids"].astype(np.int64), np.cumsum(arrays["rigid_sizes"])[:-1])
        rotations = arrays["rigid_rotations"].astype(np.float64).reshape(-1, N_UNITS, 3)
        columns = (arrays["rigid_names"], arrays["rigid_sides"], ids, arrays["rigid_pivots"], rotations)
        parts = tuple(
            _checked_part(str(name), str(side), vertex_ids, pivot.astype(np.float64), vectors, neutral.n_vertices)
            for name, side, vertex_ids, pivot, vectors in zip(*columns, strict=len(arrays["rigid_sizes"]) > 0)
        )
        return AURig(
            neutral,
            arrays["deltas"].astype(np.float32),
            tuple(arrays["au_names"].tolist()),
            MidPlane(plane[:3], float(plane[3]), float(plane[4])),
            parts,
            float(arrays["unit_m"]),
        )
    except ValueError as error:
        raise MeshFormatError(path, "fields", "those of an AU rig", str(error)) from error


def _checked_part(
    name: str,
    side: str,
    vertex_ids: Int[np.ndarray, " M"],
    pivot: Float[np.ndarray, "3"],
    rotation_vectors: Float[np.ndarray, "A 3"],
    n_vertices: int,
) -> RigidPart:
    """A rigid part whose vertices exist and whose numbers are finite."""
    if vertex_ids.ndim != 1 or (len(vertex_ids) and not (vertex_ids.min() >= 0 and vertex_ids.max() < n_vertices)):
        raise ValueError(f"vertices of {name!r} must lie in 0..{n_vertices - 1}")
    if not (np.isfinite(pivot).all() and np.isfinite(rotation_vectors).all()):
        raise ValueError(f"pivot and rotations of {name!r} must be finite")
    return RigidPart(name, "left" if side == "left" else "right", vertex_ids, pivot, rotation_vectors)
