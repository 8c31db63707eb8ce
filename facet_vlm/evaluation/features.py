"""The frozen towers' outputs of every picture of a run: computed once per model, so that learning per fold is quick."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from tqdm import tqdm

from facet_vlm.evaluation.frames import FramePlan
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.reading_store import ReadingStore, Shard
from facet_vlm.faces.views import view_angles
from facet_vlm.network.facet import FacetNetwork, ViewTokens
from mesh4d.io.atomic import atomic_write

CHUNK = 16
DONE = "done.json"
"""Written last into a folder of features: whose they are."""
MOST_PATCHES = 7
"""Larger feature maps are averaged to so many patches a side: 7 views of 49 are as much as CVSA should attend to."""


@dataclass(frozen=True)
class FeatureTable:
    """One row per mesh of a FramePlan; arrays may be on disk."""

    views: Float[np.ndarray, "R N D"]
    """The tower's global feature of each view."""
    patches: Float[np.ndarray, "R N C h w"]
    """Its last feature map, half precision."""
    failed: Bool[np.ndarray, " R"]
    """No pictures: the rows are 0."""
    folder: Path | None = None
    """Where they are kept."""


def feature_table(
    model: JudgedModel, store: ReadingStore, plan: FramePlan, reasons: Sequence[str], cache: Path
) -> FeatureTable:
    """The features of all pictures; what an earlier run computed is kept, and half of it is gone on with.

    Args:
        model: whose towers.
        store: filled with the views of `plan`.
        plan: the meshes.
        reasons: per mesh why it has no pictures, or "".
        cache: a folder to keep them in.
    """
    clips = "".join(store.path_of(clip).name for clip in plan.clips)
    key = hashlib.sha256(f"{model.sha256} {store.folder.name} {clips}".encode()).hexdigest()[:16]
    folder = cache / f"features-{key}"
    failed = np.array([bool(reason) for reason in reasons])
    if not (folder / DONE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _compute(model, store, plan, folder)
        with atomic_write(folder / DONE, text=True) as file:
            json.dump({"model": model.name, "weights": model.sha256, "rows": len(plan)}, file)
    views, patches = (np.load(folder / name, mmap_mode="r") for name in ("views.npy", "patches.npy"))
    return FeatureTable(views, patches, failed, folder)


def _compute(model: JudgedModel, store: ReadingStore, plan: FramePlan, folder: Path) -> None:
    """Fill views.npy and patches.npy, clip by clip; `progress.json` says how many clips are on the disk."""
    progress = folder / "progress.json"
    done = json.loads(progress.read_text())["clips"] if progress.is_file() else 0
    count = len(view_angles(model.config.rig))
    probe = tower_outputs(model.network, np.zeros((1, count, 3, *2 * (model.config.image_size,)), np.uint8))
    arrays = [
        _array_on_disk(folder / name, (len(plan), *example.shape[1:]), example.dtype, bool(done))
        for name, example in zip(("views.npy", "patches.npy"), probe, strict=True)
    ]
    row = 0
    for number, shard in enumerate(tqdm(store.shards(plan), "features", len(plan.clips), delay=2, disable=None)):
        if number >= done:
            _write_clip(model.network, shard, arrays, row)
            for array in arrays:
                array.flush()
            with atomic_write(progress, text=True) as file:
                json.dump({"clips": number + 1}, file)
        row += len(shard.reasons)


def _write_clip(network: FacetNetwork, shard: Shard, arrays: Sequence[np.ndarray], row: int) -> None:
    good = np.flatnonzero([not reason for reason in shard.reasons])
    for start in range(0, len(good), CHUNK):
        some = good[start : start + CHUNK]
        for array, values in zip(arrays, tower_outputs(network, shard.values[some]), strict=True):
            array[row + some] = values


def _array_on_disk(path: Path, shape: tuple[int, ...], dtype: np.dtype, exists: bool) -> np.memmap:
    if exists:
        return np.lib.format.open_memmap(path, mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def tower_outputs(network: FacetNetwork, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Global features (B,N,D) in single and feature maps (B,N,C,h,w) in half precision of pictures (B,N,3,H,W)."""
    device = next(network.parameters()).device
    batch, count = images.shape[:2]
    with torch.inference_mode():
        pictures = torch.from_numpy(images).to(device).flatten(0, 1).float() / 127.5 - 1.0
        features, maps = network.encoders.images(pictures.contiguous(memory_format=torch.channels_last))
        if maps.shape[-1] > MOST_PATCHES:
            maps = torch.nn.functional.adaptive_avg_pool2d(maps, MOST_PATCHES)
    return (
        features.float().cpu().numpy().reshape(batch, count, -1),
        maps.half().cpu().numpy().reshape(batch, count, *maps.shape[1:]),
    )


def look_at(
    network: FacetNetwork,
    views: Float[np.ndarray, "B N D"],
    patches: Float[np.ndarray, "B N C h w"],
    angles_deg: Float[np.ndarray, "N 2"],
) -> ViewTokens:
    """What the network makes of towers' outputs after CVSA; gradients flow where they are enabled."""
    device = next(network.parameters()).device
    features = torch.from_numpy(np.array(views, np.float32)).to(device).flatten(0, 1)
    maps = torch.from_numpy(np.array(patches, np.float32)).to(device).flatten(0, 1)
    present = torch.ones(views.shape[:2], dtype=torch.bool, device=device)
    angles = torch.from_numpy(angles_deg).float().to(device).expand(len(views), -1, -1)
    return network.aggregate(features, maps, angles, present)


def sentence_cosines(
    model: JudgedModel,
    views: Float[np.ndarray, "R N D"],
    patches: Float[np.ndarray, "R N C h w"],
    sentences: Mapping[str, Sequence[str]],
    chosen: Sequence[int] | None = None,
) -> Float[np.ndarray, "R K"]:
    """Cosine of every row with every label's sentences.

    Of a model whose fusion has learnt nothing it is the mean over its views, as plain CLIP would be asked.

    Args:
        chosen: the views that are there; None is all of them.
    """
    rows, kept = [], slice(None) if chosen is None else list(chosen)
    angles = view_angles(model.config.rig)[kept]
    with torch.inference_mode():
        texts = model.network.classes(sentences)
        for start in range(0, len(views), CHUNK):
            part = slice(start, start + CHUNK)
            if model.fusion_trained:
                seen = look_at(model.network, views[part][:, kept], patches[part][:, kept], angles)
                rows.append(model.network.fuse(seen, texts)[0].cpu())
            else:
                features = torch.from_numpy(np.array(views[part][:, kept])).to(texts)
                rows.append((torch.nn.functional.normalize(features, dim=-1) @ texts.T).mean(dim=1).cpu())
    return torch.cat(rows).numpy()
