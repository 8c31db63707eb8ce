"""What a face does besides its mouth while it speaks: blinks, raised brows and nods on accents, glances.

All of it is drawn from one seeded generator. Rates are those of people in conversation: 15 to 20 blinks a minute
(Bentivoglio et al. 1997), more often in pauses and at the ends of phrases; brows and head mark pitch and energy accents
(Cave et al. 1996); gaze shifts last 40 to 60 ms and come about every two seconds, away at the start of an utterance.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from aublend.speech.phones import SILENCE, VOWELS, Phone
from aublend.units import AU_INDEX, N_UNITS

BLINK_MEAN_S, BLINK_SHAPE, BLINK_LEAST_S = 3.4, 3.0, 0.9
BLINK_CLOSE_S, BLINK_HOLD_S, BLINK_OPEN_S = 0.085, 0.03, 0.17
PAUSE_S = 0.18
"""Silence this long draws a blink towards itself."""
NEAR_PAUSE_S = 0.8
BROW = {"AU1": 0.3, "AU2": 0.25}
BROW_RISE_S, BROW_HOLD_S, BROW_FALL_S = 0.16, 0.10, 0.32
ACCENT_APART_S = 1.3
NOD_DEG = 3.0
GAZE_MEAN_S, GAZE_MOVE_S = 2.2, 0.05
GAZE_SPREAD = 0.10
"""Standard deviation of the gaze's direction, as a weight of AU61 to AU64."""


def gestures(
    phones: Sequence[Phone], loudness: Float[np.ndarray, " T"], fps: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "T A"], Float[np.ndarray, "T 3"]]:
    """Unit weights of brows, lids and eyes, and the head's turn (pitch, yaw, roll in degrees), per frame.

    Convention: pitch > 0 nods down, yaw > 0 turns to the subject's left, roll > 0 tilts to the subject's left.
    """
    weights = np.zeros((len(loudness), N_UNITS))
    times = (np.arange(len(loudness)) + 0.5) / fps
    duration = len(loudness) / fps
    for start in blink_times(phones, duration, rng):
        pulse = _pulse(times, start, BLINK_CLOSE_S, BLINK_HOLD_S, BLINK_OPEN_S)
        weights[:, AU_INDEX["AU45"]] = np.maximum(weights[:, AU_INDEX["AU45"]], pulse)
    head = _sway(times, rng)
    for start, strength in accents(phones, loudness, fps):
        size = strength * rng.uniform(0.6, 1.2)
        if rng.random() < 0.7:
            pulse = _pulse(times, start - BROW_RISE_S, BROW_RISE_S, BROW_HOLD_S, BROW_FALL_S)
            for unit, weight in BROW.items():
                weights[:, AU_INDEX[unit]] = np.maximum(weights[:, AU_INDEX[unit]], size * weight * pulse)
        head[:, 0] += size * NOD_DEG * _pulse(times, start - 0.1, 0.18, 0.02, 0.3)
    _glances(weights, times, duration, rng)
    return weights, head


def blink_times(phones: Sequence[Phone], duration_s: float, rng: np.random.Generator) -> list[float]:
    """When the lids begin to close: gamma-distributed intervals, each drawn to a pause nearby where there is one."""
    pauses = [p.start_s + 0.05 for p in phones if p.symbol == SILENCE and p.duration_s >= PAUSE_S]
    found, now = [], float(rng.uniform(0.2, 2.0))
    while now < duration_s - 0.3:
        near = [t for t in pauses if abs(t - now) < NEAR_PAUSE_S and (not found or t - found[-1] > BLINK_LEAST_S)]
        if near:
            now = min(near, key=lambda t: abs(t - now))
        found.append(now)
        now += max(BLINK_LEAST_S, float(rng.gamma(BLINK_SHAPE, BLINK_MEAN_S / BLINK_SHAPE)))
    return found


def accents(phones: Sequence[Phone], loudness: Float[np.ndarray, " T"], fps: float) -> list[tuple[float, float]]:
    """Prosodic peaks: vowels that are louder and longer than their surroundings; (time, strength 0 to 1)."""
    vowels = [p for p in phones if p.symbol in VOWELS]
    if not vowels:
        return []
    last = len(loudness) - 1
    energy = np.array([loudness[int(np.clip((p.start_s + p.end_s) / 2 * fps, 0, last))] for p in vowels])
    length = np.array([p.duration_s for p in vowels])
    prominence = energy * np.sqrt(np.clip(length / np.median(length), 0.3, 3.0))
    chosen: list[tuple[float, float]] = []
    for row in np.argsort(-prominence, kind="stable"):
        middle = (vowels[row].start_s + vowels[row].end_s) / 2
        if prominence[row] < 1.05 * np.median(prominence):
            break
        if all(abs(middle - t) > ACCENT_APART_S for t, _ in chosen):
            chosen.append((middle, float(np.clip(prominence[row] / prominence.max(), 0, 1))))
    return sorted(chosen)


def _glances(weights: np.ndarray, times: np.ndarray, duration: float, rng: np.random.Generator) -> None:
    """Gaze jumps from point to point around the viewer (in place)."""
    yaw, pitch = np.zeros(len(times)), np.zeros(len(times))
    now = float(rng.gamma(2.0, GAZE_MEAN_S / 2))
    aim = np.zeros(2)
    while now < duration:
        away = rng.random() < 0.35
        target = rng.normal(0, GAZE_SPREAD, 2) * (1, 0.6) if away else rng.normal(0, 0.02, 2)
        t = np.clip((times - now) / GAZE_MOVE_S, 0, 1)
        step = t * t * (3 - 2 * t)
        yaw += step * (target[0] - aim[0])
        pitch += step * (target[1] - aim[1])
        aim = target
        now += 0.25 + float(rng.gamma(2.0, GAZE_MEAN_S / 2)) * (0.5 if away else 1.0)
    for unit, values in (("AU61", yaw), ("AU62", -yaw), ("AU63", pitch), ("AU64", -pitch)):
        weights[:, AU_INDEX[unit]] = np.clip(values, 0, 1)


def _sway(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slow, small head motion: a few sines of incommensurate periods."""
    head = np.zeros((len(times), 3))
    for axis, size in enumerate((0.8, 1.5, 0.7)):
        for period in (2.3, 3.7, 6.1):
            head[:, axis] += size / 3 * np.sin(2 * np.pi * (times / period + rng.random()))
    return head


def _pulse(times: np.ndarray, start: float, rise: float, hold: float, fall: float) -> np.ndarray:
    """0 to 1 and back, with zero velocity at each end."""
    up = np.clip((times - start) / rise, 0, 1)
    down = np.clip((times - start - rise - hold) / fall, 0, 1)
    return up * up * (3 - 2 * up) * (1 - down * down * (3 - 2 * down))
