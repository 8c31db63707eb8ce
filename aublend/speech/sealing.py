"""Contacts: lips meet on /m b p/, the lower lip meets the upper teeth on /f v/, on the rig's own geometry.

Coarticulated weights say where the lips would like to be; whether they touch is a matter of millimetres, and of this
head. For every contact the nearest pose that touches is solved on the rig's lip columns, and the animation passes
through that pose for as long as the sound lasts. Contacts come last, after emotions: whatever else the face does,
closures hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import lsq_linear

from aublend.speech.lips import Lips
from aublend.speech.phones import Phone
from aublend.speech.visemes import Contact, visemes
from aublend.units import AU_INDEX

PRESS_MM = 0.15
"""Lips are pressed together by this much beyond touching."""
SQUEEZE_MM = 1.5
"""More than this is pressed only when nothing else will do."""
TOUCH_MM = 0.5
"""Lips nearer than this touch."""
TEETH_SHOW_MM, SHOWN_SHARE = 1.5, 0.4
"""On /f v/ the upper lip stands this far off the lower one, in so much of the mouth's width: the teeth show."""
BITE_MM = 0.3
"""The lower lip's edge reaches this far above the edge of the upper teeth."""
IN_DEPTH, SHOWING = 0.25, 0.7
"""Weights of the lip's distance before the teeth and of hidden teeth, against the height of the lip's edge."""
ATTACK_S, RELEASE_S = 0.095, 0.085
"""Time from the neighbouring sound's pose into the contact, and out of it; lips move at 0.1 to 0.25 m/s at most."""
QUICKEST_S = 0.06
"""... at least, however short the neighbouring sound: three to four frames at 60 fps, else lips would pop."""
SHORTEST_S = 0.045
"""A contact lasts at least this long: two frames at 60 fps and to spare."""
KEPT = {
    "lips": {"AU25": 0.0, "AU16": 0.0, "AU10": 0.0, "AU27": 0.0, "AU22": 0.2, "AU20": 0.5, "AU9": 0.5},
    "teeth": {"AU27": 0.0, "AU22": 0.2, "AU18": 0.3, "AU16": 0.0, "AU20": 0.5, "AU23": 0.0, "AU24": 0.0},
}
"""How much of each unit that works against a contact is left before the pose is solved."""
HELPERS = {
    "lips": {"AU26": (1.0, 0.1), "AU24": (0.4, 0.8), "AU17": (0.5, 0.8), "AU23": (0.5, 2.0), "AU28": (0.4, 3.0)},
    "teeth": {"AU26": (0.3, 0.1), "AU28": (0.65, 0.3), "AU17": (0.5, 0.4), "AU10": (0.7, 0.4), "AU25": (0.3, 0.4)},
}
"""Units that make a contact: the most that may be used of each, and what its full weight costs in mm of gap.

Units that change the look of the lips cost most. On closing lips AU26 may only fall.
"""
STEPS = 8


