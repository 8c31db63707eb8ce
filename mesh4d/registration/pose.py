"""Pose: where a head is, which way it looks and how large it is, for any up axis, unit and extent of the scan.

Hundreds of starts (orientation x size x place) are run through a coarse ICP that looks nearest points up in
distance grids, then the best few are refined on the exact surface.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.mesh import Mesh
from mesh4d.registration.coarse_icp import coarse_icp
from mesh4d.registration.face_template import FaceTemplate, face_template
from mesh4d.registration.target_surface import TargetSurface, surface_samples, target_surface

GRID_CELLS = 40
ROTATIONS = 96
GRID_SAMPLES = 18
"""Surface points behind a grid, per sample."""
COARSE_SAMPLES = 220
PLACES = 5
"""Places that a whole head is tried at, besides the target's middle."""
SIZES = (0.42, 0.6, 0.82, 1.05)
"""Spreads of the head that are tried, as shares of the target's spread."""
UNTOLD_COST = 0.3
"""What a face beyond the target's rims adds to the misfit: less than a face that does not match."""
STAGES = ((8, 300), (12, 60), (16, 12))
"""Coarse ICP: iterations, then how many starts go on."""
REFINED_SAMPLES = 900


@dataclass(frozen=True)
class PoseCandidate:
    """A pose and how badly it fits: the mean robust misfit, 0 (perfect) to 1 (nothing matches)."""

    pose: Similarity
    misfit: float


def estimate_pose(template: Mesh | FaceTemplate, target: Mesh | TargetSurface) -> Similarity:
    """The similarity that carries the template onto the head in `target`.

    Args:
        template: a head in the face frame.
        target: a head, bust or mask in any unit and orientation.

    Raises:
        NoFaceError: when the target has no surface. Whether it holds a face is for `register` to say.
    """
    ready = template if isinstance(template, FaceTemplate) else face_template(template)
    surface = target if isinstance(target, TargetSurface) else target_surface(target)
    return pose_candidates(ready, surface, 1)[0].pose


def pose_candidates(template: FaceTemplate, target: TargetSurface, count: int) -> list[PoseCandidate]:
    """The best poses, the best first, no two alike."""
    rng = np.random.default_rng(0)
    corner_face = template.face[template.outer_faces].mean(axis=1)
    source, source_normals = surface_samples(
        template.vertices, template.outer_faces, COARSE_SAMPLES, rng, density=0.3 + 1.7 * corner_face
    )
    goal, goal_normals = target.samples(COARSE_SAMPLES, rng)
    source_grid = _nearest_grid(GRID_CELLS, *surface_samples(template.vertices, template.outer_faces, 4000, rng))
    goal_grid = _nearest_grid(GRID_CELLS, *target.samples(GRID_SAMPLES * COARSE_SAMPLES, rng))
    found = []
    for starts, behind in (
        (_head_starts(template, target, rng), 0.4),
        (_face_starts(template, target, rng), 0.02),
    ):
        importance = np.where(_in_front(source), 1.0, behind)
        poses = starts
        for iterations, kept in STAGES:
            poses, misfit = coarse_icp(
                poses, iterations, source, source_normals, importance, goal, goal_normals, *source_grid, *goal_grid
            )
            poses = poses[_distinct(poses, np.argsort(misfit)[: 3 * kept], kept)]
        found += [_refine(template, target, _unpack(row), rng) for row in poses]
    found.sort(key=lambda candidate: candidate.misfit)
    return _apart(found, count)


def _in_front(points: np.ndarray) -> np.ndarray:
    return (points[:, 2] > -25) & (np.abs(points[:, 1] + 30) < 75)


def _head_starts(template: FaceTemplate, target: TargetSurface, rng: np.random.Generator) -> np.ndarray:
    """A whole head at several sizes and places: the target may be a bust."""
    points, _ = target.samples(1500, rng)
    places = np.concatenate([points.mean(axis=0)[None], kmeans2(points, PLACES, rng=0, minit="++")[0]])
    return _starts(template.vertices[template.outer], points, np.array(SIZES), places)


def _face_starts(template: FaceTemplate, target: TargetSurface, rng: np.random.Generator) -> np.ndarray:
    """A face that is all there is: a mask."""
    points, _ = target.samples(1500, rng)
    return _starts(template.vertices[template.face], points, np.array([0.8, 1.0, 1.25]), points.mean(axis=0)[None])


