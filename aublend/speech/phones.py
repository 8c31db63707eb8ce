"""Speech sounds in time: ARPAbet as in CMUdict, without stress; other alphabets are brought to it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

_SPEC = load_toml("speech")
PHONES: tuple[str, ...] = tuple(_SPEC["order"])
"""SIL first, then consonants from the lips backwards, then vowels."""
PHONE_INDEX: dict[str, int] = {name: index for index, name in enumerate(PHONES)}
SILENCE = "SIL"
VOWELS = frozenset(_SPEC["vowels"])
BILABIALS = frozenset(_SPEC["bilabials"])
LABIODENTALS = frozenset(_SPEC["labiodentals"])
SIBILANTS = frozenset(_SPEC["sibilants"])
_FILLERS = frozenset(_SPEC["silence"])


@dataclass(frozen=True)
class Phone:
    """One sound from start to end (seconds)."""

    symbol: str
    start_s: float
    end_s: float
    word: str = ""
    """The word it belongs to, where known."""
    stress: int = 0
    """1 primary, 2 secondary, 0 none or unknown."""
    confidence: float = 1.0
    """0 (a guess) to 1."""

    def __post_init__(self) -> None:
        if self.symbol not in PHONE_INDEX:
            raise MeshError(f"unknown phone {self.symbol!r}; expected one of {', '.join(PHONES)}")
        if not (np.isfinite(self.start_s) and np.isfinite(self.end_s) and self.end_s >= self.start_s):
            raise MeshError(
                f"phone {self.symbol}: expected start <= end in seconds, found {self.start_s}..{self.end_s}"
            )

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def phones_from_symbol(symbol: str) -> tuple[tuple[str, int], ...]:
    """The phones, each with its stress, that one symbol of ARPAbet (any dialect) or IPA stands for.

    Raises:
        MeshError: for a symbol of neither.
    """
    text = symbol.strip()
    if text.lower() in _FILLERS:
        return ((SILENCE, 0),)
    match = re.fullmatch(r"([A-Za-z]{1,4})([0-2]?)(?:_[BIES])?", text)
    if match and (not text.islower() or match[1].upper() in _flite_only()):
        name = match[1].upper()
        name = _SPEC["arpabet"].get(name, name)
        if name in PHONE_INDEX:
            return ((name, int(match[2] or 0) % 3),)
    stress = 1 if text[:1] in "ˈ'" else 2 if text[:1] == "ˌ" else 0
    names = _longest_first(_plain_ipa(text), _SPEC["ipa"]) or _longest_first(_bare(text), _SPEC["ipa"])
    if names:
        return tuple((name, stress if name in VOWELS else 0) for name in names)
    if match and match[1].upper() in PHONE_INDEX:
        return ((match[1].upper(), int(match[2] or 0)),)
    raise MeshError(f"unknown phone symbol {symbol!r}; expected ARPAbet (AA1, B, sil) or IPA")


def phones_from_espeak(mnemonic: str) -> tuple[tuple[str, int], ...]:
    """The phones, each with its stress, of one espeak-ng mnemonic; none for its marks."""
    stress = 1 if "'" in mnemonic else 2 if "," in mnemonic else 0
    text = mnemonic.lstrip("',%=_:|").replace(";", "")
    if not text:
        return ((SILENCE, 0),) if "_" in mnemonic else ()
    names = _longest_first(text, _SPEC["espeak"]) or _longest_first(_plain_ipa(text), _SPEC["ipa"])
    return tuple((name, stress if name in VOWELS else 0) for name in names)


def covering(phones: Sequence[Phone], duration_s: float) -> tuple[Phone, ...]:
    """The same phones in order, without overlap, with silence in the gaps: a partition of 0..duration."""
    track: list[Phone] = []
    now = 0.0
    for phone in sorted(phones, key=lambda p: (p.start_s, p.end_s)):
        start, end = max(phone.start_s, now), min(phone.end_s, duration_s)
        if end - start <= 1e-6:
            continue
        if start - now > 1e-6:
            track.append(Phone(SILENCE, now, start))
        track.append(Phone(phone.symbol, start, end, phone.word, phone.stress, phone.confidence))
        now = end
    if duration_s - now > 1e-6:
        track.append(Phone(SILENCE, now, duration_s))
    return tuple(track)


def phone_per_frame(phones: Sequence[Phone], n_frames: int, fps: float) -> Int[np.ndarray, " T"]:
    """Index of the phone in PHONES at the middle of each frame; silence where there is none."""
    rows = np.zeros(n_frames, np.int64)
    for phone in phones:
        first, last = (int(np.ceil(t * fps - 0.5)) for t in (phone.start_s, phone.end_s))
        rows[max(first, 0) : max(last, 0)] = PHONE_INDEX[phone.symbol]
    return rows


def _flite_only() -> frozenset[str]:
    """Lower-case ARPAbet of flite and TIMIT that no IPA transcription would hold."""
    return frozenset(name for name in (*PHONES, *_SPEC["arpabet"]) if len(name) > 1)


def _plain_ipa(text: str) -> str:
    """IPA without stress, length and tone marks, tie bars kept where they make an affricate."""
    decomposed = unicodedata.normalize("NFC", text)
    return re.sub(r"[ˈˌ'ːˑ.‿|˞̩̯̃ʰʷʲˠˤ̥̬̪̺̻̼̞̝̟̠̈̽˥˦˧˨˩0-9]", "", decomposed)


def _bare(text: str) -> str:
    """IPA without any diacritic."""
    return "".join(c for c in unicodedata.normalize("NFD", _plain_ipa(text)) if not unicodedata.combining(c))


def _longest_first(text: str, table: dict[str, list[str]]) -> list[str]:
    """Phones of a string of symbols, taking the longest key at each place; empty when something is unknown."""
    names: list[str] = []
    longest = max(len(key) for key in table)
    place = 0
    while place < len(text):
        for size in range(min(longest, len(text) - place), 0, -1):
            key = text[place : place + size]
            if key in table:
                names.extend(table[key])
                place += size
                break
        else:
            return []
    return names
