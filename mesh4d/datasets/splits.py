"""Subject-disjointness: the one check without which no recognition number means anything."""

from collections.abc import Mapping, Sequence

from mesh4d.errors import SplitError


def prove_disjoint(parts: Mapping[str, Sequence[int | str]]) -> str:
    """Raise when a subject stands in two parts (or twice in one); else return the proof as a sentence.

    Raises:
        SplitError: it names the subject and both parts.
    """
    seen: dict[int | str, str] = {}
    for part, subjects in parts.items():
        for subject in subjects:
            if subject in seen:
                raise SplitError(f"subject {subject!r} is in {seen[subject]!r} and again in {part!r}")
            seen[subject] = part
    counts = ", ".join(f"{part} {len(subjects)}" for part, subjects in parts.items())
    return f"{len(seen)} subjects, each in exactly one part ({counts})"
