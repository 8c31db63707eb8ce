"""One person's sequences: macro- and micro-expressions in time, as cameras and scanners may have caught them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from aublend.curves import half_weights
from aublend.head_model import head_model
from aublend.midas import LabelledMotion, midas
from aublend.rig import AURig
from aublend.synthesis.plan import ExpressionPlan
from aublend.synthesis.take import unfolded
from facet_vlm.config import OtherMakers
from facet_vlm.config_4d import SequenceDataConfig
from facet_vlm.faces.accidents import hairy, own_build, own_manner, scanned
from facet_vlm.faces.acting import Showing, any_way, mixture, prototype
from facet_vlm.faces.views import standard_vertices
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml

RATES_FPS = (25.0, 30.0, 50.0, 60.0, 100.0)
FRAME_SHIFT_MM = 0.25
SIZE_JITTER = 0.02
MIXING_ALPHA = 0.4
SHOWN_IN_WINDOW = 0.7
"""How far an expression must have come in the window of a partial take."""
KINDS = ("macro", "micro", "mixture")
MICRO_KINDS = ("happiness", "negative", "negative", "surprise", "repression", "others", "two", "neutral")
"""What the micro takes of each person show."""
STANDARD = ExpressionPlan(identities=(0,), noise_mm=0.0)
MACRO = replace(STANDARD, rest_s=(0.05, 0.4), blinks_per_s=0.25)
MICRO = replace(
    STANDARD, rest_s=(0.06, 0.25), onset_s=(0.06, 0.2), hold_s=(0.02, 0.12), offset_s=(0.08, 0.22), lag_s=0.01,
    blinks_per_s=0.25,
)  # fmt: skip
"""A micro-expression lasts less than half a second."""


def categories() -> tuple[str, ...]:
    """Names of the categories of micro-expressions, in the order of micro_expressions.toml."""
    return tuple(load_toml("micro_expressions")["order"])


def category_sentences() -> dict[str, tuple[str, ...]]:
    """Sentences of each category."""
    table = load_toml("micro_expressions")["category"]
    return {name: tuple(table[name]["sentences"]) for name in categories()}


@dataclass(frozen=True)
class Shot:
    """One take as it was caught: a few frames, and what they show."""

    frames: tuple[Mesh, ...]
    """In the face frame and at standard size, but for the errors of alignment."""
    times_s: Float[np.ndarray, " T"]
    target: Float[np.ndarray, " K"]
    """Probability of each of EXPRESSIONS; all 0 where none of them is meant."""
    categories: Float[np.ndarray, " C"]
    """1 for each category that is shown."""
    halves: Float[np.ndarray, "2 A"]
    """Action units at the apex."""
    kind: str
    """One of KINDS."""
    intensity: float


@dataclass(frozen=True)
class _Acted:
    """What is shown, before anybody sees it."""

    shown: Showing
    categories: Float[np.ndarray, " C"]


def person_shots(
    seed: int, config: SequenceDataConfig, frames: int, training: bool, scanned_anew: bool = False
) -> Iterator[Shot]:
    """All takes of one identity: a macro and a micro one of each kind, and in training mixtures.

    The same for the same arguments.

    Args:
        seed: the identity.
        frames: at most so many of each take.
        training: act in any way, with builds and manners of others and the accidents of scanning; else prototypes
            with noise alone.
        scanned_anew: every frame is imaged by a range scanner and has a topology of its own.
    """
    config = replace(config, scan_share=1.0) if scanned_anew else config
    rig = head_model().rig(seed)
    rng = np.random.default_rng([config.seed, seed, int(training), 4])
    for name in EXPRESSIONS:
        acted = _macro(name, config, training, rng)
        halves, times = _window(acted, MACRO, config.partial_share, frames, rng)
        yield _caught(rig, acted, rig.poses(halves), times, "macro", config, training, rng)
    for kind in MICRO_KINDS:
        acted = _micro(kind, config, training, rng)
        halves, times = _window(acted, MICRO, 0.0, frames, rng)
        yield _caught(rig, acted, rig.poses(halves), times, "micro", config, training, rng)
    for _ in range(config.mixtures if training else 0):
        acted, posed, times = _midas_take(rig, config, frames, rng)
        yield _caught(rig, acted, posed, times, "mixture", config, training, rng)


def _macro(name: str, config: SequenceDataConfig, training: bool, rng: np.random.Generator) -> _Acted:
    act = any_way if training else prototype
    shown = act(name, float(rng.uniform(*config.macro_intensity)), 0.1, rng)
    return _Acted(shown, _categories_of((name,)))


def _micro(kind: str, config: SequenceDataConfig, training: bool, rng: np.random.Generator) -> _Acted:
    """A small expression, two at once, one held back, or a movement that means nothing."""
    spec, negative = load_toml("micro_expressions")["category"], _expressions_of("negative")
    act = any_way if training else prototype
    level = float(rng.uniform(*config.micro_intensity))
    if kind == "others":
        return _Acted(_movement(spec["others"]["movements"], level, rng), _one_hot("others"))
    names = [kind]
    if kind in ("negative", "repression"):
        names = [str(rng.choice(negative))]
    if kind == "repression" and rng.random() < 0.3:
        names = ["happiness"]
    if kind == "two":
        names = ["surprise", str(rng.choice(["happiness", "fear", "disgust"]))]
    shown = act(names[0], level, 0.01, rng)
    if kind == "two":
        second = act(names[1], level, 0.01, rng)
        target = 0.5 * (shown.target + second.target)
        shown = Showing(np.maximum(shown.halves, second.halves), target, level)
    held = _categories_of(tuple(names))
    if kind == "repression":
        pressed = _movement(spec["repression"]["held_back"], level, rng)
        shown = Showing(np.maximum(0.7 * shown.halves, pressed.halves), np.zeros_like(shown.target), level)
        held = np.maximum(held, _one_hot("repression"))
    return _Acted(shown, held)


def _movement(rows: list[dict[str, float]], level: float, rng: np.random.Generator) -> Showing:
    """One of the rows at a level, a little uneven."""
    row = rows[int(rng.integers(len(rows)))]
    weights = {unit: float(np.clip(level * weight * rng.uniform(0.8, 1.25), 0, 1)) for unit, weight in row.items()}
    return Showing(half_weights(weights).astype(np.float32), np.zeros(len(EXPRESSIONS), np.float32), level)


def _one_hot(category: str) -> Float[np.ndarray, " C"]:
    return np.array([name == category for name in categories()], np.float32)


def _categories_of(expressions: tuple[str, ...]) -> Float[np.ndarray, " C"]:
    """1 for each category that one of the expressions belongs to."""
    return np.array([any(e in _expressions_of(name) for e in expressions) for name in categories()], np.float32)


def _expressions_of(category: str) -> tuple[str, ...]:
    return tuple(load_toml("categories")["categories"][category].get("expressions", ()))


def _window(
    acted: _Acted, plan: ExpressionPlan, partial_share: float, frames: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "T 2 A"], Float[np.ndarray, " T"]]:
    """Action units at a few evenly spaced frames of a take, or of a window of it that still shows the expression."""
    plan = replace(plan, fps=float(rng.choice(RATES_FPS)))
    halves, envelope = unfolded(plan, acted.shown.halves.astype(float), rng)
    first, last = 0, len(envelope) - 1
    if rng.random() < partial_share:
        strong = np.flatnonzero(envelope >= SHOWN_IN_WINDOW)
        middle = int(rng.choice(strong))
        first = int(rng.integers(0, middle + 1))
        last = int(rng.integers(middle, last + 1))
        last = max(last, min(first + 3, len(envelope) - 1))
    chosen = np.unique(np.linspace(first, last, min(frames, last - first + 1)).round().astype(int))
    return halves[chosen], (chosen - first) / plan.fps


def _midas_take(
    rig: AURig, config: SequenceDataConfig, frames: int, rng: np.random.Generator
) -> tuple[_Acted, Float[np.ndarray, "T V 3"], Float[np.ndarray, " T"]]:
    """Two macro takes of the person mixed vertex by vertex, with their labels."""
    motions, acts = [], []
    times = np.zeros(0)
    for name in rng.choice([label for label in EXPRESSIONS if label != "neutral"], 2, replace=False):
        acted = _macro(str(name), config, True, rng)
        halves, found = _window(acted, MACRO, 0.0, frames, rng)
        motions.append(LabelledMotion(rig.poses(halves) - rig.neutral.vertices, acted.shown.target.astype(float), 25.0))
        acts.append(acted)
        times = found if len(times) == 0 else times
    share = float(rng.beta(MIXING_ALPHA, MIXING_ALPHA))
    mixed = midas(motions[0], motions[1], share)
    shown = mixture(acts[0].shown, acts[1].shown, share)
    both = share * acts[0].categories + (1 - share) * acts[1].categories
    return _Acted(shown, both.astype(np.float32)), rig.neutral.vertices + mixed.displacements, times


def _caught(
    rig: AURig,
    acted: _Acted,
    posed: Float[np.ndarray, "T V 3"],
    times_s: Float[np.ndarray, " T"],
    kind: str,
    config: SequenceDataConfig,
    training: bool,
    rng: np.random.Generator,
) -> Shot:
    """The take on the person's head, with what happens between it and a file."""
    if training and rng.random() < config.own_share:
        posed = _as_another_would(rig.neutral.vertices, posed, rng)
    upright = [rig.neutral.with_vertices(standard_vertices(vertices, straighten=False)) for vertices in posed]
    frames = _captured(upright, kind, config, training, rng)
    return Shot(
        frames, times_s, acted.shown.target.astype(np.float32), acted.categories, acted.shown.halves, kind,
        acted.shown.intensity,
    )  # fmt: skip


