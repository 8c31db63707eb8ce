"""Rigs as meshes with named morph targets: what .glb and USD hold."""

from collections.abc import Sequence
from dataclasses import replace
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
from aublend.rig_files.packed_pairs import packed_pair, unpacked_pair
from aublend.rig_files.parts import part_from_json, part_json
from aublend.units import AU_NAMES
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import MorphMesh


def morph_mesh(rig: AURig, curves: AUCurves | None = None, *, arkit: bool = False) -> MorphMesh:
    """The rig as 32 targets; with curves the halves and pairs that they need and an animation; ARKit's 52.

    A pair's target (AU6+AU45) is what the sum of the two lacks: its weight is the product of theirs. Pairs that no
    animation drives are kept in the extras, packed. ARKit's shapes say the same as the units and are therefore left at
    rest by the animation.
    """
    plane = rig.mid_plane
    ours: dict[str, object] = {
        "format": FORMAT,
        "mid_plane": {"normal": plane.normal.tolist(), "offset": plane.offset, "blend": plane.blend},
        "rigid_parts": [part_json(part) for part in rig.rigid_parts],
        "pairs": {pair: packed_pair(delta) for pair, delta in zip(rig.pairs, rig.correctives, strict=True)},
    }
    whole = dict(zip((*rig.au_names, *rig.pairs), (*rig.deltas, *rig.correctives), strict=True))
    names, weights, times = rig.au_names, None, None
    if curves is not None:
        names, weights = split_halves(curves, rig.pairs)
        times = np.arange(len(curves)) / curves.fps
    share = {"L": rig.left_weight[:, None], "R": 1 - rig.left_weight[:, None]}
    deltas = [whole[name] if name in whole else whole[name[:-1]] * share[name[-1]] for name in names]
    if arkit:
        ours["arkit_without_unit"] = sorted(ARKIT_WITHOUT_UNIT)
        names = (*names, *ARKIT_NAMES)
        weights = None if weights is None else np.pad(weights, ((0, 0), (0, len(ARKIT_NAMES))))
        deltas.extend(arkit_deltas(rig))
    return MorphMesh(
        rig.neutral, names, np.stack(deltas).astype(np.float32), weights, times, {"facet4d": ours}, rig.unit_m
    )


def with_pair_targets(morph: MorphMesh) -> MorphMesh:
    """The same with every packed pair as a target of its own, at rest unless animated: for programs that blend pairs.

    Files that are not ours come back as they are.

    Raises:
        KeyError, TypeError, ValueError: for damaged pairs.
    """
    ours: Any = morph.extras.get("facet4d", {})
    missing = {name: shape for name, shape in ours.get("pairs", {}).items() if name not in morph.target_names}
    if not missing:
        return morph
    shapes = [unpacked_pair(shape, morph.mesh.n_vertices) for shape in missing.values()]
    weights = None if morph.weights is None else np.pad(morph.weights, ((0, 0), (0, len(missing))))
    names, deltas = (*morph.target_names, *missing), np.concatenate([morph.deltas, np.stack(shapes)])
    return replace(morph, target_names=names, deltas=deltas, weights=weights)


def split_halves(curves: AUCurves, pairs: Sequence[str] = ()) -> tuple[tuple[str, ...], Float[np.ndarray, "T targets"]]:
    """Weights of the 32 units and the pairs at work, then of the halves that are needed: for files without L and R.

    Both halves get the smaller weight through the whole target; what one has beyond it goes to its own half. A pair's
    weight is the product of its units' in each half.
    """
    halves = curves.halves()
    sides = {name: halves[:, :, index] for index, name in enumerate(AU_NAMES)}
    for pair in pairs:
        one, other = pair.split("+")
        if np.any(sides[one] * sides[other]):
            sides[pair] = sides[one] * sides[other]
    columns = {name: both.min(axis=1) for name, both in sides.items()}
    for side, letter in enumerate("LR"):
        for name, both in sides.items():
            beyond = both[:, side] - columns[name]
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
    mid_plane, parts, pairs = MidPlane(np.array([1.0, 0.0, 0.0]), 0.0, BLEND_MM / 1000 / morph.unit_m), (), ()
    shapes: list[np.ndarray] = []
    if ours is not None:
        try:
            plane = ours["mid_plane"]
            normal = np.asarray(plane["normal"], np.float64).reshape(3)
            mid_plane = MidPlane(normal, float(plane["offset"]), float(plane["blend"]))
            packed = dict(ours.get("pairs", {}))
            pairs = tuple(packed)
            shapes = [unpacked_pair(shape, morph.mesh.n_vertices) for shape in packed.values()]
            parts = tuple(part_from_json(part, morph.mesh.n_vertices) for part in ours["rigid_parts"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise MeshFormatError(
                path, "extras.facet4d", "mid_plane, rigid_parts and pairs of a rig", repr(error)
            ) from error
    row = {name: number for number, name in enumerate(morph.target_names)}
    units = [row[name] for name in AU_NAMES]
    pair_deltas = np.stack(shapes) if shapes else None
    try:
        return AURig(morph.mesh, morph.deltas[units], AU_NAMES, mid_plane, parts, morph.unit_m, pairs, pair_deltas)
    except MeshError as error:
        raise MeshFormatError(path, "morph targets", "those of an AU rig", str(error)) from error
