"""One fold of a protocol run: every learner fits its training part and judges its test part; kept in a file of its own,
so that a run that was killed goes on with the next fold.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from facet_vlm.evaluation.features import FeatureTable, feature_table, sentence_cosines
from facet_vlm.evaluation.frames import record_key
from facet_vlm.evaluation.items import Examples, Items, pooled_items, pooled_values
from facet_vlm.evaluation.learners.fusion_tuning import PARTS, FusionTuning
from facet_vlm.evaluation.learners.learner import Learner
from facet_vlm.evaluation.learners.peers import frontal_probe, landmark_mlp, mean_probe, unit_forest
from facet_vlm.evaluation.learners.temporal import TemporalFusion, TemporalZeroShot, temporal_texts
from facet_vlm.evaluation.learners.zero_shot import AskedOnce, FrameRule, ZeroShot, questions_of, single_views
from facet_vlm.evaluation.motion import Motion, run_motion
from facet_vlm.evaluation.protocol_plan import Prepared, ProtocolPlan, prepared_plan
from facet_vlm.evaluation.reading_store import Reading, ReadingStore
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import softmax
from facet_vlm.language.prompts import label_sentences
from mesh4d.io.atomic import atomic_write

PART = {"learner": "iR", "record": "iR", "failed": "iR", "probabilities": "fRK", "thresholds": "fRK",
        "seconds": "fL", "notes": "UL"}  # fmt: skip
"""Arrays of a fold's file; `record` is the place in `Prepared.records`."""


class Bench:
    """A prepared run whose caches are filled: items, targets and learners."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        plan, model, frames = prepared.plan, prepared.model, prepared.frames
        store = ReadingStore.at(plan.cache_folder, prepared.views)
        self.reasons = [reason for shard in store.shards(frames) for reason in shard.reasons]
        self.table: FeatureTable = feature_table(model, store, frames, self.reasons, plan.cache_folder)
        rows = [frames.rows[record_key(record)] for record in prepared.records]
        calm = np.zeros(len(frames))
        self.in_motion = any(len(some) > 1 for some in rows)
        if self.in_motion:
            cosines = sentence_cosines(model, self.table.views, self.table.patches, label_sentences())
            calm = softmax(float(model.network.scale.detach()) * cosines)[:, list(label_sentences()).index("neutral")]
        values = {
            reading.name: pooled_values(self._values(reading), rows, calm, plan.pooling)
            for reading in prepared.peer_readings
        }
        pooled = pooled_items(self.table, rows, calm, plan.pooling)
        self.items: Items = dataclasses.replace(pooled, landmarks=values.get("landmarks"), units=values.get("units"))
        self.targets, self.known = prepared.protocol.targets(prepared.records)
        self.place = {record_key(record): place for place, record in enumerate(prepared.records)}
        motion = run_motion(model, store, frames, self.table, plan.cache_folder) if self.in_motion else None
        self.learners = learners_of(prepared, self.items, motion)

    def _values(self, reading: Reading) -> Float[np.ndarray, "R P"]:
        """A peer's reading of every mesh; NaN where it failed."""
        shards = list(ReadingStore.at(self.prepared.plan.cache_folder, reading).shards(self.prepared.frames))
        good = [s.values.reshape(len(s.reasons), -1) for s in shards if not all(s.reasons)]
        width = good[0].shape[1] if good else 1
        values = np.full((len(self.prepared.frames), width), np.nan, np.float32)
        row = 0
        for shard in shards:
            for value, reason in zip(shard.values, shard.reasons, strict=True):
                if not reason:
                    values[row] = value.ravel()
                row += 1
        return values

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
            dataclasses.asdict(protocol), plan.pooling, self.prepared.model.sha256, self.prepared.model.name,
            self.prepared.model.temporal_note,
            [learner.name for learner in self.learners], dataclasses.asdict(FusionTuning.settings),
            [(fold.name, [record_key(r) for r in fold.train], [record_key(r) for r in fold.test])
             for fold in self.prepared.folds],
            self.targets.tolist(), self.known.tolist(), str(getattr(self.table.views, "filename", "")),
            [reading.settings for reading in (self.prepared.views, *self.prepared.peer_readings)],
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(settings, default=list).encode()).hexdigest()[:12]
        return plan.output / f"folds-{digest}"


def learners_of(prepared: Prepared, everything: Items, motion: Motion | None) -> tuple[Learner, ...]:
    """The ways to recognise that a plan asks for; the temporal module and rules over frames where there is motion."""
    model, plan = prepared.model, prepared.plan
    questions = questions_of(prepared.protocol.task, prepared.protocol.classes)
    frontal = int(np.abs(view_angles(model.config.rig)).sum(axis=1).argmin())
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
        chosen += [frontal_probe(frontal), mean_probe(), landmark_mlp()]
    if plan.peers == "all":
        chosen.append(unit_forest())
    chosen += [AskedOnce(view, everything) for view in single_views(asked)]
    if plan.ablate:
        chosen += [FusionTuning(model, questions, without=part) for part in PARTS]
    return tuple(chosen)


@lru_cache(maxsize=1)
def bench(plan: ProtocolPlan, token: str) -> Bench:
    """The bench of a plan, made once per process and run (which `token` names)."""
    return Bench(prepared_plan(plan, token))


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
    columns: dict[str, list] = {name: [] for name in PART}
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
        np.savez_compressed(file, allow_pickle=False, **arrays)


def part_path(folder: Path, item: tuple[int, int]) -> Path:
    """The file of one fold under one seed."""
    return folder / f"seed{item[0]}-fold{item[1]:05d}.npz"
