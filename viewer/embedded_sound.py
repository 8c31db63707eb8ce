"""A sound that comes with a page, and the phones that it says."""

import base64
import os
from pathlib import Path

from mesh4d.errors import MeshFormatError
from viewer.messages import EmbeddedSound, SpokenPhone

LARGEST_BYTES = 32 << 20
"""A page holds its sound as text, a third larger than the file."""


def embedded_sound(audio: str | os.PathLike[str], phones: str | os.PathLike[str] | None = None) -> EmbeddedSound:
    """Read a sound file, as it is, and the phones that lie in it; silence fills the gaps between them.

    Args:
        audio: any file that browsers play: wav, mp3, ogg, flac.
        phones: a file of phone times, see `aublend.speech.timing_files.read_phones`.

    Raises:
        MeshFormatError: for a file that is no sound or too large, or phones that cannot be read.
    """
    from aublend.speech.audio import read_audio
    from aublend.speech.phones import covering
    from aublend.speech.timing_files import read_phones

    path = Path(audio)
    duration_s = read_audio(path).duration_s
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise MeshFormatError(path, "size", f"at most {LARGEST_BYTES} bytes", str(size))
    track = () if phones is None else covering(read_phones(phones), duration_s)
    return EmbeddedSound(
        path.name,
        base64.b64encode(path.read_bytes()).decode("ascii"),
        tuple(SpokenPhone(p.symbol, p.start_s, p.end_s, p.word, p.stress, p.confidence) for p in track),
    )
