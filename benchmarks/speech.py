"""A minute of speech: reading, listening, aligning, animating and sealing, as parts of real time.

Needs flite or espeak-ng for a voice (apt-get install flite espeak-ng).
"""

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from aublend import head_model, speak
from aublend.speech.audio import RATE_HZ, Audio, read_audio
from aublend.speech.synthetic_corpus import installed_voices, sentences, utterance
from aublend.speech.transcription import phone_track
from benchmarks.timing import Timing, best_of, table

MINUTE_S = 60.0


def minute_of_speech() -> tuple[Audio, str]:
    """The committed sentences one after another until a minute is full, with what is said."""
    voice = installed_voices()[0]
    pieces, texts, length = [], [], 0.0
    while length < MINUTE_S:
        for text in sentences():
            said = utterance(text, voice)
            pieces.append(said.audio.samples)
            texts.append(text)
            length += said.audio.duration_s
            if length >= MINUTE_S:
                break
    return Audio(np.concatenate(pieces)), " ".join(texts)


def main() -> None:
    """Print the table."""
    if not installed_voices():
        print("needs flite or espeak-ng: apt-get install flite espeak-ng")
        return
    rig = head_model().rig(470)
    audio, text = minute_of_speech()
    track = phone_track(audio, text)

    def factor(row: Timing) -> Timing:
        return Timing(row.name, row.seconds, f"real-time factor {row.seconds / audio.duration_s:.3f}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.flac"
        soundfile.write(path, audio.samples, RATE_HZ)
        rows = [
            best_of("the whole job with transcript", lambda: speak(rig, path, text), repeats=2),
            best_of("the whole job without", lambda: speak(rig, path), repeats=2),
            best_of("reading and resampling", lambda: read_audio(path), repeats=3),
            best_of("alignment", lambda: phone_track(audio, text), repeats=2),
            best_of("animation and sealing", lambda: speak(rig, audio, phones=track.phones), repeats=2),
        ]
    print(table("A minute of speech", [factor(row) for row in rows], rows[0].name))


if __name__ == "__main__":
    main()
