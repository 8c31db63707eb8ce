"""Steady noise taken out of a recording before it is listened to (never out of what is heard in the result)."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from aublend.speech.audio import RATE_HZ, Audio, loudness_db

NOISY_DB = 33.0
"""Loud and quiet moments (90th and 5th percentile) nearer than this: the quiet ones are noise, not silence."""
BLOCK_S = 30.0
WINDOW, HOP, BINS = 400, 160, 512
MEMORY = 0.97
"""Weight of the previous frame in the a-priori signal-to-noise ratio."""
LEAST_RATIO, LEAST_GAIN = 10**-2.5, 0.06
QUANTILE, BIAS = 10, 1.35
"""The noise in each band is this percentile of its smoothed power over time, times its usual bias."""


def is_noisy(audio: Audio) -> bool:
    """Whether steady noise fills the pauses."""
    level = loudness_db(audio)
    return float(np.percentile(level, 90) - np.percentile(level, 5)) < NOISY_DB


def denoised(audio: Audio) -> Audio:
    """The recording under the Wiener gain with a decision-directed signal-to-noise ratio (Ephraim & Malah 1984).

    Measured at 20 dB of white noise on three voices: viseme accuracy of alignment 0.81 without, 0.85 with it; it
    costs recognition 2 points on clean speech, which is why `is_noisy` asks first.
    """
    size = round(BLOCK_S * RATE_HZ)
    blocks = [_clean(audio.samples[at : at + size]) for at in range(0, len(audio.samples), size)]
    return Audio(np.concatenate(blocks), audio.source)


def _clean(samples: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    from scipy.signal import istft, stft  # half a second to import, and only noisy recordings need it

    if len(samples) < 4 * WINDOW:
        return samples
    spectrum = stft(samples, RATE_HZ, nperseg=WINDOW, noverlap=WINDOW - HOP, nfft=BINS)[2]
    power = np.abs(spectrum) ** 2
    floor = np.percentile(gaussian_filter1d(power, 3, axis=1), QUANTILE, axis=1, keepdims=True) * BIAS
    posterior = power / np.maximum(gaussian_filter1d(floor, 3, axis=0), 1e-14)
    gain = np.empty_like(power)
    previous = np.zeros(len(power))
    for frame in range(power.shape[1]):
        prior = MEMORY * previous + (1 - MEMORY) * np.maximum(posterior[:, frame] - 1, 0)
        prior = np.maximum(prior, LEAST_RATIO)
        gain[:, frame] = prior / (1 + prior)
        previous = gain[:, frame] ** 2 * posterior[:, frame]
    cleaned = istft(spectrum * np.maximum(gain, LEAST_GAIN), RATE_HZ, nperseg=WINDOW, noverlap=WINDOW - HOP, nfft=BINS)[
        1
    ]
    return np.pad(cleaned, (0, max(len(samples) - len(cleaned), 0)))[: len(samples)].astype(np.float32)
