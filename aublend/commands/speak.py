"""`aublend speak`: a rig says a recording or a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from aublend.commands.animation import write_animation
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Speak:
    """Make a rig say a recording (wav, flac, ogg, mp3), or a text by espeak-ng, and write the animation.

    Beside the animation come the audio, the curves (.csv), the phones (.TextGrid) and the head's turns (.head.csv);
    a .glb holds the audio as well (KHR_audio_emitter, a draft that few programs play).
    Give --text for exact timing; without it words are recognised (English), and the result says how surely.
    """

    rig: Positional[Path]
    """A rig written by `aublend rig`."""
    audio: Positional[Path | None] = None
    """What is heard; leave it out to have --text spoken by espeak-ng."""
    text: str | None = None
    """What is said, in English."""
    text_file: Path | None = None
    """The same from a file (UTF-8)."""
    phones: Path | None = None
    """Known phone times instead: TextGrid, MFA's CSV, rows of start, end, phone; ARPAbet or IPA, any language."""
    emotion: str | None = None
    """happiness, sadness, surprise, fear, anger, disgust or contempt."""
    intensity: float = 1.0
    """Of the emotion, 0 to 1."""
    style: float = 1.0
    """How strongly the speaker articulates: 0.5 mumbles, 1.2 is theatrical."""
    gesture: bool = True
    """Blinks, brows, glances and nods."""
    seed: int = 0
    """Of the gestures."""
    fps: float = 60.0
    voice: str = "en-us"
    """Of espeak-ng, for text alone."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("talk.glb")
    """.glb (morph targets and weights) or another sequence format."""

    def run(self) -> dict[str, object]:
        from aublend import read_rig, write_curves
        from aublend.speech.output import write_audio, write_head_turns
        from aublend.speech.speak import speak
        from aublend.speech.timing_files import read_phones, write_phones

        rig = read_rig(self.rig)
        curves = speak(
            rig,
            self.audio,
            self._said(),
            self.emotion,
            self.intensity,
            phones=None if self.phones is None else read_phones(self.phones),
            style=self.style,
            gesture=self.gesture,
            seed=self.seed,
            fps=self.fps,
            voice=self.voice,
        )
        write_animation(rig, curves, self.output)
        files = {"animation": self.output, "audio": write_audio(curves.audio, self.audio, self.output)}
        for name, suffix in (("curves", ".csv"), ("phones", ".TextGrid"), ("head", ".head.csv")):
            files[name] = self.output.with_name(self.output.name.split(".")[0] + suffix)
        write_curves(curves, files["curves"])
        write_phones(curves.track.phones, files["phones"])
        write_head_turns(curves.head_turn_deg, curves.fps, files["head"])
        return {name: str(path) for name, path in files.items()} | curves.report()

    def _said(self) -> str | None:
        if self.text is not None and self.text_file is not None:
            raise MeshError("--text and --text-file: expected one of them")
        if self.text_file is None:
            return self.text
        try:
            return self.text_file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise MeshError(f"{self.text_file}: expected UTF-8 text ({error})") from error
