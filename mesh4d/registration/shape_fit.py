"""Shape fit: pose and the coefficients of a template's modes, together, by robust point-to-plane ICP."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.shape_modes import LARGEST_EXPRESSION, ShapeModes
from mesh4d.registration.target_surface import TargetSurface

SAMPLES = 1500
LANDMARK_WEIGHT = 0.1
"""Say of all landmarks beside all surface points."""
LANDMARK_SIGMA_MM = 6.0
"""A landmark this far off counts a quarter."""
ACTIVE_SET_ROUNDS = 6
JUDGED_MM = 2.0
"""How far a match may lie and still count as near when a fit is judged."""


@dataclass(frozen=True)
class Schedule:
    """Rounds of a shape fit."""

    sigmas_mm: tuple[float, ...]
    """Robust scale of each round: how far a match may be off before it stops counting."""
    prior: tuple[float, float]
    """Weight of the prior in the first and the last round, as a share of the data's weight."""


COARSE = Schedule((10.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.5, 3.0, 2.5, 2.5, 2.0, 2.0, 2.0, 2.0), (0.02, 0.002))
"""From a pose of the search, identity alone."""
FINE = Schedule((4.0, 3.5, 3.0, 3.0, 2.5, 2.5, 2.0, 2.0, 2.0, 2.0, 1.5, 1.5), (0.005, 0.0005))
"""From the outcome of the coarse fit, all modes."""
POSED = Schedule(FINE.sigmas_mm, (0.0005, 0.0005))
"""The same from a face with its jaw down or its eyes shut: a strong prior would undo that before it is looked at."""


@dataclass(frozen=True)
class KnownPoints:
    """Landmarks: points of the template that are known to lie at points of the target."""

    offset: Float[np.ndarray, "L 3"]
    """From the template vertex that carries the point to the point, mm."""
    carrier: Int[np.ndarray, " L"]
    """The template vertex that each point rides on."""
    goal: Float[np.ndarray, "L 3"]
    """In the target's frame."""
    weight: Float[np.ndarray, " L"]
    """How much each is trusted, 0 to 1."""


@dataclass(frozen=True)
class ShapeFit:
    """A template instance on the target."""

    pose: Similarity
    """Template frame -> target frame."""
    modes: ShapeModes
    coefficients: Float[np.ndarray, " K"]
    """Of `modes`."""
    vertices: Float[np.ndarray, "V 3"]
    """The instance in the template's frame, mm."""
    misfit: float
    """1 - the share of the face that has a match within about 2 mm facing the same way; 0 to 1."""
    evidence: float
    """The share of the face of which the target says anything: all but what lies beyond its rims."""
    cost: float
    """What the last round minimised: robust data term and prior, in units of the prior."""

    @property
    def plausibility(self) -> float:
        """Rms coefficient of the identity modes: 1 is a typical head; 0 without such modes."""
        own = self.coefficients[self.modes.identity]
        return float(np.sqrt(np.mean(own**2))) if len(own) else 0.0

    @property
    def expression(self) -> dict[str, float]:
        """Weight of each expression mode."""
        weights = self.coefficients[self.modes.expression]
        return dict(zip(self.modes.names, weights.tolist(), strict=True))

    def expression_displacement(self) -> Float[np.ndarray, "V 3"]:
        """What the expression adds to the neutral instance, mm."""
        weights = np.where(np.arange(len(self.coefficients)) >= self.modes.expression.start, self.coefficients, 0.0)
        return self.modes.displacement(weights)


def fit_shape(
    template: FaceTemplate,
    target: TargetSurface,
    pose: Similarity,
    modes: ShapeModes,
    schedule: Schedule,
    start: Float[np.ndarray, " K"] | None = None,
    landmarks: KnownPoints | None = None,
) -> ShapeFit:
    """Alternate closest points and Gauss-Newton steps from a starting pose and shape.

    Each round minimises, linearised,
        sum_i w_i (n_i . (S x_i(c) - q_i))^2 / sum_i w0_i + prior * sum_k stiffness_k c_k^2
    with S the pose, x_i(c) the samples of the instance, q_i and n_i their matches; w_i falls with distance and
    disagreement of normals.
    """
    ids = _samples(template)
    directions = np.ascontiguousarray(modes.directions[:, ids])
    coefficients = np.zeros(len(modes.directions)) if start is None else start.copy()
    vertices = template.vertices + modes.displacement(coefficients)
    area = template.weight[ids]
    misfit, evidence, cost = 1.0, 0.0, np.inf
    for number, sigma in enumerate(schedule.sigmas_mm):
        t = number / max(len(schedule.sigmas_mm) - 1, 1)
        prior = schedule.prior[0] ** (1 - t) * schedule.prior[1] ** t * modes.stiffness
        normals = vertex_normals(vertices, template.outer_faces)[ids]
        moved, facing = pose.apply(vertices[ids]), normals @ pose.rotation.T
        match = target.matches(moved, facing, 0.3, 4 * sigma * pose.scale)
        offset = (moved - match.points) / pose.scale
        agree = np.maximum(np.einsum("pc,pc->p", facing, match.normals), 0)
        distance = np.linalg.norm(offset, axis=1)
        trust = np.where(match.good, agree * np.exp(-((distance / sigma) ** 2) / 2), 0.0)
        if number == len(schedule.sigmas_mm) - 1:
            near = np.where(match.good, agree * np.exp(-((distance / JUDGED_MM) ** 2) / 2), 0.0)
            misfit, evidence = _judged(template, ids, near, target.beyond_rim(moved))
        weight = trust * area
        if np.count_nonzero(weight) < 30:
            break
        weight = weight / area.sum()
        centre = moved.mean(axis=0)
        rows, gaps = _plane_rows(pose, moved, match.normals, directions, offset, centre)
        cost = _cost(trust, area, sigma, coefficients, prior)
        known = None if landmarks is None else _landmark_rows(pose, vertices, modes, landmarks, centre)
        step = _solve(*_normal_equations(rows, gaps, weight, coefficients, prior, known), coefficients, modes)
        pose = _stepped(pose, centre, step[:7])
        coefficients = coefficients + step[7:]
        vertices = template.vertices + modes.displacement(coefficients)
    return ShapeFit(pose, modes, coefficients, vertices, misfit, evidence, cost)


