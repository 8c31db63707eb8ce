"""From audio, and text where there is some, to phones in time: the chain of ways, and how far to trust the result.

With text the words are laid over the audio (alignment), and checked against what the phone recogniser hears without
them: a wrong transcript does not fit. Without text the words are recognised first and then aligned; where a word
does not fit, the phone recogniser's own phones stand in. What was done, and why, is told in `PhoneTrack`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from aublend.speech import acoustic, spreading, synthesis
from aublend.speech.acoustic import AlignmentError, HeardPhone
from aublend.speech.audio import FLOOR_DB, LOUDNESS_HZ, RATE_HZ, Audio, loudness_db, relative_loudness
from aublend.speech.boundaries import SHIFTS, fine_alignment
from aublend.speech.decoys import decoy_fit, word_fit
from aublend.speech.denoising import denoised, is_noisy
from aublend.speech.music import tonal_share
from aublend.speech.phones import PHONE_INDEX, SILENCE, Phone, covering, phone_per_frame
from aublend.speech.text import guessed_pronunciation, spoken_words
from aublend.speech.visemes import group_of_phone

QUIET = {"delay": 2, "leave": False, "disable": None}
"""Progress bars appear after two seconds, on terminals."""
CHUNK_S = 20.0
"""Recognition works on pieces of about this length, cut where it is quietest."""
AGREEMENT, FIT = 0.42, -33.0
"""A transcript fits when its visemes agree with those heard without it in so many frames, and its score a frame
exceeds this (the mean of both decides): that is how a clear reader's own words do. What falls short is weighed against
decoys."""
DECOY_FIT = -16.0
"""Words in doubt are taken when their score, plus what they are ahead of their decoys, exceeds this. Right ones had -10
to 60 on seven synthetic voices, clean and at 15 dB of noise, wrong ones -22 and less; on four further voices one right
one in 112 fell short, and no wrong one passed."""
DOUBTFUL = (0.25, -42.0)
"""Recognised words with less than a fit may still be speech above these, when no notes are held."""
TONAL, SUNG, MUSIC = 0.03, 0.6, 0.25
"""Speech has no held notes. Where they take more of the loud frames than the first, words need the second as
confidence; beyond the third it is music."""
NO_SPEECH = "no speech recognised (music, noise, or another language): the mouth stays closed"
WORD_FIT = -25.0
"""A recognised word below this score a frame gives way to the phones heard without words."""
UNSAID_S = 0.4
"""Speech that a transcript may lack: 0.7 s for two words left out, 0.0 for whole sentences of four voices."""
UNSURE, UNSURE_FIT = 0.1, -36.0
"""Words between the second and DECOY_FIT are given the first as confidence: they are taken where nothing else is."""
BAD_WORD_FIT, BAD_WORD_BELOW = -40.0, 15.0
"""A word of a transcript below the first, and so far below the median word, was probably not said."""


@dataclass(frozen=True)
class PhoneTrack:
    """Phones that cover the audio, and where they come from."""

    phones: tuple[Phone, ...]
    duration_s: float
    source: str
    """alignment, recognition, synthesis, timing file, spread text, loudness, or none."""
    words: tuple[str, ...] = ()
    confidence: float = 1.0
    """0 to 1: how well the phones fit the audio, where it could be checked."""
    notes: tuple[str, ...] = ()
    """What the reader of the result must know: fallbacks taken, transcripts that do not fit, no speech found."""


def phone_track(audio: Audio, text: str | None = None) -> PhoneTrack:
    """The phones of a recording.

    Chain: silent audio gives silence; text is aligned; text that does not fit is said to be wrong, and recognition
    takes its place; no text means recognition; no speech recognised means a closed mouth. Without the acoustic model
    text is spread over what is loud, and without text the mouth opens with loudness: both are said to be poor.
    """
    if loudness_db(audio).max() < FLOOR_DB:
        return _nothing(audio, "the audio is silent: the mouth stays closed")
    words = spoken_words(text) if text is not None else []
    if not acoustic.available():
        note = "pocketsphinx is not installed: phone times are guesses from loudness (pip install pocketsphinx)"
        phones = spreading.spread_words(audio, words, pronunciations(words)) if words else spreading.loud_phones(audio)
        return PhoneTrack(phones, audio.duration_s, "spread text" if words else "loudness", tuple(words), 0.1, (note,))
    if is_noisy(audio):
        audio = denoised(audio)
    heard = _phone_loop(audio)
    if words:
        try:
            aligned = _aligned(audio, words, heard)
        except AlignmentError as error:
            aligned = PhoneTrack((), audio.duration_s, "alignment", tuple(words), 0.0, (str(error),))
        if aligned.confidence > UNSURE:
            return aligned
        found = _recognised(audio, heard)
        if found.source == "none" and aligned.confidence > 0 and tonal_share(audio) < TONAL:
            return replace(aligned, notes=("the transcript may not match the audio", *aligned.notes))
        said = f"; heard instead: {' '.join(found.words)[:200]!r}" if found.words else ""
        note = f"the transcript does not match the audio{said}"
        return replace(found, notes=(note, *found.notes), confidence=min(found.confidence, 0.5))
    return _recognised(audio, heard)


def _nothing(audio: Audio, note: str) -> PhoneTrack:
    return PhoneTrack(covering((), audio.duration_s), audio.duration_s, "none", (), 0.0, (note,))


def pronunciations(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Phones of every word: from the dictionary, else as espeak-ng says it where it is installed, else by rule."""
    return {word: _pronunciation(word) for word in dict.fromkeys(words)}


