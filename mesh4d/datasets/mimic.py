"""A synthetic copy of a data set in its real layout and byte formats, so that loaders and protocols run end to end.

This package knows no faces: an actor performs. `aublend` provides one on its embedded heads, under the entry point
"mesh4d.actors".
"""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from os import PathLike
from pathlib import Path

from mesh4d.datasets.mimic_scans import mimic_bosphorus, mimic_bu3dfe
from mesh4d.datasets.mimic_sequences import mimic_bp4d, mimic_bu4dfe, mimic_fourdme, mimic_synthetic
from mesh4d.datasets.performance import Actor, MimicPlan
from mesh4d.errors import MeshError

WRITERS: dict[str, Callable[[Path, Actor, MimicPlan], Iterator[str]]] = {
    "bu3dfe": mimic_bu3dfe,
    "bosphorus": mimic_bosphorus,
    "bu4dfe": mimic_bu4dfe,
    "bp4d": mimic_bp4d,
    "4dme": mimic_fourdme,
    "synthetic": mimic_synthetic,
}
ITEMS_PER_SUBJECT = {"bu3dfe": 25, "bosphorus": 11, "bu4dfe": 6, "bp4d": 8, "4dme": 5, "synthetic": 9}


def write_mimic(kind: str, out: str | PathLike[str], actor: Actor, plan: MimicPlan) -> int:
    """Write a mimic of a data set into an empty or new folder.

    Args:
        kind: bu3dfe, bosphorus, bu4dfe, bp4d, 4dme or synthetic.
        out: the folder.
        actor: performs what the data set shows.
        plan: size, fineness and seed; the same plan and actor write the same meshes and labels.

    Returns:
        How many scans or sequences were written.

    Raises:
        MeshError: an unknown kind, or a folder that holds something.
    """
    from tqdm import tqdm

    if kind not in WRITERS:
        raise MeshError(f"expected a kind of data set among {', '.join(WRITERS)}, found {kind!r}")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MeshError(f"{out}: expected a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    items = WRITERS[kind](out, actor, plan)
    total = plan.subjects * ITEMS_PER_SUBJECT[kind]
    return sum(1 for _ in tqdm(items, f"mimic {kind}", total, disable=None, delay=2))


def installed_actor(name: str = "embedded") -> Actor:
    """The actor that an installed package offers under that name.

    Raises:
        MeshError: when none does.
    """
    found = {entry.name: entry for entry in entry_points(group="mesh4d.actors")}
    if name not in found:
        raise MeshError(f"no actor {name!r} is installed (found {sorted(found)}); reinstall facet4d")
    return found[name].load()
