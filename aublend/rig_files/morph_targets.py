"""Rigs as meshes with named morph targets: what .glb and USD hold."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from aublend.arkit import ARKIT_NAMES, ARKIT_WITHOUT_UNIT
from aublend.arkit_shapes import FEWEST_ARKIT, arkit_deltas, arkit_targets, rig_from_arkit
from aublend.curves import AUCurves
from aublend.halves import BLEND_MM, MidPlane
from aublend.rig import AURig
from aublend.rig_files.archive import FORMAT
from aublend.rig_files.parts import part_from_json, part_json
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS
from mesh4d.errors import MeshFormatError
from mesh4d.io import MorphMesh


def morph_mesh(rig: AURig, curves: AUCurves | None = None, *, arkit: bool = False) -> MorphMesh:
    """The rig as 32 targets; with curves also the halves that they need and an animation; ARKit's 52 where asked for.

    ARKit's shapes say the same as the units and are therefore left at rest by the animation.
    """
    plane = rig.mid_plane
    ours: dict[str, object] = {
        "format": FORMAT,
        "mid_plane": {"normal": plane.normal.tolist(), "offset": plane.offset, "blend": plane.blend},
        "rigid_parts": [part_json(part) for part in rig.rigid_parts],
    }
    names, deltas, weights, times = rig.au_names, [rig.deltas], None, None
    if curves is not None:
        names, weights = split_halves(curves)
        share = {"L": rig.left_weight, "R": 1 - rig.left_weight}
        extra = [rig.deltas[AU_INDEX[name[:-1]]] * share[name[-1]][:, None] for name in names[N_UNITS:]]
        deltas.append(np.array(extra).reshape(-1, *rig.deltas.shape[1:]))
        times = np.arange(len(curves)) / curves.fps
    if arkit:
        ours["arkit_without_unit"] = sorted(ARKIT_WITHOUT_UNIT)
        names, weights = (*names, *ARKIT_NAMES), None if weights is None else np.pad(weights, ((0, 0), (0, 52)))
        deltas.append(arkit_deltas(rig))
    stacked = np.concatenate(deltas).astype(np.float32)
    return MorphMesh(rig.neutral, names, stacked, weights, times, {"facet4d": ours}, rig.unit_m)


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


def rig_from_morph_mesh(path: Path, morph: MorphMesh) -> AURig:
    """The rig behind targets named after all 32 units, or after ARKit's shapes.

    Args:
        path: the file, for messages.

    Raises:
        MeshFormatError: when neither set of names is there; it names the missing units.
    """
    missing = [name for name in AU_NAMES if name not in morph.target_names]
    if missing and len(arkit_targets(morph.target_names)) >= FEWEST_ARKIT:
        return rig_from_arkit(path, morph.mesh, morph.target_names, morph.deltas, morph.unit_m)
    if missing:
        raise MeshFormatError(path, "targetNames", "the 32 action units", f"no {', '.join(missing)}")
    ours: Any = morph.extras.get("facet4d")
    mid_plane, parts = MidPlane(np.array([1.0, 0.0, 0.0]), 0.0, BLEND_MM / 1000 / morph.unit_m), ()
    if ours is not None:
        try:
            plane = ours["mid_plane"]
            normal = np.asarray(plane["normal"], np.float64).reshape(3)
            mid_plane = MidPlane(normal, float(plane["offset"]), float(plane["blend"]))
            parts = tuple(part_from_json(part, morph.mesh.n_vertices) for part in ours["rigid_parts"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise MeshFormatError(path, "extras.facet4d", "mid_plane and rigid_parts of a rig", repr(error)) from error
    rows = [morph.target_names.index(name) for name in AU_NAMES]
    return AURig(morph.mesh, morph.deltas[rows], AU_NAMES, mid_plane, parts, morph.unit_m)