@dataclass(frozen=True)
class ContactSpan:
    """A stretch of time during which lips (or lip and teeth) touch."""

    kind: Contact
    start_s: float
    end_s: float
    before_s: float
    """Room for the way in: a part of the sound before."""
    after_s: float

    def envelope(self, times: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """1 while touching, smoothly 0 beyond the ways in and out."""
        rise = np.clip((times - self.start_s + self.before_s) / self.before_s, 0, 1)
        fall = np.clip((self.end_s + self.after_s - times) / self.after_s, 0, 1)
        t = np.minimum(rise, fall)
        return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Sealed:
    """Weights with contacts, and how well they were made."""

    halves: Float[np.ndarray, "T 2 A"]
    gap_mm: Float[np.ndarray, " C"]
    """`contact_gap` of each contact; nan for one outside the animation."""


def contact_spans(phones: Sequence[Phone]) -> tuple[ContactSpan, ...]:
    """The contacts of a phone track; neighbouring sounds with the same contact make one."""
    table = visemes()
    runs: list[list] = []
    for place, phone in enumerate(phones):
        kind = table[phone.symbol].contact
        if not kind:
            continue
        if runs and runs[-1][0] == kind and runs[-1][2] == place - 1:
            runs[-1][2], runs[-1][4] = place, phone.end_s
        else:
            runs.append([kind, place, place, phone.start_s, phone.end_s])
    spans = []
    for kind, first, last, start, end in runs:
        lacking = max(SHORTEST_S - (end - start), 0.0)
        start, end = start - 0.7 * lacking, end + 0.3 * lacking
        before = phones[first - 1].duration_s if first else ATTACK_S
        after = phones[last + 1].duration_s if last + 1 < len(phones) else RELEASE_S
        clear = [
            0 <= place < len(phones) and not table[phones[place].symbol].contact for place in (first - 1, last + 1)
        ]
        room = [
            _room(neighbour, usual, lacking, QUICKEST_S if free else 0.0)
            for neighbour, usual, free in zip((before, after), (ATTACK_S, RELEASE_S), clear, strict=True)
        ]
        spans.append(ContactSpan(kind, start, end, *room))
    return tuple(spans)


def seal(lips: Lips, halves: Float[np.ndarray, "T 2 A"], spans: Sequence[ContactSpan], fps: float) -> Sealed:
    """The same animation with every contact made on this rig."""
    sealed = halves.copy()
    times = (np.arange(len(halves)) + 0.5) / fps
    gaps = []
    for span in spans:
        first, last = np.searchsorted(times, [span.start_s - span.before_s, span.end_s + span.after_s])
        if last <= first:
            gaps.append(np.nan)
            continue
        here = slice(int(first), int(last))
        middle = int(np.clip((span.start_s + span.end_s) / 2 * fps, 0, len(halves) - 1))
        pose = contact_pose(lips, halves[middle], span.kind)
        share = span.envelope(times[here])[:, None, None]
        sealed[here] = sealed[here] * (1 - share) + share * pose
        gaps.append(contact_gap(lips, pose, span.kind))
    return Sealed(sealed, np.array(gaps))


def contact_pose(lips: Lips, pose: Float[np.ndarray, "2 A"], kind: Contact) -> Float[np.ndarray, "2 A"]:
    """The pose nearest to `pose` in which the contact is made, by Gauss-Newton steps within the units' bounds.

    minimise sum_c max(0, gap_c + PRESS_MM)^2 + (effort x)^2 over the helping units' changes x.
    """
    base = pose.copy()
    for name, share in KEPT[kind].items():
        base[:, AU_INDEX[name]] *= share
    names = list(HELPERS[kind])
    columns = [AU_INDEX[name] for name in names]
    start = base[:, columns].mean(axis=0)
    most, effort = np.array([HELPERS[kind][name] for name in names]).T
    most = np.maximum(most, start)
    if kind == "lips":
        most[names.index("AU26")] = start[names.index("AU26")]
    effort = np.diag(effort)
    x = start.copy()
    measure = _lip_residuals if kind == "lips" else _teeth_residuals
    for _ in range(STEPS):
        trial = _with(base, columns, x)
        residual, jacobian = measure(lips, trial, columns)
        rows = np.concatenate([jacobian, effort])
        right = np.concatenate([jacobian @ x - residual, effort @ start])
        low, high = np.minimum(0.0, most - 1e-9), np.maximum(most, 1e-6)
        solved = lsq_linear(rows, right, bounds=(low, high), method="bvls").x
        if np.abs(solved - x).max() < 1e-3:
            break
        x = x + 0.7 * (solved - x)
    return _with(base, columns, x)


def contact_gap(lips: Lips, pose: Float[np.ndarray, "2 A"], kind: Contact) -> float:
    """How far a pose is from the contact, mm: the widest parting of the lips, or teeth bare below their edge."""
    if kind == "lips":
        return float(lips.parting(pose[None])[0].max())
    return float(lips.teeth_uncovered(pose[None])[0])


def _with(base: np.ndarray, columns: list[int], x: np.ndarray) -> np.ndarray:
    """The base pose with the helpers at x, keeping the difference between the halves."""
    moved = base.copy()
    moved[:, columns] += x - base[:, columns].mean(axis=0)
    return np.clip(moved, 0, None)


def _lip_residuals(lips: Lips, pose: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Gaps that remain and squeezes that are too hard, with their derivatives by the helpers' weights."""
    gap, slope = _gap_slopes(lips, pose, columns)
    parted = gap + PRESS_MM
    squeezed = -gap - SQUEEZE_MM
    residual = np.concatenate([np.maximum(parted, 0), 0.3 * np.maximum(squeezed, 0)])
    jacobian = np.concatenate([slope * (parted > 0)[:, None], -0.3 * slope * (squeezed > 0)[:, None]])
    return residual, jacobian


def _gap_slopes(lips: Lips, pose: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Parting per column and its derivative by each helper: the motion of the two points that make the gap."""
    height = lips.points.at(pose[None])[0, :, 1]
    motion = lips.points.slopes(pose)[columns][:, :, 1]
    gap, slope = [], []
    for column in range(len(lips.column_x)):
        upper, lower = lips.column_points(column, 0), lips.column_points(column, 1)
        low = upper.start + int(np.argmin(height[upper]))
        high = lower.start + int(np.argmax(height[lower]))
        gap.append(height[low] - height[high])
        slope.append(motion[:, low] - motion[:, high])
    return np.array(gap) - lips.rest_overlap, np.array(slope)


def _teeth_residuals(lips: Lips, pose: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """What keeps the lower lip off the teeth, in the middle columns, and an upper lip that hides or bares the teeth.

    The lip's edge must reach the height of the teeth's edge; how far the lip stands before the teeth counts less,
    because no unit but AU28 draws it in, and AU28 draws in both lips: beyond two thirds of it they vanish.
    """
    points = lips.points.at(pose[None])[0]
    motion = lips.points.slopes(pose)[columns]
    residual, jacobian = [], []
    for column, edge in zip(lips.middle_columns, lips.teeth, strict=True):
        lower = lips.column_points(column, 1)
        high = lower.start + int(np.argmax(points[lower, 1]))
        near = lower.start + int(np.argmin(np.linalg.norm(points[lower, 1:] - edge[1:], axis=1)))
        below = edge[1] + BITE_MM - points[high, 1]
        residual += [max(below, 0.0), IN_DEPTH * (points[near, 2] - edge[2])]
        jacobian += [-motion[:, high, 1] * (below > 0), IN_DEPTH * motion[:, near, 2]]
    gap, slope = _gap_slopes(lips, pose, columns)
    for column in lips.middle_columns:
        if abs(lips.column_x[column]) > SHOWN_SHARE * lips.column_x.max():
            continue
        # Both ways, so that steps do not swing between teeth hidden and gums bared.
        residual.append(SHOWING * (TEETH_SHOW_MM - (gap[column] + lips.rest_overlap[column])))
        jacobian.append(-SHOWING * slope[column])
    return np.array(residual), np.array(jacobian)


def _room(neighbour_s: float, usual_s: float, lacking_s: float, least_s: float) -> float:
    """How long a way in or out may take: the usual time, and hardly more than half of the neighbouring sound."""
    return max(min(usual_s, 0.55 * neighbour_s), 0.015 + 0.3 * lacking_s, least_s)
