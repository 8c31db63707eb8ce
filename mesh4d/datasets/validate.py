"""A report on a copy of a data set that a researcher can send to a colleague: counts, what is amiss, a checksum."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.problems import Problem, error, note
from mesh4d.datasets.record import Record
from mesh4d.datasets.scan import nearest_samples
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh

Depth = Literal["none", "first", "all"]
BLOCK = 1 << 20
FAR_MM = 10.0
"""A landmark farther than this from every vertex belongs to another scan, or to another frame of the same."""


@dataclass(frozen=True)
class DatasetReport:
    """What a copy holds and what is wrong with it."""

    kind: str
    folder: str
    """Last part of its path only: reports travel."""
    records: int
    subjects: tuple[str, ...]
    frames: int
    bytes: int
    classes: dict[str, int]
    """Records per canonical expression; "-" counts those that have none."""
    source_labels: dict[str, int]
    by_subject: dict[str, dict[str, int]]
    """Subject -> class -> records."""
    units: dict[str, dict[str, int]]
    """Action unit -> "present", "absent", "unknown" -> labels, per record and per frame together."""
    frames_read: int
    """Meshes that were read through, to find unreadable ones."""
    problems: tuple[Problem, ...]
    index_digest: str
    """SHA-256 of the table of records (names and labels)."""
    files_digest: str
    """SHA-256 of every record file's path with its size, or with its content's hash; `hashed` says which."""
    hashed: Literal["sizes", "contents"]

    @property
    def errors(self) -> int:
        """Problems that cost a record or make its label doubtful."""
        return sum(problem.severity == "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self) | {"errors": self.errors}


def validate_dataset(dataset: Dataset, *, depth: Depth = "first", contents: bool = False) -> DatasetReport:
    """Look through a copy of a data set (open it with `keep_going`).

    Args:
        depth: read no mesh, the first frame of each record, or all frames, with their landmarks.
        contents: hash all files' contents for `files_digest`: as long as reading the data set once.
    """
    problems = list(dataset.problems)
    paths = _record_files(dataset.records)
    sizes: dict[str, int] = {}
    for path in paths:
        file = dataset.path_of(path)
        if file.is_file():
            sizes[path] = file.stat().st_size
        else:
            problems.append(error("missing", path, "a record names it"))
    count, unreadable = _read_through(dataset, sizes, depth)
    problems += unreadable + _duplicates(dataset, sizes)
    lines = [f"{path}\0{_hash(dataset.path_of(path)) if contents else size}\n" for path, size in sorted(sizes.items())]
    classes = Counter(record.expression or "-" for record in dataset)
    by_subject: dict[str, Counter[str]] = {subject: Counter() for subject in dataset.subjects}
    for record in dataset:
        by_subject[record.subject][record.expression or "-"] += 1
    return DatasetReport(
        kind=dataset.kind,
        folder=dataset.root.resolve().name,
        records=len(dataset),
        subjects=dataset.subjects,
        frames=sum(len(record.frames) for record in dataset),
        bytes=sum(sizes.values()),
        classes=dict(sorted(classes.items())),
        source_labels=dict(sorted(Counter(label for r in dataset for label in r.source_labels or ("-",)).items())),
        by_subject={subject: dict(sorted(counts.items())) for subject, counts in by_subject.items()},
        units=_unit_counts(dataset.records),
        frames_read=count,
        problems=tuple(problems),
        index_digest=dataset.digest(),
        files_digest=hashlib.sha256("".join(lines).encode()).hexdigest(),
        hashed="contents" if contents else "sizes",
    )


def report_text(report: DatasetReport, listed: int = 60) -> str:
    """The report as text, the longest lists cut."""
    lines = [
        f"{report.kind} in {report.folder}/",
        f"records {report.records}, subjects {len(report.subjects)}, frames {report.frames}, {report.bytes:,} bytes",
        f"meshes read through: {report.frames_read} of {report.frames}",
        f"checksum of the table  {report.index_digest}",
        f"checksum of the files  {report.files_digest}  (paths and {report.hashed})",
        "",
        *_class_table(report),
        "",
        "source labels: " + ", ".join(f"{label} {count}" for label, count in report.source_labels.items()),
    ]
    if report.units:
        lines += ["", f"{'unit':8}{'present':>10}{'absent':>10}{'unknown':>10}"]
        for unit, counts in report.units.items():
            lines.append(f"{unit:8}" + "".join(f"{counts[key]:>10}" for key in ("present", "absent", "unknown")))
    lines += ["", f"problems: {report.errors} errors, {len(report.problems) - report.errors} notes"]
    ordered = sorted(report.problems, key=lambda problem: problem.severity)
    lines += [f"  {problem}" for problem in ordered[:listed]]
    if len(ordered) > listed:
        lines.append(f"  ... and {len(ordered) - listed} more (--json lists all)")
    return "\n".join(lines)


def _class_table(report: DatasetReport) -> list[str]:
    names = list(report.classes)
    width = max([8, *(len(subject) + 2 for subject in report.subjects)])
    lines = [f"{'subject':{width}}" + "".join(f"{name:>{len(name) + 2}}" for name in names)]
    rows = [*report.by_subject.items(), ("all", report.classes)]
    lines += [
        f"{subject:{width}}" + "".join(f"{counts.get(name, 0):>{len(name) + 2}}" for name in names)
        for subject, counts in rows
    ]
    return lines


def _record_files(records: Iterable[Record]) -> list[str]:
    """Every file that the records name, once."""
    seen: dict[str, None] = {}
    for record in records:
        for path in (*record.frames, *record.textures, *record.landmarks):
            if path is not None:
                seen.setdefault(path)
    return list(seen)


def _read_through(dataset: Dataset, sizes: dict[str, int], depth: Depth) -> tuple[int, list[Problem]]:
    """How many meshes were read, and which could not be."""
    from tqdm import tqdm

    wanted = {"none": 0, "first": 1, "all": None}[depth]
    work = [(record, frame) for record in dataset for frame in range(len(record.frames[:wanted]))]
    problems = []
    for record, frame in tqdm(work, "reading", unit="mesh", disable=None, delay=2):
        if record.frames[frame] not in sizes:
            continue
        try:
            problems += _far_landmarks(dataset.read_frame(record, frame), record.frames[frame])
        except (MeshError, OSError) as failure:
            problems.append(error("unreadable", record.frames[frame], _without_root(str(failure), dataset.root)))
    return len(work), problems


def _far_landmarks(mesh: Mesh, path: str) -> list[Problem]:
    """A note when landmarks do not lie on their mesh."""
    if mesh.landmarks is None or not mesh.n_vertices or not len(mesh.landmarks.points):
        return []
    points = mesh.landmarks.points
    far = float(np.linalg.norm(mesh.vertices[nearest_samples(mesh, points)] - points, axis=1).max())
    return [note("contradiction", path, f"a landmark lies {far:.0f} mm off the mesh")] if far > FAR_MM else []


def _without_root(text: str, root: Path) -> str:
    return text.replace(f"{root}/", "")


def _duplicates(dataset: Dataset, sizes: dict[str, int]) -> list[Problem]:
    """Mesh files with the same content; between subjects they would leak."""
    owner = {path: record.subject for record in dataset for path in record.frames}
    by_size: dict[int, list[str]] = {}
    for path in owner:
        if path in sizes:
            by_size.setdefault(sizes[path], []).append(path)
    problems = []
    for group in by_size.values():
        by_hash: dict[str, list[str]] = {}
        for path in group if len(group) > 1 else ():
            by_hash.setdefault(_hash(dataset.path_of(path)), []).append(path)
        for same in by_hash.values():
            problems += [_duplicate(same[0], other, owner) for other in same[1:]]
    return problems


def _duplicate(first: str, other: str, owner: dict[str, str]) -> Problem:
    if owner[first] == owner[other]:
        return note("duplicate", other, f"the same content as {first}")
    return error("duplicate", other, f"the same content as {first}, of another subject")


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _unit_counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for record in records:
        for unit, values in [*record.au_frames.items(), *((u, (v,)) for u, v in record.au_labels.items())]:
            tally = counts.setdefault(unit, Counter())
            for value in values:
                tally["unknown" if value is None else "present" if value > 0 else "absent"] += 1
    ordered = sorted(counts, key=lambda unit: (int("0" + "".join(filter(str.isdigit, unit))), unit))
    return {unit: {key: counts[unit][key] for key in ("present", "absent", "unknown")} for unit in ordered}
