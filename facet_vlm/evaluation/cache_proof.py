"""What a run takes from caches, held against its sources: a sample is made anew, and must come out the same.

File names of cached readings hold the paths, sizes and times of the meshes, and folders of features the hash of the
weights; but folders can be copied about, times set back, and code changes under the same version.
"""

import hashlib
import json

import numpy as np

from facet_vlm.evaluation.features import DONE, tower_outputs
from facet_vlm.evaluation.frames import Clip, FramePlan
from facet_vlm.evaluation.reading_store import ReadingStore, Shard, read_clip
from facet_vlm.evaluation.sight import Sight
from mesh4d.errors import MeshFormatError
from mesh4d.io.sources import read_bytes

HASHED_CLIPS = 24
RETAKEN_MESHES = 2
RECOMPUTED_ROWS = 4
MOST_CHANGED = 0.01
"""Mean difference of numbers made anew, as a share of their range: what another processor's rounding may do."""


def prove_readings(store: ReadingStore, plan: FramePlan, rng: np.random.Generator) -> str:
    """Some clips' files hashed, and some meshes read anew.

    Returns:
        The proof as a sentence.

    Raises:
        MeshFormatError: a cache that was taken from other files, or in another way; it says what to delete.
    """
    chosen = rng.permutation(len(plan.clips))[:HASHED_CLIPS].tolist()
    for number, clip in enumerate(plan.clips[place] for place in chosen):
        (shard,) = store.shards(FramePlan((clip,), {}, ()))
        _prove_files(store, clip, shard)
        if number < RETAKEN_MESHES:
            _prove_values(store, clip, shard)
    return (
        f"{store.reading.name}: files of {len(chosen)} of {len(plan.clips)} clips hashed again, "
        f"{min(RETAKEN_MESHES, len(chosen))} taken again: the same"
    )


def _prove_files(store: ReadingStore, clip: Clip, shard: Shard) -> None:
    for path, digest in zip(clip.paths, shard.digests, strict=True):
        file = clip.root / path
        found = hashlib.sha256(read_bytes(file)).hexdigest() if file.is_file() else ""
        if found != digest:
            raise MeshFormatError(
                store.path_of(clip), path, f"to be taken from a file with SHA-256 {digest[:12]}",
                f"{found[:12] or 'no file'}; delete {store.folder} to take it anew",
            )  # fmt: skip


def _prove_values(store: ReadingStore, clip: Clip, shard: Shard) -> None:
    """The first mesh of the clip, taken again."""
    first = Clip(clip.root, clip.paths[:1], clip.is_sequence)
    again = read_clip(store.reading, first)
    same = again.reasons == shard.reasons[:1]
    if same and not again.reasons[0]:
        same = _alike(shard.values[0], again.values[0])
    if not same:
        raise MeshFormatError(
            store.path_of(clip), clip.paths[0], f"what {store.reading.name} gives today",
            f"something else; delete {store.folder} to take it anew",
        )  # fmt: skip


def prove_features(sight: Sight, rng: np.random.Generator) -> str:
    """Some features computed anew.

    Raises:
        MeshFormatError: features of other weights or other pictures; it says what to delete.
    """
    model, plan, table = sight.prepared.model, sight.prepared.frames, sight.table
    folder = table.folder
    if folder is None:
        return "features: made in this run"
    about = json.loads((folder / DONE).read_text(encoding="utf-8"))
    if about["weights"] != model.sha256 or about["rows"] != len(plan) or len(table.views) != len(plan):
        raise MeshFormatError(
            folder / DONE, "weights and rows", f"{model.sha256[:12]}, {len(plan)}",
            f"{str(about['weights'])[:12]}, {about['rows']}; delete the folder to compute it anew",
        )  # fmt: skip
    starts = np.cumsum([0, *(len(clip.paths) for clip in plan.clips)])
    checked = 0
    for place in rng.permutation(len(plan.clips)).tolist():
        (shard,) = sight.store.shards(FramePlan((plan.clips[place],), {}, ()))
        good = np.flatnonzero([not reason for reason in shard.reasons])[: RECOMPUTED_ROWS - checked]
        if len(good):
            again = tower_outputs(model.network, shard.values[good])
            kept = (table.views[starts[place] + good], table.patches[starts[place] + good])
            if not all(_alike(one, two) for one, two in zip(kept, again, strict=True)):
                raise MeshFormatError(
                    folder, "features", f"those of {model.name} for {plan.clips[place].paths[0]}",
                    "others; delete the folder to compute them anew",
                )  # fmt: skip
        checked += len(good)
        if checked >= RECOMPUTED_ROWS:
            break
    return f"features: {checked} of {len(plan)} meshes computed again: the same"


def _alike(kept: np.ndarray, again: np.ndarray) -> bool:
    if kept.shape != again.shape:
        return False
    one, two = np.asarray(kept, np.float64), np.asarray(again, np.float64)
    return bool(np.abs(one - two).mean() <= MOST_CHANGED * max(float(np.ptp(two)), 1e-6))
