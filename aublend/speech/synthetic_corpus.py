"""Speech whose phone times are known: sentences said by flite's and espeak-ng's voices."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aublend.speech import synthesis
from aublend.speech.audio import Audio, read_audio
from aublend.speech.phones import Phone, covering, phones_from_symbol
from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

FLITE_SECONDS = 60


@dataclass(frozen=True)
class Utterance:
    """A sentence, how it sounds, and when each phone is said."""

    text: str
    voice: str
    audio: Audio
    phones: tuple[Phone, ...]


def sentences(held_out: bool = False) -> tuple[str, ...]:
    """The committed sentences: those that thresholds were chosen on, or those that nothing was chosen on."""
    return tuple(load_toml("speech_sentences")["held_out_sentences" if held_out else "sentences"])


def installed_voices(held_out: bool = False) -> tuple[str, ...]:
    """The committed voices of either set whose engine is installed."""
    here = {"flite": shutil.which("flite") is not None, "espeak": synthesis.available()}
    voices = load_toml("speech_sentences")["held_out_voices" if held_out else "voices"]
    return tuple(voice for voice in voices if here[voice.split(":")[0]])


def utterance(text: str, voice: str) -> Utterance:
    """One sentence by one voice, "flite:slt" or "espeak:en-us".

    Raises:
        MeshError: for an unknown engine, or one that fails.
    """
    engine, _, name = voice.partition(":")
    if engine == "espeak":
        spoken = synthesis.synthesise(text, name)
        return Utterance(text, voice, spoken.audio, spoken.phones)
    if engine == "flite":
        return _by_flite(text, voice, name)
    raise MeshError(f"unknown voice {voice!r}; expected flite:NAME or espeak:NAME")


def corpus(voices: Sequence[str], texts: Sequence[str]) -> Iterator[Utterance]:
    """Every sentence by every voice."""
    for voice in voices:
        for text in texts:
            yield utterance(text, voice)


def with_noise(audio: Audio, snr_db: float, rng: np.random.Generator) -> Audio:
    """White noise at a signal-to-noise ratio over the whole recording."""
    power = float(np.square(audio.samples, dtype=np.float64).mean())
    noise = rng.normal(0, np.sqrt(power / 10 ** (snr_db / 10)), len(audio.samples))
    return Audio((audio.samples + noise).astype(np.float32), audio.source)


def _by_flite(text: str, voice: str, name: str) -> Utterance:
    program = shutil.which("flite")
    if program is None:
        raise MeshError("flite is not installed: apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = [program, "-voice", name, "-psdur", "-t", text, "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FLITE_SECONDS, check=False)
        if done.returncode != 0 or not path.is_file():
            raise MeshError(f"flite failed on voice {name!r}: {done.stderr.strip()[:200]}")
        audio = read_audio(path)
    phones, start = [], 0.0
    for item in done.stdout.split():
        symbol, _, end = item.rpartition(":")
        for phone, stress in phones_from_symbol(symbol.upper() if symbol != "pau" else symbol):
            phones.append(Phone(phone, start, float(end), stress=stress))
        start = float(end)
    return Utterance(text, voice, audio, covering(phones, audio.duration_s))
