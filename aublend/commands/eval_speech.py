"""`aublend eval speech`: how well rigs speak."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class EvalSpeech:
    """Have known sentences said by flite's and espeak-ng's voices, animate them, and measure phones and lips.

    Clean and at 20 dB of noise, with and without the transcript, beside two baselines: text spread over the duration,
    and a mouth that opens with loudness. Needs flite or espeak-ng (apt-get install flite espeak-ng).
    """

    rig: Path | None = None
    """The rig to measure lips on; by default a held-out identity of the embedded head."""
    voices: tuple[str, ...] = ()
    """Such as flite:slt or espeak:en-gb; by default all committed ones that are installed."""
    held_out: bool = False
    """Other sentences and other voices, on which no threshold was chosen."""
    sentences: int | None = None
    """How many of the committed sentences; by default all."""
    methods: tuple[str, ...] = ()
    """Some of: text, "no text", "text, 20 dB", "no text, 20 dB", "text spread", energy; by default all."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Write the table there, as Markdown."""

    def run(self) -> dict[str, object]:
        from aublend import head_model, read_rig
        from aublend.speech.evaluation import METHODS, evaluate_speech, summary_table
        from aublend.speech.synthetic_corpus import installed_voices, sentences
        from mesh4d.io.atomic import atomic_write
        from mesh4d.specs import load_split

        voices = self.voices or installed_voices(self.held_out)
        if not voices:
            raise MeshError("no voice to measure with: apt-get install flite espeak-ng")
        if unknown := set(self.methods) - set(METHODS):
            raise MeshError(f"--methods: expected some of {', '.join(METHODS)}, found {sorted(unknown)[0]!r}")
        texts = sentences(self.held_out)
        if self.sentences is not None and not 1 <= self.sentences <= len(texts):
            raise MeshError(f"--sentences must be 1 to {len(texts)}, found {self.sentences}")
        rig = read_rig(self.rig) if self.rig else head_model().rig(int(load_split("aublendset")["test"][0]))
        tallies = evaluate_speech(rig, voices, texts[: self.sentences], self.methods or METHODS)
        table = summary_table(tallies)
        if self.output is not None:
            with atomic_write(self.output, text=True) as file:
                file.write(table + "\n")
        return {
            "table": table,
            "details": {f"{method} | {voice}": tally.summary() for (method, voice), tally in tallies.items()},
        }
