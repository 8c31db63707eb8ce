"""What a spoken animation leaves beside its meshes: the sound, and the head's turns."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Float

from aublend.speech.audio import RATE_HZ, Audio
from aublend.speech.glb_sound import MIME_TYPES, embed_sound
from mesh4d.io.atomic import atomic_write

COPIED = (".wav", ".flac", ".ogg", ".mp3")
MOST_EMBEDDED = 64 << 20
"""A larger sound file goes into a .glb as the speech model heard it: 32 kB a second."""


def write_audio(audio: Audio, source: Path | None, animation: Path) -> Path:
    """Put the sound beside the animation under its name, and into it where it is a .glb.

    Beside it lies the source file itself, or a .wav of what was synthesised: few programs read sound from glTF.
    """
    stem = animation.name.split(".")[0]
    if source is not None and source.suffix.lower() in COPIED:
        target = animation.with_name(stem + source.suffix.lower())
        if target.resolve() != source.resolve():
            with atomic_write(target) as file, source.open("rb") as original:
                shutil.copyfileobj(original, file)
    else:
        target = animation.with_name(stem + ".wav")
        with atomic_write(target) as file:
            file.write(_wav(audio))
    if animation.suffix.lower() == ".glb":
        mime_type = MIME_TYPES.get(target.suffix)
        whole = mime_type is not None and target.stat().st_size <= MOST_EMBEDDED
        content = target.read_bytes() if whole else _wav(audio)
        embed_sound(animation, content, mime_type if mime_type and whole else MIME_TYPES[".wav"], target.name)
    return target


def _wav(audio: Audio) -> bytes:
    """One channel of 16 bits at RATE_HZ."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def write_head_turns(turns_deg: Float[np.ndarray, "T 3"], fps: float, path: Path) -> None:
    """Rows of time and the head's pitch (down), yaw and roll (to the subject's left), degrees."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("time_s", "pitch_deg", "yaw_deg", "roll_deg"))
    for frame, row in enumerate(turns_deg):
        writer.writerow((f"{frame / fps:.4f}", *(f"{value:.4f}" for value in row)))
    with atomic_write(path, text=True) as file:
        file.write(buffer.getvalue())
