"""Leaks that names cannot show: one scan, or one person, under two names on both sides of a fold."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from facet_vlm.evaluation.frames import record_key
from mesh4d.datasets.folds import Fold
from mesh4d.errors import SplitError

COPY = 1.0
"""Mean difference of small frontal pictures, in grey levels, below which two scans are one: copies that were turned,
re-ordered or made noisy (0.3 mm) lie below, strangers who show the same expression above 4."""
LIKE_ONE_PERSON = 0.5
"""Share of people's own scans that lie nearer to another scan of theirs: what looks as alike is worth a look."""
MOST_COMPARED = 4000
MOST_LISTED = 8


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
    found = _across(folds, groups)
    if found is not None:
        fold, tested, learnt = found
        raise SplitError(
            f"{fold.name}: {tested} is tested, and {learnt}, a copy of it under another name, is learnt from"
        )
    within = f"; {len(groups)} meshes stand twice, each on one side only" if groups else ""
    return f"{len(contents)} meshes compared by the hashes of their files and pictures: none in both parts{within}"


def prove_no_look_alikes(
    folds: Sequence[Fold], person_of: Mapping[str, str], mesh_of: Mapping[str, int], small: Float[np.ndarray, "R P"]
) -> tuple[str, list[str]]:
    """Raise when a scan of a fold's test people is, by its looks, one of the training people's too.

    Hashes know only exact copies. Here small frontal pictures of aligned faces are compared: two records of different
    people that differ less than COPY are one scan that was moved, re-ordered or made noisy.

    Args:
        folds: of the protocol.
        person_of: record -> whose it is.
        mesh_of: record -> the row of the mesh to compare.
        small: pictures of all meshes as numbers from 0 to 255; NaN where there is none.

    Returns:
        The proof as a sentence, and a line for each pair of people who look as alike as scans of one person do.

    Raises:
        SplitError: it names both records.
    """
    keys = [key for key in person_of if np.isfinite(small[mesh_of[key]]).all()]
    keys = [
        keys[place] for place in np.unique(np.linspace(0, len(keys) - 1, min(len(keys), MOST_COMPARED)).astype(int))
    ]
    people = np.unique([person_of[key] for key in keys], return_inverse=True)[1] if keys else np.zeros(0, int)
    seen = small[[mesh_of[key] for key in keys]]
    own, other, nearest = _nearest(seen, people)
    close = [(keys[row], keys[nearest[row]]) for row in np.flatnonzero(other < COPY)]
    found = _across(folds, close)
    if found is not None:
        fold, tested, learnt = found
        raise SplitError(
            f"{fold.name}: {tested} is tested, and {learnt} of another name, whose face looks the same, is learnt from"
        )
    usual = own[np.isfinite(own)]
    limit = float(np.quantile(usual, LIKE_ONE_PERSON)) if len(usual) else 0.0
    pairs: dict[tuple[str, str], float] = {}
    for row in np.flatnonzero(other < limit).tolist():
        one, two = sorted((person_of[keys[row]], person_of[keys[nearest[row]]]))
        pairs[one, two] = min(float(other[row]), pairs.get((one, two), np.inf))
    lines = [
        f"{one} and {two} look as alike as scans of one person do: {distance:.1f} grey levels"
        for (one, two), distance in sorted(pairs.items(), key=lambda pair: pair[1])[:MOST_LISTED]
    ]
    least = float(other.min()) if np.isfinite(other).any() else float("nan")
    return (
        f"{len(keys)} frontal pictures compared: those of different people differ by {least:.1f} grey levels and more, "
        f"half of a person's own by up to {limit:.1f}",
        lines,
    )


def _nearest(
    seen: Float[np.ndarray, "B P"], people: np.ndarray
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"], np.ndarray]:
    """Of each picture the distance to the nearest other one of the same person, of another person, and which it is."""
    own, other, nearest = np.full(len(seen), np.inf), np.full(len(seen), np.inf), np.zeros(len(seen), np.int64)
    for start in range(0, len(seen), 256):
        rows = np.arange(start, min(start + 256, len(seen)))
        distance = cdist(seen[rows], seen, "cityblock") / max(1, seen.shape[1])
        distance[rows - start, rows] = np.inf
        same = people[rows][:, None] == people
        own[rows] = np.where(same, distance, np.inf).min(axis=1)
        strange = np.where(same, np.inf, distance)
        nearest[rows] = strange.argmin(axis=1)
        other[rows] = strange.min(axis=1)
    return own, other, nearest


def _across(folds: Sequence[Fold], groups: Sequence[tuple[str, ...]]) -> tuple[Fold, str, str] | None:
    """The first fold that tests one of a group and learns from another: fold, tested record, record learnt from."""
    for fold in folds if groups else ():
        owner = {record_key(record): "train" for record in fold.train}
        owner |= {record_key(record): "test" for record in fold.test}
        for group in groups:
            sides: dict[str, str] = {}
            for key in group:
                if key in owner:
                    sides.setdefault(owner[key], key)
            if len(sides) == 2:
                return fold, sides["test"], sides["train"]
    return None


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
