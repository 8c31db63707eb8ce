"""BU-4DFE: 101 subjects, six expressions each as a sequence at 25 frames per second, topology differing per frame.

`BU4DFE/F001/Angry/000.{wrl,jpg}`. Landmarks are a tree of their own, `BU4DFE_BND_V1.1/F001/Angry/000.bnd`, which does
not cover all frames. Apex frames are not annotated.
"""

import re
from pathlib import Path

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.labels import find_label
from mesh4d.datasets.layout import (
    Findings,
    absent_frames,
    dataset_folder,
    entries,
    gaps,
    nothing_found,
    numbered_files,
    relative,
)  # fmt: skip
from mesh4d.datasets.problems import error, note, strays
from mesh4d.datasets.record import Record

KIND = "bu4dfe"
FPS = 25.0
SUBJECT = re.compile(r"[FM]\d{3}", re.IGNORECASE)
LANDMARK_TREE = re.compile(r"BU4DFE_BND.*", re.IGNORECASE)
KNOWN_SIDE_FOLDERS = {"bu_wrlviewer_v2"}


def index_bu4dfe(root: Path) -> Dataset:
    """One record per sequence.

    Args:
        root: the folder that holds BU4DFE and, for landmarks, BU4DFE_BND_V1.1; or BU4DFE itself.
    """
    base, findings = dataset_folder(root, "BU4DFE", "BU-4DFE"), Findings()
    trees = [path for path in entries(root) if path.is_dir() and LANDMARK_TREE.fullmatch(path.name)]
    tree = trees[0] if trees else None
    if len(trees) > 1:
        names = ", ".join(path.name for path in trees)
        findings.problems.append(error("contradiction", ".", f"several landmark trees: {names}"))
    elif not trees:
        findings.problems.append(note("missing", ".", "no landmark tree BU4DFE_BND_V1.1"))
    records: list[Record] = []
    for folder in entries(base):
        if folder.is_dir() and SUBJECT.fullmatch(folder.name):
            records += _subject(folder, root, tree, findings)
        elif folder not in trees and folder.name.casefold() not in KNOWN_SIDE_FOLDERS:
            findings.strays.append(relative(folder, root))
    if not records and not any(problem.severity == "error" for problem in findings.problems):
        raise nothing_found(base, "folders F001 to F058 and M001 to M043 with sequences of .wrl files")
    if tree is not None:
        _unused_landmarks(tree, root, records, findings)
    return Dataset(KIND, root, tuple(records), (*findings.problems, *strays(findings.strays)))


def _subject(folder: Path, root: Path, tree: Path | None, findings: Findings) -> list[Record]:
    records: dict[str, Record] = {}
    for path in entries(folder):
        label = find_label(path.name, KIND)
        if not path.is_dir() or label is None:
            findings.strays.append(relative(path, root))
        elif label in records:
            message = f"{label} of this subject is also {records[label].name}"
            findings.problems.append(error("contradiction", relative(path, root), message))
        else:
            record = _sequence(path, label, root, tree, findings)
            if record is not None:
                records[label] = record
    return list(records.values())


def _sequence(folder: Path, label: str, root: Path, tree: Path | None, findings: Findings) -> Record | None:
    subject, place = folder.parent.name.upper(), relative(folder, root)
    files = numbered_files(folder, root, (".wrl", ".jpg", ".jpeg", ".png", ".bmp"), findings)
    meshes, textures = files.of(".wrl"), files.of(".jpg", ".jpeg", ".png", ".bmp")
    if not meshes:
        findings.problems.append(error("missing", place, "no .wrl frames"))
        return None
    points: dict[int, Path] = {}
    landmark_folder = None if tree is None else tree / folder.parent.name / folder.name
    if landmark_folder is not None and landmark_folder.is_dir():
        points = numbered_files(landmark_folder, root, (".bnd",), findings).of(".bnd")
        unmatched = sorted(set(points) - set(meshes))
        findings.problems += absent_frames("mesh", unmatched, relative(landmark_folder, root))
    if tree is not None:
        findings.problems += absent_frames("landmarks", set(meshes) - set(points), place)
    findings.problems += gaps(meshes, place)
    findings.problems += absent_frames("texture", set(meshes) - set(textures), place)
    return Record(
        dataset=KIND,
        name=f"{subject}/{folder.name}",
        subject=subject,
        frames=tuple(relative(path, root) for path in meshes.values()),
        source_label=folder.name,
        expression=label,
        fps=FPS,
        textures=_beside(meshes, textures, root),
        landmarks=_beside(meshes, points, root),
    )


def _beside(meshes: dict[int, Path], files: dict[int, Path], root: Path) -> tuple[str | None, ...]:
    """The file of each frame, None where it has none; empty when no frame has one."""
    if not files:
        return ()
    return tuple(relative(files[number], root) if number in files else None for number in meshes)


def _unused_landmarks(tree: Path, root: Path, records: list[Record], findings: Findings) -> None:
    """Notes on landmark folders of sequences that are not here, and on stray files of the tree."""
    known = {record.name.casefold() for record in records}
    for subject in entries(tree):
        if not subject.is_dir():
            findings.strays.append(relative(subject, root))
            continue
        for path in entries(subject):
            if not path.is_dir():
                findings.strays.append(relative(path, root))
            elif f"{subject.name}/{path.name}".casefold() not in known:
                findings.problems.append(note("missing", relative(path, root), "landmarks of a sequence not here"))
