"""Curves of two halves, named with L and R only where the halves differ."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS

SAME_WITHIN = 0.02
"""Halves that never differ by more than this are one movement, seen with noise."""


def sided_curves(
    halves: Float[np.ndarray, "T 2 A"],
    fps: float,
    names: Sequence[str] = AU_NAMES,
    same_within: float | Float[np.ndarray, " A"] = SAME_WITHIN,
) -> AUCurves:
    """One column per unit whose halves agree (their mean), two (AU12L, AU12R) per unit whose halves do not.

    Args:
        halves: weights of all 32 units, the subject's left half (0) and right half (1).
        names: which units to keep.
        same_within: the largest difference in any frame that still counts as agreement, for all units or each.
    """
    bound = np.broadcast_to(same_within, N_UNITS)
    columns: dict[str, Float[np.ndarray, " T"]] = {}
    for name in names:
        left, right = halves[:, 0, AU_INDEX[name]], halves[:, 1, AU_INDEX[name]]
        if name[-1] in "LR" or np.abs(left - right).max(initial=0.0) <= bound[AU_INDEX[name]]:  # AU30L has no halves
            columns[name] = (left + right) / 2
        else:
            columns[name + "L"], columns[name + "R"] = left, right
    return AUCurves(tuple(columns), np.stack(list(columns.values()), axis=1), fps)
