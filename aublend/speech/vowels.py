"""Vowels that stay open: between closures, and on rigs whose lips meet easily, an open vowel may not touch."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from aublend.speech.lips import Lips
from aublend.speech.phones import VOWELS, Phone
from aublend.speech.visemes import visemes
from aublend.units import AU_INDEX

LEAST_SHARE = 0.3
"""Of the table's opening, that a vowel reaches at its widest."""
LEAST_MM = 1.2
WIDEN_S = 0.03
"""Width of the correction in time beyond the vowel's middle half."""


def keep_open(
    lips: Lips, halves: Float[np.ndarray, "T 2 A"], phones: Sequence[Phone], fps: float
) -> Float[np.ndarray, "T 2 A"]:
    """The same animation, with jaw and AU25 raised in vowels whose lips come closer than they may."""
    opened = halves.copy()
    table = visemes()
    times = (np.arange(len(halves)) + 0.5) / fps
    slopes = lips.points.slopes(np.zeros((2, halves.shape[2])))
    upper, lower = (lips.column_points(lips.middle, lip) for lip in (0, 1))
    gain = {
        name: max(float(slopes[AU_INDEX[name], upper, 1].mean() - slopes[AU_INDEX[name], lower, 1].mean()), 1e-3)
        for name in ("AU25", "AU26")
    }
    gaps = lips.gaps(halves)[:, lips.middle]
    for phone in phones:
        if phone.symbol not in VOWELS:
            continue
        first, last = np.searchsorted(times, [phone.start_s, phone.end_s])
        if last <= first:
            continue
        wanted = max(LEAST_SHARE * table[phone.symbol].opening_mm, LEAST_MM) * lips.scale
        lacking = wanted - float(gaps[first:last].max())
        if lacking <= 0:
            continue
        middle, half = (phone.start_s + phone.end_s) / 2, max(phone.duration_s / 4, 0.5 / fps)
        bump = np.exp(-((np.maximum(np.abs(times - middle) - half, 0) / WIDEN_S) ** 2))
        for name, share in (("AU25", 0.5), ("AU26", 0.5)):
            opened[:, :, AU_INDEX[name]] += (share * lacking / gain[name] * bump)[:, None]
    return np.clip(opened, 0, 1)
