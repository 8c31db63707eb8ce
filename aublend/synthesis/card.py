"""The data card of a synthesised data set: what it holds, as JSON, as Markdown and as a picture."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from aublend.synthesis.plan import PARTS, SPLIT, ExpressionPlan
from aublend.units import AU_NAMES
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.io import read_mesh
from mesh4d.io.sources import write_bytes

CARD, CARD_TEXT, PICTURE = "card.json", "card.md", "contact_sheet.png"
PRESENT = 0.1
"""Weight from which a unit counts as shown."""
MOST_PEOPLE = 5
FRAMES_SHOWN = 8
CELL_PX = 180
LIMITS = (
    "All heads come from one parametric head model without hair, skin texture or soft tissue; wrinkles are as coarse "
    "as its mesh.",
    "Expressions are mixtures of action unit shapes under published prototypes; people differ from those, and a label "
    "says what was performed, not what anyone felt.",
    "Timing, asymmetry and co-occurrence are drawn from the plan's distributions, which are ours and not measured.",
)
Row = dict[str, object]


def write_card(plan: ExpressionPlan, root: Path, rows: list[Row]) -> dict[str, object]:
    """Write card.json, card.md and contact_sheet.png; the card."""
    card = _card(plan, root, rows)
    write_bytes(root / CARD, json.dumps(card, indent=1).encode())
    write_bytes(root / CARD_TEXT, _as_text(card).encode())
    draw_contact_sheet(root, rows)
    return card


def _card(plan: ExpressionPlan, root: Path, rows: list[Row]) -> dict[str, object]:
    subjects = {name: sorted({str(row["subject"]) for row in rows if row["part"] == name}) for name in (*PARTS, "none")}
    subjects = {name: people for name, people in subjects.items() if people}
    sequences = [row for row in rows if row["fps"] != ""]
    weights = np.array([[float(str(row[name])) for name in AU_NAMES] for row in rows])
    shown = weights >= PRESENT
    together = shown.T.astype(int) @ shown.astype(int)
    pairs = {
        f"{AU_NAMES[a]}+{AU_NAMES[b]}": int(together[a, b])
        for a in range(len(AU_NAMES))
        for b in range(a + 1, len(AU_NAMES))
        if together[a, b]
    }
    return {
        "kind": "synthetic",
        "made_by": "aublend synth expressions",
        "licence": "head data: MakeHuman and Face Units, CC0",
        "plan": plan.to_json(),
        "plan_sha256": plan.digest(),
        "labels_sha256": hashlib.sha256((root / "labels.csv").read_bytes()).hexdigest(),
        "records": len(rows),
        "stills": len(rows) - len(sequences),
        "sequences": len(sequences),
        "frames": sum(1 for row in sequences for _ in (root / str(row["path"])).glob(f"*{plan.suffix}")),
        "unit_mm": 1.0,
        "split": {"name": SPLIT, "subjects": subjects, "proof": prove_disjoint(subjects)},
        "expressions": dict(Counter(str(row["expression"]) for row in rows)),
        "intensity_deciles": np.histogram([float(str(row["intensity"])) for row in rows], 10, (0, 1))[0].tolist(),
        "units_shown": {name: int(count) for name, count in zip(AU_NAMES, shown.sum(axis=0), strict=True)},
        "units_shown_together": pairs,
        "limits": list(LIMITS),
    }


def _as_text(card: dict[str, object]) -> str:
    split, plan = dict(dict_rows(card["split"])), dict_rows(card["plan"])
    people = sum(len(subjects) for _, subjects in dict_rows(split["subjects"]))
    counts = _table(("expression", "records"), dict_rows(card["expressions"]))
    units = _table(("unit", f"records at {PRESENT:g} or more"), dict_rows(card["units_shown"]))
    settings = _table(("setting", "value"), [(name, value) for name, value in plan if name != "identities"])
    limits = "\n".join(f"* {limit}" for limit in LIMITS)
    return (
        f"# Synthetic expressions\n\n{card['records']} records of {people} people: "
        f"{card['stills']} heads and {card['sequences']} sequences ({card['frames']} frames), millimetres in the face "
        f'frame. Read with `mesh4d.open_dataset("synthetic", FOLDER)`.\n\n'
        f"![people and expressions]({PICTURE})\n\n## Split\n\n{split['name']}: {split['proof']}.\n\n"
        f"## Labels\n\nExpression, intensity, exact action unit weights of both halves of the face (per frame in "
        f"`frames.csv`), onset, apex and offset, and a caption. Nothing is annotated: the faces are made from the "
        f"labels.\n\n"
        f"{counts}\n\n{units}\n\n## Plan\n\nSHA-256 `{card['plan_sha256']}`; the same plan gives the same bytes.\n\n"
        f"{settings}\n\n## Limits\n\n{limits}\n\n## Licence\n\n{card['licence']}.\n"
    )


def dict_rows(values: object) -> list[tuple[Any, Any]]:
    """Pairs of a mapping, none of anything else."""
    return list(values.items()) if isinstance(values, dict) else []


def _table(head: tuple[str, str], rows: Iterable[tuple[object, object]]) -> str:
    lines = [f"| {a} | {b} |" for a, b in rows]
    return "\n".join([f"| {head[0]} | {head[1]} |", "| --- | --- |", *lines])


def draw_contact_sheet(root: Path, rows: list[Row]) -> None:
    """People by expressions at their apex, then one sequence of the first person frame by frame."""
    from mesh4d.render import image_grid, render_views

    def picture(path: str) -> np.ndarray:
        views = render_views(read_mesh(root / path), rig="frontal", size=CELL_PX, channels=("shaded",))
        return views.images[0, ..., :3]

    pictures, titles = [], []
    expressions = list(dict.fromkeys(str(row["expression"]) for row in rows))
    for subject in list(dict.fromkeys(str(row["subject"]) for row in rows))[:MOST_PEOPLE]:
        for expression in expressions:
            own = [row for row in rows if row["subject"] == subject and row["expression"] == expression]
            strongest = max(own, key=lambda row: float(str(row["intensity"])))
            pictures.append(picture(apex_file(root, strongest)))
            titles.append(f"{expression} {float(str(strongest['intensity'])):.2f}")
    moving = [row for row in rows if row["fps"] != "" and row["apex"] != ""]
    if moving:
        row = max(moving, key=lambda one: float(str(one["intensity"])))
        files = frame_files(root, row)
        shown = np.linspace(0, len(files) - 1, min(len(files), FRAMES_SHOWN)).astype(int)
        for frame in shown.tolist():
            pictures.append(picture(files[frame]))
            titles.append(f"{row['expression']} #{frame}")
    image_grid(pictures, titles, len(expressions), root / PICTURE)


def apex_file(root: Path, row: Row) -> str:
    """The mesh that shows a record's expression best."""
    return str(row["path"]) if row["fps"] == "" else frame_files(root, row)[int(str(row["apex"] or 0))]


def frame_files(root: Path, row: Row) -> list[str]:
    """The meshes of a sequence in order."""
    folder = root / str(row["path"])
    return [f"{row['path']}/{path.name}" for path in sorted(folder.iterdir()) if path.stem.isdigit()]
