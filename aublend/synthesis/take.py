"""One take: the weights of all unit halves at every frame, its onset, apex and offset, and what it shows in words."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from aublend.captions import face_caption
from aublend.curves import half_weights, neutral_apex_neutral
from aublend.emotions import sample_emotion_weights
from aublend.synthesis.plan import ExpressionPlan, Span
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.specs import load_toml

STRAY_WEIGHT = (0.08, 0.3)
BLINK_S = 0.24
"""A spontaneous blink: lids down and up again."""
UNSIDED = ("AU30L", "AU30R", "AU61", "AU62", "AU63", "AU64")
"""Units whose two halves always move together: jaw and gaze."""
Kind = Literal["still", "sequence"]


@dataclass(frozen=True)
class Take:
    """What one person shows once."""

    expression: str
    halves: Float[np.ndarray, "T 2 A"]
    """Exact weights of the subject's left (0) and right (1) half of each unit, at every frame."""
    intensity: float
    """Of the expression at its apex; 0 for neutral."""
    onset: int | None
    """First frame that moves; None where nothing does, and in a still."""
    apex: int | None
    """First frame at full intensity."""
    offset: int | None
    """Last frame before the face is at rest again."""
    caption: str


def perform(plan: ExpressionPlan, identity: int, expression: str, kind: Kind, number: int) -> Take:
    """The take of that number; the same for the same arguments.

    Args:
        number: from 0, among the takes of that kind of the person's expression.
    """
    rng = take_rng(plan, identity, expression, kind, number)
    intensity = 0.0 if expression == "neutral" else float(rng.uniform(*plan.intensity))
    apex = _apex(plan, expression, intensity, rng)
    if kind == "still":
        return Take(expression, apex[None], intensity, None, None, None, caption_of(expression, apex))
    halves, envelope = unfolded(plan, apex, rng)
    if intensity > 0 or apex.any():
        moving = np.flatnonzero(envelope > 1e-6)
        onset, top, offset = int(moving[0]), int(envelope.argmax()), int(moving[-1])
    else:
        onset = top = offset = None
    return Take(expression, halves, intensity, onset, top, offset, caption_of(expression, apex))


def unfolded(
    plan: ExpressionPlan, apex: Float[np.ndarray, "2 A"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "T 2 A"], Float[np.ndarray, " T"]]:
    """Any apex as a take in time: rest, rise, hold, fall, rest, units a little apart, blinks over it.

    Returns:
        Weights at every frame, and how far the expression is shown there, 0 to 1.
    """
    envelope = _envelope(plan, rng)
    time = np.arange(len(envelope)) / plan.fps
    lags = plan.lag_s * np.clip(rng.standard_normal(N_UNITS), -2, 2)
    halves = np.stack([np.interp(time - lag, time, envelope) for lag in lags], axis=1)[:, None, :] * apex
    blink = _blinks(plan, time, rng)
    halves[:, :, AU_INDEX["AU45"]] = np.maximum(halves[:, :, AU_INDEX["AU45"]], blink[:, None])
    halves[:, :, AU_INDEX["AU5"]] *= 1 - blink[:, None]
    return halves, envelope


def take_rng(plan: ExpressionPlan, identity: int, expression: str, kind: str, number: int) -> np.random.Generator:
    """The chance of one take, whatever else is synthesised and in which order."""
    return np.random.default_rng(
        [plan.seed, identity, EXPRESSIONS.index(expression), ("still", "sequence", "scan").index(kind), number]
    )


def caption_of(expression: str, apex: Float[np.ndarray, "2 A"]) -> str:
    """The expression, and what the face does at its apex."""
    return f"{expression}: {face_caption(apex)}"


def unit_labels(halves: Float[np.ndarray, "2 A"]) -> dict[str, float]:
    """Weights by name: AU12 (the stronger half) and AU12L, AU12R; jaw and gaze without halves."""
    labels: dict[str, float] = {}
    for index, name in enumerate(AU_NAMES):
        left, right = (round(float(weight), 5) for weight in halves[:, index])
        labels[name] = max(left, right)
        if name not in UNSIDED:
            labels |= {f"{name}L": left, f"{name}R": right}
    return labels


def _apex(
    plan: ExpressionPlan, expression: str, intensity: float, rng: np.random.Generator
) -> Float[np.ndarray, "2 A"]:
    """The expression's units, and weak ones that have nothing to do with it but can go with them."""
    halves = np.zeros((2, N_UNITS))
    if expression != "neutral":
        drawn = sample_emotion_weights(
            expression, intensity, rng, co_occurrence=plan.co_occurrence, asymmetry=plan.asymmetry
        )
        halves = np.clip(half_weights(drawn), 0, 1)
    for chance in (plan.stray, plan.stray**2):
        free = _compatible(halves)
        if rng.random() >= chance or not free:
            continue
        row = AU_INDEX[free[int(rng.integers(len(free)))]]
        tilt = rng.normal(0, plan.asymmetry) if AU_NAMES[row] not in UNSIDED else 0.0
        halves[:, row] = np.clip(rng.uniform(*STRAY_WEIGHT) * np.array([1 + tilt, 1 - tilt]), 0, 1)
    return halves


def _compatible(halves: Float[np.ndarray, "2 A"]) -> list[str]:
    """Units at rest that can go with all active ones."""
    active = {name for name, weight in zip(AU_NAMES, halves.max(axis=0), strict=True) if weight > 0}
    barred = {b for pair in load_toml("antagonists")["pairs"] for a, b in (pair, pair[::-1]) if a in active}
    return [name for name in AU_NAMES if name not in active | barred]


def _envelope(plan: ExpressionPlan, rng: np.random.Generator) -> Float[np.ndarray, " T"]:
    """Rest, rise, hold, fall, rest, in durations of this take; 0 to 1, reaching both."""

    def drawn(span: Span) -> float:
        return float(rng.uniform(*span))

    rest, onset, hold, offset = (drawn(span) for span in (plan.rest_s, plan.onset_s, plan.hold_s, plan.offset_s))
    curves = neutral_apex_neutral({"AU1": 1.0}, plan.fps, onset, hold, offset, rest)
    envelope = curves.weights[:, 0]
    return envelope / max(float(envelope.max()), 1e-9)


def _blinks(plan: ExpressionPlan, time: Float[np.ndarray, " T"], rng: np.random.Generator) -> Float[np.ndarray, " T"]:
    """How closed blinks hold the lids: 0 to 1, twice as fast down as up."""
    closed = np.zeros(len(time))
    for _ in range(int(rng.poisson(plan.blinks_per_s * float(time[-1])))):
        start = rng.uniform(0, time[-1])
        t = (time - start) / BLINK_S
        closed = np.maximum(closed, np.clip(np.minimum(3 * t, 1.5 * (1 - t)), 0, 1))
    return closed
