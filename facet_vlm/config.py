"""Frozen configuration; the defaults are the preset `facet-mini`, whose weights the package ships."""

from dataclasses import dataclass, field
from typing import Literal

from mesh4d.errors import SpecError


@dataclass(frozen=True)
class ModelConfig:
    """Encoders and fusion."""

    clip: str = "facet_mini"
    """An open_clip model: a JSON in facet_vlm/presets, or any name that open_clip lists (e.g. ViT-L-14)."""
    pretrained: str | None = None
    """open_clip's tag or file of weights to start from; None starts at random."""
    tokenizer: Literal["words", "open_clip"] = "words"
    """'words': the committed vocabulary beside the JSON; 'open_clip': the tokenizer of that open_clip model."""
    rig: str = "fer7"
    """Cameras, by name in data_specs/views.toml."""
    image_size: int = 96
    """Pixels; must be what the image tower expects."""
    inputs: str = "geometry"
    """What the pictures hold; `facet_vlm.faces.inputs.BANDS`."""
    fusion_heads: int = 4
    cvsa_layers: int = 1
    dropout: float = 0.1
    cvsa: bool = True
    """Off: views do not see each other (for ablation, as the next two)."""
    mtgf: bool = True
    """Off: a text is compared with the mean of the views."""
    text: bool = True
    """Off: a learned vector per canonical expression instead of sentences; no other label can be asked for."""


@dataclass(frozen=True)
class OtherMakers:
    """How far heads of other makers may lie from the generator's: their builds, and their manner of moving."""

    detail_mm: float = 0.0
    """Largest standard deviation, per axis, of what a build adds at the size of lips and brows."""
    manner: float = 0.3
    """Largest standard deviation of the logarithm of how much further a place moves."""
    tilt_deg: float = 0.0
    """Largest standard deviation of the angle by which a place moves another way, about each axis."""


@dataclass(frozen=True)
class DataConfig:
    """What is synthesised, from which identities."""

    split: str = "aublendset"
    """data_specs/splits/NAME.json; training reads its parts 'train' and 'validation' only."""
    train_intensities: tuple[tuple[float, float], ...] = ((0.35, 0.5), (0.4, 0.6), (0.5, 0.8), (0.7, 1.0), (0.8, 1.0))
    """One draw per expression and identity from each range."""
    test_intensities: tuple[float, ...] = (0.35, 0.5, 0.65, 0.8, 1.0)
    """One draw per expression and held-out identity at each; neutral is drawn as often."""
    scenario: str = "plain"
    """What held-out faces meet; `facet_vlm.faces.synthesis.scenario`."""
    train_scenario: str = "varied"
    """What training faces meet: 'varied' is all accidents at the rates below; otherwise the name of one accident."""
    hard_mixtures: bool = False
    """Give mixtures the likelier label alone: what MIDAS is compared with."""
    held_out_labels: tuple[str, ...] = ()
    """Expressions that training never shows nor names, to test labels given by sentences alone."""
    more_neutrals: int = 5
    """Neutral faces per training identity beyond one per range of intensities."""
    mixtures: int = 5
    """MIDAS mixtures of two expressions, with soft labels, per training identity."""
    anything: int = 10
    """Faces of random units per training identity, which teach captions and no label."""
    kept_views: int = 3
    """Views rendered of each training sample, drawn from the rig and turned by up to `camera_jitter_deg`."""
    camera_jitter_deg: float = 5.0
    own_share: float = 0.6
    """Share of training faces with a build and a manner of moving that the generator does not have."""
    makers: OtherMakers = field(default_factory=OtherMakers)
    """Of those faces: how far they are from the generator's."""
    noise_share: float = 0.6
    coarse_share: float = 0.15
    loss_share: float = 0.5
    """Share with holes, a scan's cut, or imaged by a range scanner."""
    cover_share: float = 0.15
    """Share with hair or something else before the face."""
    yaw_deg: float = 12.0
    """Largest random turn of the head either way; pitch and roll likewise."""
    pitch_deg: float = 10.0
    roll_deg: float = 7.0
    place_jitter_mm: float = 2.5
    size_jitter: float = 0.035
    residual: float = 0.1
    """Largest weight of the stray units that even a neutral face shows."""
    max_train_subjects: int | None = None
    """Use only the first subjects of each part; for quick trials."""
    seed: int = 0


