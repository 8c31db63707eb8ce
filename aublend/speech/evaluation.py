"""`aublend eval speech`: phones and lips against known phone times, beside baselines, with and without noise."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from aublend.rig import AURig
from aublend.speech import spreading
from aublend.speech.audio import Audio
from aublend.speech.lips import find_lips
from aublend.speech.measures import LipScores, PhoneScores, score_lips, score_phones
from aublend.speech.mesh_errors import lip_vertex_error_mm, upper_face_deviation_mm
from aublend.speech.phones import Phone
from aublend.speech.speak import FPS, speak
from aublend.speech.synthetic_corpus import Utterance, corpus, with_noise
from aublend.speech.text import spoken_words
from aublend.speech.transcription import phone_track, pronunciations

NOISE_DB = 20.0
METHODS = ("text", "no text", "text, 20 dB", "no text, 20 dB", "text spread", "energy")
"""Ours with and without transcript, clean and noisy; then baselines: text over the loud parts, loudness alone."""


@dataclass
class Tally:
    """Scores of one method on one voice, utterance by utterance."""

    phones: list[PhoneScores] = field(default_factory=list)
    lips: list[LipScores] = field(default_factory=list)
    lve_mm2: list[float] = field(default_factory=list)
    fdd_mm: list[float] = field(default_factory=list)
    seconds: float = 0.0
    audio_s: float = 0.0

    def summary(self) -> dict[str, float]:
        """Rates over everything tallied."""
        phones, lips = self.phones, self.lips

        def share(part: str, whole: str, rows: Sequence[object]) -> float:
            total = sum(getattr(row, whole) for row in rows)
            return sum(getattr(row, part) for row in rows) / total if total else 0.0

        late = np.concatenate([row.onset_ms for row in phones])
        onsets, teeth = np.abs(late), np.concatenate([row.teeth_mm for row in lips])
        return {
            "viseme accuracy": float(np.mean([row.accuracy for row in phones])),
            "onset ms (median)": float(np.median(onsets)) if len(onsets) else float("nan"),
            "onset ms (p90)": float(np.percentile(onsets, 90)) if len(onsets) else float("nan"),
            "onset ms (mean, signed)": float(np.mean(late)) if len(late) else float("nan"),
            "bilabials closed": share("closed", "closures", lips),
            "false closures": share("false_touches", "touches", lips),
            "shut vowels": share("shut_vowels", "vowels", lips),
            "labiodental contact": share("bitten", "labiodentals", lips),
            "lip to teeth mm": float(np.median(teeth)) if len(teeth) else float("nan"),
            "jitter mm": float(np.mean([row.jitter for row in lips])),
            "lag ms": float(np.median([row.lag_ms for row in lips])),
            "LVE mm2": float(np.mean(self.lve_mm2)),
            "FDD mm": float(np.mean(self.fdd_mm)),
            "real-time factor": self.seconds / max(self.audio_s, 1e-9),
        }


def evaluate_speech(
    rig: AURig, voices: Sequence[str], texts: Sequence[str], methods: Sequence[str] = METHODS, seed: int = 0
) -> dict[tuple[str, str], Tally]:
    """Every method on every voice; keys are (method, voice).

    Errors of vertices are against the same rig driven by the true phone times.
    """
    tallies = {(method, voice): Tally() for method in methods for voice in voices}
    rng = np.random.default_rng(seed)
    lips = find_lips(rig)
    for said in tqdm(corpus(voices, texts), total=len(voices) * len(texts), desc="sentences", disable=None):
        reference = speak(rig, said.audio, phones=said.phones, gesture=False)
        for method in methods:
            tally = tallies[method, said.voice]
            start = time.process_time()
            audio = with_noise(said.audio, NOISE_DB, rng) if "dB" in method else said.audio
            track = _track(method, said, audio)
            curves = speak(rig, audio, phones=track, gesture=False)
            tally.seconds += time.process_time() - start
            tally.audio_s += audio.duration_s
            tally.phones.append(score_phones(said.phones, track, audio.duration_s))
            tally.lips.append(score_lips(lips, curves.halves(), FPS, said.phones, said.audio))
            tally.lve_mm2.append(lip_vertex_error_mm(lips, reference.halves(), curves.halves()))
            tally.fdd_mm.append(upper_face_deviation_mm(rig, reference.halves(), curves.halves()))
    return tallies


def summary_table(tallies: dict[tuple[str, str], Tally]) -> str:
    """A Markdown table: one row per method and voice, then the mean over voices."""
    first = next(iter(tallies.values())).summary()
    lines = ["| method | voice | " + " | ".join(first) + " |", "| --- " * (len(first) + 2) + "|"]
    for method in dict.fromkeys(method for method, _ in tallies):
        rows = {voice: tally.summary() for (name, voice), tally in tallies.items() if name == method}
        for voice, row in rows.items():
            lines.append(f"| {method} | {voice} | " + " | ".join(f"{value:.3g}" for value in row.values()) + " |")
        means = [float(np.mean([row[name] for row in rows.values()])) for name in first]
        lines.append(f"| **{method}** | mean | " + " | ".join(f"**{value:.3g}**" for value in means) + " |")
    return "\n".join(lines)


def _track(method: str, said: Utterance, audio: Audio) -> tuple[Phone, ...]:
    """The phones that a method finds."""
    if method == "energy":
        return spreading.loud_phones(audio)
    if method == "text spread":
        words = spoken_words(said.text)
        return spreading.spread_words(audio, words, pronunciations(words))
    return phone_track(audio, said.text if method.startswith("text") else None).phones
