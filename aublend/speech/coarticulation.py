"""Coarticulation: each sound pulls the face towards its viseme by its dominance, which fades with distance in time.

Cohen & Massaro (1993): the face at time t is the mean of all targets weighted by dominance,
f(t) = sum_s D_s(t) T_s / sum_s D_s(t). Lips and jaw have dominances of their own, as JALI (Edwards et al. 2016) keeps
them apart; loudness and stress scale how far jaw and lips go (louder is wider), never whether lips close.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from aublend.speech.phones import PHONE_INDEX, SILENCE, VOWELS, Phone
from aublend.speech.visemes import JAW_UNITS, Viseme, visemes
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS

REACH_S = 0.45
"""Beyond this a sound has no hold on the face."""
FADE_S = {"before": 0.055, "after": 0.065}
"""Width of the fall of dominance before and after a sound; lips let go a little more slowly than they gather."""
SILENCE_FADE_S = 0.10
CORE_SHARE = 0.5
"""The middle part of a sound that has its full dominance."""
SMOOTH_S = 0.012
"""Width of the last smoothing: it bounds the jerk, and takes 1 to 3 % off the peaks of syllables."""
FLOOR = 1e-4
LIP_ONLY = np.array([name not in JAW_UNITS for name in AU_NAMES])


def articulation(
    phones: Sequence[Phone],
    targets: Float[np.ndarray, "phones A"],
    loudness: Float[np.ndarray, " T"],
    fps: float,
    style: float = 1.0,
) -> Float[np.ndarray, "T A"]:
    """Unit weights of every frame, before lips are sealed.

    Args:
        phones: a partition of the time line, silence included.
        targets: unit weights of each phone on the rig (`rig_targets`).
        loudness: 0 to 1.3 per frame, 1 at the recording's own speech level.
        style: how strongly the speaker articulates; 1 is normal, 0.5 a mumble.
    """
    n_frames = len(loudness)
    times = (np.arange(n_frames) + 0.5) / fps
    table = visemes()
    total = {True: np.zeros((n_frames, N_UNITS)), False: np.zeros((n_frames, N_UNITS))}
    weight = {True: np.full(n_frames, FLOOR), False: np.full(n_frames, FLOOR)}
    for phone in phones:
        viseme = table[phone.symbol]
        first = int(max((phone.start_s - REACH_S) * fps, 0))
        last = int(min((phone.end_s + REACH_S) * fps + 1, n_frames))
        if last <= first:
            continue
        here = times[first:last]
        target = _moving_target(phone, viseme, targets, here)
        gain = _gain(phone, viseme, loudness, fps) * style
        for is_lip in (True, False):
            strength = viseme.lip_dominance if is_lip else viseme.jaw_dominance
            dominance = strength * _hold(phone, here, viseme.lead_s if is_lip else 0.0)
            total[is_lip][first:last] += dominance[:, None] * target * gain
            weight[is_lip][first:last] += dominance
    lips, jaw = (total[is_lip] / weight[is_lip][:, None] for is_lip in (True, False))
    weights = np.where(LIP_ONLY, lips, jaw)
    return gaussian_filter1d(weights, SMOOTH_S * fps, axis=0, mode="nearest")


def _hold(phone: Phone, times: Float[np.ndarray, " T"], lead_s: float) -> Float[np.ndarray, " T"]:
    """Dominance of a sound over time, 0 to 1: full in its core, a Gaussian fall around it."""
    margin = (1 - CORE_SHARE) / 2 * phone.duration_s
    before = np.maximum(phone.start_s + margin - lead_s - times, 0)
    after = np.maximum(times - (phone.end_s - margin), 0)
    fade = SILENCE_FADE_S if phone.symbol == SILENCE else 0.0
    width_before = max(FADE_S["before"], fade) + margin
    width_after = max(FADE_S["after"], fade) + margin
    return np.exp(-((before / width_before) ** 2) - (after / width_after) ** 2)


def _moving_target(phone: Phone, viseme: Viseme, targets: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The sound's target over time: diphthongs glide over their second half."""
    start = targets[PHONE_INDEX[phone.symbol]]
    if not viseme.glide:
        return start[None]
    end = start + viseme.glide_share * (targets[PHONE_INDEX[viseme.glide]] - start)
    t = np.clip((times - phone.start_s) / max(phone.duration_s, 1e-3) * 1.6 - 0.5, 0, 1)
    share = (t * t * (3 - 2 * t))[:, None]
    return start + share * (end - start)


def _gain(phone: Phone, viseme: Viseme, loudness: np.ndarray, fps: float) -> Float[np.ndarray, " A"]:
    """How far the target is taken: the jaw follows loudness most, the lips less; stressed vowels go further."""
    if phone.symbol not in VOWELS:
        return np.ones(N_UNITS)
    middle = int(np.clip((phone.start_s + phone.end_s) / 2 * fps, 0, len(loudness) - 1))
    loud = float(loudness[middle])
    stress = {1: 1.05, 2: 1.0, 0: 0.96}[phone.stress]
    jaw = np.clip((0.45 + 0.55 * loud) * stress, 0.4, 1.25)
    lip = np.clip((0.75 + 0.25 * loud) * stress, 0.65, 1.1)
    gain = np.where(LIP_ONLY, lip, jaw)
    gain[AU_INDEX["AU25"]] = (jaw + lip) / 2
    return gain
