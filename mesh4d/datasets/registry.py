"""One table from kind of data set to the adapter that indexes it."""

import inspect
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from mesh4d.datasets.bosphorus import index_bosphorus
from mesh4d.datasets.bp4d import index_bp4d
from mesh4d.datasets.bu3dfe import index_bu3dfe
from mesh4d.datasets.bu4dfe import index_bu4dfe
from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.fourdme import index_fourdme
from mesh4d.datasets.problems import DatasetError
from mesh4d.datasets.synthetic import index_synthetic
from mesh4d.errors import MeshError

ADAPTERS: dict[str, Callable[..., Dataset]] = {
    "bu3dfe": index_bu3dfe,
    "bosphorus": index_bosphorus,
    "bu4dfe": index_bu4dfe,
    "bp4d": index_bp4d,
    "4dme": index_fourdme,
    "synthetic": index_synthetic,
}


def canonical_kind(kind: str) -> str:
    """The kind behind a spelling such as "BU-3DFE", "bu_4dfe" or "fourdme".

    Raises:
        MeshError: for an unknown kind.
    """
    plain = kind.lower().replace("-", "").replace("_", "").replace(" ", "").replace("fourdme", "4dme")
    if plain not in ADAPTERS:
        raise MeshError(f"expected a kind of data set among {', '.join(ADAPTERS)}, found {kind!r}")
    return plain


def detect_kind(root: str | PathLike[str]) -> str:
    """The kind whose layout a folder has; 4DME, whose layout is not known, is tried last.

    Raises:
        MissingFileError: no such folder.
        DatasetError: the folder has none of the layouts.
    """
    order = ["synthetic", *(kind for kind in ADAPTERS if kind not in ("synthetic", "4dme")), "4dme"]
    refusals: list[DatasetError] = []
    for kind in order:
        try:
            if len(open_dataset(kind, root, keep_going=True)):
                return kind
        except DatasetError as refusal:
            refusals.append(refusal)
    raise DatasetError(str(root), [problem for refusal in refusals for problem in refusal.problems])


def open_dataset(kind: str, root: str | PathLike[str], *, keep_going: bool = False, **options: object) -> Dataset:
    """Index a copy of a data set: names and labels only, no mesh is read.

    Stray files, absent frames and absent landmarks are tolerated and listed in `Dataset.problems`.

    Args:
        kind: bu3dfe, bosphorus, bu4dfe, bp4d, 4dme or synthetic.
        root: the data set's folder.
        keep_going: leave contradictory or incomplete records out instead of refusing the copy.
        options: of the adapter, such as mesh="RAW" (bu3dfe), coding="intensity" (bp4d) or pattern=... (4dme).

    Raises:
        DatasetError: nothing of the kind is there, or (without `keep_going`) the list of what is missing or
            contradictory.
        MissingFileError: no such folder.
        MeshError: an unknown kind or option.
    """
    kind = canonical_kind(kind)
    known = [name for name in inspect.signature(ADAPTERS[kind]).parameters if name != "root"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise MeshError(f"data set {kind}: unknown options {unknown}; it has {known}")
    dataset = ADAPTERS[kind](Path(root), **options)
    errors = [problem for problem in dataset.problems if problem.severity == "error"]
    if errors and not keep_going:
        raise DatasetError(str(root), errors)
    return dataset
