"""Mimics of the data sets of sequences: BU-4DFE, BP4D, 4DME and our own, in their layouts and byte formats."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mesh4d.datasets.performance import (
    BASIC,
    Actor,
    MimicPlan,
    Performance,
    Request,
    capture,
    gendered_names,
    landmark_places,
    write_picture,
)
from mesh4d.datasets.scan import nearest_samples
from mesh4d.io import write_mesh
from mesh4d.io.landmark_files import IndexedLandmarks, bu_landmark_names, write_bnd
from mesh4d.io.sources import write_bytes
from mesh4d.io.wrl_write import write_wrl
from mesh4d.mesh import Landmarks, Mesh

BU_FOLDERS = {
    "anger": "Angry", "disgust": "Disgust", "fear": "Fear", "happiness": "Happy", "sadness": "Sad",
    "surprise": "Surprise",
}  # fmt: skip
BP4D_TASKS: dict[str, str | dict[str, float]] = {
    "T1": "happiness", "T2": "sadness", "T3": "surprise", "T4": {"AU12": 0.5, "AU14": 0.5, "AU64": 0.6},
    "T5": "fear", "T6": {"AU4": 0.8, "AU6": 0.6, "AU7": 0.8, "AU10": 0.6}, "T7": "anger", "T8": "disgust",
}  # fmt: skip
BP4D_UNITS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
BP4D_INTENSITY_UNITS = (6, 10, 12, 14, 17)
PRESENT = 0.2
"""FACS intensity A on our scale."""
CLIPS_4DME = {
    "positive": ("happiness", "6+12"), "negative": ("disgust", "4+9(k)"), "surprise": ("surprise", "1+2"),
    "negative, repression": ("sadness", "15+17"), "others": ("anger", "23(k)"),
}  # fmt: skip


def mimic_bu4dfe(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write a BU-4DFE of synthetic people; yields each sequence's name when it is on the disk."""
    base, tree = out / "BU4DFE", out / "BU4DFE_BND_V1.1"
    for number, subject in enumerate(gendered_names(plan.subjects, 3)):
        for take, (expression, name) in enumerate(BU_FOLDERS.items()):
            folder, points = base / subject / name, tree / subject / name
            folder.mkdir(parents=True, exist_ok=True)
            points.mkdir(parents=True, exist_ok=True)
            shown = actor(Request(plan.person(number), expression, plan.envelope(), take))
            lost = plan.frames // 2 if plan.quirks and (number, take) == (0, 0) else None
            for frame, mesh in enumerate(shown.frames):
                if frame == lost:
                    continue
                scan, surface = capture(mesh, plan.scan, plan.rng(number, take, frame))
                write_wrl(surface, folder / f"{frame:03d}.wrl", decimals=6, texture_name=f"{frame:03d}.jpg")
                write_picture(scan.picture, folder / f"{frame:03d}.jpg")
                if not (plan.quirks and frame == plan.frames - 1):  # landmarks stop early
                    write_bnd(_on_surface(surface, mesh), points / f"{frame:03d}.bnd")
            yield f"{subject}/{name}"
    if plan.quirks:
        (base / "BU_WrlViewer_V2").mkdir()
        write_bytes(base / "BU_WrlViewer_V2" / "viewer.txt", b"")
        write_bytes(tree / "F001" / "Surprise" / "000.landmark", b"")
        write_bytes(tree / "F001" / "F001_Surprise.mat", b"")


def _on_surface(surface: Mesh, mesh: Mesh) -> IndexedLandmarks:
    """The 83 points at the nearest vertices of a scan."""
    names = bu_landmark_names()
    ids = nearest_samples(surface, landmark_places(mesh).points[: len(names)])
    return IndexedLandmarks(Landmarks(names, surface.vertices[ids]), ids)


