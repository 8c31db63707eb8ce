"""Sentences that stand for an expression: templates with its names, and descriptions of what the face does."""

from collections.abc import Mapping, Sequence

from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml


def class_sentences(label: str) -> tuple[str, ...]:
    """All sentences of one canonical expression, in the order of data_specs/prompts.toml.

    Raises:
        SpecError: when prompts.toml has no such expression.
    """
    spec = load_toml("prompts")
    if label not in spec["expression"]:
        raise SpecError(
            f"data_specs/prompts.toml: expected an expression among {sorted(spec['expression'])}, found {label!r}; "
            "give a new label as a mapping {label: sentences}"
        )
    entry = spec["expression"][label]
    named = [template.format(name=name) for name in entry["names"] for template in spec["templates"]]
    return (*named, *entry["descriptions"])


def label_sentences(
    labels: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Sentences per label.

    Args:
        labels: canonical labels; or any label with its own sentence or sentences; None is all canonical ones.
    """
    if labels is None:
        labels = EXPRESSIONS
    if isinstance(labels, Mapping):
        sentences = {label: (texts,) if isinstance(texts, str) else tuple(texts) for label, texts in labels.items()}
    else:
        sentences = {label: class_sentences(label) for label in labels}
    empty = [label for label, texts in sentences.items() if not texts or not all(text.strip() for text in texts)]
    if empty or not sentences:
        raise SpecError(f"every label needs a sentence, and there must be a label; found none for {empty or labels!r}")
    return sentences