def _starts(anchor: np.ndarray, points: np.ndarray, ratios: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows (scale, rotation, translation) that bring the middle of the anchor's points to each place."""
    rotations = np.concatenate([Rotation.create_group("O").as_matrix(), _even_rotations(ROTATIONS)])
    rows = []
    for ratio in ratios * _spread(points) / _spread(anchor):
        for place in places:
            moved = place - ratio * (rotations @ anchor.mean(axis=0))
            rows.append(np.concatenate([np.full((len(moved), 1), ratio), rotations.reshape(-1, 9), moved], axis=1))
    return np.concatenate(rows)


def _spread(points: np.ndarray) -> float:
    """Median distance from the centre."""
    return float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def _even_rotations(count: int) -> np.ndarray:
    """Rotations spread evenly (Alexa, Super-Fibonacci Spirals, CVPR 2022)."""
    s = np.arange(count) + 0.5
    t = s / count
    alpha, beta = 2 * np.pi * s / 2**0.5, 2 * np.pi * s / 1.533751168755204288118041
    quaternion = np.stack(
        [
            np.sqrt(t) * np.sin(alpha),
            np.sqrt(t) * np.cos(alpha),
            np.sqrt(1 - t) * np.sin(beta),
            np.sqrt(1 - t) * np.cos(beta),
        ],
        axis=1,
    )
    return Rotation.from_quat(quaternion).as_matrix()


def _nearest_grid(n_cells: int, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Lowest corner, cell size, and for each cell the nearest sample and its normal (6 values)."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.25 * float((high - low).max())
    cell = (float((high - low).max()) + 2 * margin) / n_cells
    low = (low + high) / 2 - cell * n_cells / 2
    axis = (np.arange(n_cells) + 0.5) * cell
    cells = low + np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = KDTree(points).query(cells)[1]
    grid = np.concatenate([points[nearest], normals[nearest]], axis=1)
    return low, cell, grid.reshape(n_cells, n_cells, n_cells, 6)


def _distinct(poses: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """The first `count` rows of the order whose rotations differ by 15 degrees or sizes by a tenth."""
    kept: list[int] = []
    for row in order:
        turn = (poses[kept, 1:10] @ poses[row, 1:10] - 1) / 2 if kept else np.empty(0)
        ratio = np.abs(np.log(poses[kept, 0] / poses[row, 0])) if kept else np.empty(0)
        if not np.any((turn > np.cos(np.radians(15))) & (ratio < 0.1)):
            kept.append(int(row))
        if len(kept) == count:
            break
    return np.array(kept)


def _apart(candidates: list[PoseCandidate], count: int) -> list[PoseCandidate]:
    kept: list[PoseCandidate] = []
    for candidate in candidates:
        turns = [(np.trace(candidate.pose.rotation @ other.pose.rotation.T) - 1) / 2 for other in kept]
        ratios = [abs(np.log(candidate.pose.scale / other.pose.scale)) for other in kept]
        if not any(turn > np.cos(np.radians(10)) and ratio < 0.1 for turn, ratio in zip(turns, ratios, strict=True)):
            kept.append(candidate)
        if len(kept) == count:
            break
    return kept


def _unpack(row: np.ndarray) -> Similarity:
    return Similarity(float(row[0]), row[1:10].reshape(3, 3), row[10:13])


def _refine(template: FaceTemplate, target: TargetSurface, pose: Similarity, rng: np.random.Generator) -> PoseCandidate:
    """Point-to-plane ICP with scale on the exact surface; the misfit is measured on the face."""
    face = np.flatnonzero(template.face)
    rest = np.flatnonzero(template.outer & ~template.face)
    ids = np.concatenate(
        [rng.permutation(face)[: 2 * REFINED_SAMPLES // 3], rng.permutation(rest)[: REFINED_SAMPLES // 3]]
    )
    source = template.vertices[ids]
    normals = vertex_normals(template.vertices, template.outer_faces)[ids]
    importance = np.sqrt(template.weight[ids])
    for sigma in (12.0, 10.0, 8.0, 6.0, 5.0, 5.0):
        moved, facing = pose.apply(source), normals @ pose.rotation.T
        match = target.matches(moved, facing, 0.2, 4 * sigma * pose.scale)
        nearest, direction, good = match.points, match.normals, match.good
        gap = np.einsum("pc,pc->p", moved - nearest, direction) / pose.scale
        agree = np.einsum("pc,pc->p", facing, direction)
        distance = np.linalg.norm(moved - nearest, axis=1) / pose.scale
        trust = np.where(good, np.exp(-((distance / sigma) ** 2) / 2) * np.maximum(agree, 0), 0.0)
        weight = trust * importance
        if np.count_nonzero(weight > 1e-3) < 30:
            return PoseCandidate(pose, 2.0)
        pose = _plane_step(pose, moved, direction, gap, weight)
    return PoseCandidate(pose, _judged(template, target, pose, ids, normals, importance))


def _judged(
    template: FaceTemplate,
    target: TargetSurface,
    pose: Similarity,
    ids: np.ndarray,
    normals: np.ndarray,
    importance: np.ndarray,
) -> float:
    """`PoseCandidate.misfit` of a pose: measured on the face, and a little on the rest."""
    moved, facing = pose.apply(template.vertices[ids]), normals @ pose.rotation.T
    match = target.matches(moved, facing, 0.2, 20.0 * pose.scale)
    agree = np.maximum(np.einsum("pc,pc->p", facing, match.normals), 0)
    distance = np.linalg.norm(moved - match.points, axis=1) / pose.scale
    near = np.where(match.good, np.exp(-((distance / 4.0) ** 2) / 2) * agree, 0.0)
    on_face = template.face[ids]
    told = np.where(target.beyond_rim(moved), 0.0, importance) * np.where(on_face, 1.0, 0.1)
    evidence = float(told[on_face].sum() / importance[on_face].sum())
    return 1 - float((near * told).sum() / max(told.sum(), 1e-9)) + UNTOLD_COST * (1 - evidence)


def _plane_step(
    pose: Similarity, moved: np.ndarray, direction: np.ndarray, gap: np.ndarray, weight: np.ndarray
) -> Similarity:
    """One Gauss-Newton step on sum w (n . (S x - q))^2 over rotation, translation and log scale."""
    centre = moved.mean(axis=0)
    arm = (moved - centre) / pose.scale
    rows = np.concatenate([np.cross(arm, direction), direction, np.einsum("pc,pc->p", arm, direction)[:, None]], axis=1)
    normal = rows.T @ (weight[:, None] * rows)
    normal[np.diag_indices(7)] += 1e-3 * np.trace(normal[:6, :6]) / 6 * np.array([1, 1, 1, 1e-3, 1e-3, 1e-3, 1])
    step = -np.linalg.solve(normal, rows.T @ (weight * gap))
    turn = rotation_from_axis_angle(np.clip(step[:3], -0.3, 0.3))
    grow = float(np.exp(np.clip(step[6], -0.1, 0.1)))
    shift = Similarity(grow, turn, centre - grow * (turn @ centre) + step[3:6] * pose.scale)
    return shift.compose(pose)
