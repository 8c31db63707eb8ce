"""`python -m viewer.speech_worker REQUEST OUT NAME`: what a head does when it says a sound or a text, for the page.

REQUEST is a folder's `request.json` (see `viewer.messages.SpeechRequest`); beside it lie `rig.glb` and, unless the text
is to be spoken by espeak-ng, `sound.wav`. Bounds and messages are those of `viewer.head_worker`.
"""

import base64
import dataclasses
import io
import json
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError
from viewer.head_worker import MEMORY_BYTES, bound_resources, say
from viewer.messages import DenseCurves, SpeechRequest, SpeechResult, SpokenPhone

DIGITS = 4
"""Of weights and times: 0.0001 moves no vertex by more than 2 micrometres."""


def main() -> None:
    """Answer one request; exit code 2 when it cannot be answered."""
    bound_resources()
    source, target, name = sys.argv[1:]
    folder = Path(source).parent
    try:
        say(stage="reading")
        result = spoken(folder, _request(Path(source)))
        Path(target).write_text(json.dumps(dataclasses.asdict(result), allow_nan=False), encoding="utf-8")
    except MemoryError:
        say(error=f"{name}: needs more than {MEMORY_BYTES >> 30} GiB of memory")
        raise SystemExit(2) from None
    except (MeshError, OSError) as error:
        say(error=str(error).replace(str(folder / "sound.wav"), name).replace(f"{folder}/", ""))
        raise SystemExit(2) from None


def spoken(folder: Path, request: SpeechRequest) -> SpeechResult:
    """Curves of speech, and of what emotion adds to them, with the phones that they follow.

    The emotion's curves are the difference between speech with and without it, lips sealed in both: so that the two
    layers add up to `aublend.speak` with the emotion, and speech alone is what it says without.

    Raises:
        MeshError: for a rig, a sound, a text, phones or an emotion that nothing can be made of.
    """
    from aublend import read_rig
    from aublend.speech.audio import read_audio
    from aublend.speech.phones import Phone
    from aublend.speech.speak import speak

    given = tuple(Phone(p.symbol, p.start_s, p.end_s, p.word, p.stress, p.confidence) for p in request.phones)
    text = request.text.strip() or None
    sound = read_audio(folder / "sound.wav") if request.sound else None
    rig = read_rig(folder / "rig.glb")
    say(stage=_stage(request))
    plain = speak(rig, sound, text, phones=given or None)
    felt = plain
    if request.emotion:
        say(stage="adding the emotion")
        felt = speak(rig, plain.audio, emotion=request.emotion, intensity=request.intensity, phones=plain.track.phones)
    return SpeechResult(
        fps=plain.fps,
        seconds=plain.track.duration_s,
        speech=_dense(plain.names, plain.weights),
        emotion=_difference(felt.names, felt.weights, plain.names, plain.weights),
        phones=tuple(_phone(phone) for phone in plain.track.phones),
        source=plain.track.source,
        confidence=round(plain.track.confidence, 3),
        words=" ".join(plain.track.words),
        notes=plain.track.notes,
        open_contacts=len(felt.open_contacts),
        sound="" if request.sound else _wav(plain.audio.samples),
    )


def _request(path: Path) -> SpeechRequest:
    """The request that the server has checked and written."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    return SpeechRequest(**fields | {"phones": tuple(SpokenPhone(**phone) for phone in fields["phones"])})


def _stage(request: SpeechRequest) -> str:
    if request.phones:
        return "moving the mouth"
    if not request.sound:
        return "speaking the text"
    return "laying the text over the sound" if request.text.strip() else "recognising the words"


def _phone(phone) -> SpokenPhone:
    start, end = round(phone.start_s, DIGITS), round(phone.end_s, DIGITS)
    return SpokenPhone(phone.symbol, start, end, phone.word, phone.stress, round(phone.confidence, 3))


def _dense(names: tuple[str, ...], weights: Float[np.ndarray, "T A"]) -> DenseCurves:
    rounded = np.round(weights, DIGITS) + 0.0  # no negative zeros
    return DenseCurves(names, tuple(map(tuple, rounded.tolist())))


def _difference(
    names: tuple[str, ...],
    weights: Float[np.ndarray, "T A"],
    other_names: tuple[str, ...],
    other: Float[np.ndarray, "T B"],
) -> DenseCurves:
    """The first curves less the second, a column for every half that differs."""
    from aublend.curves import AUCurves
    from aublend.sided_curves import sided_curves

    change = AUCurves(names, weights, 1.0).halves() - AUCurves(other_names, other, 1.0).halves()
    curves = sided_curves(change, 1.0, same_within=1e-9)
    moving = np.abs(curves.weights).max(axis=0, initial=0.0) > 10.0**-DIGITS
    kept = tuple(name for name, moves in zip(curves.names, moving, strict=True) if moves)
    return _dense(kept, curves.weights[:, moving])


def _wav(samples: Float[np.ndarray, " S"]) -> str:
    import soundfile

    from aublend.speech.audio import RATE_HZ

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


if __name__ == "__main__":
    main()
