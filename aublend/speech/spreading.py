"""Phones without an acoustic model: text spread over what is loud, or a mouth that opens with loudness. Baselines."""

from collections.abc import Sequence

import numpy as np

from aublend.speech.audio import LOUDNESS_HZ, Audio, relative_loudness
from aublend.speech.phones import VOWELS, Phone, covering

LOUD = 0.35
"""Relative loudness above which somebody speaks."""
VOWEL_SHARE = 1.6
"""A vowel lasts so many times as long as a consonant."""


def spread_words(audio: Audio, words: Sequence[str], pronunciations: dict[str, tuple[str, ...]]) -> tuple[Phone, ...]:
    """Phones of the words over the loud parts of the recording, vowels longer than consonants; silence between.

    Args:
        pronunciations: the phones of every word.
    """
    said = [(phone, word) for word in words for phone in pronunciations[word]]
    loud = _loud(audio)
    if not said or not loud.any():
        return covering((), audio.duration_s)
    share = np.array([VOWEL_SHARE if phone in VOWELS else 1.0 for phone, _ in said])
    edges = np.concatenate([[0.0], np.cumsum(share) / share.sum()])
    spoken = np.concatenate([[0.0], np.cumsum(loud) / loud.sum()])
    times = np.arange(len(spoken)) / LOUDNESS_HZ
    at = np.interp(edges, spoken + 1e-9 * np.arange(len(spoken)), times)
    phones = [Phone(phone, float(a), float(b), word) for (phone, word), a, b in zip(said, at[:-1], at[1:], strict=True)]
    return covering(phones, audio.duration_s)


def loud_phones(audio: Audio) -> tuple[Phone, ...]:
    """An open mouth wherever it is loud."""
    loud = _loud(audio).astype(int)
    turns = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]])))
    spans = turns.reshape(-1, 2) / LOUDNESS_HZ
    return covering([Phone("AH", float(a), float(b)) for a, b in spans], audio.duration_s)


def _loud(audio: Audio) -> np.ndarray:
    times = (np.arange(max(int(audio.duration_s * LOUDNESS_HZ), 1)) + 0.5) / LOUDNESS_HZ
    return relative_loudness(audio, times) > LOUD