def _as_another_would(
    neutral: Float[np.ndarray, "V 3"], posed: Float[np.ndarray, "T V 3"], rng: np.random.Generator
) -> Float[np.ndarray, "T V 3"]:
    """Every frame with the same build and manner that the generator does not have."""
    makers = OtherMakers()
    gain = own_manner(neutral, np.ones_like(neutral), makers, rng)
    return neutral + gain * (posed - neutral) + own_build(neutral, makers, rng)


def _captured(
    frames: list[Mesh], kind: str, config: SequenceDataConfig, training: bool, rng: np.random.Generator
) -> tuple[Mesh, ...]:
    """Frames as one camera has them: noise anew in each; the same cut, hair and error of alignment, which jitters."""
    noise_mm = rng.uniform(0, config.noise_mm) * (0.5 if kind == "micro" else 1.0)
    whole = training and rng.random() >= config.cut_share
    imaged = (training or config.scan_share == 1.0) and rng.random() < config.scan_share
    covered = training and rng.random() < config.cover_share
    seed = int(rng.integers(2**31))
    style = ScanStyle(rng.uniform(1.2, 2.2), noise_mm=noise_mm, holes=int(rng.integers(0, 4)), picture_px=8)
    placed = Placement.drawn(config, rng)
    caught = []
    for mesh in frames:
        if covered:
            mesh = hairy(mesh, np.random.default_rng(seed))
        if imaged:
            mesh = simulate_scan(mesh, style, rng).to_mesh()
        else:
            noise = rng.normal(0, noise_mm, mesh.n_vertices)
            mesh = mesh.with_vertices(mesh.vertices + noise[:, None] * vertex_normals(mesh.vertices, mesh.faces))
            mesh = mesh if whole or not training else scanned(mesh, np.random.default_rng(seed))
        caught.append(mesh.with_vertices(placed.of(mesh.vertices, rng)))
    return tuple(caught)


@dataclass(frozen=True)
class Placement:
    """How alignment leaves a head: wrong by a constant, and a little differently in each frame."""

    angles_deg: Float[np.ndarray, "3"]
    shift_mm: Float[np.ndarray, "3"]
    scale: float
    jitter_deg: float

    @classmethod
    def drawn(cls, config: SequenceDataConfig, rng: np.random.Generator) -> "Placement":
        """One take's."""
        return cls(
            rng.uniform(-config.pose_deg, config.pose_deg, 3),
            rng.normal(0, 2.0, 3),
            1 + SIZE_JITTER * rng.normal(),
            rng.uniform(0, config.frame_pose_deg),
        )

    def of(self, vertices: Float[np.ndarray, "V 3"], rng: np.random.Generator) -> Float[np.ndarray, "V 3"]:
        """One frame so placed."""
        share = self.jitter_deg
        turn = Rotation.from_euler("yxz", self.angles_deg + rng.normal(0, share, 3), degrees=True)
        return self.scale * turn.apply(vertices) + self.shift_mm + rng.normal(0, share * FRAME_SHIFT_MM, 3)
