"""Writes a plan as the data set `synthetic`: a folder per person, then the table of all of them, a card and a picture.

A person's folder appears whole or not at all, so a run that was killed goes on where it stood; people depend on nothing
but the plan, so any number of workers writes the same bytes.
"""

import csv
import functools
import io
import json
import shutil
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from aublend.head_model import head_model
from aublend.rig import AURig
from aublend.synthesis.card import write_card
from aublend.synthesis.plan import ExpressionPlan, part_of
from aublend.synthesis.take import Kind, Take, perform, take_rng, unit_labels
from mesh4d.datasets.synthetic import COLUMNS, FRAME_TABLE, OPTIONAL, TABLE
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.io import write_mesh
from mesh4d.io.atomic import atomic_folder
from mesh4d.io.sources import write_bytes
from mesh4d.mesh import Mesh
from mesh4d.scale_out import run_items

PLAN, RECORDS = "plan.json", "records.json"
Row = dict[str, object]


def synthesise_expressions(
    plan: ExpressionPlan, root: str | PathLike[str], *, workers: int = 1, scheduler: str | None = None
) -> dict[str, object]:
    """Write the plan's data set into a folder, or what is missing of it; `mesh4d.open_dataset("synthetic")` reads it.

    Args:
        root: the folder; made when it is not there.
        workers, scheduler: see `mesh4d.scale_out.run_items`.

    Returns:
        The data card.

    Raises:
        MeshError: the folder holds another plan's data set.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    _claim(plan, root)
    work = functools.partial(write_person, plan, root)
    run_items(
        work,
        plan.identities,
        is_done=lambda identity: (root / subject_name(identity) / RECORDS).is_file(),
        workers=workers,
        scheduler=scheduler,
        label="people",
    )
    rows = [row for identity in plan.identities for row in _read_records(root / subject_name(identity))]
    write_bytes(root / TABLE, table_bytes(rows))
    return write_card(plan, root, rows)


def subject_name(identity: int) -> str:
    """A person's name in the data set."""
    return f"P{identity:05d}"


def write_person(plan: ExpressionPlan, root: Path, identity: int) -> None:
    """All takes of one person."""
    rig = head_model().rig(identity)
    kinds: tuple[tuple[Kind, int], ...] = (("still", plan.stills), ("sequence", plan.sequences))
    with atomic_folder(root / subject_name(identity)) as folder:
        rows = [
            _write_take(plan, rig, identity, perform(plan, identity, expression, kind, number), kind, number, folder)
            for expression in plan.expressions
            for kind, count in kinds
            for number in range(count)
        ]
        write_bytes(folder / RECORDS, json.dumps(rows, indent=0).encode())


def table_bytes(rows: list[Row]) -> bytes:
    """The rows as labels.csv."""
    units = [name for name in rows[0] if name not in (*COLUMNS, *OPTIONAL)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *OPTIONAL, *units])
    writer.writerows([[row[name] for name in (*COLUMNS, *OPTIONAL, *units)] for row in rows])
    return out.getvalue().encode()


def _claim(plan: ExpressionPlan, root: Path) -> None:
    """Mark the folder as this plan's, and clear away what killed workers left half written."""
    text = json.dumps(plan.to_json(), indent=1, sort_keys=True).encode()
    if (root / PLAN).is_file():
        if (root / PLAN).read_bytes() != text:
            raise MeshError(f"{root}: {PLAN} is another plan's: expected this one, or a new folder")
    elif any(root.iterdir()):
        raise MeshError(f"{root}: expected a new folder, or one with a {PLAN}, found other files")
    for left in root.glob(".P*.part"):
        shutil.rmtree(left, ignore_errors=True)
    write_bytes(root / PLAN, text)


def _read_records(folder: Path) -> list[Row]:
    return json.loads((folder / RECORDS).read_bytes())


def _write_take(
    plan: ExpressionPlan, rig: AURig, identity: int, take: Take, kind: Kind, number: int, folder: Path
) -> Row:
    """Write the meshes of a take; its row of the table."""
    subject, stem = subject_name(identity), f"{take.expression}_{kind}_{number:02d}"
    rng = take_rng(plan, identity, take.expression, "scan", 2 * number + (kind == "sequence"))
    turn = _turn(plan, rng)
    meshes = (_captured(rig, halves, turn, plan.noise_mm, rng) for halves in take.halves)
    labels = [unit_labels(halves) for halves in take.halves]
    if kind == "still":
        path = f"{stem}{plan.suffix}"
        write_mesh(next(meshes), folder / path)
    else:
        path = stem
        (folder / stem).mkdir()
        for frame, mesh in enumerate(meshes):
            write_mesh(mesh, folder / stem / f"{frame:03d}{plan.suffix}")
        write_bytes(folder / stem / FRAME_TABLE, _frame_table(labels))
    apex = labels[0 if take.apex is None else take.apex]
    places = {"onset": take.onset, "apex": take.apex, "offset": take.offset}
    row: Row = {
        "name": f"{subject}_{stem}",
        "subject": subject,
        "expression": take.expression,
        "intensity": round(take.intensity, 5),
        "fps": plan.fps if kind == "sequence" else "",
        "path": f"{subject}/{path}",
    }
    row |= {name: "" if place is None else place for name, place in places.items()}
    return row | {"part": part_of(identity), "caption": take.caption} | apex


def _frame_table(labels: list[dict[str, float]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["frame", *labels[0]])
    writer.writerows([[frame, *row.values()] for frame, row in enumerate(labels)])
    return out.getvalue().encode()


def _turn(plan: ExpressionPlan, rng: np.random.Generator) -> Rotation:
    """The take's head pose, about the origin between the eyes."""
    limits = np.array([plan.pose_deg, plan.pose_deg / 2, plan.pose_deg / 2])
    return Rotation.from_euler("yxz", rng.uniform(-limits, limits), degrees=True)


def _captured(
    rig: AURig, halves: Float[np.ndarray, "2 A"], turn: Rotation, noise_mm: float, rng: np.random.Generator
) -> Mesh:
    """The head as a noisy scanner sees it, in float32's numbers."""
    vertices = rig.pose(halves)
    if noise_mm:
        shift = rng.normal(0, noise_mm, len(vertices))
        vertices = vertices + shift[:, None] * vertex_normals(vertices, rig.neutral.faces)
    return rig.neutral.with_vertices(turn.apply(vertices).astype(np.float32).astype(np.float64))
