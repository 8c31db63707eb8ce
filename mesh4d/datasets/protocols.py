"""Evaluation protocols: committed definitions (data_specs/protocols), folds as a function of subject names.

A protocol's numbers are comparable only with its name, its folds' proof and its list of unverified details beside
them; `Protocol.describe` prints all three.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.folds import Fold, dealt, shuffled
from mesh4d.datasets.record import Record
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.errors import SpecError, SplitError
from mesh4d.specs import load_toml, specs_folder

Task = Literal["expression", "units", "categories"]
Scheme = Literal["kfold", "loso", "lists", "cross"]
"""lists: the test subjects of each fold are written out in the definition."""
Draw = Literal["once", "each_repeat"]


@dataclass(frozen=True)
class Protocol:
    """Which records count, what is to be told of them, and who is tested after learning from whom."""

    name: str
    title: str
    dataset: str
    test_dataset: str | None
    """Another kind of data set to test on; None tests on the same."""
    task: Task
    """expression: one canonical label. units: action units, unknown ones masked. categories: source labels, several."""
    classes: tuple[str, ...]
    metric: str
    source: str
    unverified: tuple[str, ...]
    """Details that are only remembered, or our own choice where publications do not say."""
    levels: tuple[int, ...]
    """Grades of intensity that count; empty: all."""
    one_per_class: bool
    """Of several takes of a class by a subject only the first, by name."""
    subject_count: int | None
    complete: bool
    """Only subjects with every class (at every level)."""
    draw: Draw
    seed: int
    scheme: Scheme
    fold_count: int
    repeats: int
    lists: tuple[tuple[str, ...], ...] = ()
    """Subjects of each fold, where publications say who they are."""

    def folds(
        self,
        dataset: Dataset,
        test_dataset: Dataset | None = None,
        *,
        repeats: int | None = None,
        reduced: bool = False,
    ) -> list[Fold]:
        """All folds of all rounds, each with its proof.

        Args:
            dataset: of the protocol's kind.
            test_dataset: of its other kind, for a cross-data-set protocol.
            repeats: only so many rounds; the folds' names say so.
            reduced: take what subjects there are where the protocol asks for more, in fewer folds if need be. The
                folds' names say so: such numbers are not the protocol's.

        Raises:
            SplitError: the wrong kind of data set, too few subjects or records, a subject or a file in two parts.
        """
        self._check_kind(dataset, self.dataset)
        records = self.selected(dataset)
        if self.scheme == "cross":
            if test_dataset is None:
                raise SplitError(
                    f"{self.name}: expected a second data set ({self.test_dataset}) to test on, found none"
                )
            self._check_kind(test_dataset, self.test_dataset)
            return [Fold(self.name, records, self.selected(test_dataset))]
        by_subject: dict[str, list[Record]] = {}
        for record in records:
            by_subject.setdefault(record.subject, []).append(record)
        rounds = self.repeats if repeats is None else repeats
        name = self.name + (f" ({rounds} of {self.repeats} rounds)" if rounds != self.repeats else "")
        return [fold for number in range(rounds) for fold in self._round(name, number, by_subject, reduced)]

    def _round(self, name: str, number: int, by_subject: Mapping[str, list[Record]], reduced: bool) -> list[Fold]:
        drawn = self.drawn_subjects(by_subject, number, reduced=reduced)
        if self.scheme == "loso":
            parts = tuple((subject,) for subject in sorted(drawn))
            if len(parts) < 2:
                raise SplitError(f"{name}: expected at least 2 subjects, found {len(parts)}")
        elif self.scheme == "lists":
            parts = self._listed(drawn)
        else:
            count = min(self.fold_count, len(drawn)) if reduced else self.fold_count
            parts = dealt(shuffled(drawn, f"{self.seed}/round {number}"), count)
            if count != self.fold_count or len(drawn) != (self.subject_count or len(drawn)):
                name += f" (reduced: {len(drawn)} subjects, {count} folds)"
        prefix = f"{name}/round {number}" if self.repeats > 1 else name
        folds = []
        for part, tested in enumerate(parts):
            train = [record for subject in sorted(set(drawn) - set(tested)) for record in by_subject[subject]]
            test = [record for subject in sorted(tested) for record in by_subject[subject]]
            folds.append(Fold(f"{prefix}/fold {part}", tuple(train), tuple(test)))
        return folds

    def _listed(self, subjects: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The written folds, proven: everybody stands in one, and in one only."""
        prove_disjoint({f"fold {number}": part for number, part in enumerate(self.lists)})
        written = {subject for part in self.lists for subject in part}
        if set(subjects) != written:
            absent, unlisted = sorted(written - set(subjects)), sorted(set(subjects) - written)
            raise SplitError(f"{self.name}: listed subjects without records {absent}, subjects in no list {unlisted}")
        return self.lists

    def drawn_subjects(
        self, subjects: Mapping[str, object] | Sequence[str], repeat: int = 0, *, reduced: bool = False
    ) -> tuple[str, ...]:
        """The subjects of a round: a function of their names, the seed and (with draw = "each_repeat") the round.

        Raises:
            SplitError: fewer than the protocol asks for.
        """
        key = f"{self.seed}/draw" + (f" {repeat}" if self.draw == "each_repeat" else "")
        order = shuffled(subjects, key)
        if self.subject_count is None:
            return order
        if len(order) < self.subject_count and not reduced:
            raise SplitError(f"{self.name}: expected {self.subject_count} subjects that qualify, found {len(order)}")
        return order[: self.subject_count]

    def selected(self, dataset: Dataset) -> tuple[Record, ...]:
        """The records that count: of the classes and levels, with known labels, of subjects that qualify.

        Raises:
            SplitError: when none does.
        """
        candidates = dataset.by_frame() if self.task == "units" else dataset
        kept = [r for r in candidates if self._labelled(r) and (not self.levels or r.level in self.levels)]
        if self.one_per_class:
            first: dict[tuple[str, str | None], Record] = {}
            for record in sorted(kept, key=lambda record: record.name):
                first.setdefault((record.subject, record.expression), record)
            kept = list(first.values())
        if self.complete:
            wanted = {(label, level) for label in self.classes for level in self.levels or (None,)}
            shown: dict[str, set] = {}
            for r in kept:
                level = r.level if self.levels else None
                shown.setdefault(r.subject, set()).update((label, level) for label in self.labels_of(r))
            kept = [record for record in kept if wanted <= shown[record.subject]]
        if not kept:
            raise SplitError(f"{self.name}: none of the {len(dataset)} records of {dataset.kind} qualifies")
        return tuple(kept)

    def labels_of(self, record: Record) -> tuple[str, ...]:
        """The classes that hold for a record."""
        if self.task == "units":
            return tuple(unit for unit in self.classes if (record.au_labels.get(unit) or 0) > 0)
        if self.task == "categories":
            return tuple(label for label in record.source_labels if label in self.classes)
        return (record.expression,) if record.expression in self.classes else ()

    def targets(self, records: Sequence[Record]) -> tuple[Float[np.ndarray, "B K"], Bool[np.ndarray, "B K"]]:
        """What is to be told of each record, one column per class, and which entries are known.

        Unknown entries are 0 in the first array and False in the second: leave them out of losses and metrics.
        """
        values = np.zeros((len(records), len(self.classes)))
        known = np.ones(values.shape, bool)
        for row, record in enumerate(records):
            if self.task == "units":
                labels = [record.au_labels.get(unit) for unit in self.classes]
                known[row] = [label is not None for label in labels]
                values[row] = [label or 0.0 for label in labels]
            else:
                values[row, [self.classes.index(label) for label in self.labels_of(record)]] = 1.0
        return values, known

    def describe(self, folds: Sequence[Fold], listed: int = 10) -> str:
        """The text to print with results: what the protocol is, its folds with their proof, and what is unverified."""
        records = {record.name: record for fold in folds[:1] for record in (*fold.train, *fold.test)}
        counts = Counter(label for record in records.values() for label in self.labels_of(record))
        lines = [
            f"{self.name}: {self.title}",
            f"source: {self.source}",
            f"metric: {self.metric}",
            f"records: {len(records)} in the first fold; "
            + ", ".join(f"{label} {counts[label]}" for label in self.classes),
            f"folds: {len(folds)}",
            *(f"  {fold.name}: {fold.proof}" for fold in folds[:listed]),
        ]
        if len(folds) > listed:
            lines.append(f"  ... and {len(folds) - listed} more, each proven in the same way")
        return "\n".join(lines + [f"unverified: {detail}" for detail in self.unverified])

    def _labelled(self, record: Record) -> bool:
        if self.task == "units":
            return any(record.au_labels.get(unit) is not None for unit in self.classes)
        return bool(self.labels_of(record))

    def _check_kind(self, dataset: Dataset, kind: str | None) -> None:
        if dataset.kind != kind:
            raise SplitError(f"{self.name}: expected a data set of kind {kind}, found {dataset.kind}")