def mimic_bp4d(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write a BP4D of synthetic people; yields each sequence's name when it is on the disk."""
    for number, subject in enumerate(gendered_names(plan.subjects, 3)):
        for take, (task, what) in enumerate(BP4D_TASKS.items()):
            folder = out / "Sequences(2D+3D)" / subject / task
            folder.mkdir(parents=True, exist_ok=True)
            expression, units = (what, {}) if isinstance(what, str) else ("", what)
            shown = actor(Request(plan.person(number), expression, plan.envelope(), take, units))
            digits = 4 if (number + take) % 2 else 3
            lost = plan.frames // 2 if plan.quirks and (number, take) == (0, 0) else None
            for frame, mesh in enumerate(shown.frames):
                if frame == lost:
                    continue
                scan, surface = capture(mesh, plan.scan, plan.rng(number, take, frame))
                # Without a material file: readers have to find the picture by its name.
                write_mesh(dataclasses.replace(surface, texture=None), folder / f"{frame:0{digits}d}.obj")
                write_picture(scan.picture, folder / f"{frame:0{digits}d}.jpg")
            _write_codings(out / "AUCoding", f"{subject}_{task}", shown, plan, plan.rng(number, take))
            yield f"{subject}/{task}"
    if plan.quirks:
        write_bytes(out / "AUCoding" / "AU_OCC" / "readme.txt", b"")


def _write_codings(folder: Path, name: str, shown: Performance, plan: MimicPlan, rng: np.random.Generator) -> None:
    frames = range(len(shown.frames))
    hidden = rng.random((len(frames), len(BP4D_UNITS))) < (0.05 if plan.quirks else 0.0)
    values = {unit: shown.units.get(f"AU{unit}", (0.0,) * len(frames)) for unit in BP4D_UNITS}
    rows: list[Sequence[object]] = [[0, *BP4D_UNITS]]
    for frame in frames:
        present = [int(values[unit][frame] >= PRESENT) for unit in BP4D_UNITS]
        rows.append([frame, *(9 if lost else value for value, lost in zip(present, hidden[frame], strict=True))])
    (folder / "AU_OCC").mkdir(parents=True, exist_ok=True)
    write_csv(rows, folder / "AU_OCC" / f"{name}.csv", "\r\n" if plan.quirks else "\n")
    for unit in BP4D_INTENSITY_UNITS:
        place = folder / "AU_INT" / f"AU{unit:02d}"
        place.mkdir(parents=True, exist_ok=True)
        column = hidden[:, BP4D_UNITS.index(unit)]
        rows = [[frame, 9 if column[frame] else round(5 * min(values[unit][frame], 1.0))] for frame in frames]
        write_csv(rows, place / f"{name}_AU{unit:02d}.csv")


def mimic_fourdme(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write clips with a label table as of 4DME's micro clips. The mesh layout is our default pattern, not known."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active if book.active is not None else book.create_sheet()
    sheet.append(["sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs"])
    for number in range(plan.subjects):
        for take, (emotion, (expression, units)) in enumerate(CLIPS_4DME.items()):
            clip = f"EP{take:02d}"
            folder = out / f"S{number:02d}" / clip
            folder.mkdir(parents=True, exist_ok=True)
            envelope = tuple(0.3 * value for value in plan.envelope())
            shown = actor(Request(plan.person(number), expression, envelope, take))
            for frame, mesh in enumerate(shown.frames):
                _, surface = capture(mesh, plan.scan, plan.rng(number, take, frame))
                write_mesh(dataclasses.replace(surface, texture=None), folder / f"{frame:04d}.obj")
            apex = int(np.argmax(envelope))
            sheet.append([f"S{number:02d}", clip, emotion, 0, apex, plan.frames - 1, units])
            yield f"S{number:02d}/{clip}"
    content = io.BytesIO()
    book.save(content)
    write_bytes(out / "4DME_Labelling_Micro_release v1.xlsx", content.getvalue())


def mimic_synthetic(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write whole heads without a scanner, as scans and one sequence per person, in our own layout."""
    rows: list[tuple[dict[str, object], dict[str, float]]] = []
    for number in range(plan.subjects):
        subject = f"P{plan.person(number)}"
        (out / subject).mkdir(parents=True, exist_ok=True)
        for take, expression in enumerate(("neutral", *BASIC, "contempt")):
            level = 0.0 if expression == "neutral" else 1.0
            shown = actor(Request(plan.person(number), expression, (level,), take))
            path = f"{subject}/{expression}.npz"
            write_mesh(shown.frames[0], out / path)
            units = {unit: values[0] for unit, values in shown.units.items()}
            rows.append((_row(f"{subject}_{expression}", subject, expression, level, "", path), units))
            yield f"{subject}/{expression}"
        shown = actor(Request(plan.person(number), "happiness", plan.envelope(), 50))
        folder = out / subject / "happiness_sequence"
        folder.mkdir(exist_ok=True)
        for frame, mesh in enumerate(shown.frames):
            write_mesh(mesh, folder / f"{frame:03d}.npz")
        table = [["frame", *shown.units], *([f, *(v[f] for v in shown.units.values())] for f in range(plan.frames))]
        write_csv(table, folder / "frames.csv")
        path = f"{subject}/happiness_sequence"
        rows.append((_row(f"{subject}_happiness_sequence", subject, "happiness", 1.0, "25", path), {}))
        yield path
    units = sorted({unit for _, values in rows for unit in values})
    header = [*rows[0][0], *units]
    write_csv(
        [header, *([*row.values(), *(values.get(u, 0.0) for u in units)] for row, values in rows)], out / "labels.csv"
    )


def _row(name: str, subject: str, expression: str, intensity: float, fps: str, path: str) -> dict[str, object]:
    return {
        "name": name, "subject": subject, "expression": expression, "intensity": intensity, "fps": fps, "path": path,
    }  # fmt: skip


def write_csv(rows: Iterable[Sequence[object]], path: Path, line_end: str = "\n") -> None:
    """Write rows as comma-separated values."""
    out = io.StringIO()
    csv.writer(out, lineterminator=line_end).writerows(rows)
    write_bytes(path, out.getvalue().encode())
