"""What the server and the exporter tell the page; client/src/messages.ts is generated from these dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class UnitInfo:
    """What the panel shows about one action unit; `name` is the name of its morph target."""

    name: str
    facs_name: str
    muscle: str
    group: str
    """Heading in the panel; units of one group stand together."""
    description: str


@dataclass(frozen=True)
class EmotionPreset:
    """A named expression as weights of action units at full intensity; "AU12L" is AU12 on the subject's left only."""

    name: str
    units: Mapping[str, float]


@dataclass(frozen=True)
class ViewerMetadata:
    """Everything that the page needs besides the GLB."""

    title: str
    units: tuple[UnitInfo, ...] = ()
    emotions: tuple[EmotionPreset, ...] = ()
    autoplay: bool = False
    """Start the animation as soon as the head is drawn, unless the reader asked their system for less motion."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Slider positions to open with, by target name."""


MESSAGES = (UnitInfo, EmotionPreset, ViewerMetadata)
"""The dataclasses that cross to TypeScript, dependencies first."""
