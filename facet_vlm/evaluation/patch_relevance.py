"""Do the patches that speak for a label show what moved? Checked against the motion itself, which is known exactly.

MPA-FER shows heat maps; on a rig the displacement of every visible point is rendered, and the patches that fit a text
best are compared with the places that moved most. Beside it stand chance, and the same face asked for other labels:
what only finds the mouth, whatever the text, gains nothing over those.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from aublend.head_model import head_model
from facet_vlm.config import ModelConfig
from facet_vlm.faces.views import FACE_CENTRE_MM, FACE_RADIUS_MM, standard_vertices
from facet_vlm.language.learned_prompts import patch_cosines
from facet_vlm.network.local import FrozenFaces
from mesh4d.render import Framing, render_views
from mesh4d.sequence import MeshSequence

MOVING_SHARE = 0.5
"""A place moves when its mean displacement is this share of the most moving place's."""
LEAST_MOTION_MM = 0.3
"""Faces whose most moving place moves less are left out."""


@dataclass(frozen=True)
class Relevance:
    """Means over the faces that move."""

    n_faces: int
    pointing: float
    """Share of faces whose best patch, over all views, is a place that moves."""
    overlap: float
    """Intersection over union of the best patches and as many of the most moving places."""

    @classmethod
    def of(cls, hits: Sequence[bool], overlaps: Sequence[float]) -> "Relevance":
        """The means."""
        return cls(len(hits), float(np.mean(hits)), float(np.mean(overlaps)))


@dataclass(frozen=True)
class RelevanceTable:
    """The right text's patches beside what they must beat."""

    right_text: Relevance
    other_texts: Relevance
    """The same faces, asked for each of the other labels."""
    chance: Relevance
    """Patches in random order."""


def place_motion(
    subject: int, halves: Float[np.ndarray, "2 A"], model: ModelConfig, grid: tuple[int, int]
) -> Float[np.ndarray, "N P"]:
    """Mean displacement (mm) from neutral of what each place of each view shows; empty space does not move."""
    rig = head_model().rig(subject)
    frames = np.stack([standard_vertices(v, straighten=False) for v in (rig.neutral.vertices, rig.pose(halves))])
    sequence = MeshSequence(rig.neutral, frames, 1.0)
    framing = Framing(FACE_CENTRE_MM, FACE_RADIUS_MM)
    views = render_views(sequence, model.rig, model.image_size, ("motion",), framing)
    magnitude = np.linalg.norm(views.images[len(views) // 2 :], axis=-1)
    return pooled(magnitude, grid)


def pooled(maps: Float[np.ndarray, "N H W"], grid: tuple[int, int]) -> Float[np.ndarray, "N P"]:
    """Mean over the cells of a grid, row by row."""
    cells = nn.functional.adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(maps))[:, None], grid)
    return cells.flatten(1).numpy()


def patch_relevance(
    faces: FrozenFaces,
    motion: Float[np.ndarray, "B N P"],
    labels: Int[np.ndarray, " B"],
    texts: Float[torch.Tensor, "K D"],
    adapter: nn.Module | None,
    top_k: int,
    seed: int = 0,
) -> RelevanceTable:
    """Compare the patches that fit each face's label best with the places that move.

    Args:
        labels: the row of `texts` that is right for each face.
        top_k: patches per view whose overlap is measured.
    """
    with torch.no_grad():
        fit = patch_cosines(faces, texts, adapter).flatten(1, 2).numpy()
    rng = np.random.default_rng(seed)
    found: dict[str, tuple[list[bool], list[float]]] = {name: ([], []) for name in ("right", "other", "chance")}
    count = top_k * motion.shape[1]
    for row, moved in enumerate(motion.reshape(len(motion), -1)):
        if moved.max() < LEAST_MOTION_MM:
            continue
        for column in range(len(texts)):
            kind = found["right" if column == labels[row] else "other"]
            _compare(fit[row, :, column], moved, count, kind)
        _compare(rng.random(len(moved)), moved, count, found["chance"])
    return RelevanceTable(*(Relevance.of(*found[name]) for name in ("right", "other", "chance")))


def _compare(
    fit: Float[np.ndarray, " P"], moved: Float[np.ndarray, " P"], count: int, found: tuple[list[bool], list[float]]
) -> None:
    """Add one face's hit and overlap."""
    best, most = set(np.argsort(-fit)[:count].tolist()), set(np.argsort(-moved)[:count].tolist())
    found[0].append(bool(moved[fit.argmax()] >= MOVING_SHARE * moved.max()))
    found[1].append(len(best & most) / len(best | most))
