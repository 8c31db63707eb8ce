"""Tokens of every frame of a run for the temporal module, as the shipped 4D weights want them, or plain ones."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from facet_vlm.evaluation.features import CHUNK, FeatureTable, look_at
from facet_vlm.evaluation.frames import Clip, FramePlan
from facet_vlm.evaluation.items import Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.reading_store import ReadingStore, Shard
from facet_vlm.faces.frame_tokens import FrameReader, FrameTokens
from facet_vlm.faces.views import view_angles
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.network.temporal_weights import TemporalModel
from mesh4d.io.atomic import atomic_write
from mesh4d.io.npz import read_arrays


@dataclass(frozen=True)
class Motion:
    """What is known of motion: one row per mesh."""

    tokens: Float[np.ndarray, "R S D"]
    """Streams as `FrameTokens` has them; what stands in rows without pictures never matters."""
    seconds: Float[np.ndarray, " R"]
    start: TemporalNetwork | None
    """The 4D weights that these tokens are for; None: there are none, a module starts from chance."""

    def sequences(self, items: Items) -> list[FrameTokens]:
        """Each record's readable frames, in order of time."""
        found = []
        for rows in items.frames:
            some = list(rows)
            found.append(FrameTokens(self.tokens[some], self.seconds[some], np.ones(len(some), bool)))
        return found


def run_motion(model: JudgedModel, store: ReadingStore, plan: FramePlan, table: FeatureTable, cache: Path) -> Motion:
    """The tokens of a run.

    With 4D weights they are made of the stored pictures once, with the motion since each sequence's first readable
    frame magnified where the weights want that, and kept in `cache`. Without, they are the mean of the aggregated
    views of each frame.
    """
    seconds = np.array(plan.seconds, np.float32)
    if model.temporal is None:
        return Motion(_plain_tokens(model, table), seconds, None)
    card = model.temporal.card
    clips = "".join(store.path_of(clip).name for clip in plan.clips)
    key = hashlib.sha256(f"{card.weights_sha256} {card.base_sha256} {store.folder.name} {clips}".encode()).hexdigest()
    path = cache / f"motion-{key[:16]}.npz"
    if not path.is_file():
        tokens = _shipped_tokens(model.temporal, store, plan, seconds)
        with atomic_write(path) as file:
            np.savez_compressed(file, tokens=tokens, about=np.array(json.dumps({"weights": card.weights_sha256})))
    tokens = read_arrays(path, {"tokens": "fRSD", "about": "U"})["tokens"]
    return Motion(tokens.astype(np.float32), seconds, model.temporal.network)


def _plain_tokens(model: JudgedModel, table: FeatureTable) -> Float[np.ndarray, "R 1 D"]:
    angles = view_angles(model.config.rig)
    with torch.inference_mode():
        parts = [
            look_at(model.network, table.views[at : at + CHUNK], table.patches[at : at + CHUNK], angles)
            .tokens[:, :, 0]
            .float()
            .mean(dim=1, keepdim=True)
            .cpu()
            .numpy()
            for at in range(0, len(table.failed), CHUNK)
        ]
    return np.concatenate(parts)


def _shipped_tokens(
    temporal: TemporalModel, store: ReadingStore, plan: FramePlan, seconds: Float[np.ndarray, " R"]
) -> Float[np.ndarray, "R S D"]:
    config = temporal.card.model
    reader = FrameReader.of(temporal.base, temporal.base_card.model, config)
    tokens = np.zeros((len(plan), config.streams, config.dim), np.float32)
    row = 0
    shards = tqdm(store.shards(plan), "motion", len(plan.clips), delay=2, disable=None)
    for clip, shard in zip(plan.clips, shards, strict=True):
        for rows in _sequences_of(clip, shard):
            pictures = shard.values[rows][:, list(config.views)]
            tokens[row + rows] = reader.tokens(pictures, seconds[row + rows]).tokens
        row += len(shard.reasons)
    return tokens


def _sequences_of(clip: Clip, shard: Shard) -> list[np.ndarray]:
    """Readable rows of a shard that are one head in motion; every scan is a sequence of one."""
    good = np.flatnonzero([not reason for reason in shard.reasons])
    if not len(good):
        return []
    return [good] if clip.is_sequence else np.split(good, len(good))