def _pronunciation(word: str) -> tuple[str, ...]:
    known = acoustic.pronunciation(word) if acoustic.available() else None
    if known is None and synthesis.available():
        try:
            known = tuple(p.symbol for p in synthesis.synthesise(word).phones if p.symbol != SILENCE)
        except synthesis.SynthesisError:
            known = None
    return known or guessed_pronunciation(word)


def _aligned(audio: Audio, words: list[str], heard: list[HeardPhone]) -> PhoneTrack:
    """The words laid over the audio; confidence 0 when they do not fit it."""
    unknown = pronunciations([word for word in words if not acoustic.known(word)])
    with tqdm(total=SHIFTS, desc="alignment", unit="pass", **QUIET) as bar:
        phones = fine_alignment(audio.samples, words, unknown, bar.update)
    confidence = _confidence(_agreement(phones, heard, audio.duration_s), word_fit(phones))
    if confidence == 0:
        ahead = word_fit(phones) - decoy_fit(audio.samples, words, pronunciations(words))
        score = word_fit(phones) + ahead
        confidence = float(np.clip(0.3 + (score - DECOY_FIT) / 200, 0.3, 0.6))
        confidence = confidence if score > DECOY_FIT else UNSURE if score > UNSURE_FIT else 0.0
    notes = [f"not in the dictionary, pronunciation guessed: {', '.join(unknown)}"] if unknown else []
    fits = _word_fits(phones, len(words))
    least = min(BAD_WORD_FIT, float(np.median(fits)) - BAD_WORD_BELOW)
    doubtful = [words[row] for row in np.flatnonzero(fits < least)]
    if doubtful and confidence > 0:
        notes.append(f"words that the audio hardly contains: {' '.join(doubtful)[:200]}")
    track = _track(phones, words, audio)
    unsaid_s = _unsaid_s(audio, track, heard)
    if unsaid_s > UNSAID_S and confidence > 0:
        notes.append(f"the transcript leaves out {unsaid_s:.1f} s of speech")
    return PhoneTrack(track, audio.duration_s, "alignment", tuple(words), confidence, tuple(notes))


def _unsaid_s(audio: Audio, track: tuple[Phone, ...], heard: list[HeardPhone]) -> float:
    """For how long speech is heard where the track has silence, s."""
    times = (np.arange(int(audio.duration_s * LOUDNESS_HZ)) + 0.5) / LOUDNESS_HZ
    said, spoken = (phone_per_frame(p, len(times), float(LOUDNESS_HZ)) > 0 for p in (track, _plain(heard)))
    loud = relative_loudness(audio, times) > spreading.LOUD
    return float((loud & spoken & ~said).sum() / LOUDNESS_HZ)


def _recognised(audio: Audio, heard: list[HeardPhone]) -> PhoneTrack:
    """Recognised words, aligned piece by piece; phones without words where the words do not fit."""
    tonal = tonal_share(audio)
    if tonal > MUSIC:
        return _nothing(audio, NO_SPEECH)
    words: list[str] = []
    phones: list[HeardPhone] = []
    pieces = _pieces(audio)
    for start, end in tqdm(pieces, desc="recognition", unit="piece", **QUIET):
        samples = audio.samples[round(start * RATE_HZ) : round(end * RATE_HZ)]
        found = [word.text for word in acoustic.recognise(samples)]
        if not found:
            continue
        try:
            piece = fine_alignment(samples, found, {})
        except AlignmentError:
            continue
        phones += [
            replace(p, start_s=p.start_s + start, end_s=p.end_s + start, word=p.word + len(words) * (p.word >= 0))
            for p in piece
        ]
        words += found
    if not phones:
        return _nothing(audio, NO_SPEECH)
    agreement, fit = _agreement(phones, heard, audio.duration_s), word_fit(phones)
    confidence = _confidence(agreement, fit)
    if confidence == 0 and agreement > DOUBTFUL[0] and fit > DOUBTFUL[1] and tonal < TONAL:
        confidence = 0.15  # a voice, but a hard one: poor words still give better lips than none
    if tonal > TONAL and confidence < SUNG:
        confidence = 0.0
    if confidence == 0:
        return _nothing(audio, NO_SPEECH)
    mixed = _with_loop(phones, heard)
    note = "no transcript: words were recognised, and some will be wrong"
    track = _track(mixed, words, audio)
    return PhoneTrack(track, audio.duration_s, "recognition", tuple(words), 0.8 * confidence, (note,))