def _cost(trust: np.ndarray, area: np.ndarray, sigma: float, coefficients: np.ndarray, prior: np.ndarray) -> float:
    """Welsch's robust loss sigma^2 (1 - exp(-d^2 / 2 sigma^2)) and the prior, over the prior's last weight."""
    data = sigma**2 * float((area * (1 - trust)).sum() / area.sum())
    smallest = float(prior.min()) if len(prior) else 1.0
    return (data + float(prior @ coefficients**2)) / smallest


def _samples(template: FaceTemplate) -> np.ndarray:
    """Most of them on the face; the same on every call."""
    rng = np.random.default_rng(0)
    face = rng.permutation(np.flatnonzero(template.face))[: 2 * SAMPLES // 3]
    rest = rng.permutation(np.flatnonzero(template.outer & ~template.face))[: SAMPLES // 3]
    return np.sort(np.concatenate([face, rest]))


def _judged(template: FaceTemplate, ids: np.ndarray, near: np.ndarray, untold: np.ndarray) -> tuple[float, float]:
    """`ShapeFit.misfit` and `ShapeFit.evidence`."""
    area = np.where(template.face[ids], template.weight[ids], 0.0)
    told = np.where(untold, 0.0, area)
    return 1 - float((near * told).sum() / max(told.sum(), 1e-9)), float(told.sum() / area.sum())


def _plane_rows(
    pose: Similarity,
    moved: np.ndarray,
    direction: np.ndarray,
    modes: np.ndarray,
    offset: np.ndarray,
    centre: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of n . (S x - q) / scale by rotation, translation, log scale and coefficients; and its value."""
    arm = (moved - centre) / pose.scale
    turned = direction @ pose.rotation
    by_mode = np.einsum("kpc,pc->pk", modes, turned, optimize=True)
    rows = np.concatenate(
        [np.cross(arm, direction), direction, np.einsum("pc,pc->p", arm, direction)[:, None], by_mode], axis=1
    )
    return rows, np.einsum("pc,pc->p", offset, direction)


def _landmark_rows(
    pose: Similarity, vertices: np.ndarray, modes: ShapeModes, landmarks: KnownPoints, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for points that are known to correspond, all three coordinates, and their robust weights."""
    moved = pose.apply(vertices[landmarks.carrier] + landmarks.offset)
    away = (moved - landmarks.goal) / pose.scale
    rows, gaps = [], []
    for axis in np.eye(3):
        direction = np.tile(axis, (len(moved), 1))
        row, gap = _plane_rows(pose, moved, direction, modes.directions[:, landmarks.carrier], away, centre)
        rows.append(row)
        gaps.append(gap)
    # Geman-McClure: a landmark that lies far from where the surface wants it is wrong.
    trust = landmarks.weight / (1 + (away**2).sum(axis=1) / LANDMARK_SIGMA_MM**2) ** 2
    return np.concatenate(rows), np.concatenate(gaps), np.tile(trust, 3)


def _normal_equations(
    rows: np.ndarray,
    gaps: np.ndarray,
    weight: np.ndarray,
    coefficients: np.ndarray,
    prior: np.ndarray,
    landmarks: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right side of the Gauss-Newton step: 7 of pose, then the coefficients'."""
    normal, right = rows.T @ (weight[:, None] * rows), rows.T @ (weight * gaps)
    if landmarks is not None:
        known, gap, trust = landmarks
        share = LANDMARK_WEIGHT / len(gap) * trust
        normal += known.T @ (share[:, None] * known)
        right += known.T @ (share * gap)
    # An angle of 0.01 counts like 1 mm at the head's radius: the floor that keeps unseen motions still.
    floor = np.concatenate([np.full(3, 1.0), np.full(3, 1e-4), [1.0], prior])
    normal[np.diag_indices(len(floor))] += floor
    right[7:] += prior * coefficients
    return normal, -right


def _solve(normal: np.ndarray, right: np.ndarray, coefficients: np.ndarray, modes: ShapeModes) -> np.ndarray:
    """The step within the bounds of the expressions' weights, by an active set.

    Cutting weights off after a free step would leave the other coefficients balancing what was cut.
    """
    low, high = np.full(len(right), -np.inf), np.full(len(right), np.inf)
    shown = slice(7 + modes.expression.start, None)
    low[shown] = -coefficients[modes.expression]
    high[shown] = LARGEST_EXPRESSION - coefficients[modes.expression]
    free, step = np.ones(len(right), bool), np.zeros(len(right))
    for _ in range(ACTIVE_SET_ROUNDS):
        held = right[free] - normal[np.ix_(free, ~free)] @ step[~free]
        step[free] = np.linalg.solve(normal[np.ix_(free, free)], held)
        beyond = (step < low) | (step > high)
        if not beyond.any():
            break
        step = np.clip(step, low, high)
        free &= ~beyond
    return step


def _stepped(pose: Similarity, centre: np.ndarray, step: np.ndarray) -> Similarity:
    turn = rotation_from_axis_angle(np.clip(step[:3], -0.3, 0.3))
    grow = float(np.exp(np.clip(step[6], -0.1, 0.1)))
    return Similarity(grow, turn, centre - grow * (turn @ centre) + step[3:6] * pose.scale).compose(pose)
