"""Saved predictions of a protocol run: one Parquet file that every table and plot is computed from.

A row per test record, fold, seed and learner: `learner`, `seed`, `fold`, `record`, `person`, `failed`, and lists over
the classes: `truth` (NaN = unknown), `probabilities` (NaN where failed), `thresholds` (NaN where labels exclude each
other). The file's metadata hold `facet4d.run`, a JSON text: protocol, folds with training people, proofs, hashes,
failures, settings, times; and `facet4d.digest`, a hash of all of it, so that a file that was edited is refused. Who
edits can hash anew: reports print the digest, and it must be the one that was published with the numbers.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from mesh4d.errors import MeshFormatError, SplitError
from mesh4d.io.atomic import atomic_write
from mesh4d.io.sources import expansion_limit, read_bytes

FORMAT = "facet4d protocol predictions 1"
KEY = b"facet4d.run"
DIGEST = b"facet4d.digest"
LISTS = ("truth", "probabilities", "thresholds")
REQUIRED = ("format", "protocol", "classes", "exclusive", "folds", "learners", "people")


@dataclass(frozen=True)
class RunPredictions:
    """All predictions of a run."""

    header: Mapping[str, Any]
    """What stands above every number; see `facet_vlm.evaluation.protocol_run`."""
    learner: Int[np.ndarray, " R"]
    """Place in `header["learners"]`."""
    seed: Int[np.ndarray, " R"]
    fold: Int[np.ndarray, " R"]
    """Place in `header["folds"]`."""
    record: tuple[str, ...]
    person: Int[np.ndarray, " R"]
    """Place in `header["people"]`."""
    failed: Bool[np.ndarray, " R"]
    """Unreadable, refused, or nothing for this learner to look at: counted as wrong."""
    truth: Float[np.ndarray, "R K"]
    probabilities: Float[np.ndarray, "R K"]
    thresholds: Float[np.ndarray, "R K"]

    def __post_init__(self) -> None:
        learnt = [set(fold["train_people"]) for fold in self.header["folds"]]
        for fold, person in np.unique(np.stack([self.fold, self.person], axis=1), axis=0).tolist():
            if person in learnt[fold]:
                name = self.header["people"][person]
                raise SplitError(f"{self.header['folds'][fold]['name']}: {name} is in 'train' and again in 'test'")

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns of the lists."""
        return tuple(self.header["classes"])

    @property
    def exclusive(self) -> bool:
        """Exactly one class holds for a record."""
        return bool(self.header["exclusive"])

    @property
    def digest(self) -> str:
        """SHA-256 of the header and of every row, as they are stored."""
        header = {name: value for name, value in self.header.items() if name != "format"}
        found = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for name in ("learner", "seed", "fold", "person"):
            found.update(np.ascontiguousarray(getattr(self, name), np.int64).tobytes())
        found.update(np.packbits(self.failed).tobytes())
        found.update("\0".join(self.record).encode())
        for name in LISTS:
            values = np.asarray(getattr(self, name), np.float32)
            found.update(np.isnan(values).tobytes() + np.nan_to_num(values).tobytes())
        return found.hexdigest()

    def of_learner(self, place: int) -> "RunPredictions":
        """The rows of one learner."""
        rows = self.learner == place
        kept = np.flatnonzero(rows)
        return RunPredictions(
            self.header, self.learner[rows], self.seed[rows], self.fold[rows], tuple(self.record[r] for r in kept),
            self.person[rows], self.failed[rows], self.truth[rows], self.probabilities[rows], self.thresholds[rows],
        )  # fmt: skip


def joined(header: Mapping[str, Any], parts: Sequence[RunPredictions]) -> RunPredictions:
    """The parts of a run as one, under a common header."""
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("learner", "seed", "fold", "person", "failed", *LISTS)
    }
    return RunPredictions(header, record=tuple(name for part in parts for name in part.record), **arrays)


