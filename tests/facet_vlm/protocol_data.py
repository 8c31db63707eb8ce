"""A data set of our own in small: four people who show three expressions, and a protocol over them."""

from pathlib import Path

from aublend.emotions import emotion_weights
from aublend.head_model import head_model
from mesh4d.io import write_mesh

PEOPLE = (10_001, 10_002, 10_003, 10_004)
CLASSES = ("happiness", "surprise", "anger")
PROTOCOL = """
title = "Three <expressions> & four people"
dataset = "synthetic"
task = "expression"
classes = ["happiness", "surprise", "anger"]
metric = "accuracy"
source = "a test"
unverified = ["<b>everything</b> | nothing"]

[folds]
scheme = "kfold"
count = 2
"""


def write_people(root: Path) -> None:
    """Heads and labels.csv, with a sequence of two frames for one person."""
    rows = ["name,subject,expression,intensity,fps,path"]
    for person in PEOPLE:
        rig = head_model().rig(person)
        folder = root / f"P{person}"
        folder.mkdir(parents=True)
        for label in CLASSES:
            write_mesh(rig.drive(emotion_weights(label, 0.9)), folder / f"{label}.npz")
            rows.append(f"P{person}_{label},P{person},{label},0.9,,P{person}/{label}.npz")
        if person == PEOPLE[0]:
            (folder / "clip").mkdir()
            write_mesh(rig.neutral, folder / "clip" / "000.npz")
            write_mesh(rig.drive(emotion_weights("surprise", 0.8)), folder / "clip" / "001.npz")
            rows.append(f"P{person}_clip,P{person},surprise,0.8,25,P{person}/clip")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")


def write_protocol(folder: Path) -> Path:
    """The definition of the small protocol."""
    path = folder / "small.toml"
    path.write_text(PROTOCOL)
    return path