def protocol_names() -> tuple[str, ...]:
    """The protocols in data_specs/protocols."""
    return tuple(sorted(path.stem for path in (specs_folder() / "protocols").glob("*.toml")))


def protocol(name: str) -> Protocol:
    """The protocol of that name in data_specs/protocols, or of a definition of your own (a path to NAME.toml).

    Raises:
        SpecError: an unknown name, or a definition that lacks a field or has an unknown one.
    """
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return parse_protocol(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
            raise SpecError(f"{path}: {failure}") from failure
    if name not in protocol_names():
        raise SpecError(f"expected a protocol among {', '.join(protocol_names())}, found {name!r}")
    return parse_protocol(name, load_toml(f"protocols/{name}"))


def parse_protocol(name: str, spec: Mapping[str, Any]) -> Protocol:
    """A protocol from the content of its file.

    Raises:
        SpecError: naming the field.
    """
    subjects, folds = spec.get("subjects", {}), spec.get("folds", {})
    known = {"title", "dataset", "test_dataset", "task", "classes", "metric", "source", "unverified", "levels"}
    for table, fields in (
        (spec, known | {"one_per_class", "subjects", "folds"}),
        (subjects, {"count", "complete", "draw", "seed"}),
        (folds, {"scheme", "count", "repeats", "lists"}),
    ):
        unknown = sorted(set(table) - fields)
        if unknown:
            raise SpecError(f"protocol {name}: unknown fields {unknown}; expected some of {sorted(fields)}")
    try:
        made = Protocol(
            name=name,
            title=spec["title"],
            dataset=spec["dataset"],
            test_dataset=spec.get("test_dataset"),
            task=spec["task"],
            classes=tuple(spec["classes"]),
            metric=spec["metric"],
            source=spec["source"],
            unverified=tuple(spec["unverified"]),
            levels=tuple(spec.get("levels", ())),
            one_per_class=spec.get("one_per_class", False),
            subject_count=subjects.get("count"),
            complete=subjects.get("complete", False),
            draw=subjects.get("draw", "once"),
            seed=subjects.get("seed", 0),
            scheme=folds["scheme"],
            fold_count=folds.get("count", 1),
            repeats=folds.get("repeats", 1),
            lists=tuple(map(tuple, folds.get("lists", ()))),
        )
    except KeyError as missing:
        raise SpecError(f"protocol {name}: expected the field {missing}") from missing
    if (made.scheme == "lists") != bool(made.lists):
        raise SpecError(f"protocol {name}: scheme 'lists' and lists come together")
    if (made.scheme == "cross") != (made.test_dataset is not None):
        raise SpecError(f"protocol {name}: scheme 'cross' and test_dataset come together")
    return made
