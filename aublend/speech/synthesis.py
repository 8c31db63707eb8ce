"""Speech from text alone: espeak-ng's voice and the times of its phonemes, where its library is installed.

espeak-ng (GPL-3) is not part of this toolkit and not needed for audio files: `apt-get install espeak-ng`.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import numpy as np

from aublend.speech.audio import RATE_HZ, Audio, audio_from_array
from aublend.speech.phones import Phone, covering, phones_from_espeak
from mesh4d.errors import MeshError

SYNCHRONOUS, PHONEME_EVENTS, UTF8 = 2, 1, 1
PHONEME_EVENT, END_OF_LIST = 7, 0
RATE_PARAMETER = 1
TAIL_S = 0.25
STOPS, VOICELESS = frozenset(["P", "B", "T", "D", "K", "G"]), frozenset(["P", "T", "K", "CH"])
BURST_S, CLOSURE_S = 0.045, 0.06
"""espeak-ng stamps some stops at their burst: stops shorter than the first begin this much earlier."""
HUSH, HUSH_MOST_S, HUSH_NEAR_S = 0.003, 0.10, 0.012
"""Voiceless stops are always stamped at the burst; the closure before it is silent (below this share of the peak)."""


class SynthesisError(MeshError):
    """Text cannot be spoken here."""


@dataclass(frozen=True)
class Synthesis:
    """What was said, when, and how it sounds."""

    audio: Audio
    phones: tuple[Phone, ...]


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    )  # fmt: skip


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    )  # fmt: skip


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def available() -> bool:
    """Whether espeak-ng's library is installed."""
    return _library_name() is not None


def synthesise(text: str, voice: str = "en-us", words_per_minute: int = 165) -> Synthesis:
    """Speak a text.

    Args:
        voice: one of espeak-ng's, such as "en-us", "en-gb", "en-us+f3"; other languages work too.

    Raises:
        SynthesisError: when espeak-ng is missing, knows no such voice, or makes no sound of the text.
    """
    library, rate_hz = _engine()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        wanted = _Voice(None, voice.encode(), None, 0, 0, 0, 0, 0, None)
        if library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0:
            raise SynthesisError(f"espeak-ng has no voice {voice!r}")
    library.espeak_SetParameter(RATE_PARAMETER, words_per_minute, 0)
    chunks: list[np.ndarray] = []
    marks: list[tuple[float, str]] = []

    def receive(wave, count: int, events) -> int:
        if wave and count > 0:
            chunks.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        row = 0
        while events[row].type != END_OF_LIST:
            if events[row].type == PHONEME_EVENT:
                marks.append((events[row].audio_position / 1000.0, events[row].id.string.decode("utf-8", "replace")))
            row += 1
        return 0

    callback = _CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    data = text.encode("utf-8") + b"\0"
    library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    if not chunks:
        raise SynthesisError(f"espeak-ng made no sound of {text[:60]!r}")
    samples = np.concatenate([*chunks, np.zeros(int(TAIL_S * rate_hz), np.int16)]).astype(np.float32) / 32768
    audio = audio_from_array(samples, rate_hz)
    return Synthesis(
        audio, covering(_with_closures(_phones(marks, audio.duration_s - TAIL_S), audio), audio.duration_s)
    )


def _phones(marks: list[tuple[float, str]], end_s: float) -> list[Phone]:
    """Phones from phoneme events: each lasts until the next; affricates and r-vowels share their span."""
    phones = []
    for place, (start, mnemonic) in enumerate(marks):
        end = marks[place + 1][0] if place + 1 < len(marks) else end_s
        names = phones_from_espeak(mnemonic)
        cuts = np.linspace(start, max(end, start), len(names) + 1)
        for (name, stress), a, b in zip(names, cuts[:-1], cuts[1:], strict=True):
            if b > a:
                phones.append(Phone(name, float(a), float(b), stress=stress))
    return phones


def _with_closures(phones: list[Phone], audio: Audio) -> list[Phone]:
    """Stops that are marked at their burst begin with their closure, taken from the sound before."""
    shifted = list(phones)
    for place, phone in enumerate(phones):
        before = shifted[place - 1] if place else None
        if before is None or before.end_s <= before.start_s:
            continue
        closure = _hush_before(audio, phone.start_s) if phone.symbol in VOICELESS else 0.0
        if closure == 0.0 and phone.symbol in STOPS and phone.duration_s < BURST_S:
            closure = CLOSURE_S
        start = phone.start_s - min(closure, 0.6 * before.duration_s)
        shifted[place] = Phone(phone.symbol, start, phone.end_s, stress=phone.stress)
        shifted[place - 1] = Phone(before.symbol, before.start_s, min(before.end_s, start), stress=before.stress)
    return shifted


def _hush_before(audio: Audio, burst_s: float) -> float:
    """How long the sound has been silent at a burst, s."""
    step = RATE_HZ // 1000
    level = np.abs(audio.samples[: len(audio.samples) // step * step].reshape(-1, step)).max(axis=1)
    quiet = level < HUSH * level.max(initial=0.0)
    burst, near = round(1000 * burst_s), round(1000 * HUSH_NEAR_S)
    last = next((k for k in range(burst + near, burst - near, -1) if 0 <= k < len(quiet) and quiet[k]), None)
    if last is None:
        return 0.0
    first = last
    while first > 0 and quiet[first - 1] and burst - first < 1000 * HUSH_MOST_S:
        first -= 1
    return max(burst - first, 0) / 1000.0


@lru_cache(maxsize=1)
def _engine() -> tuple[ctypes.CDLL, int]:
    """The library, initialised once per process (doing so again can dead-lock), and its sample rate."""
    name = _library_name()
    if name is None:
        raise SynthesisError("speech from text alone needs espeak-ng: apt-get install espeak-ng")
    library = ctypes.CDLL(name)
    rate_hz = library.espeak_Initialize(SYNCHRONOUS, 0, _data_folder(), PHONEME_EVENTS)
    if rate_hz <= 0:
        raise SynthesisError("espeak-ng's library is here, but not its data; reinstall espeak-ng")
    return library, rate_hz


def _library_name() -> str | None:
    """The system's library, or the one in the wheel `espeakng-loader`."""
    found = ctypes.util.find_library("espeak-ng")
    if found is None and find_spec("espeakng_loader") is not None:
        import espeakng_loader  # pyright: ignore[reportMissingImports]

        return str(espeakng_loader.get_library_path())
    return found


def _data_folder() -> bytes | None:
    """None for the system's own; the wheel brings its data."""
    if ctypes.util.find_library("espeak-ng") is None:
        import espeakng_loader  # pyright: ignore[reportMissingImports]

        return str(espeakng_loader.get_data_path()).encode()
    return None
