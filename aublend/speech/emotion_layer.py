"""Emotion under speech: an additive layer that leaves the mouth able to speak.

Brows, lids, cheeks and nose show the emotion in full; units of the lips in part; units that open the mouth belong to
speech while it lasts, and to the emotion in pauses. Lips are sealed after this layer, so that closures hold.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from aublend.curves import half_weights
from aublend.emotion_pad import pad_weights
from aublend.emotions import emotion_weights
from aublend.speech.phones import SILENCE, Phone
from aublend.units import ACTION_UNITS, AU_INDEX, N_UNITS
from mesh4d.errors import MeshError

Emotion = str | tuple[float, float] | Mapping[str, float]

LIP_SHARE = 0.6
"""Of lip units while speaking."""
OPENERS = {"AU25": 0.15, "AU26": 0.15, "AU27": 0.0, "AU16": 0.3, "AU24": 0.2, "AU28": 0.0, "AU17": 0.4, "AU23": 0.4}
"""Share of the units that speech needs for itself, while speaking."""
PAUSE_SHARE = 0.5
"""Of the openers, in pauses: a mouth that waits is less open than a face that poses."""
SETTLE_S = 0.18
"""Width of the change between speaking and pausing."""
RISE_S = 0.5
"""The emotion comes up over this time at the start, from half of it."""


def emotion_halves(emotion: Emotion, intensity: float) -> Float[np.ndarray, "2 A"]:
    """Unit weights of an emotion by name, by its place on the valence/arousal pad, or by units.

    Raises:
        MeshError: for an unknown emotion, an intensity outside 0 to 1, or a place off the pad.
    """
    if not 0 <= intensity <= 1:
        raise MeshError(f"intensity must be 0 to 1, found {intensity}")
    if isinstance(emotion, str):
        return half_weights(emotion_weights(emotion, intensity))
    if isinstance(emotion, Mapping):
        return half_weights({name: weight * intensity for name, weight in emotion.items()})
    valence, arousal = emotion
    return half_weights(pad_weights(valence * intensity, arousal * intensity))


def with_emotion(
    halves: Float[np.ndarray, "T 2 A"],
    emotion: Float[np.ndarray, "2 A"],
    phones: Sequence[Phone],
    loudness: Float[np.ndarray, " T"],
    fps: float,
) -> Float[np.ndarray, "T 2 A"]:
    """Speech plus emotion, within 0 to 1 where both are."""
    times = (np.arange(len(halves)) + 0.5) / fps
    speaking = np.zeros(len(halves))
    for phone in phones:
        if phone.symbol != SILENCE:
            speaking[(times >= phone.start_s) & (times < phone.end_s)] = 1.0
    speaking = gaussian_filter1d(speaking, SETTLE_S * fps, mode="nearest")
    rise = np.clip(times / RISE_S, 0, 1)
    level = (0.5 + 0.5 * rise * rise * (3 - 2 * rise)) * (
        0.9 + 0.1 * gaussian_filter1d(np.clip(loudness, 0, 1), 0.4 * fps, mode="nearest")
    )
    share = _speaking_share()
    pause = np.where([unit.name in OPENERS for unit in ACTION_UNITS], PAUSE_SHARE, 1.0)
    shown = level[:, None] * (speaking[:, None] * share + (1 - speaking[:, None]) * pause)
    return np.clip(halves + shown[:, None, :] * emotion, 0, 1)


def _speaking_share() -> Float[np.ndarray, " A"]:
    share = np.ones(N_UNITS)
    for unit in ACTION_UNITS:
        if unit.region in ("lip", "jaw"):
            share[AU_INDEX[unit.name]] = LIP_SHARE
    for name, value in OPENERS.items():
        share[AU_INDEX[name]] = value
    return share
