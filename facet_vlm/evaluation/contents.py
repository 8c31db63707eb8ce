"""What every mesh of a run holds, as far as leaks are looked for: hashes, and a small picture of the face."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from facet_vlm.evaluation.frames import FramePlan
from facet_vlm.evaluation.reading_store import ReadingStore

SMALL = 12


@dataclass(frozen=True)
class Contents:
    """One row per mesh."""

    hashes: tuple[tuple[str, str], ...]
    """Of its file and of its pictures; empty where there are none."""
    small: Float[np.ndarray, "R P"]
    """Its frontal picture, averaged to SMALL pixels a side; NaN where there is none."""


def run_contents(store: ReadingStore, plan: FramePlan, frontal: int) -> Contents:
    """Of all meshes of a run.

    Args:
        store: filled with their pictures.
        frontal: row of the frontal view.
    """
    hashes, small = [], []
    for shard in store.shards(plan):
        for value, reason, digest in zip(shard.values, shard.reasons, shard.digests, strict=True):
            seen = not reason and bool(np.ptp(value))
            hashes.append(("" if reason else digest, hashlib.sha256(value.tobytes()).hexdigest() if seen else ""))
            small.append(_small(value[frontal]) if seen else np.full(3 * SMALL**2, np.nan, np.float32))
    return Contents(tuple(hashes), np.stack(small))


def _small(picture: UInt8[np.ndarray, "3 H W"]) -> Float[np.ndarray, " P"]:
    return torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(picture).float(), SMALL).flatten().numpy()
