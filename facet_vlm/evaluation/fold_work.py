"""One fold of a protocol run: every learner fits its training part and judges its test part; kept in a file of its own,
so that a run that was killed goes on with the next fold.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from facet_vlm.evaluation.frames import record_key
from facet_vlm.evaluation.items import Examples, Items, pooled_values
from facet_vlm.evaluation.learners.fusion_tuning import PARTS, FusionTuning
from facet_vlm.evaluation.learners.learner import Learner
from facet_vlm.evaluation.learners.peers import frontal_probe, landmark_mlp, mean_probe, unit_forest
from facet_vlm.evaluation.learners.temporal import TemporalFusion, TemporalZeroShot, temporal_texts
from facet_vlm.evaluation.learners.zero_shot import AskedOnce, FrameRule, ZeroShot, questions_of, single_views
from facet_vlm.evaluation.motion import Motion, run_motion
from facet_vlm.evaluation.protocol_plan import Prepared, ProtocolPlan
from facet_vlm.evaluation.reading_store import Reading, ReadingStore
from facet_vlm.evaluation.sight import Sight, run_sight
from mesh4d.errors import MeshFormatError
from mesh4d.io.atomic import atomic_write
from mesh4d.io.npz import read_arrays

PART = {"learner": "iR", "record": "iR", "failed": "iR", "probabilities": "fRK", "thresholds": "fRK",
        "seconds": "fL", "notes": "UL", "digest": "U"}  # fmt: skip
"""Arrays of a fold's file; `record` is the place in `Prepared.records`."""


class Bench:
    """A prepared run whose caches are filled: items, targets and learners."""

    def __init__(self, sight: Sight) -> None:
        self.prepared, self.sight = sight.prepared, sight
        plan, model = self.prepared.plan, self.prepared.model
        self.looked = sight.for_peers()
        values = {reading.name: self._values(reading) for reading in self.prepared.peer_readings}
        self.items: Items = dataclasses.replace(
            sight.items(), landmarks=values.get("landmarks"), units=values.get("units")
        )
        self.targets, self.known = self.prepared.protocol.targets(self.prepared.records)
        self.place = {record_key(record): place for place, record in enumerate(self.prepared.records)}
        motion = None
        if sight.in_motion:
            motion = run_motion(model, sight.store, self.prepared.frames, sight.table, plan.cache_folder)
        self.learners = learners_of(self.prepared, self.items, motion)

    def _values(self, reading: Reading) -> Float[np.ndarray, "B P"]:
        """A peer's reading of every record; NaN where it failed."""
        shards = list(ReadingStore.at(self.prepared.plan.cache_folder, reading).shards(self.looked))
        good = [s.values.reshape(len(s.reasons), -1) for s in shards if not all(s.reasons)]
        values = np.full((len(self.looked), good[0].shape[1] if good else 1), np.nan, np.float32)
        row = 0
        for shard in shards:
            for value, reason in zip(shard.values, shard.reasons, strict=True):
                if not reason:
                    values[row] = value.ravel()
                row += 1
        rows = [self.looked.rows[record_key(record)] for record in self.prepared.records]
        return pooled_values(values, rows, self.prepared.plan.pooling)

    def examples(self, places: Sequence[int]) -> Examples:
        """Records to learn from, with their labels."""
        rows = np.array(places, np.int64)
        people = tuple(self.prepared.records[place].person for place in places)
        return Examples(
            self.items.take(rows), self.targets[rows], self.known[rows], people, self.prepared.exclusive
        ).without_failures()

    @cached_property
    def folder(self) -> Path:
        """Where this run's folds are kept: another one for other data, weights, learners or settings."""
        protocol, plan = self.prepared.protocol, self.prepared.plan
        settings = [
            sorted(PART), dataclasses.asdict(protocol), plan.pooling,
            self.prepared.model.sha256, self.prepared.model.name, self.prepared.model.temporal_note,
            [learner.name for learner in self.learners], dataclasses.asdict(FusionTuning.settings),
            [(fold.name, [record_key(r) for r in fold.train], [record_key(r) for r in fold.test])
             for fold in self.prepared.folds],
            self.targets.tolist(), self.known.tolist(), self.sight.table.folder.name if self.sight.table.folder else "",
            [reading.settings for reading in (self.prepared.views, *self.prepared.peer_readings)],
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(settings, default=list).encode()).hexdigest()[:12]
        return plan.output / f"folds-{digest}"


