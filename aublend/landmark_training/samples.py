"""Samples: pictures of scenes with where the landmarks are on them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from aublend.landmark_training.not_faces import faceless
from aublend.landmark_training.scenes import Scene, SceneMaker
from mesh4d.landmarks.pictures import DEPTH_LIMIT, Window, picture
from mesh4d.landmarks.windows import face_window, view_rotation

HIDDEN_MM = 5.0
"""A landmark this far behind what its pixel shows is hidden; this far before it, its surface is missing."""


@dataclass(frozen=True)
class ViewRange:
    """From where a network is trained to see faces."""

    name: str
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    shrink: tuple[float, float]
    """Size of the face in the picture over that in its own window."""
    shift: float
    """Spread of the window's centre, in half sides of a face's own window."""
    companions: float


FINDER_VIEWS = ViewRange("finder", 80.0, 55.0, 52.0, (0.22, 1.0), 0.0, 0.5)
"""Anywhere in the picture, from nearly any side of the face, at nearly any roll below a right angle."""
READER_VIEWS = ViewRange("reader", 62.0, 36.0, 20.0, (0.78, 1.22), 0.09, 0.3)
"""Centred and almost upright."""


@dataclass(frozen=True)
class Samples:
    """A batch."""

    pictures: Float[np.ndarray, "B C H W"]
    places: Float[np.ndarray, "B 68 2"]
    """Column and row, 0 to 1."""
    visible: Float[np.ndarray, "B 68"]
    inside: Float[np.ndarray, "B 68"]
    """1 where the landmark lies within the picture of a face."""
    face: Float[np.ndarray, " B"]
    """1 face, 0 none, -1 not to be judged."""


def draw_samples(
    maker: SceneMaker, views: ViewRange, heads: int, views_per_head: int, size: int, rng: np.random.Generator
) -> Samples:
    """Pictures of new scenes, a seventh of them without a face."""
    rows = []
    for _ in range(heads):
        if rng.random() < 0.13:
            surface = faceless(maker.model, rng)
            for _ in range(views_per_head):
                window = Window(np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.normal(0, 15, 3), rng.uniform(80, 260))
                rows.append((_spoilt(picture(surface, window, size), rng), *_nothing()))
            continue
        scene = maker.scene(rng, views.companions)
        rows += [_view(scene, views, size, rng) for _ in range(views_per_head)]
    pictures, places, visible, inside, face = zip(*rows, strict=True)
    return Samples(
        np.stack(pictures),
        np.stack(places).astype(np.float32),
        np.stack(visible).astype(np.float32),
        np.stack(inside).astype(np.float32),
        np.array(face, np.float32),
    )


def _view(scene: Scene, views: ViewRange, size: int, rng: np.random.Generator) -> tuple:
    behind = rng.random() < (0.15 if scene.open_back else 0.05)
    upside = not behind and views.name == "finder" and rng.random() < 0.08
    yaw = float(rng.uniform(-1, 1) * views.yaw_deg) + (180.0 if behind else 0.0)
    roll = rng.uniform(110, 250) if upside else np.clip(rng.normal(0, 0.55), -1, 1) * views.roll_deg
    rotation = view_rotation(yaw, float(rng.uniform(-1, 1) * views.pitch_deg), float(roll))
    own = face_window(scene.points, rotation)
    shrink = float(np.exp(rng.uniform(*np.log(views.shrink))))
    half = own.half / shrink
    if views.shift:
        shift = rng.normal(0, views.shift, 3) * own.half
    else:
        free = max(half - 0.75 * own.half, 0.1 * own.half)
        shift = rng.uniform(-free, free, 3)
    window = Window(rotation, own.centre + shift, half)
    shown = picture(scene.surface, window, size)
    if behind or upside:
        return (_spoilt(shown, rng), *_nothing())
    at = window.to_picture(scene.points)
    visible, inside = visibility(shown, at, HIDDEN_MM / half)
    judged = 1.0 if visible.sum() >= 20 else -1.0
    return _spoilt(shown, rng), at[:, :2], visible, inside, judged


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    return np.zeros((68, 2)), np.zeros(68), np.zeros(68), 0.0


def visibility(
    shown: Float[np.ndarray, "C H W"], at: Float[np.ndarray, "68 3"], tolerance: float
) -> tuple[Float[np.ndarray, "68"], Float[np.ndarray, "68"]]:
    """Which landmarks the picture shows, and which lie within it.

    Args:
        at: column, row (0 to 1) and depth (half sides).
        tolerance: in half sides.
    """
    size = shown.shape[1]
    pixel: Int[np.ndarray, "68 2"] = np.floor(at[:, :2] * size).astype(int)
    inside = ((pixel >= 1) & (pixel < size - 1)).all(axis=1)
    column, row = np.clip(pixel, 1, size - 2).T
    near = np.stack([shown[0, row + dy, column + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    depth = np.clip(at[:, 2], -DEPTH_LIMIT, DEPTH_LIMIT)
    hidden = depth > near[4] + 1.3 * tolerance
    missing = np.abs(near - depth).min(axis=0) > tolerance
    return (inside & ~hidden & ~missing).astype(float), inside.astype(float)


def _spoilt(shown: Float[np.ndarray, "C H W"], rng: np.random.Generator) -> Float[np.ndarray, "C H W"]:
    """The picture with another depth origin and scale, noise, and patches missing or covered."""
    shown = shown.copy()
    seen = shown[4] > 0
    size = shown.shape[1]
    shown[0, seen] = shown[0, seen] * rng.uniform(0.9, 1.1) + rng.normal(0, 0.08)
    if rng.random() < 0.25:
        shown[0, seen] += rng.normal(0, rng.uniform(0, 0.012), seen.sum())
        shown[1:4, seen] += rng.normal(0, rng.uniform(0, 0.15), (3, int(seen.sum())))
    for _ in range(rng.integers(1, 4) if rng.random() < 0.2 else 0):
        row, column = rng.integers(0, size - 8, 2)
        tall, wide = rng.integers(3, size // 5, 2)
        patch = (slice(row, row + tall), slice(column, column + wide))
        if rng.random() < 0.6:
            shown[(0, *patch)], shown[(slice(1, 5), *patch)] = DEPTH_LIMIT, 0.0
        else:
            normal = rng.normal(size=3) + np.array([0, 0, 1.5])
            shown[(0, *patch)] = rng.uniform(-1, 0)
            shown[(slice(1, 4), *patch)] = (normal / np.linalg.norm(normal))[:, None, None]
            shown[(4, *patch)] = 1.0
    shown[0] = np.clip(shown[0], -DEPTH_LIMIT, DEPTH_LIMIT)
    return shown
