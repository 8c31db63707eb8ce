"""ARKit's 52 face shapes on any head, derived from its action units; and units put together from such shapes.

A shape is the mixture of unit halves that it shows (data_specs/arkit.toml, read by `au_from_arkit`). Where one unit
moves both lips and ARKit has a shape for each, what follows the jaw is the lower one. mouthClose is what takes the
lips, and only them, back from where jawOpen puts them: it means nothing without jawOpen.
mouthLeft, mouthRight and tongueOut have no unit and stand still.
"""

import logging
from collections.abc import Sequence
from os import PathLike

import numpy as np
from jaxtyping import Float

from aublend.arkit import ARKIT_NAMES, ARKIT_TABLE, ArkitCurves, arkit_from_au, au_from_arkit
from aublend.curves import AUCurves
from aublend.halves import BLEND_MM, MidPlane
from aublend.rig import AURig
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS
from mesh4d.errors import MeshFormatError
from mesh4d.mesh import Mesh

LOWER_AND_UPPER = {"AU28": ("mouthRollLower", "mouthRollUpper"), "AU17": ("mouthShrugLower", "mouthShrugUpper")}
"""Units that move both lips, and ARKit's shapes for the lower and the upper one."""
LIP_UNITS = ("AU24", "AU28")
"""Units that move the lips and nothing else: they say where the lips are."""
FEWEST_ARKIT = 20
"""So many of ARKit's names among the targets make a file an ARKit rig."""
LIPS_FULLY = 4.0
"""A vertex counts as all lip from 1 / this share of the lips' largest motion."""
FOLLOWS = (0.15, 0.5)
"""Shares of the jaw's largest motion up to which a vertex is upper lip, and from which it is lower lip."""

_log = logging.getLogger(__name__)


def arkit_deltas(rig: AURig) -> Float[np.ndarray, "52 V 3"]:
    """Displacements at weight 1, in ARKIT_NAMES' order."""
    alone = ArkitCurves(ARKIT_NAMES, np.eye(len(ARKIT_NAMES)), 1.0)
    halves = au_from_arkit(alone).halves().astype(np.float32)
    left = rig.left_weight.astype(np.float32)[:, None]
    moved = np.tensordot(halves[:, 0], rig.deltas, axes=1) * left
    moved += np.tensordot(halves[:, 1], rig.deltas, axes=1) * (1 - left)
    row = {name: number for number, name in enumerate(ARKIT_NAMES)}
    jaw = rig.deltas[AU_INDEX["AU27"]]
    follows = _smooth(np.clip((_relative(jaw) - FOLLOWS[0]) / (FOLLOWS[1] - FOLLOWS[0]), 0, 1))[:, None]
    for unit, (lower, upper) in LOWER_AND_UPPER.items():
        delta, shares = rig.deltas[AU_INDEX[unit]], ARKIT_TABLE[unit].middle
        moved[row[lower]] = follows * delta / shares[lower]
        moved[row[upper]] = (1 - follows) * delta / shares[upper]
    lips = np.max([_relative(rig.deltas[AU_INDEX[unit]]) for unit in LIP_UNITS], axis=0)
    moved[row["mouthClose"]] = -_smooth(np.clip(LIPS_FULLY * lips, 0, 1))[:, None] * moved[row["jawOpen"]]
    return moved


def arkit_targets(names: Sequence[str]) -> dict[str, int]:
    """Position of each ARKit shape among target names; eyeBlink_L and EyeBlinkLeft are eyeBlinkLeft too."""
    known = {name.lower(): name for name in ARKIT_NAMES}
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        plain = name.lower()
        if plain.endswith(("_l", "_r")):
            plain = plain[:-2] + {"l": "left", "r": "right"}[plain[-1]]
        if plain in known:
            found.setdefault(known[plain], position)
    return found


def rig_from_arkit(
    source: str | PathLike[str],
    neutral: Mesh,
    names: Sequence[str],
    deltas: Float[np.ndarray, "targets V 3"],
    unit_m: float,
) -> AURig:
    """The 32 units as mixtures of ARKit shapes; units without a shape stand still, and are logged.

    Args:
        source: the file, for messages.
        names: of the targets; those that are no ARKit shape are passed over.
        unit_m: metres per coordinate unit.

    Raises:
        MeshFormatError: fewer than 20 of ARKit's names.
    """
    positions = arkit_targets(names)
    if len(positions) < FEWEST_ARKIT:
        expected = f"the names of at least {FEWEST_ARKIT} of ARKit's shapes, such as jawOpen"
        raise MeshFormatError(source, "target names", expected, f"{len(positions)}")
    shares = arkit_from_au(AUCurves(AU_NAMES, np.eye(N_UNITS), 1.0))
    columns = [shares.names.index(name) for name in positions]
    weights = shares.weights[:, columns].astype(np.float32)
    still = [name for name, row in zip(AU_NAMES, weights, strict=True) if not row.any()]
    if still:
        _log.warning("%s: no shape among the %d of ARKit for %s", source, len(positions), ", ".join(still))
    units = np.tensordot(weights, deltas[list(positions.values())], axes=1).astype(np.float32)
    plane = MidPlane(np.array([1.0, 0.0, 0.0]), 0.0, BLEND_MM / 1000 / unit_m)
    return AURig(neutral, units, AU_NAMES, plane, (), unit_m)


def _relative(delta: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " V"]:
    """How far each vertex moves, as a share of the furthest."""
    length = np.linalg.norm(delta, axis=1)
    return length / max(float(length.max(initial=0.0)), 1e-12)


def _smooth(t: Float[np.ndarray, " V"]) -> Float[np.ndarray, " V"]:
    return t * t * (3 - 2 * t)
