from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest

from viewer import generate_types
from viewer.generate_types import TYPES_FILE, typescript


def test_committed_types_are_the_generated_ones():
    assert TYPES_FILE.read_text(encoding="utf-8") == typescript(), "run `python -m viewer.generate_types`"


@dataclass(frozen=True)
class Sample:
    """A sample."""

    words: tuple[str, ...]
    weights: Mapping[str, float]
    side: Literal["left", "right"]
    time: float | None


def test_every_kind_of_field_has_its_counterpart(monkeypatch):
    monkeypatch.setattr(generate_types, "MESSAGES", (Sample,))
    text = typescript()
    assert "export interface Sample {" in text
    assert "  readonly words: readonly string[];" in text
    assert "  readonly weights: Readonly<Record<string, number>>;" in text
    assert '  readonly side: "left" | "right";' in text
    assert "  readonly time: number | null;" in text


@dataclass(frozen=True)
class Untranslatable:
    """Holds bytes."""

    content: bytes


def test_unknown_kind_of_field_is_refused(monkeypatch):
    monkeypatch.setattr(generate_types, "MESSAGES", (Untranslatable,))
    with pytest.raises(TypeError, match="bytes"):
        typescript()
