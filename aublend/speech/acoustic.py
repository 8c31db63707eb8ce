"""The acoustic model: pocketsphinx's English one, as forced aligner, word recogniser and phone recogniser.

The model, its dictionary and its language models lie inside the wheel; nothing is downloaded. Times are in seconds
of the audio that is passed in; the model's frames are 10 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aublend.speech.audio import RATE_HZ
from aublend.speech.phones import PHONE_INDEX, SILENCE
from mesh4d.errors import MeshError

if TYPE_CHECKING:
    from pocketsphinx import Decoder

FRAME_S = 0.01
PAD_S = 0.3
"""Near-silence at both ends: without it alignment fails on clips that are cut tightly."""
PAD_LSB = 10.0
PEAK_LSB = 23_000.0
MOST_ACTIVE = 5000
"""States that recognition keeps a frame. Speech hardly ever has more (the same words with 30,000, at 2.3 times the
cost); noise and drums would."""
ALIGN_BEAMS = {"beam": 1e-100, "pbeam": 1e-100, "wbeam": 1e-80}


class AlignmentError(MeshError):
    """The words cannot be laid over the audio."""


@dataclass(frozen=True)
class HeardPhone:
    """A phone of the acoustic model in the audio, with its score (log likelihood, in the model's own base)."""

    symbol: str
    start_s: float
    end_s: float
    word: int
    """Which of the words it belongs to; -1 for silence between them."""
    score: float = 0.0


@dataclass(frozen=True)
class HeardWord:
    """A recognised word."""

    text: str
    start_s: float
    end_s: float


def available() -> bool:
    """Whether the acoustic model is installed."""
    from importlib.util import find_spec

    return find_spec("pocketsphinx") is not None


def known(word: str) -> bool:
    """Whether the dictionary has a word (lower case, ASCII)."""
    return pronunciation(word) is not None


def pronunciation(word: str) -> tuple[str, ...] | None:
    """The dictionary's first pronunciation."""
    phones = _aligner().lookup_word(word)
    return tuple(phones.split()) if phones else None


def align(
    samples: Float[np.ndarray, " S"], words: Sequence[str], pronunciations: dict[str, tuple[str, ...]]
) -> list[HeardPhone]:
    """Lay words over audio: Viterbi over their phones, with optional silence between words, then over phone states.

    Two passes: the first finds the words (and which pronunciation was said), the second their phones.

    Args:
        words: lower case.
        pronunciations: ARPAbet of the words that the dictionary lacks.

    Raises:
        AlignmentError: when no path through the words fits the audio.
    """
    decoder = _aligner()
    for word in dict.fromkeys(words):
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, " ".join(pronunciations[word]), True)
    data = _padded(samples)
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, data)
        if decoder.hyp() is None:
            raise AlignmentError("the words do not fit the audio")
        decoder.set_alignment()
        _decode(decoder, data)
        entries = decoder.get_alignment()
    except RuntimeError as error:
        raise AlignmentError(f"the words do not fit the audio ({error})") from error
    phones: list[HeardPhone] = []
    word = -1
    for entry in entries:
        silent = entry.name.startswith(("<", "[", "+"))
        word += not silent
        for part in entry:
            start = part.start * FRAME_S - PAD_S
            symbol = SILENCE if silent else part.name
            phones.append(
                HeardPhone(symbol, start, start + part.duration * FRAME_S, -1 if silent else word, float(part.score))
            )
    if word + 1 != len(words):
        raise AlignmentError(f"expected {len(words)} words in the alignment, found {word + 1}")
    return phones


def recognise(samples: Float[np.ndarray, " S"]) -> list[HeardWord]:
    """Words by the large-vocabulary recogniser; fillers are left out."""
    decoder = _recogniser()
    _decode(decoder, _padded(samples))
    words = []
    for segment in decoder.seg() if decoder.hyp() is not None else ():
        if segment.word.startswith(("<", "[", "+")):
            continue
        text = segment.word.split("(")[0]
        words.append(HeardWord(text, segment.start_frame * FRAME_S - PAD_S, (segment.end_frame + 1) * FRAME_S - PAD_S))
    return words


def phone_loop(samples: Float[np.ndarray, " S"]) -> list[HeardPhone]:
    """Phones without words: any phone may follow any other, as likely as the phone language model says."""
    decoder = _phone_recogniser()
    _decode(decoder, _padded(samples))
    phones = []
    for segment in decoder.seg() if decoder.hyp() is not None else ():
        symbol = segment.word if segment.word in PHONE_INDEX else SILENCE
        start, end = segment.start_frame * FRAME_S - PAD_S, (segment.end_frame + 1) * FRAME_S - PAD_S
        phones.append(HeardPhone(symbol, start, end, -1))
    return phones


def _padded(samples: np.ndarray) -> bytes:
    """16-bit samples at a steady level, with faint noise before, after and under digital silence."""
    rng = np.random.default_rng(0)  # dither: the same every time
    pad = round(PAD_S * RATE_HZ)
    peak = float(np.abs(samples).max(initial=0.0))
    gain = PEAK_LSB / peak if peak > 1e-4 else 1.0
    noise = rng.normal(0, PAD_LSB, len(samples) + 2 * pad)
    noise[pad : len(noise) - pad] = noise[pad : len(noise) - pad] * 0.2 + samples * gain
    return np.clip(np.round(noise), -32768, 32767).astype(np.int16).tobytes()


def _decode(decoder: "Decoder", data: bytes) -> None:
    decoder.reinit_feat()  # forget the last recording: the same audio gives the same result, whatever came before
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()


@lru_cache(maxsize=1)
def _aligner() -> "Decoder":
    from pocketsphinx import Decoder

    return Decoder(lm=None, bestpath=False, cmn="batch", loglevel="FATAL", **ALIGN_BEAMS)


@lru_cache(maxsize=1)
def _recogniser() -> "Decoder":
    from pocketsphinx import Decoder

    return Decoder(cmn="batch", maxhmmpf=MOST_ACTIVE, loglevel="FATAL")


@lru_cache(maxsize=1)
def _phone_recogniser() -> "Decoder":
    from pocketsphinx import Decoder, get_model_path

    return Decoder(
        lm=None,
        allphone=get_model_path("en-us/en-us-phone.lm.bin"),
        lw=2.0,
        beam=1e-20,
        pbeam=1e-20,
        bestpath=False,
        cmn="batch",
        loglevel="FATAL",
    )
