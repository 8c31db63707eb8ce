"""Fold: training and test records that provably share no subject and no file; and how subjects are dealt out."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mesh4d.datasets.record import Record
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.errors import SplitError


@dataclass(frozen=True)
class Fold:
    """One round of a protocol. It cannot be made when a subject, or a file, is in both parts."""

    name: str
    """Protocol, round and fold, such as "bu3dfe-p1/round 3/fold 7"."""
    train: tuple[Record, ...]
    test: tuple[Record, ...]

    def __post_init__(self) -> None:
        if not self.train or not self.test:
            raise SplitError(f"{self.name}: expected records in both parts, found {len(self.train)}, {len(self.test)}")
        self._prove()

    @property
    def train_subjects(self) -> tuple[str, ...]:
        """People (data set and subject) to learn from, sorted."""
        return people(self.train)

    @property
    def test_subjects(self) -> tuple[str, ...]:
        """People to test on, sorted."""
        return people(self.test)

    @cached_property
    def proof(self) -> str:
        """The sentence to print beside every number."""
        return self._prove()

    def _prove(self) -> str:
        try:
            subjects = prove_disjoint({"train": self.train_subjects, "test": self.test_subjects})
        except SplitError as failure:
            raise SplitError(f"{self.name}: {failure}") from failure
        learnt = {(record.dataset, path) for record in self.train for path in record.frames}
        for record in self.test:
            shared = next((path for path in record.frames if (record.dataset, path) in learnt), None)
            if shared is not None:
                raise SplitError(f"{self.name}: file {shared} is in 'train' and again in 'test'")
        return f"{subjects}; no file in both ({len(self.train)} and {len(self.test)} records)"


def people(records: Iterable[Record]) -> tuple[str, ...]:
    """Whose records these are, sorted; subjects of different data sets are different people."""
    return tuple(sorted({record.person for record in records}))


def shuffled(subjects: Iterable[str], key: str) -> tuple[str, ...]:
    """The subjects in the order of SHA-256("key/subject"): chance that any machine and version repeats.

    The order of the input does not matter, and a subject that is absent does not change the order of the others.

    Raises:
        SplitError: when a subject is named twice.
    """
    listed = list(subjects)
    prove_disjoint({"subjects": listed})
    return tuple(sorted(listed, key=lambda subject: hashlib.sha256(f"{key}/{subject}".encode()).digest()))


def dealt(subjects: Sequence[str], count: int) -> tuple[tuple[str, ...], ...]:
    """The subjects dealt out like cards into `count` parts; sizes differ by one at most.

    Raises:
        SplitError: fewer subjects than parts.
    """
    if not 2 <= count <= len(subjects):
        raise SplitError(f"expected at least {max(count, 2)} subjects for {count} folds, found {len(subjects)}")
    return tuple(tuple(subjects[part::count]) for part in range(count))