def write_run(run: RunPredictions, path: str | PathLike[str]) -> None:
    """Write a run's predictions."""
    table = pa.table(
        {
            "learner": pa.array([run.header["learners"][place]["name"] for place in run.learner]).dictionary_encode(),
            "seed": pa.array(run.seed, pa.int64()),
            "fold": pa.array(run.fold, pa.int64()),
            "record": pa.array(run.record, pa.string()).dictionary_encode(),
            "person": pa.array([run.header["people"][place] for place in run.person], pa.string()).dictionary_encode(),
            "failed": pa.array(run.failed, pa.bool_()),
            **{name: _lists(getattr(run, name)) for name in LISTS},
        }
    ).replace_schema_metadata({KEY: json.dumps(dict(run.header) | {"format": FORMAT}), DIGEST: run.digest})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_run(path: str | PathLike[str]) -> RunPredictions:
    """Read what `write_run` wrote, and prove once more that no person is on both sides of a fold.

    Raises:
        MeshFormatError: a file that is none, that was edited, or that lacks predictions.
        SplitError: a person whose predictions were made after learning from them.
    """
    content = read_bytes(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        meta = file.metadata
        grown = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
        if grown > expansion_limit(len(content)):
            raise MeshFormatError(path, "row groups", f"at most {expansion_limit(len(content))} bytes", str(grown))
        header = json.loads((file.schema_arrow.metadata or {})[KEY])
        absent = [name for name in REQUIRED if name not in header]
        if absent or header["format"] != FORMAT:
            raise MeshFormatError(path, "metadata", f"a run in the format {FORMAT!r}", f"no {', '.join(absent)}")
        run = _from_table(header, file.read())
        written = (file.schema_arrow.metadata or {}).get(DIGEST, b"").decode("ascii", "replace")
        if run.digest != written:
            raise MeshFormatError(
                path, "digest", f"predictions as they were saved, {written[:12] or 'none written'}",
                f"{run.digest[:12]}: the file was edited after the run",
            )  # fmt: skip
        _prove_complete(run, path)
        return run
    except KeyError as error:
        raise MeshFormatError(path, "metadata", "predictions of a protocol run", f"no {error}") from error
    except (pa.ArrowException, OSError, OverflowError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, MeshFormatError | SplitError):
            raise
        raise MeshFormatError(path, "file", "predictions of a protocol run", str(error)[:200]) from error


def _prove_complete(run: RunPredictions, path: str | PathLike[str]) -> None:
    """Every learner has judged every test record of every fold once under each seed: none was dropped.

    Raises:
        MeshFormatError: it names the fold.
    """
    judged = np.stack([run.learner, run.seed, run.fold], axis=1)
    found = {tuple(key): count for key, count in zip(*map(np.ndarray.tolist, _counted(judged)), strict=True)}
    seeds = sorted({int(seed) for seed in run.seed}) or [0]
    for number, fold in enumerate(run.header["folds"]):
        for learner, about in enumerate(run.header["learners"]):
            for seed in seeds:
                count = found.get((learner, seed, number), 0)
                if count != fold["test_records"]:
                    place = f"{fold['name']}, {about['name']}, seed {seed}"
                    raise MeshFormatError(path, place, f"{fold['test_records']} predictions", str(count))
    rows = np.concatenate([judged, np.unique(run.record, return_inverse=True)[1][:, None]], axis=1)
    if len(rows) and _counted(rows)[1].max() > 1:
        raise MeshFormatError(path, "rows", "one prediction per record, learner, fold and seed", "several")


def _counted(rows: Int[np.ndarray, "R C"]) -> tuple[Int[np.ndarray, "U C"], Int[np.ndarray, " U"]]:
    return np.unique(rows, axis=0, return_counts=True)


def is_run(path: str | PathLike[str]) -> bool:
    """Whether a file claims to be a run's predictions (it is a Parquet file)."""
    return Path(path).suffix == ".parquet"


def _from_table(header: dict[str, Any], table: pa.Table) -> RunPredictions:
    count, classes = table.num_rows, len(header["classes"])
    learners = {learner["name"]: place for place, learner in enumerate(header["learners"])}
    people = {name: place for place, name in enumerate(header["people"])}
    lists = {}
    for name in LISTS:
        values = table.column(name).combine_chunks()
        values = values.flatten() if isinstance(values, pa.FixedSizeListArray) else values
        lists[name] = values.to_numpy(zero_copy_only=False).reshape(count, classes).astype(np.float64)
    fold = table.column("fold").to_numpy()
    if count and not (fold.min() >= 0 and fold.max() < len(header["folds"])):
        raise ValueError(f"expected folds 0 to {len(header['folds']) - 1}, found {fold.min()} to {fold.max()}")
    return RunPredictions(
        header,
        np.array([learners[name] for name in table.column("learner").to_pylist()], np.int64),
        table.column("seed").to_numpy(),
        fold,
        tuple(table.column("record").to_pylist()),
        np.array([people[name] for name in table.column("person").to_pylist()], np.int64),
        table.column("failed").to_numpy(zero_copy_only=False).astype(bool),
        **lists,
    )


def _lists(values: Float[np.ndarray, "R K"]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
