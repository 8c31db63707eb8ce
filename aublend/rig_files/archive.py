"""Rigs as .npz: everything, exactly, for numpy."""

from pathlib import Path

import numpy as np

from aublend.arkit_shapes import rig_from_arkit
from aublend.halves import MidPlane
from aublend.rig import AURig
from aublend.rig_files.parts import checked_part
from aublend.units import N_UNITS
from mesh4d.errors import MeshFormatError
from mesh4d.io import atomic_write
from mesh4d.io.npz import SHAPES, Arrays, mesh_arrays, mesh_from_arrays, read_arrays

FORMAT = "facet4d AURig 1"
RIG_SHAPES = {
    "deltas": "f**3", "au_names": "U*", "unit_m": "f", "mid_plane": "f5", "rigid_names": "U*", "rigid_sides": "U*",
    "rigid_sizes": "i*", "rigid_vertex_ids": "i*", "rigid_pivots": "f*3", "rigid_rotations": "f*3",
    "pairs": "U*", "pair_deltas": "f**3", "target_names": "U*",
}  # fmt: skip
"""What a rig adds to a mesh's fields, in the notation of `mesh4d.io.npz.SHAPES`."""
OPTIONAL = {"pairs", "pair_deltas", "target_names"}


def write_npz_rig(rig: AURig, path: Path) -> None:
    """Write all of a rig."""
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **_npz_arrays(rig))


def read_npz_rig(path: Path) -> AURig:
    """Read a rig of ours, or a mesh's fields with `deltas` of ARKit shapes and their `target_names`.

    Raises:
        MeshFormatError: when the archive is neither.
    """
    arrays = read_arrays(path, SHAPES | RIG_SHAPES)
    if "target_names" in arrays:
        return _rig_of_named_targets(path, arrays)
    missing = sorted((set(RIG_SHAPES) - OPTIONAL | {"format"}) - set(arrays))
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
            checked_part(str(name), str(side), vertex_ids, pivot.astype(np.float64), vectors, neutral.n_vertices)
            for name, side, vertex_ids, pivot, vectors in zip(*columns, strict=len(arrays["rigid_sizes"]) > 0)
        )
        return AURig(
            neutral,
            arrays["deltas"].astype(np.float32),
            tuple(arrays["au_names"].tolist()),
            MidPlane(plane[:3], float(plane[3]), float(plane[4])),
            parts,
            float(arrays["unit_m"]),
            tuple(arrays["pairs"].tolist()) if "pairs" in arrays else (),
            arrays["pair_deltas"].astype(np.float32) if "pair_deltas" in arrays else None,
        )
    except ValueError as error:
        raise MeshFormatError(path, "fields", "those of an AU rig", str(error)) from error


def _rig_of_named_targets(path: Path, arrays: Arrays) -> AURig:
    if "deltas" not in arrays:
        raise MeshFormatError(path, "archive", "deltas beside target_names", "none")
    names, deltas = tuple(arrays["target_names"].tolist()), arrays["deltas"].astype(np.float32)
    neutral = mesh_from_arrays(str(path), arrays)
    if deltas.shape != (len(names), *neutral.vertices.shape):
        expected = f"shape {(len(names), *neutral.vertices.shape)}"
        raise MeshFormatError(path, "deltas", expected, str(deltas.shape))
    return rig_from_arkit(path, neutral, names, deltas, float(arrays.get("unit_m", 0.001)))


def _npz_arrays(rig: AURig) -> dict[str, np.ndarray]:
    parts = rig.rigid_parts
    pairs = {"pairs": np.array(rig.pairs), "pair_deltas": rig.correctives} if rig.pairs else {}
    return (
        mesh_arrays(rig.neutral)
        | pairs
        | {
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
    )
