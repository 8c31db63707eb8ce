"""Mimics of the data sets of single scans: BU-3DFE and Bosphorus, in their own layouts and byte formats."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mesh4d.datasets.performance import (
    BASIC,
    Actor,
    MimicPlan,
    Request,
    capture,
    gendered_names,
    landmark_places,
    turned,
    with_crlf,
    write_picture,
)
from mesh4d.datasets.scan import nearest_samples
from mesh4d.io.bnt import write_range_image
from mesh4d.io.landmark_files import (
    IndexedLandmarks,
    PictureLandmarks,
    bu_landmark_names,
    write_bnd,
    write_lm2,
    write_lm3,
    write_points,
    write_pse,
)
from mesh4d.io.sources import write_bytes
from mesh4d.io.wrl_write import write_wrl
from mesh4d.mesh import Landmarks, Mesh

BU_CODES = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "SA": "sadness", "SU": "surprise"}
ANCESTRIES = ("WH", "AE", "BL", "LA", "IN", "AM")
POSE_POINTS = (0, 4, 8, 12, 48, 54, 75, 83)
"""Eye and mouth corners, chin, nose tip: our choice of the 8 points of a .pse file."""
QUAD_SHARE = 0.016
RAW_POSE = (6.0, (4.0, -9.0, -80.0))
F3D_SHIFT = (0.0, 0.0, -60.0)
BOSPHORUS_LABELS = {
    "Outer left eyebrow": 20, "Middle of the left eyebrow": 18, "Inner left eyebrow": 16,
    "Inner right eyebrow": 26, "Middle of the right eyebrow": 28, "Outer right eyebrow": 30,
    "Outer left eye corner": 4, "Inner left eye corner": 0, "Inner right eye corner": 8, "Outer right eye corner": 12,
    "Nose saddle left": 36, "Nose saddle right": 47, "Left nose peak": 39, "Nose tip": 83, "Right nose peak": 44,
    "Left mouth corner": 48, "Upper lip outer middle": 51, "Right mouth corner": 54, "Upper lip inner middle": 62,
    "Lower lip inner middle": 66, "Lower lip outer middle": 57, "Chin middle": 75,
}  # fmt: skip
"""Left is the picture's left. Numbers are those of BU's 83 points; 83 is the nose tip."""
BOSPHORUS_NAMES = {
    "anger": "ANGER", "disgust": "DISGUST", "fear": "FEAR", "happiness": "HAPPY", "sadness": "SADNESS",
    "surprise": "SURPRISE",
}  # fmt: skip
BOSPHORUS_UNITS = {"LFAU_14": ("AU14",), "UFAU_2": ("AU2",), "CAU_A22A25": ("AU22", "AU25")}


def mimic_bu3dfe(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write a BU-3DFE of synthetic people; yields each scan's name when it is on the disk."""
    takes = [("NE", 0), *((code, level) for code in BU_CODES for level in plan.levels)]
    style = dataclasses.replace(plan.scan, yaws_deg=(-30.0, 30.0))
    for number, subject in enumerate(gendered_names(plan.subjects, 4)):
        folder = out / "BU_3DFE" / subject
        folder.mkdir(parents=True, exist_ok=True)
        for take, (code, level) in enumerate(takes):
            request = Request(plan.person(number), BU_CODES.get(code, "neutral"), (level / 4,), take)
            stem = f"{subject}_{code}{level:02d}{ANCESTRIES[number % len(ANCESTRIES)]}"
            rng = plan.rng(number, take)
            mesh = actor(request).frames[0]
            scan, cropped = capture(mesh, style, rng)
            shift = np.array(F3D_SHIFT)
            face = with_quads(cropped.with_vertices(cropped.vertices + shift), rng)
            _write_bu3dfe(folder / stem, mesh, face, rng, plan)
            write_picture(scan.picture, folder / f"{stem}_F3D.bmp")
            write_picture(scan.picture[:, : scan.picture.shape[1] // 2], folder / f"{stem}_F2D.bmp")
            yield stem
        if plan.quirks and number == 0:
            (folder / f"{subject}_SA{plan.levels[0]:02d}{ANCESTRIES[0]}_F3D.bnd").unlink(missing_ok=True)
            write_bytes(folder / "notes.txt", b"scanned on a Tuesday\r\n")


def _write_bu3dfe(stem: Path, mesh: Mesh, face: Mesh, rng: np.random.Generator, plan: MimicPlan) -> None:
    """The meshes and landmark files of one scan. RAW is a wider scan in another position than F3D."""
    places = landmark_places(mesh)
    names = bu_landmark_names()
    picture = f"{stem.name}_F3D.bmp"
    write_wrl(face, Path(f"{stem}_F3D.wrl"), dialect="tricorder", decimals=6, texture_name=picture)
    on_face = nearest_samples(face, places.points[: len(names)] + np.array(F3D_SHIFT))
    marked = IndexedLandmarks(Landmarks(names, face.vertices[on_face]), on_face)
    write_bnd(marked, Path(f"{stem}_F3D.bnd"), separator="tabs")
    wide = dataclasses.replace(plan.scan, yaws_deg=(-30.0, 30.0), half_width_mm=110.0, half_height_mm=140.0)
    _, raw = capture(mesh, wide, rng)
    raw = raw.with_vertices(turned(raw.vertices, *RAW_POSE))
    write_wrl(raw, Path(f"{stem}_RAW.wrl"), dialect="tricorder", decimals=6, texture_name=picture)
    on_raw = nearest_samples(raw, turned(places.points, *RAW_POSE))
    pose = on_raw[list(POSE_POINTS)]
    numbers = tuple(map(str, range(len(pose))))
    write_pse(IndexedLandmarks(Landmarks(numbers, raw.vertices[pose]), pose), Path(f"{stem}_RAW.pse"))
    if stem.name.startswith("F"):  # a separate distribution; not every copy has it
        write_points(Landmarks(places.names, raw.vertices[on_raw]), Path(f"{stem}_RAW_84_LMS.txt"))


def with_quads(mesh: Mesh, rng: np.random.Generator, share: float = QUAD_SHARE) -> Mesh:
    """The mesh with some pairs of neighbouring triangles as the quads they came from."""
    faces, uv_faces = mesh.faces, mesh.uv_faces
    joined = (faces[:-1, 0] == faces[1:, 0]) & (faces[:-1, 2] == faces[1:, 1])
    if uv_faces is not None:
        joined &= (uv_faces[:-1, 0] == uv_faces[1:, 0]) & (uv_faces[:-1, 2] == uv_faces[1:, 1])
    joined &= rng.random(len(joined)) < 2 * share
    joined[1:] &= ~joined[:-1]  # a triangle is in one quad only; runs of three are cut short
    return dataclasses.replace(mesh, polygon_of_face=np.concatenate([[0], np.cumsum(~joined)]).astype(np.int64))


def mimic_bosphorus(out: Path, actor: Actor, plan: MimicPlan) -> Iterator[str]:
    """Write a Bosphorus of synthetic people; yields each scan's name when it is on the disk."""
    base = out / "BosphorusDB"
    for number in range(plan.subjects):
        subject = f"bs{number:03d}"
        (base / subject).mkdir(parents=True, exist_ok=True)
        for take, (label, request) in enumerate(_bosphorus_takes(plan.person(number))):
            stem = base / subject / f"{subject}_{label}_0"
            _write_bosphorus(stem, actor(request).frames[0], plan, plan.rng(number, take))
            if plan.quirks and take == 0:
                with_crlf(stem.with_suffix(".lm3"))
                with_crlf(stem.with_suffix(".lm2"))
            yield stem.name
    if plan.quirks:
        write_bytes(base / "unallowed_subjects.txt", b"bs000\r\n")
        write_bytes(base / "Bosphorus_Files&Content.pdf", b"%PDF-1.4\n")
        write_bytes(base / "bs000" / "Thumbs.db", b"")


def _bosphorus_takes(person: int) -> Iterator[tuple[str, Request]]:
    """Label in the file names, and what to show for it."""
    yield "N_N", Request(person, "neutral", (0.0,))
    for take, expression in enumerate(BASIC, 1):
        yield f"E_{BOSPHORUS_NAMES[expression]}", Request(person, expression, (1.0,), take)
    for take, (label, units) in enumerate(BOSPHORUS_UNITS.items(), 10):
        yield label, Request(person, "", (1.0,), take, dict.fromkeys(units, 1.0))
    yield "YR_R10", Request(person, "neutral", (0.0,), 20)


def _write_bosphorus(stem: Path, mesh: Mesh, plan: MimicPlan, rng: np.random.Generator) -> None:
    if "_YR_" in stem.name:
        angle = np.radians(10.0)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        marks = landmark_places(mesh)
        mesh = dataclasses.replace(
            mesh.with_vertices(mesh.vertices @ turn.T), landmarks=Landmarks(marks.names, marks.points @ turn.T)
        )
    scan, surface = capture(mesh, plan.scan, rng)
    image = scan.to_range_image(f"{stem.name}.png")
    write_range_image(image, stem.with_suffix(".bnt"))
    write_picture(scan.picture, stem.with_suffix(".png"))
    marks = landmark_places(mesh)
    kept = {label: place for label, place in BOSPHORUS_LABELS.items() if not (plan.quirks and rng.random() < 0.03)}
    points = image.xyz[image.foreground]
    nearest = nearest_samples(dataclasses.replace(surface, vertices=points, faces=surface.faces[:0], uv=None,
                              uv_faces=None, texture=None), marks.points[list(kept.values())])  # fmt: skip
    write_lm3(Landmarks(tuple(kept), points[nearest]), stem.with_suffix(".lm3"))
    height, width = scan.picture.shape[:2]
    pixels = image.uv[image.foreground][nearest] * np.array([width, height], float)
    write_lm2(PictureLandmarks(tuple(kept), pixels), stem.with_suffix(".lm2"))
