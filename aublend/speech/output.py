"""What a spoken animation leaves beside its meshes: the sound, and the head's turns."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Float

from aublend.speech.audio import RATE_HZ, Audio
from mesh4d.io.atomic import atomic_write

COPIED = (".wav", ".flac", ".ogg", ".mp3")


def write_audio(audio: Audio, source: Path | None, animation: Path) -> Path:
    """Put the sound beside the animation under its name: the source file itself, or a .wav of what was synthesised.

    glTF has no place for sound that other programs read, so that the two files travel together.
    """
    stem = animation.name.split(".")[0]
    if source is not None and source.suffix.lower() in COPIED:
        target = animation.with_name(stem + source.suffix.lower())
        if target.resolve() != source.resolve():
            with atomic_write(target) as file, source.open("rb") as original:
                shutil.copyfileobj(original, file)
        return target
    import soundfile

    target = animation.with_name(stem + ".wav")
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples, RATE_HZ, format="WAV", subtype="PCM_16")
    with atomic_write(target) as file:
        file.write(buffer.getvalue())
    return target


def write_head_turns(turns_deg: Float[np.ndarray, "T 3"], fps: float, path: Path) -> None:
    """Rows of time and the head's pitch (down), yaw and roll (to the subject's left), degrees."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("time_s", "pitch_deg", "yaw_deg", "roll_deg"))
    for frame, row in enumerate(turns_deg):
        writer.writerow((f"{frame / fps:.4f}", *(f"{value:.4f}" for value in row)))
    with atomic_write(path, text=True) as file:
        file.write(buffer.getvalue())
