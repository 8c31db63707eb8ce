"""A protocol from data set to saved predictions and reports: read, look, learn and judge, fold by fold; resumable."""

import dataclasses
import json
import secrets
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facet_vlm.evaluation.cache_proof import prove_features, prove_readings
from facet_vlm.evaluation.contents import Contents, run_contents
from facet_vlm.evaluation.fold_work import Bench, bench, judge_fold, part_path, read_part
from facet_vlm.evaluation.frames import FramePlan, record_key
from facet_vlm.evaluation.items import apex_rows
from facet_vlm.evaluation.leaks import prove_no_look_alikes, prove_no_shared_content
from facet_vlm.evaluation.protocol_plan import ProtocolPlan, prepared_plan
from facet_vlm.evaluation.reading_store import Reading, ReadingStore
from facet_vlm.evaluation.run_predictions import RunPredictions, joined, read_run, write_run
from facet_vlm.evaluation.sight import Sight, run_sight
from mesh4d.errors import SplitError
from mesh4d.scale_out import run_items

PREDICTIONS = "predictions.parquet"
MOST_LISTED = 2000
"""Failures that a run's file names one by one."""


def run_protocol(plan: ProtocolPlan) -> RunPredictions:
    """Judge a model and its peers under a protocol; predictions.parquet and the caches lie in the plan's output.

    A run that was killed goes on where it stood when it is called again.

    Raises:
        SplitError: a subject, file or copy of a file on both sides of a fold; weights that learnt from the tested.
        MeshError: a data set that is not there, or not as the protocol needs it.
    """
    token = secrets.token_hex(8)
    prepared = prepared_plan(plan, token)
    _ = prepared.model  # refuses what it has learnt from, before hours of reading
    plan.output.mkdir(parents=True, exist_ok=True)
    plan.cache_folder.mkdir(parents=True, exist_ok=True)
    times: dict[str, float] = {}
    _take(plan, prepared.views, prepared.frames, times)
    pictures = ReadingStore.at(plan.cache_folder, prepared.views)
    contents = run_contents(pictures, prepared.frames, prepared.frontal_view)
    proofs = [prove_no_shared_content(prepared.folds, prepared.frames.rows, contents.hashes)]
    started = time.perf_counter()
    sight = run_sight(plan, token)
    times["features_s"] = time.perf_counter() - started
    for reading in prepared.peer_readings:
        _take(plan, reading, sight.for_peers(), times)
    alike = _look_alikes(sight, contents)
    where = bench(plan, token)
    sample = np.random.default_rng(int(token, 16))
    proofs += [alike[0], prove_features(sight, sample), prove_readings(pictures, prepared.frames, sample)]
    proofs += [
        prove_readings(ReadingStore.at(plan.cache_folder, reading), where.looked, sample)
        for reading in prepared.peer_readings
    ]
    folder = where.folder
    folder.mkdir(exist_ok=True)
    items = [(seed, number) for seed in range(plan.seeds) for number in range(len(prepared.folds))]
    started = time.perf_counter()
    run_items(
        partial(judge_fold, plan, token),
        items,
        is_done=lambda item: part_path(folder, item).is_file(),
        workers=plan.workers,
        scheduler=plan.scheduler,
        label="folds",
    )
    times["folds_s"] = time.perf_counter() - started
    run = _collected(where, folder, items, run_header(where, proofs, alike[1], times))
    write_run(run, plan.output / PREDICTIONS)
    return run


def _take(plan: ProtocolPlan, reading: Reading, frames: FramePlan, times: dict[str, float]) -> None:
    """Take what is missing of a reading, and note how long that took."""
    started = time.perf_counter()
    if ReadingStore.at(plan.cache_folder, reading).fill(frames, plan.workers, plan.scheduler):
        times[f"{reading.name}_s"] = time.perf_counter() - started


def _look_alikes(sight: Sight, contents: Contents) -> tuple[str, list[str]]:
    """Records compared by the mesh that speaks for them."""
    records = sight.prepared.records
    keys = [record_key(record) for record in records]
    speaking = apex_rows(sight.table, sight.rows, sight.neutrality)
    return prove_no_look_alikes(
        sight.prepared.folds,
        {key: record.person for key, record in zip(keys, records, strict=True)},
        dict(zip(keys, speaking, strict=True)),
        contents.small,
    )


