"""Search: where on a surface there may be a face, which way it looks and how large it is, from any orientation.

The finder looks at the surface from the six sides of its box, each picture in four rolls, so every one of the 24 ways
to lay axes is within its reach; then from the twelve diagonals; then, for faces that are small beside what they are
attached to, at parts of the surface. The six sides are looked at in small pictures first: of a head alone they show
enough, at a quarter of the cost.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.cluster.vq import kmeans2

from mesh4d.geometry.normals import face_areas
from mesh4d.geometry.rigid import Similarity
from mesh4d.landmarks.network import HeatmapNet
from mesh4d.landmarks.pictures import Surface, Window, pictures_of, quarter_turned
from mesh4d.landmarks.reading import Reading, read
from mesh4d.landmarks.shape_model import LandmarkShapes

PROMISING = 0.35
"""Score from which the search stops widening."""
LEAST_SCORE = 0.02
LIFTED = 8
"""Pictures of each search that are looked at closely."""
PARTS = 10
PART_HALF = (0.5, 0.25)
"""Half sides of the windows on parts of the surface, over the surface's radius."""
AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
DIAGONALS = np.array([[a, b, 0] for a in (1, -1) for b in (1, -1)]) / np.sqrt(2)
MIN_SEEN = 12
SMALL_PX, SURE = 64, 0.35
"""Side of the small pictures, and the score from which what they show is believed."""


@dataclass(frozen=True)
class Candidate:
    """A guess at a face."""

    pose: Similarity
    """Landmark model (mm, face frame) -> surface."""
    score: float
    """0 to 1."""


def quick_candidate(network: HeatmapNet, shapes: LandmarkShapes, surface: Surface) -> Candidate | None:
    """The best guess from the six sides in small pictures; None where it is not sure enough."""
    found = _seen(network, shapes, surface, _sides(), SMALL_PX, 2)
    best = max(found, key=lambda candidate: candidate.score, default=None)
    return best if best is not None and best.score >= SURE else None


def candidates(network: HeatmapNet, shapes: LandmarkShapes, surface: Surface, count: int) -> list[Candidate]:
    """The best guesses, the best first, no two alike. The surface is centred and of radius 1."""
    found: list[Candidate] = []
    for windows in _ever_wider(surface):
        found += _seen(network, shapes, surface, windows, network.config.picture_px, LIFTED)
        found.sort(key=lambda candidate: -candidate.score)
        if found and found[0].score > PROMISING:
            break
    return _apart(found, count)


def _ever_wider(surface: Surface) -> Iterator[list[Window]]:
    diagonals = np.concatenate([np.roll(DIAGONALS, shift, axis=1) for shift in range(3)])
    yield _sides()
    yield [Window(_facing(axis), np.zeros(3), 1.05) for axis in diagonals]
    rng = np.random.default_rng(0)
    areas = face_areas(surface.vertices, surface.faces)
    corners = surface.faces[rng.choice(len(areas), 2000, p=areas / areas.sum())]
    points = surface.vertices[corners].mean(axis=1)
    points = points[np.linalg.norm(points, axis=1) < 1.5]
    places = kmeans2(points, PARTS, rng=0, minit="++")[0]
    for half in PART_HALF:
        yield [Window(_facing(axis), place, half) for place in places for axis in AXES]


def _sides() -> list[Window]:
    return [Window(_facing(axis), np.zeros(3), 1.05) for axis in AXES]


def _facing(back: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """A camera's rows for a direction towards the viewer, upright in some way."""
    aside = AXES[2 * int(np.argmin(np.abs(back)))]
    right = np.cross(aside, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back])


def _seen(
    network: HeatmapNet, shapes: LandmarkShapes, surface: Surface, windows: list[Window], size: int, most: int
) -> list[Candidate]:
    """What the pictures that look most like faces show, at most so many of them, each in four rolls."""
    pictures = pictures_of(surface, windows, size)
    turned = np.concatenate([quarter_turned(pictures, turns) for turns in range(4)])
    rolled = [_rolled(window, turns) for turns in range(4) for window in windows]
    shown = np.flatnonzero(turned[:, 4].mean(axis=(1, 2)) > 0.01)
    if not len(shown):
        return []
    reading = read(network, [rolled[row] for row in shown], turned[shown])
    best = np.argsort(-reading.face)[:most].tolist()
    return [lifted for row in best if (lifted := _lift(reading.alone(row), shapes)) is not None]


def _rolled(window: Window, turns: int) -> Window:
    right, up, back = window.rotation
    for _ in range(turns):
        right, up = -up, right
    return Window(np.stack([right, up, back]), window.centre, window.half)


def _lift(reading: Reading, shapes: LandmarkShapes) -> Candidate | None:
    """Put one picture's landmarks on the surface it shows and lay the model over them."""
    hits, trust = reading.hits()[0], reading.trust()[0]
    struck = np.isfinite(hits).all(axis=1) & (reading.visible[0] > 0.3)
    if struck.sum() < MIN_SEEN or reading.face[0] < LEAST_SCORE:
        return None
    points = np.where(struck[:, None], hits, np.nanmean(hits[struck], axis=0))
    weights = np.where(struck, trust, 0.0)
    if weights.sum() < 1.0:
        return None
    pose = shapes.aligned(points, weights, tolerance=0.25)
    misfit = np.linalg.norm(pose.inverse().apply(points) - shapes.mean, axis=1)
    agreeing = float((weights / (1 + (misfit / 15.0) ** 2)).sum() / weights.sum())
    sure = float(np.median(reading.sharpness[0][struck]))
    return Candidate(pose, float(reading.face[0]) * agreeing * np.sqrt(sure))


def _apart(found: list[Candidate], count: int) -> list[Candidate]:
    """Candidates that differ by 25 degrees, a quarter in size or a third of a face in place."""
    kept: list[Candidate] = []
    for candidate in found:
        for other in kept:
            turn = (np.trace(candidate.pose.rotation @ other.pose.rotation.T) - 1) / 2
            ratio = abs(np.log(candidate.pose.scale / other.pose.scale))
            gap = np.linalg.norm(candidate.pose.translation - other.pose.translation) / other.pose.scale
            if turn > np.cos(np.radians(25)) and ratio < 0.25 and gap < 40:
                break
        else:
            kept.append(candidate)
        if len(kept) == count:
            break
    return kept
