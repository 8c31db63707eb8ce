"""How well a face speaks: measures of phones against known phone times, and of lips on the driven mesh."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.speech.audio import Audio, loudness_db
from aublend.speech.lips import Lips
from aublend.speech.phones import BILABIALS, LABIODENTALS, SILENCE, VOWELS, Phone, phone_per_frame
from aublend.speech.sealing import TOUCH_MM
from aublend.speech.visemes import group_of_phone
from aublend.units import AU_INDEX

TOLERANCE_S = 0.03
ACCURACY_HZ = 100.0
LONGEST_LAG_S = 0.3


@dataclass(frozen=True)
class PhoneScores:
    """A phone track against the truth."""

    accuracy: float
    """Share of the frames with speech whose viseme group is right."""
    onset_ms: Float[np.ndarray, " N"]
    """Errors of the onsets of phones that both tracks have in order; positive where the track is late."""
    bilabials: int
    found: int
    """True bilabial runs that the track has within TOLERANCE_S."""
    claimed: int
    false: int
    """Bilabial runs of the track that the truth lacks."""


@dataclass(frozen=True)
class LipScores:
    """The driven mesh against the truth."""

    closures: int
    closed: int
    """True bilabial runs during which the lips touch on the mesh, within TOLERANCE_S."""
    touches: int
    false_touches: int
    """Stretches of touching lips, within speech, that no true bilabial explains."""
    vowels: int
    shut_vowels: int
    """True vowels during whose middle half the lips touch, though no bilabial is near."""
    labiodentals: int
    bitten: int
    """True /f v/ runs during which the lower lip covers the edge of the upper teeth."""
    teeth_mm: Float[np.ndarray, " labiodentals"]
    """Least distance of the lower lip from the edge of the upper teeth in each of them."""
    jitter: float
    """Median absolute third difference of the middle gap, mm a frame cubed."""
    lag_ms: float
    """Delay of mouth opening behind loudness, by cross-correlation; negative where the mouth is ahead."""


def runs_of(phones: Sequence[Phone], wanted: frozenset[str]) -> list[tuple[float, float]]:
    """Spans of the wanted phones; neighbours are one."""
    spans: list[tuple[float, float]] = []
    for phone in sorted((p for p in phones if p.symbol in wanted), key=lambda p: p.start_s):
        if spans and phone.start_s - spans[-1][1] < 1e-3:
            spans[-1] = (spans[-1][0], phone.end_s)
        else:
            spans.append((phone.start_s, phone.end_s))
    return spans


def score_phones(truth: Sequence[Phone], track: Sequence[Phone], duration_s: float) -> PhoneScores:
    """Compare a phone track with known phone times."""
    count, groups = int(duration_s * ACCURACY_HZ), group_of_phone()
    one, other = (phone_per_frame(phones, count, ACCURACY_HZ) for phones in (truth, track))
    spoken = one > 0
    accuracy = float((groups[one] == groups[other])[spoken].mean()) if spoken.any() else 0.0
    there, here = runs_of(truth, BILABIALS), runs_of(track, BILABIALS)
    found = sum(any(_near(span, run) for run in here) for span in there)
    false = sum(not any(_near(span, run) for run in there) for span in here)
    return PhoneScores(accuracy, _onset_errors_ms(truth, track), len(there), found, len(here), false)


def score_lips(
    lips: Lips, halves: Float[np.ndarray, "T 2 A"], fps: float, truth: Sequence[Phone], audio: Audio
) -> LipScores:
    """Measure contacts on the rig itself."""
    times = (np.arange(len(halves)) + 0.5) / fps
    touching = lips.parting(halves).max(axis=1) <= TOUCH_MM
    closures = runs_of(truth, BILABIALS)
    bites, covering = runs_of(truth, LABIODENTALS), lips.teeth_uncovered(halves) <= TOUCH_MM
    to_teeth = lips.teeth_distance(halves)
    speech = [p for p in truth if p.symbol != SILENCE]
    begin, end = (speech[0].start_s, speech[-1].end_s) if speech else (0.0, 0.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], touching.astype(int), [0]]))).reshape(-1, 2)
    silent = [(p.start_s, p.end_s) for p in truth if p.symbol == SILENCE]
    touches = [(float(times[a]), float(times[b - 1])) for a, b in edges if times[a] < end and times[b - 1] > begin]
    touches = [span for span in touches if not any(_near(span, run) for run in silent)]
    vowels = [p for p in truth if p.symbol in VOWELS]
    shut = 0
    for p in vowels:
        quarter = p.duration_s / 4
        middle = (times >= p.start_s + quarter) & (times <= p.end_s - quarter)
        shut += bool(middle.any() and touching[middle].all())
    gap = lips.gaps(halves)[:, lips.middle]
    return LipScores(
        closures=len(closures),
        closed=sum(bool(_during(touching, times, span).any()) for span in closures),
        touches=len(touches),
        false_touches=sum(not any(_near(span, run) for run in closures) for span in touches),
        vowels=len(vowels),
        shut_vowels=shut,
        labiodentals=len(bites),
        bitten=sum(bool((covering & (gap > -lips.scale))[_mask(times, span)].any()) for span in bites),
        teeth_mm=np.array([_during(to_teeth, times, span).min(initial=np.inf) for span in bites]),
        jitter=float(np.median(np.abs(np.diff(gap, 3)))) if len(gap) > 3 else 0.0,
        lag_ms=1000 * opening_lag_s(gap, fps, audio),
    )


def opening_lag_s(gap: Float[np.ndarray, " T"], fps: float, audio: Audio) -> float:
    """Delay of the mouth's opening behind loudness that correlates best, s."""
    level = np.maximum(loudness_db(audio), -50.0)
    times = (np.arange(len(gap)) + 0.5) / fps
    loud = np.interp(times, (np.arange(len(level)) + 0.5) / 100.0, level)
    a, b = gap - gap.mean(), loud - loud.mean()
    most = int(LONGEST_LAG_S * fps)
    lags = np.arange(-most, most + 1)
    score = [np.dot(a[max(k, 0) : len(a) + min(k, 0)], b[max(-k, 0) : len(b) + min(-k, 0)]) for k in lags]
    return float(lags[int(np.argmax(score))] / fps)


