"""Leaks that names cannot show: one scan under two names, on both sides of a fold."""

from collections.abc import Mapping, Sequence

from facet_vlm.evaluation.frames import record_key
from mesh4d.datasets.folds import Fold
from mesh4d.errors import SplitError


def prove_no_shared_content(
    folds: Sequence[Fold], rows: Mapping[str, tuple[int, ...]], contents: Sequence[tuple[str, ...]]
) -> str:
    """Raise when a mesh of a fold's test records is, by its content, also one of its training records.

    Args:
        folds: of the protocol.
        rows: record -> its meshes.
        contents: per mesh the hashes by which it is known (its file's bytes, its pictures); empty ones say nothing.

    Returns:
        The proof as a sentence.

    Raises:
        SplitError: it names both records.
    """
    groups = _duplicates(rows, contents)
    for fold in folds if groups else ():
        owner = {record_key(record): "train" for record in fold.train}
        owner |= {record_key(record): "test" for record in fold.test}
        for group in groups:
            sides: dict[str, str] = {}
            for key in group:
                if key in owner:
                    sides.setdefault(owner[key], key)
            if len(sides) == 2:
                raise SplitError(
                    f"{fold.name}: {sides['test']} is tested, and {sides['train']}, a copy of it under another name, "
                    "is learnt from"
                )
    within = f"; {len(groups)} meshes stand twice, each on one side only" if groups else ""
    return f"{len(contents)} meshes compared by the hashes of their files and pictures: none in both parts{within}"


def _duplicates(rows: Mapping[str, tuple[int, ...]], contents: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Groups of records that share a mesh, by any of the hashes."""
    records_of: dict[int, list[str]] = {}
    for key, places in rows.items():
        for place in places:
            records_of.setdefault(place, []).append(key)
    known: dict[tuple[int, str], dict[str, None]] = {}
    for place, hashes in enumerate(contents):
        for kind, digest in enumerate(hashes):
            if digest:
                known.setdefault((kind, digest), {}).update(dict.fromkeys(records_of.get(place, ())))
    return list({tuple(sorted(group)) for group in known.values() if len(group) > 1})