def run_header(where: Bench, proofs: Sequence[str], alike: Sequence[str], times: dict[str, float]) -> dict[str, Any]:
    """What stands above every number of a run, ready for JSON."""
    prepared, plan = where.prepared, where.prepared.plan
    protocol, model = prepared.protocol, prepared.model
    people = sorted({record.person for record in prepared.records})
    place = {name: number for number, name in enumerate(people)}
    failed = _failures(where)
    return {
        "protocol": dataclasses.asdict(protocol),
        "classes": list(protocol.classes),
        "exclusive": prepared.exclusive,
        "datasets": [
            {"kind": d.kind, "folder": d.root.resolve().name, "digest": d.digest(), "records": len(d),
             "subjects": len(d.subjects), "problems": len(d.problems)}
            for d in prepared.datasets
        ],
        "model": {"name": model.name, "clip": model.config.clip, "sha256": model.sha256,
                  "fusion_trained": model.fusion_trained,
                  "learnt": [model.refuse_learnt_subjects(d) for d in prepared.datasets]},
        "views": dict(prepared.views.settings),
        "settings": {
            "pooling": plan.pooling, "frames": plan.frames, "every": plan.every, "seeds": plan.seeds,
            "rounds": plan.rounds or protocol.repeats, "folds": len(prepared.folds), "of_folds": prepared.fold_count,
            "reduced": plan.reduced,
        },
        "learners": [
            {"name": learner.name, "title": learner.title, "group": learner.group} for learner in where.learners
        ],
        "temporal": _about_motion(where),
        "people": people,
        "folds": [
            {"name": fold.name, "round": prepared.round_of[number], "proof": fold.proof,
             "train_people": [place[name] for name in fold.train_subjects],
             "train_records": len(fold.train), "test_records": len(fold.test),
             "train_failed": sum(bool(where.items.failed[where.place[record_key(r)]]) for r in fold.train)}
            for number, fold in enumerate(prepared.folds)
        ],
        "content_proofs": list(proofs),
        "look_alikes": list(alike),
        "records": len(prepared.records),
        "meshes": len(prepared.frames),
        "meshes_failed": sum(bool(reason) for reason in where.sight.reasons),
        "failures": failed[:MOST_LISTED],
        "runtime": times,
        "command": " ".join(["facet-vlm", *sys.argv[1:]]),
    }  # fmt: skip


def _about_motion(where: Bench) -> str:
    """What reads motion: 4D weights, or what stands in for them; empty where there is no motion."""
    if not where.sight.in_motion:
        return ""
    note = where.prepared.model.temporal_note
    if where.prepared.model.temporal is not None:
        return f"4D weights: {note}; asked as they are, and tuned per fold"
    return (
        f"No 4D weights ({note}): sequences are read by rules over frames (apex, mean, max of zero-shot), and the "
        "temporal module starts from chance in every fold"
    )


def _failures(where: Bench) -> list[dict[str, str]]:
    """Records whose meshes, or some of them, could not be read or aligned, with the reason."""
    found = []
    for place, record in enumerate(where.prepared.records):
        rows = where.prepared.frames.rows[record_key(record)]
        bad = [where.sight.reasons[row] for row in rows if where.sight.reasons[row]]
        if bad:
            share = "no frame" if where.items.failed[place] else f"{len(bad)} of {len(rows)} frames"
            found.append({"record": record_key(record), "lost": share, "reason": bad[0]})
    return found


def _collected(where: Bench, folder: Path, items: Sequence[tuple[int, int]], header: dict[str, Any]) -> RunPredictions:
    """The folds' files as one run."""
    records, place = where.prepared.records, {name: number for number, name in enumerate(header["people"])}
    person = np.array([place[record.person] for record in records])
    truth = np.where(where.known, where.targets, np.nan)
    parts, seconds, notes = [], [], []
    for seed, number in items:
        part = read_part(part_path(folder, (seed, number)))
        rows, size = part["record"], len(part["record"])
        tested = [where.place[record_key(record)] for record in where.prepared.folds[number].test]
        if rows.tolist() != tested * len(header["learners"]):
            path = part_path(folder, (seed, number))
            raise SplitError(
                f"{path}: expected the fold's {len(tested)} test records per learner, found others; delete it"
            )
        parts.append(
            RunPredictions(
                header, part["learner"], np.full(size, seed), np.full(size, number),
                tuple(records[row].name for row in rows), person[rows], part["failed"].astype(bool), truth[rows],
                part["probabilities"], part["thresholds"],
            )
        )  # fmt: skip
        seconds.append(part["seconds"])
        notes.append([json.loads(text) for text in part["notes"]])
    for number, learner in enumerate(header["learners"]):
        learner["seconds_a_fold"] = float(np.mean([some[number] for some in seconds]))
        names = sorted({name for some in notes for name in some[number]})
        learner["chosen"] = {name: float(np.mean([some[number][name] for some in notes])) for name in names}
    return joined(header, parts)


def evaluate_protocol(plan: ProtocolPlan) -> dict[str, Any]:
    """Run a protocol and write its reports beside the predictions; what the command prints."""
    from facet_vlm.evaluation.run_report import write_reports

    run_protocol(plan)
    return write_reports(read_run(plan.output / PREDICTIONS), plan.output)