def jerk_peak(curve: Float[np.ndarray, " T"], fps: float) -> float:
    """Largest third derivative of a curve, per second cubed."""
    return float(np.abs(np.diff(curve, 3)).max(initial=0.0) * fps**3)


def jaw(halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, " T"]:
    """The jaw's opening as weights: AU26 plus what AU27 adds."""
    return halves[:, :, [AU_INDEX["AU26"], AU_INDEX["AU27"]]].mean(axis=1).sum(axis=1)


def _near(span: tuple[float, float], run: tuple[float, float]) -> bool:
    return bool(run[0] < span[1] + TOLERANCE_S and run[1] > span[0] - TOLERANCE_S)


def _mask(times: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return (times > span[0] - TOLERANCE_S) & (times < span[1] + TOLERANCE_S)


def _during(values: np.ndarray, times: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return values[_mask(times, span)]


def _onset_errors_ms(truth: Sequence[Phone], track: Sequence[Phone]) -> np.ndarray:
    """Onset errors of the longest common blocks of both phone sequences, silence left out."""
    from difflib import SequenceMatcher

    one = [p for p in truth if p.symbol != SILENCE]
    other = [p for p in track if p.symbol != SILENCE]
    matcher = SequenceMatcher(None, [p.symbol for p in one], [p.symbol for p in other], autojunk=False)
    pairs = [(b.a + k, b.b + k) for b in matcher.get_matching_blocks() for k in range(b.size)]
    return np.array([1000 * (other[j].start_s - one[i].start_s) for i, j in pairs], float)
