"""Shape fit: pose and the coefficients of a shape basis, together, by robust point-to-plane ICP."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.target_surface import TargetSurface

SIGMAS_MM = (10.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.5, 3.0, 2.5, 2.5, 2.0, 2.0, 2.0, 2.0)
"""Robust scale of each round: how far a match may be off before it stops counting."""
PRIOR_WEIGHT = (0.02, 0.002)
"""Stiffness of the prior in the first and the last round, as a share of the data's weight."""
SAMPLES = 1500
LANDMARK_WEIGHT = 0.1
"""Say of all landmarks beside all surface points."""


@dataclass(frozen=True)
class ShapeFit:
    """A template instance on the target."""

    pose: Similarity
    """Template frame -> target frame."""
    coefficients: Float[np.ndarray, " K"]
    """In standard deviations of the basis."""
    vertices: Float[np.ndarray, "V 3"]
    """The instance in the template's frame, mm."""
    misfit: float
    """1 - the share of the face that has a match within about 2 mm facing the same way; 0 to 1."""
    evidence: float
    """The share of the face of which the target says anything: all but what lies beyond its rims."""

    @property
    def plausibility(self) -> float:
        """Rms coefficient: 1 is a typical head; 0 without a basis."""
        return float(np.sqrt(np.mean(self.coefficients**2))) if len(self.coefficients) else 0.0


def fit_shape(
    template: FaceTemplate,
    target: TargetSurface,
    pose: Similarity,
    landmarks: tuple[Float[np.ndarray, "L 3"], Float[np.ndarray, "L 3"], np.ndarray] | None = None,
    sigmas_mm: tuple[float, ...] = SIGMAS_MM,
) -> ShapeFit:
    """Alternate closest points and Gauss-Newton steps from a starting pose.

    Args:
        target: in the template's millimetres up to `pose`, which should be near the identity in scale.
        landmarks: template points, target points, and the template vertex each rides on.
    """
    basis = np.zeros((0, *template.vertices.shape)) if template.basis is None else template.basis
    ids = _samples(template)
    coefficients = np.zeros(len(basis))
    vertices = template.vertices
    misfit, evidence = 1.0, 0.0
    for round_number, sigma in enumerate(sigmas_mm):
        t = round_number / max(len(sigmas_mm) - 1, 1)
        stiffness = PRIOR_WEIGHT[0] ** (1 - t) * PRIOR_WEIGHT[1] ** t
        normals = vertex_normals(vertices, template.outer_faces)[ids]
        moved, facing = pose.apply(vertices[ids]), normals @ pose.rotation.T
        match = target.matches(moved, facing, 0.3, 4 * sigma * pose.scale)
        offset = (moved - match.points) / pose.scale
        agree = np.maximum(np.einsum("pc,pc->p", facing, match.normals), 0)
        distance = np.linalg.norm(offset, axis=1)
        trust = np.where(match.good, agree * np.exp(-((distance / sigma) ** 2) / 2), 0.0)
        if round_number == len(sigmas_mm) - 1:
            near = np.where(match.good, agree * np.exp(-((distance / 2.0) ** 2) / 2), 0.0)
            misfit, evidence = _judged(template, ids, near, target.beyond_rim(moved))
        weight = trust * template.weight[ids]
        if np.count_nonzero(weight) < 30:
            break
        weight = weight / template.weight[ids].sum()
        centre = moved.mean(axis=0)
        rows, gaps = _plane_rows(pose, moved, match.normals, basis[:, ids], offset, centre)
        step = _solve(
            rows, gaps, weight, coefficients, stiffness, _landmark_rows(pose, vertices, basis, landmarks, centre)
        )
        pose = _stepped(pose, centre, step[:7])
        coefficients = coefficients + step[7:]
        vertices = template.vertices + np.tensordot(coefficients, basis, axes=1)
    return ShapeFit(pose, coefficients, vertices, misfit, evidence)


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
    pose: Similarity, vertices: np.ndarray, basis: np.ndarray, landmarks: tuple | None, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The same for points that are known to correspond, all three coordinates."""
    if landmarks is None:
        return None
    rest, goal, carrier = landmarks
    moved = pose.apply(vertices[carrier] + rest)
    rows, gaps = [], []
    for axis in np.eye(3):
        direction = np.tile(axis, (len(moved), 1))
        row, gap = _plane_rows(pose, moved, direction, basis[:, carrier], (moved - goal) / pose.scale, centre)
        rows.append(row)
        gaps.append(gap)
    return np.concatenate(rows), np.concatenate(gaps)


def _solve(
    rows: np.ndarray,
    gaps: np.ndarray,
    weight: np.ndarray,
    coefficients: np.ndarray,
    stiffness: float,
    landmarks: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    """The regularised Gauss-Newton step: 7 of pose, then the coefficients'."""
    normal, right = rows.T @ (weight[:, None] * rows), rows.T @ (weight * gaps)
    if landmarks is not None:
        share = LANDMARK_WEIGHT / len(landmarks[1])
        normal += share * landmarks[0].T @ landmarks[0]
        right += share * landmarks[0].T @ landmarks[1]
    # An angle of 0.01 counts like 1 mm at the head's radius: the floor that keeps unseen motions still.
    floor = np.concatenate([np.full(3, 1.0), np.full(3, 1e-4), [1.0], np.full(len(coefficients), stiffness)])
    normal[np.diag_indices(len(floor))] += floor
    right[7:] += stiffness * coefficients
    return -np.linalg.solve(normal, right)


def _stepped(pose: Similarity, centre: np.ndarray, step: np.ndarray) -> Similarity:
    turn = rotation_from_axis_angle(np.clip(step[:3], -0.3, 0.3))
    grow = float(np.exp(np.clip(step[6], -0.1, 0.1)))
    return Similarity(grow, turn, centre - grow * (turn @ centre) + step[3:6] * pose.scale).compose(pose)