@dataclass(frozen=True)
class LossWeights:
    """What each objective counts in the sum; 0 leaves it out. Our own choice."""

    fused: float = 1.0
    per_view: float = 0.5
    prediction_consistency: float = 0.2
    feature_consistency: float = 0.1
    units: float = 0.5
    """Action unit weights, regressed from views."""
    unit_captions: float = 0.3
    """Captions of the strongest action units."""
    region_captions: float = 0.15
    """Captions of one region."""
    summary_captions: float = 0.15
    """Captions of the state and what shows it."""


@dataclass(frozen=True)
class Mining:
    """Positive mining in the contrast of captions: which other samples count as positives too, and how much."""

    share: float = 0.3
    """Weight that moves from a sample's own partner to the mined ones, 0 to 1; 0 is plain InfoNCE."""
    temperature: float = 0.05
    """Of the softmax over cosines; smaller keeps to the nearest."""
    threshold: float | None = 0.9
    """Least cosine of a mined positive; None takes all."""
    top_k: int | None = None
    """At most so many mined positives per row, the sample itself included; None takes all above the threshold."""


@dataclass(frozen=True)
class TrainConfig:
    """The optimisation."""

    epochs: int = 12
    validate_every: int = 2
    """Epochs between looks at the validation identities; the last epoch is always looked at."""
    patience: int | None = None
    """Stop after so many looks without a better one; None goes to the last epoch."""
    batch_size: int = 48
    """Over all processes together."""
    views_per_sample: int = 2
    """Random views of each sample in a step; evaluation uses all."""
    single_view_share: float = 0.5
    """Share of the epochs, the first ones, whose steps see as many pictures, but each of another sample: a tower
    learns more from different faces than from several sides of one."""
    sentences_per_class: int = 3
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.05
    label_smoothing: float = 0.05
    caption_temperature: float = 0.25
    """Spread of the soft targets: distance of action unit weights at which a caption counts 1/e of the sample's own."""
    captions_from: float = 0.1
    """Share of the training before captions begin to count, as long again until they count in full: the contrast of
    captions that say nothing yet is least when all texts are alike, which leaves the classes nothing to be told by."""
    mining: Mining | None = None
    """Positives found by likeness of embeddings instead of the known action unit weights; for captions of faces whose
    weights nobody knows, and to compare."""
    hidden_words: float = 0.0
    """Share of captions' words that give way to one no vocabulary has, so that a user's sentence survives such."""
    gradient_clip: float = 1.0
    mixed_precision: bool = False
    """bfloat16 in the forward pass; for hardware that is faster with it."""
    loss: LossWeights = field(default_factory=LossWeights)
    seed: int = 0
    threads: int = 1
    """Torch threads; part of what makes a run repeatable bit for bit."""


@dataclass(frozen=True)
class Config:
    """All of a training run."""

    name: str = "facet-mini"
    start: str | None = None
    """Preset whose weights training starts from; its own run lies beside this one's, and is made when it is missing."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


PRESETS: dict[str, Config] = {
    "facet-mini-base": Config(name="facet-mini-base"),
    "without-contempt": Config(
        name="without-contempt",
        data=DataConfig(held_out_labels=("contempt",), max_train_subjects=100),
        train=TrainConfig(epochs=9, hidden_words=0.06),
    ),
    "facet-mini": Config(
        start="facet-mini-base",
        data=DataConfig(
            seed=1,
            max_train_subjects=300,
            train_intensities=((0.3, 0.5), (0.4, 0.55), (0.45, 0.65), (0.6, 0.9), (0.8, 1.0)),
            own_share=0.85,
            makers=OtherMakers(detail_mm=2.2, manner=0.5, tilt_deg=15.0),
        ),
        train=TrainConfig(epochs=14, learning_rate=1e-3, single_view_share=0.0, captions_from=0.0, hidden_words=0.06),
    ),
}


def preset(name: str) -> Config:
    """The configuration of that name.

    Raises:
        SpecError: when there is none.
    """
    if name not in PRESETS:
        raise SpecError(f"expected a preset among {sorted(PRESETS)}, found {name!r}")
    return PRESETS[name]