def learners_of(prepared: Prepared, everything: Items, motion: Motion | None) -> tuple[Learner, ...]:
    """The ways to recognise that a plan asks for; the temporal module and rules over frames where there is motion."""
    model, plan = prepared.model, prepared.plan
    questions = questions_of(prepared.protocol.task, prepared.protocol.classes)
    asked = ZeroShot(model, questions, prepared.exclusive)
    chosen: list[Learner] = [AskedOnce(asked, everything)]
    if plan.tune:
        chosen.append(FusionTuning(model, questions))
    if motion is not None:
        texts = temporal_texts(model.network, questions, prepared.exclusive)
        if motion.start is not None:
            chosen.append(TemporalZeroShot(motion, texts, prepared.exclusive))
        if plan.tune:
            chosen.append(TemporalFusion(motion, texts))
        chosen += [AskedOnce(FrameRule(asked, "mean"), everything), AskedOnce(FrameRule(asked, "max"), everything)]
    if plan.peers != "none":
        chosen += [frontal_probe(prepared.frontal_view), mean_probe()]
    if plan.peers in ("fast", "all"):
        chosen.append(landmark_mlp())
    if plan.peers == "all":
        chosen.append(unit_forest())
    chosen += [AskedOnce(view, everything) for view in single_views(asked)]
    if plan.ablate:
        chosen += [FusionTuning(model, questions, without=part) for part in PARTS]
    return tuple(chosen)


@lru_cache(maxsize=1)
def bench(plan: ProtocolPlan, token: str) -> Bench:
    """The bench of a plan, made once per process and run (which `token` names)."""
    return Bench(run_sight(plan, token))


def judge_fold(plan: ProtocolPlan, token: str, item: tuple[int, int]) -> None:
    """Fit and judge one fold under one seed.

    Args:
        plan: the run; its readings are complete.
        token: names the run.
        item: seed, and place of the fold.
    """
    where, (seed, number) = bench(plan, token), item
    fold = where.prepared.folds[number]
    train = where.examples([where.place[record_key(record)] for record in fold.train])
    tested = np.array([where.place[record_key(record)] for record in fold.test], np.int64)
    asked = where.items.take(tested)
    columns: dict[str, list] = {name: [] for name in PART if name != "digest"}
    for place, learner in enumerate(where.learners):
        started = time.perf_counter()
        fitted = learner.fit(train, np.random.default_rng([seed, number, place]))
        probabilities = fitted.score(asked)
        count = probabilities.shape[1]
        columns["learner"].append(np.full(len(tested), place))
        columns["record"].append(tested)
        columns["failed"].append(~np.isfinite(probabilities).all(axis=1))
        columns["probabilities"].append(probabilities)
        thresholds = np.full(count, np.nan) if fitted.thresholds is None else fitted.thresholds
        columns["thresholds"].append(np.broadcast_to(thresholds, (len(tested), count)))
        columns["seconds"].append([time.perf_counter() - started])
        columns["notes"].append([json.dumps(fitted.notes)])
    arrays = {name: np.concatenate(values) for name, values in columns.items()}
    arrays["failed"] = arrays["failed"].astype(np.int8)  # the reader of .npz knows no bool
    with atomic_write(part_path(where.folder, item)) as file:
        np.savez_compressed(file, allow_pickle=False, digest=np.array(_digest(arrays)), **arrays)


def read_part(path: Path) -> dict[str, np.ndarray]:
    """One fold's predictions.

    Raises:
        MeshFormatError: a file that is none, or that was edited.
    """
    arrays = read_arrays(path, PART)
    written = str(arrays.pop("digest", np.array("")))
    if _digest(arrays) != written:
        raise MeshFormatError(path, "digest", f"predictions as they were saved, {written[:12]}", "others; delete it")
    return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        found.update(name.encode())
        found.update("\0".join(values.tolist()).encode() if values.dtype.kind == "U" else values.tobytes())
    return found.hexdigest()


def part_path(folder: Path, item: tuple[int, int]) -> Path:
    """The file of one fold under one seed."""
    return folder / f"seed{item[0]}-fold{item[1]:05d}.npz"
