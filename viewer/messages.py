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
class PadPoint:
    """A face and its place on the pad of valence and arousal, -1 to 1; aublend.emotion_pad says what lies between."""

    name: str
    valence: float
    arousal: float
    units: Mapping[str, float]


@dataclass(frozen=True)
class ArkitUnit:
    """How one unit is made of ARKit's shapes and read back from them; see data_specs/arkit.toml."""

    name: str
    match: str
    left: Mapping[str, float]
    right: Mapping[str, float]
    middle: Mapping[str, float]
    read: tuple[str, ...]


@dataclass(frozen=True)
class ViewerMetadata:
    """Everything that the page needs besides the GLB."""

    title: str
    units: tuple[UnitInfo, ...] = ()
    emotions: tuple[EmotionPreset, ...] = ()
    pad: tuple[PadPoint, ...] = ()
    """By their angle around the origin, where the face is neutral."""
    arkit_shapes: tuple[str, ...] = ()
    """ARKit's 52 names in the order of Live Link Face."""
    arkit: tuple[ArkitUnit, ...] = ()
    autoplay: bool = False
    """Start the animation as soon as the head is drawn, unless the reader asked their system for less motion."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Slider positions to open with, by target name."""


@dataclass(frozen=True)
class HeadJob:
    """How far the server is with a head that the page sent."""

    id: str
    name: str
    state: str
    """One of running, done and failed."""
    stage: str
    error: str


MESSAGES = (UnitInfo, EmotionPreset, PadPoint, ArkitUnit, ViewerMetadata, HeadJob)
"""The dataclasses that cross to TypeScript, dependencies first."""
