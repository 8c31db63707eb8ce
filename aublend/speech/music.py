"""Telling notes from voices: a musical note keeps its pitch to a fraction of a percent, a voice never does."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from aublend.speech.audio import RATE_HZ, Audio

WINDOW, HOP, BINS = 1024, 256, 4096
BAND_HZ = (150.0, 3000.0)
HELD_FRAMES = 10
"""160 ms."""
TOLERANCE = 0.003
LOUD = 0.05
BLOCK_S = 20.0


def tonal_share(audio: Audio) -> float:
    """Share of the loud frames in which the strongest partial stands still for 160 ms.

    Measured: 0.00 for every sentence of seven synthetic voices, 0.05 for a band with drums, 0.8 to 0.9 for melodies.
    """
    size = round(BLOCK_S * RATE_HZ)
    blocks = [audio.samples[at : at + size] for at in range(0, len(audio.samples), size)]
    rows = [_peaks(block) for block in blocks if len(block) > 2 * WINDOW]
    if not rows:
        return 0.0
    peak, energy = (np.concatenate(part) for part in zip(*rows, strict=True))
    # Centred windows of HELD_FRAMES + 1 frames whose peak moves less than TOLERANCE, then every frame within one.
    spread = maximum_filter1d(peak, HELD_FRAMES + 1) - minimum_filter1d(peak, HELD_FRAMES + 1)
    held = maximum_filter1d((spread < TOLERANCE * peak).astype(int), HELD_FRAMES + 1).astype(bool)
    loud = energy > LOUD * np.percentile(energy, 95)
    return float((held & loud).sum() / max(int(loud.sum()), 1))


def _peaks(samples: Float[np.ndarray, " S"]) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Frequency (in bins, by a parabola through the highest three) of the strongest partial, and energy, per frame."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    low, high = (int(hz * BINS / RATE_HZ) for hz in BAND_HZ)
    level = np.log(
        np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), BINS, axis=1))[:, low:high] + 1e-9
    )
    top = np.clip(level.argmax(axis=1), 1, level.shape[1] - 2)
    row = np.arange(len(top))
    before, here, after = level[row, top - 1], level[row, top], level[row, top + 1]
    bend = np.minimum(before - 2 * here + after, -1e-9)
    return low + top + np.clip(0.5 * (before - after) / bend, -0.5, 0.5), np.square(frames).mean(axis=1)
