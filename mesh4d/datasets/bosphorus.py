"""Bosphorus: 105 subjects with expressions, single action units, poses and occlusions as range images.

`BosphorusDB/bs000/bs000_E_HAPPY_0.{bnt,png,lm2,lm3}`: subject, category, free code, take. Categories: N (neutral), E
(expressions), LFAU/UFAU/CAU (lower, upper, combined action units), YR/PR/CR (poses), O (occlusions). The codes of
action units give unit labels of those units only: what else moved stands in the distribution's facscodes.zip, which
is not read.
"""

import re
from pathlib import Path

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.labels import find_label
from mesh4d.datasets.layout import Findings, dataset_folder, entries, nothing_found, relative
from mesh4d.datasets.problems import error, note, strays
from mesh4d.datasets.record import Record

KIND = "bosphorus"
SUBJECT = re.compile(r"bs\d{3}", re.IGNORECASE)
NAME = re.compile(
    r"(?P<subject>bs\d{3})_(?P<category>N|E|LFAU|UFAU|CAU|YR|PR|CR|O)_(?P<code>[^_]+(?:_[^_]+)*)_(?P<take>\d+)",
    re.IGNORECASE,
)
PARTS = (".bnt", ".png", ".lm2", ".lm3")
UNIT_CATEGORIES = ("LFAU", "UFAU", "CAU")
UNIT_CODE = re.compile(r"A?\d{1,2}[LR]?(?:A\d{1,2}[LR]?)*", re.IGNORECASE)
KNOWN_SIDE_FILES = {"facscodes.zip", "fileread.zip", "bospcrvalsetups.zip", "bosphorus_files&content.pdf"}
RESTRICTED = "unallowed_subjects.txt"


def index_bosphorus(root: Path) -> Dataset:
    """One record per scan, in all categories; `task` is the category.

    Args:
        root: the folder BosphorusDB, or the one that holds it.
    """
    base, findings = dataset_folder(root, "BosphorusDB", "Bosphorus"), Findings()
    records: list[Record] = []
    for path in entries(base):
        if path.is_dir() and SUBJECT.fullmatch(path.name):
            records += _subject(path, root, findings)
        elif path.name.casefold() == RESTRICTED:
            message = "names subjects with restrictions (their wording is not known to us): read it before you publish"
            findings.problems.append(note("unverified", relative(path, root), message))
        elif path.name.casefold() not in KNOWN_SIDE_FILES:
            findings.strays.append(relative(path, root))
    if not records and not any(problem.severity == "error" for problem in findings.problems):
        raise nothing_found(base, "folders bs000 to bs104 with .bnt files")
    return Dataset(KIND, root, tuple(records), (*findings.problems, *strays(findings.strays)))


def units_of_code(code: str) -> tuple[str, ...]:
    """The units that a code names: "14" and "A22A25" do, "R90" does not; a side letter stays ("AU12L")."""
    if not UNIT_CODE.fullmatch(code):
        return ()
    return tuple(f"AU{int(number)}{side.upper()}" for number, side in re.findall(r"(\d+)([LR]?)", code, re.IGNORECASE))


def _subject(folder: Path, root: Path, findings: Findings) -> list[Record]:
    subject = folder.name.lower()
    scans: dict[str, dict[str, Path]] = {}
    for path in entries(folder):
        match = NAME.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in PARTS:
            findings.strays.append(relative(path, root))
        elif match["subject"].lower() != subject:
            findings.problems.append(error("contradiction", relative(path, root), f"in the folder of {subject}"))
        else:
            take = f"{match['category']}_{match['code']}".upper() + f"_{int(match['take'])}"
            files, suffix = scans.setdefault(take, {}), path.suffix.lower()
            if suffix in files:
                message = f"the same scan is also {files[suffix].name}"
                findings.problems.append(error("contradiction", relative(path, root), message))
            files.setdefault(suffix, path)
    made = (_record(subject, take, files, folder, root, findings) for take, files in sorted(scans.items()))
    return [record for record in made if record is not None]


def _record(
    subject: str, take: str, files: dict[str, Path], folder: Path, root: Path, findings: Findings
) -> Record | None:
    place = f"{relative(folder, root)}/{subject}_{take}"
    if ".bnt" not in files:
        findings.problems.append(error("missing", place, f"no .bnt; the scan has {', '.join(sorted(files))}"))
        return None
    for suffix in (".lm3", ".png"):
        if suffix not in files:
            findings.problems.append(note("missing", place, f"no {suffix}"))
    label = take.rpartition("_")[0]
    category, _, code = label.partition("_")
    units = units_of_code(code) if category in UNIT_CATEGORIES else ()
    return Record(
        dataset=KIND,
        name=f"{subject}_{take}",
        subject=subject,
        frames=(relative(files[".bnt"], root),),
        source_label=label,
        expression=find_label(label, KIND),
        au_labels=dict.fromkeys(units, 1.0),
        textures=(relative(files[".png"], root) if ".png" in files else None,),
        landmarks=(relative(files[".lm3"], root) if ".lm3" in files else None,),
        task=category,
    )
