"""speak: a rig says what the audio says."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves
from aublend.rig import AURig
from aublend.sided_curves import sided_curves
from aublend.speech.audio import Audio, read_audio, relative_loudness
from aublend.speech.coarticulation import articulation
from aublend.speech.emotion_layer import Emotion, emotion_halves, with_emotion
from aublend.speech.gestures import gestures
from aublend.speech.lips import Lips, find_lips
from aublend.speech.phones import Phone, covering
from aublend.speech.sealing import TOUCH_MM, contact_spans, seal
from aublend.speech.synthesis import synthesise
from aublend.speech.transcription import PhoneTrack, phone_track
from aublend.speech.visemes import rig_targets
from aublend.speech.vowels import keep_open
from mesh4d.errors import MeshError

FPS = 60.0


@dataclass(frozen=True)
class SpokenCurves(AUCurves):
    """Curves of a rig that speaks, with what they were made from."""

    track: PhoneTrack
    """Phones, their source, the confidence in them, and notes that the user must read."""
    audio: Audio
    """What is heard."""
    head_turn_deg: Float[np.ndarray, "T 3"]
    """Pitch (down), yaw (to the subject's left), roll (to the subject's left): nods and sway; a rig has no neck."""
    open_contacts: tuple[float, ...]
    """Times (s) of /m b p/ at which this rig's lips cannot be brought to touch; empty as a rule."""

    def report(self) -> dict[str, object]:
        """What was used and how far to trust it."""
        return {
            "source": self.track.source,
            "confidence": round(self.track.confidence, 3),
            "seconds": round(self.track.duration_s, 3),
            "frames": len(self),
            "fps": self.fps,
            "words": " ".join(self.track.words),
            "phone_count": sum(phone.symbol != "SIL" for phone in self.track.phones),
            "open_contacts": len(self.open_contacts),
            "notes": list(self.track.notes),
        }


def speak(
    rig: AURig,
    audio: str | PathLike[str] | Audio | None,
    text: str | None = None,
    emotion: Emotion | None = None,
    intensity: float = 1.0,
    *,
    phones: Sequence[Phone] | None = None,
    style: float = 1.0,
    gesture: bool = True,
    seed: int = 0,
    fps: float = FPS,
    voice: str = "en-us",
) -> SpokenCurves:
    """Curves that make a rig say a recording, or a text.

    Phones come from `phones` where given, else from text laid over the audio, else from recognition; without audio
    espeak-ng speaks the text. Visemes, coarticulation and emotion follow; then lips are brought to touch on /m b p/
    and lip to teeth on /f v/ on this rig's own geometry.

    Args:
        audio: a file (wav, flac, ogg, mp3), `Audio`, or None for text alone.
        text: what is said, in English.
        emotion: one of the seven, a (valence, arousal) pair on the pad, or unit weights.
        intensity: of the emotion, 0 to 1.
        phones: known phone times, in any language; they take the place of alignment.
        style: how strongly the speaker articulates; 0.5 mumbles, 1.2 is theatrical.
        gesture: whether brows, lids, eyes and head move.
        seed: of the gestures.
        voice: of espeak-ng, for text alone.

    Raises:
        MeshError: without audio and text, for an unknown emotion, or a rig without lips.
        MeshFormatError: for an audio file that cannot be read.
    """
    if not 0 < style <= 1.5 or not 1 <= fps <= 1000:
        raise MeshError(f"expected style in 0..1.5 and 1 to 1000 fps, found {style} and {fps}")
    feeling = None if emotion is None else emotion_halves(emotion, intensity)
    lips = find_lips(rig)
    sound, track = _heard(audio, text, phones, voice)
    halves, head, gaps = _performance(lips, sound, track, feeling, style, seed if gesture else None, fps)
    curves = sided_curves(halves, fps, same_within=1e-9)
    moving = np.abs(curves.weights).max(axis=0, initial=0.0) > 1e-6
    moving[0] |= not moving.any()
    names = tuple(name for name, moves in zip(curves.names, moving, strict=True) if moves)
    return SpokenCurves(names, curves.weights[:, moving], fps, track, sound, head, gaps)


def _heard(
    audio: str | PathLike[str] | Audio | None, text: str | None, phones: Sequence[Phone] | None, voice: str
) -> tuple[Audio, PhoneTrack]:
    """The sound and its phones."""
    if audio is None:
        if text is None:
            raise MeshError("expected audio, or text for espeak-ng to speak; found neither")
        spoken = synthesise(text, voice)
        return spoken.audio, PhoneTrack(spoken.phones, spoken.audio.duration_s, "synthesis", tuple(text.split()))
    sound = audio if isinstance(audio, Audio) else read_audio(audio)
    if phones is None:
        return sound, phone_track(sound, text)
    beyond = max((p.end_s for p in phones), default=0.0) - sound.duration_s
    notes = (f"the phones end {beyond:.2f} s after the audio",) if beyond > 0.25 else ()
    words = tuple(dict.fromkeys(p.word for p in phones if p.word))
    return sound, PhoneTrack(covering(phones, sound.duration_s), sound.duration_s, "timing file", words, 1.0, notes)


def _performance(
    lips: Lips,
    sound: Audio,
    track: PhoneTrack,
    feeling: Float[np.ndarray, "2 A"] | None,
    style: float,
    seed: int | None,
    fps: float,
) -> tuple[Float[np.ndarray, "T 2 A"], Float[np.ndarray, "T 3"], tuple[float, ...]]:
    """Weights of both halves, head turns, and the times of closures that stay open."""
    count = max(int(np.ceil(track.duration_s * fps)), 1)
    loudness = relative_loudness(sound, (np.arange(count) + 0.5) / fps)
    mouth = np.clip(articulation(track.phones, rig_targets(lips), loudness, fps, style), 0, 1)
    halves = np.repeat(mouth[:, None, :], 2, axis=1)
    head = np.zeros((count, 3))
    if seed is not None:
        moves, head = gestures(track.phones, loudness, fps, np.random.default_rng(seed))
        halves = np.clip(halves + moves[:, None, :], 0, 1)
    if feeling is not None:
        halves = with_emotion(halves, feeling, track.phones, loudness, fps)
    spans = contact_spans(track.phones)
    sealed = seal(lips, keep_open(lips, seal(lips, halves, spans, fps).halves, track.phones, fps), spans, fps)
    opened = tuple(
        round((span.start_s + span.end_s) / 2, 3)
        for span, gap in zip(spans, sealed.gap_mm, strict=True)
        if span.kind == "lips" and gap > TOUCH_MM
    )
    return sealed.halves, head, opened
