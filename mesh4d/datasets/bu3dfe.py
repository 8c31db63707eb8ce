"""BU-3DFE: 100 subjects, one neutral scan and six expressions at four levels each.

`BU_3DFE/F0001/F0001_AN01WH_F3D.wrl`: subject, expression, level, ancestry, kind of file. F3D is the cropped face with
the 83 landmarks (.bnd); RAW is the whole scan, in ANOTHER position: the .bnd does not fit it, the 8 points of its .pse
and the 84 of a `_RAW_84_LMS.txt` do. Both share the texture `_F3D.bmp`.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Literal

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.labels import find_label
from mesh4d.datasets.layout import Findings, dataset_folder, entries, nothing_found, relative
from mesh4d.datasets.problems import error, note, strays
from mesh4d.datasets.record import Record

KIND = "bu3dfe"
SUBJECT = re.compile(r"[FM]\d{4}", re.IGNORECASE)
FILE = re.compile(
    r"(?P<subject>[FM]\d{4})_(?P<code>NE|AN|DI|FE|HA|SA|SU)(?P<level>0[0-4])(?P<ancestry>WH|AE|AM|BL|IN|LA)"
    r"_(?P<part>RAW\.wrl|RAW\.pse|RAW_84_LMS\.txt|F3D\.wrl|F3D\.bnd|F3D\.bmp|F2D\.bmp)",
    re.IGNORECASE,
)
SCANS_PER_SUBJECT = 25

Scan = tuple[str, int]
"""Expression code and level."""


def index_bu3dfe(root: Path, *, mesh: Literal["F3D", "RAW"] = "F3D") -> Dataset:
    """One record per scan.

    Args:
        root: the folder BU_3DFE, or the one that holds it.
        mesh: the cropped face (F3D), or the whole scan (RAW), each with the landmarks that fit it.
    """
    base, findings = dataset_folder(root, "BU_3DFE", "BU3DFE", "BU-3DFE"), Findings()
    records: list[Record] = []
    for folder in entries(base):
        if folder.is_dir() and SUBJECT.fullmatch(folder.name):
            records += _subject(folder, root, mesh.upper(), findings)
        else:
            findings.strays.append(relative(folder, root))
    if not records and not any(problem.severity == "error" for problem in findings.problems):
        raise nothing_found(base, "folders F0001 to F0056 and M0001 to M0044 with scans")
    return Dataset(KIND, root, tuple(records), (*findings.problems, *strays(findings.strays)))


def _subject(folder: Path, root: Path, mesh: str, findings: Findings) -> list[Record]:
    subject = folder.name.upper()
    scans: dict[Scan, dict[str, Path]] = {}
    ancestries: Counter[str] = Counter()
    for path in entries(folder):
        match = FILE.fullmatch(path.name)
        if match is None:
            findings.strays.append(relative(path, root))
            continue
        code, level, place = match["code"].upper(), int(match["level"]), relative(path, root)
        if match["subject"].upper() != subject:
            findings.problems.append(error("contradiction", place, f"in the folder of {subject}"))
        elif (code == "NE") != (level == 0):
            findings.problems.append(error("contradiction", place, f"{code} with level {level}: only NE has level 0"))
        else:
            ancestries[match["ancestry"].upper()] += 1
            files, part = scans.setdefault((code, level), {}), match["part"].upper()
            if part in files:
                findings.problems.append(error("contradiction", place, f"the same scan is also {files[part].name}"))
            files.setdefault(part, path)
    if len(ancestries) > 1:
        findings.problems.append(
            error("contradiction", relative(folder, root), f"files name several ancestries: {dict(ancestries)}")
        )
    if 0 < len(scans) < SCANS_PER_SUBJECT:
        findings.problems.append(
            note("missing", relative(folder, root), f"{len(scans)} of {SCANS_PER_SUBJECT} scans are here")
        )
    made = (_record(subject, scan, files, folder, root, mesh, findings) for scan, files in sorted(scans.items()))
    return [record for record in made if record is not None]


def _record(
    subject: str, scan: Scan, files: dict[str, Path], folder: Path, root: Path, mesh: str, findings: Findings
) -> Record | None:
    code, level = scan
    place = f"{relative(folder, root)}/{subject}_{code}{level:02d}"
    if f"{mesh}.WRL" not in files:
        here = ", ".join(sorted(files))
        findings.problems.append(error("missing", place, f"no {mesh}.wrl; the scan has {here}"))
        return None
    fitting = ("F3D.BND",) if mesh == "F3D" else ("RAW_84_LMS.TXT", "RAW.PSE")
    landmarks = next((files[part] for part in fitting if part in files), None)
    texture = files.get("F3D.BMP")
    for what, path in (("landmarks", landmarks), ("texture F3D.bmp", texture)):
        if path is None:
            findings.problems.append(note("missing", place, f"no {what} for {mesh}"))
    return Record(
        dataset=KIND,
        name=f"{subject}_{code}{level:02d}",
        subject=subject,
        frames=(relative(files[f"{mesh}.WRL"], root),),
        source_label=code,
        expression=find_label(code, KIND),
        level=level,
        textures=(None if texture is None else relative(texture, root),),
        landmarks=(None if landmarks is None else relative(landmarks, root),),
    )
