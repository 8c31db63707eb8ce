"""Whether a transcript is what was said, whoever says it: words that fit must fit better than other words would.

An acoustic score alone tells little about a voice that the model finds strange: right words of a synthetic Scotsman
score like wrong words of a clear reader. Decoys are the same words with every sound exchanged for another of its kind
(vowels for vowels, consonants for consonants): as many syllables, at the same places, by the same voice.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from aublend.speech.acoustic import AlignmentError, HeardPhone, align
from aublend.speech.phones import PHONES, SILENCE, VOWELS

TURNS = ((5, 7), (9, 14), (13, 21))
"""Decoys: how far vowels and consonants are moved along their lists."""
WORST_FIT = -80.0
"""The score a frame of words that cannot be laid over the audio at all."""
_KINDS = (tuple(p for p in PHONES if p in VOWELS), tuple(p for p in PHONES if p not in VOWELS and p != SILENCE))


def word_fit(phones: Sequence[HeardPhone]) -> float:
    """Acoustic score a frame over all words."""
    said = [p for p in phones if p.word >= 0]
    return sum(p.score for p in said) / max(100 * sum(p.end_s - p.start_s for p in said), 1.0)


def decoy_fit(
    samples: Float[np.ndarray, " S"], words: Sequence[str], pronunciations: dict[str, tuple[str, ...]]
) -> float:
    """The mean score a frame of the decoys of some words.

    Args:
        pronunciations: of every word.
    """
    fits = []
    for number, turn in enumerate(TURNS):
        names = [f"decoy{number}-{word}" for word in words]
        sounds = {name: exchanged(pronunciations[word], turn) for name, word in zip(names, words, strict=True)}
        try:
            fits.append(max(word_fit(align(samples, names, sounds)), WORST_FIT))
        except AlignmentError:
            fits.append(WORST_FIT)
    return float(np.mean(fits))


def exchanged(phones: Sequence[str], turn: tuple[int, int]) -> tuple[str, ...]:
    """Every sound as another of its kind."""
    other = {}
    for kind, step in zip(_KINDS, turn, strict=True):
        other |= {phone: kind[(place + step) % len(kind)] for place, phone in enumerate(kind)}
    return tuple(other[phone] for phone in phones)
