"""BP4D: 41 subjects, 8 tasks each, action units coded frame by frame.

`Sequences(2D+3D)/F001/T1/{001,0001}.{obj,jpg}` with three OR four digits, `AUCoding/AU_OCC/F001_T1.csv` (a header of
unit numbers, one row per frame, 9 = unknown) and `AUCoding/AU_INT/AU06/F001_T1_AU06.csv` (frame, 0 to 5 or 9). A task
is meant to bring about an expression; T4 (embarrassment) and T6 (pain) have no canonical label. BP4D+ comes as one
archive per subject and is not indexed.
"""

import re
from pathlib import Path
from typing import Literal

from mesh4d.datasets.au_coding import AUCoding, read_intensity_coding, read_occurrence_coding
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
from mesh4d.errors import MeshFormatError

KIND = "bp4d"
FPS = 25.0
SUBJECT = re.compile(r"[FM]\d{3}", re.IGNORECASE)
TASK = re.compile(r"T\d{1,2}", re.IGNORECASE)
CODING = re.compile(r"(?P<subject>[FM]\d{3})_(?P<task>T\d{1,2})(?:_AU(?P<unit>\d{1,2}))?\.csv", re.IGNORECASE)
Coding = Literal["occurrence", "intensity"]
Sequence = tuple[str, str]
"""Subject and task."""


def index_bp4d(root: Path, *, coding: Coding = "occurrence", frame_offset: int = 0) -> Dataset:
    """One record per sequence, with unit labels per frame; `Dataset.by_frame` makes one record per frame.

    Args:
        root: the folder that holds Sequences(2D+3D) and AUCoding.
        coding: unit labels are presence (0, 1) or intensity (0 to 5).
        frame_offset: added to a frame number of the coding to find the number of its mesh. One public reader of
            BP4D+ pairs coded frame f with picture f - 1.
    """
    base, findings = dataset_folder(root, "Sequences(2D+3D)", "Sequences", "2D+3D"), Findings()
    codings = _codings(root, coding, findings)
    records: list[Record] = []
    for folder in entries(base):
        if folder.is_dir() and SUBJECT.fullmatch(folder.name):
            records += _subject(folder, root, codings, frame_offset, findings)
        elif folder.suffix.lower() == ".zip" and SUBJECT.fullmatch(folder.stem):
            findings.problems.append(error("missing", relative(folder, root), "an archive: unpack it to index it"))
        elif base != root or folder.name.casefold() != "aucoding":
            findings.strays.append(relative(folder, root))
    if not records and not any(problem.severity == "error" for problem in findings.problems):
        raise nothing_found(base, "Sequences(2D+3D)/F001/T1 with .obj files")
    names = {record.name for record in records}
    for subject, task in sorted(codings):
        if f"{subject}/{task}" not in names:
            findings.problems.append(note("missing", f"{subject}/{task}", "units are coded, but there is no sequence"))
    return Dataset(KIND, root, tuple(records), (*findings.problems, *strays(findings.strays)))


def _codings(root: Path, coding: Coding, findings: Findings) -> dict[Sequence, dict[str, AUCoding]]:
    """What each sequence's coding files hold, per unit."""
    base = dataset_folder(root, "AUCoding")
    folder = dataset_folder(base, "AU_OCC" if coding == "occurrence" else "AU_INT")
    if root in (base, folder) or base == folder:
        findings.problems.append(note("missing", ".", f"no {coding} coding (AUCoding/AU_OCC, AUCoding/AU_INT)"))
        return {}
    files = entries(folder)
    if coding == "intensity":
        files = [path for unit in files if unit.is_dir() for path in entries(unit)]
    found: dict[Sequence, dict[str, AUCoding]] = {}
    for path in files:
        match = CODING.fullmatch(path.name)
        if match is None or (match["unit"] is None) != (coding == "occurrence"):
            findings.strays.append(relative(path, root))
            continue
        units = found.setdefault((match["subject"].upper(), match["task"].upper()), {})
        try:
            if coding == "occurrence":
                read = read_occurrence_coding(path)
            else:
                read = {f"AU{int(match['unit'])}": read_intensity_coding(path)}
        except MeshFormatError as failure:
            place = f"{failure.place}: expected {failure.expected}, found {failure.found}"
            findings.problems.append(error("contradiction", relative(path, root), place))
            continue
        twice = sorted(set(units) & set(read))
        if twice:
            findings.problems.append(error("contradiction", relative(path, root), f"{', '.join(twice)} coded twice"))
        units.update(read)
    return found


def _subject(
    folder: Path, root: Path, codings: dict[Sequence, dict[str, AUCoding]], offset: int, findings: Findings
) -> list[Record]:
    records = []
    for path in entries(folder):
        if not path.is_dir() or not TASK.fullmatch(path.name):
            findings.strays.append(relative(path, root))
            continue
        coding = codings.get((folder.name.upper(), path.name.upper()), {})
        record = _sequence(path, root, coding, offset, findings)
        if record is not None:
            records.append(record)
    return records


def _sequence(folder: Path, root: Path, coding: dict[str, AUCoding], offset: int, findings: Findings) -> Record | None:
    subject, task, place = folder.parent.name.upper(), folder.name.upper(), relative(folder, root)
    files = numbered_files(folder, root, (".obj", ".jpg", ".mtl"), findings)
    meshes, textures = files.of(".obj"), files.of(".jpg")
    if not meshes:
        findings.problems.append(error("missing", place, "no .obj frames"))
        return None
    coded = {number + offset for values in coding.values() for number in values}
    findings.problems += gaps(meshes, place)
    findings.problems += absent_frames("texture", set(meshes) - set(textures), place)
    findings.problems += absent_frames("mesh", coded - set(meshes), f"{place} (coded frames)")
    return Record(
        dataset=KIND,
        name=f"{subject}/{task}",
        subject=subject,
        frames=tuple(relative(path, root) for path in meshes.values()),
        source_label=task,
        expression=find_label(task, KIND),
        au_frames={unit: tuple(values.get(n - offset) for n in meshes) for unit, values in coding.items()},
        fps=FPS,
        textures=tuple(relative(textures[n], root) if n in textures else None for n in meshes) if textures else (),
        task=task,
    )
