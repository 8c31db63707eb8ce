"""Frozen configuration of the temporal model; the defaults are the preset `facet-mini-4d`."""

from dataclasses import dataclass, field

from facet_vlm.config import TrainConfig
from mesh4d.errors import MeshError, SpecError


@dataclass(frozen=True)
class TemporalConfig:
    """The temporal module and what it reads of a frame."""

    base: str = "facet-mini"
    """The 3D weights below it, which stay as they are: a shipped preset or a .safetensors file."""
    views: tuple[int, ...] = (1, 2, 3)
    """Rows of the base's rig that are rendered of each frame."""
    frames: int = 9
    """Read of a sequence in training, evenly spaced; more at any other time do no harm."""
    magnification: float = 5.0
    """Factor on what differs from the onset in the pictures of the second stream; 0 leaves that stream out."""
    dim: int = 128
    """Of the base's embeddings."""
    heads: int = 4
    layers: int = 2
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not self.views or self.frames < 2 or self.magnification < 0:
            raise MeshError(f"expected views, 2 frames or more and a magnification from 0, found {self}")

    @property
    def streams(self) -> int:
        """Tokens per frame: the face, and the face with its motion magnified."""
        return 2 if self.magnification > 0 else 1


@dataclass(frozen=True)
class SequenceDataConfig:
    """What is synthesised, from which identities."""

    split: str = "aublendset"
    people: tuple[int, int, int] = (280, 40, 50)
    """Identities of the parts train, validation and test that are used, from the first on."""
    mixtures: int = 2
    """MIDAS mixtures of two macro-expressions with soft labels, per training identity."""
    micro_intensity: tuple[float, float] = (0.08, 0.3)
    macro_intensity: tuple[float, float] = (0.35, 1.0)
    partial_share: float = 0.4
    """Share of macro takes of which only a window is seen."""
    noise_mm: float = 0.3
    """Largest standard deviation of noise along the normals, drawn anew in every frame; half of that in micro takes."""
    own_share: float = 0.6
    """Share of training takes with a build and a manner of moving that the generator does not have."""
    cut_share: float = 0.4
    """Share of training takes cut like a scan."""
    scan_share: float = 0.15
    """Share of training takes imaged by a range scanner, each frame with a topology of its own."""
    cover_share: float = 0.1
    """Share of training takes with hair over the forehead."""
    pose_deg: float = 8.0
    """Largest error of the head's yaw, pitch and roll after alignment, constant in a take."""
    frame_pose_deg: float = 0.4
    """Standard deviation of how the alignment of frames differs, in each angle; and in 0.25 mm per axis alike."""
    seed: int = 0


@dataclass(frozen=True)
class TemporalLossWeights:
    """What each objective counts in the sum; 0 leaves it out."""

    expressions: float = 1.0
    """Cross entropy with the soft label over the canonical expressions."""
    categories: float = 1.0
    """Binary cross entropy of each category."""
    captions: float = 0.3
    """Contrast with the captions of the apex."""


@dataclass(frozen=True)
class TemporalTrainConfig:
    """The optimisation, on cached tokens."""

    epochs: int = 40
    patience: int = 8
    """Stop after so many epochs without a better one on the validation identities."""
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.05
    label_smoothing: float = 0.05
    dropped_frames: float = 0.3
    """Largest share of frames hidden from the model in a training step."""
    caption_temperature: float = 0.25
    gradient_clip: float = 1.0
    loss: TemporalLossWeights = field(default_factory=TemporalLossWeights)
    seed: int = 0
    threads: int = 1

    def optimisation(self) -> TrainConfig:
        """What the optimizer of the 3D network needs to know."""
        return TrainConfig(learning_rate=self.learning_rate, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class Config4D:
    """All of a training run."""

    name: str = "facet-mini-4d"
    model: TemporalConfig = field(default_factory=TemporalConfig)
    data: SequenceDataConfig = field(default_factory=SequenceDataConfig)
    train: TemporalTrainConfig = field(default_factory=TemporalTrainConfig)


PRESETS_4D: dict[str, Config4D] = {"facet-mini-4d": Config4D()}


def preset_4d(name: str) -> Config4D:
    """The configuration of that name.

    Raises:
        SpecError: when there is none.
    """
    if name not in PRESETS_4D:
        raise SpecError(f"expected a preset among {sorted(PRESETS_4D)}, found {name!r}")
    return PRESETS_4D[name]
