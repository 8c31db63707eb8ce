"""Record: one item of a data set, a scan or a sequence, with its labels and where its files lie."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Record:
    """One scan (one frame) or one sequence.

    Paths are relative to the data set's folder, with forward slashes. A label of None is unknown; it is never a
    zero, and `known_units` leaves it out.
    """

    dataset: str
    """Kind: "bu3dfe", "bosphorus", ..."""
    name: str
    """Unique within the data set, such as "F0001_AN01WH" or "F001/Angry"."""
    subject: str
    frames: tuple[str, ...]
    """Mesh files in order."""
    source_label: str
    """The label in the data set's own words; several are joined by "+"."""
    expression: str | None = None
    """Canonical (data_specs/expressions.toml); None where the label is none of those."""
    au_labels: Mapping[str, float | None] = field(default_factory=dict)
    """Unit -> presence or intensity, for the whole record. An absent unit was not annotated."""
    au_frames: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Unit -> one value per frame."""
    level: int | None = None
    """The data set's own grade of intensity, such as 1 to 4 in BU-3DFE."""
    intensity: float | None = None
    """0 to 1, where the source says so."""
    fps: float | None = None
    """Frames per second; None for a scan."""
    textures: tuple[str | None, ...] = ()
    """One per frame, or none at all."""
    landmarks: tuple[str | None, ...] = ()
    """Landmark file of each frame, or none at all."""
    onset: int | None = None
    """Position in `frames` from 0, like apex and offset."""
    apex: int | None = None
    offset: int | None = None
    task: str | None = None
    """The data set's own group: T1 to T8 in BP4D, E/LFAU/YR/... in Bosphorus, the part of the split in synthetic."""
    caption: str | None = None
    """What the face does, in words."""

    def __post_init__(self) -> None:
        if not self.frames:
            raise MeshError(f"record {self.name!r}: expected at least one frame, found none")
        for label in ("textures", "landmarks"):
            count = len(getattr(self, label))
            if count not in (0, len(self.frames)):
                raise MeshError(f"record {self.name!r}: expected {len(self.frames)} {label}, found {count}")
        for unit, values in self.au_frames.items():
            if len(values) != len(self.frames):
                raise MeshError(
                    f"record {self.name!r}: expected {len(self.frames)} values of {unit}, found {len(values)}"
                )
        for label in ("onset", "apex", "offset"):
            place = getattr(self, label)
            if place is not None and not 0 <= place < len(self.frames):
                raise MeshError(f"record {self.name!r}: {label} {place} lies outside its {len(self.frames)} frames")

    @property
    def person(self) -> str:
        """The subject's name across data sets, such as "bp4d:F001": subject names of two sets are two people."""
        return f"{self.dataset}:{self.subject}"

    @property
    def is_sequence(self) -> bool:
        """True when the source is a sequence, even one of a single frame."""
        return self.fps is not None

    @property
    def source_labels(self) -> tuple[str, ...]:
        """The data set's own labels, one by one."""
        return tuple(part for part in self.source_label.split("+") if part)

    def known_units(self) -> dict[str, float]:
        """The unit labels of the whole record that are known: masked and unannotated ones are left out."""
        return {unit: value for unit, value in self.au_labels.items() if value is not None}

    def frame_record(self, frame: int) -> "Record":
        """One frame as a record of its own, with the unit labels of that frame."""
        per_frame = {unit: values[frame] for unit, values in self.au_frames.items()}
        return dataclasses.replace(
            self,
            name=f"{self.name}#{frame}",
            frames=self.frames[frame : frame + 1],
            au_labels={**self.au_labels, **per_frame},
            au_frames={},
            fps=None,
            textures=self.textures[frame : frame + 1],
            landmarks=self.landmarks[frame : frame + 1],
            onset=None,
            apex=None,
            offset=None,
        )