def _phone_loop(audio: Audio) -> list[HeardPhone]:
    """Phones heard without words, over the whole recording."""
    heard: list[HeardPhone] = []
    for start, end in tqdm(_pieces(audio), desc="listening", unit="piece", **QUIET):
        samples = audio.samples[round(start * RATE_HZ) : round(end * RATE_HZ)]
        heard += [replace(p, start_s=p.start_s + start, end_s=p.end_s + start) for p in acoustic.phone_loop(samples)]
    return heard


def _pieces(audio: Audio) -> list[tuple[float, float]]:
    """The recording in pieces of at most CHUNK_S, cut at the quietest moment of each one's second half."""
    level = loudness_db(audio)
    pieces, start = [], 0.0
    while audio.duration_s - start > CHUNK_S:
        low, high = round((start + CHUNK_S / 2) * LOUDNESS_HZ), round((start + CHUNK_S) * LOUDNESS_HZ)
        smooth = np.convolve(level[low:high], np.ones(20) / 20, mode="same")
        cut = (low + 10 + int(np.argmin(smooth[10:-10]))) / LOUDNESS_HZ
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, audio.duration_s)]


def _with_loop(phones: list[HeardPhone], heard: list[HeardPhone]) -> list[HeardPhone]:
    """Words that fit badly are replaced by the phones heard in their span without them."""
    fits = _word_fits(phones, 1 + max(p.word for p in phones))
    mixed = [p for p in phones if p.word < 0 or fits[p.word] >= WORD_FIT]
    for word in np.flatnonzero(fits < WORD_FIT):
        own = [p for p in phones if p.word == word]
        for p in heard:
            start, end = max(p.start_s, own[0].start_s), min(p.end_s, own[-1].end_s)
            if end - start > 0.015:
                mixed.append(
                    replace(p, start_s=start, end_s=end, word=int(word), score=fits[word] * 100 * (end - start))
                )
    return sorted(mixed, key=lambda p: p.start_s)


def _agreement(phones: list[HeardPhone], heard: list[HeardPhone], duration_s: float) -> float:
    """Share of the frames with speech in either in which both have the same viseme group."""
    groups = group_of_phone()
    count = int(duration_s * 100)
    one, other = (phone_per_frame(_plain(track), count, 100.0) for track in (phones, heard))
    spoken = (one > 0) | (other > 0)
    return float((groups[one] == groups[other])[spoken].mean()) if spoken.any() else 0.0


def _word_fits(phones: list[HeardPhone], n_words: int) -> Float[np.ndarray, " words"]:
    """Acoustic score a frame of each word."""
    score, frames = np.zeros(n_words), np.full(n_words, 1e-6)
    for p in phones:
        if p.word >= 0:
            score[p.word] += p.score
            frames[p.word] += 100 * (p.end_s - p.start_s)
    return score / np.maximum(frames, 1.0)


def _confidence(agreement: float, fit: float) -> float:
    """0 where the words do not fit the audio; else from both measures, 1 for clean speech."""
    margin = (agreement - AGREEMENT) / AGREEMENT + (fit - FIT) / -FIT
    if margin < 0 or agreement < 0.6 * AGREEMENT or fit < 2 * FIT:
        return 0.0
    return float(np.clip(0.3 + 0.5 * margin, 0, 1))


def _track(phones: list[HeardPhone], words: list[str], audio: Audio) -> tuple[Phone, ...]:
    """Phones of the acoustic model as a partition of the time line, with words, stress and confidence."""
    fits = _word_fits(phones, len(words))
    certain = np.clip((fits - BAD_WORD_FIT) / 25.0, 0, 1)
    own = [
        Phone(
            p.symbol,
            max(p.start_s, 0.0),
            max(p.end_s, 0.0),
            words[p.word] if p.word >= 0 else "",
            confidence=float(certain[p.word]) if p.word >= 0 else 1.0,
        )
        for p in phones
        if p.symbol != SILENCE
    ]
    return covering(own, audio.duration_s)


def _plain(phones: list[HeardPhone]) -> list[Phone]:
    return [Phone(p.symbol, max(p.start_s, 0.0), max(p.end_s, 0.0)) for p in phones if p.symbol in PHONE_INDEX]
