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
class SpokenPhone:
    """One sound of speech; `symbol` is ARPAbet without stress, SIL where nothing is said."""

    symbol: str
    start_s: float
    end_s: float
    word: str
    stress: int
    confidence: float
    """0 (a guess) to 1."""


@dataclass(frozen=True)
class SpeechRequest:
    """What the page wants to be said: a sound that it sent, its text, or phones whose times the reader has edited."""

    sound: str
    """The id of the sound; empty for text alone, which the server then speaks."""
    text: str
    emotion: str
    intensity: float
    phones: tuple[SpokenPhone, ...] = ()


@dataclass(frozen=True)
class DenseCurves:
    """Weights of one layer, a row a frame; "AU12L" is AU12 on the subject's left only."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SpeechResult:
    """What the server made of speech: curves to be added up, phones, and how surely they were recognised."""

    fps: float
    seconds: float
    speech: DenseCurves
    emotion: DenseCurves
    phones: tuple[SpokenPhone, ...]
    source: str
    confidence: float
    words: str
    notes: tuple[str, ...]
    open_contacts: int
    """How many lip closures this head cannot make."""
    sound: str
    """Base64 of a WAV file where the server spoke the text itself; else empty."""


@dataclass(frozen=True)
class EmbeddedSound:
    """A sound that comes with the page, base64 of its file, and what it says."""

    name: str
    content: str
    phones: tuple[SpokenPhone, ...] = ()


@dataclass(frozen=True)
class StyleInfo:
    """A way of moving a face that the server can build a rig in; see data_specs/styles.toml."""

    name: str
    description: str


@dataclass(frozen=True)
class OpeningInfo:
    """Something that lies with the server and that the page can ask for by its number."""

    name: str
    subject: str
    expression: str
    """In the words of the data set; empty elsewhere."""
    moves: bool
    """Whether curves come with the head."""


@dataclass(frozen=True)
class HeadMap:
    """Where things are on a head: landmarks on its surface, and masks of its regions, on its file's own vertices."""

    landmark_names: tuple[str, ...]
    landmark_vertices: tuple[int, ...]
    """Three a landmark: the corners of the triangle that it lies on."""
    landmark_shares: tuple[float, ...]
    """Three a landmark: how much of each corner."""
    region_names: tuple[str, ...]
    regions: str
    """Base64 of a byte a vertex for each region in turn, 0 to 255."""


@dataclass(frozen=True)
class SolvedCurves:
    """The curves behind a sequence that the page sent."""

    fps: float
    curves: DenseCurves
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What FACET-VLM says about a face, and the pictures that it looked at."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    pictures: tuple[str, ...]
    """A data: address a view."""
    views: tuple[str, ...]
    view_weights: tuple[float, ...]
    """Each view's share in the evidence for the most probable label."""
    seconds: float
    """What the model took."""


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
    sound: EmbeddedSound | None = None
    """Heard with the animation."""
    arkit_rotations: tuple[str, ...] = ()
    """Rotations that Live Link Face writes behind the shapes."""
    seed: int | None = None
    """Of the embedded head that is shown; none for any other head."""
    styles: tuple[StyleInfo, ...] = ()
    openings: tuple[OpeningInfo, ...] = ()
    """What the server can open besides, such as the records of a data set."""
    opens: int | None = None
    """The one of them that the page asks for at once."""
    phones: tuple[str, ...] = ()
    """Symbols that a sound of speech may have."""


@dataclass(frozen=True)
class HeadJob:
    """How far the server is with a head that the page sent."""

    id: str
    name: str
    state: str
    """One of running, done and failed."""
    stage: str
    error: str


MESSAGES = (
    UnitInfo, EmotionPreset, PadPoint, ArkitUnit, SpokenPhone, SpeechRequest, DenseCurves, SpeechResult, EmbeddedSound,
    StyleInfo, OpeningInfo, HeadMap, SolvedCurves, Reading, ViewerMetadata, HeadJob,
)  # fmt: skip
"""The dataclasses that cross to TypeScript, dependencies first."""
