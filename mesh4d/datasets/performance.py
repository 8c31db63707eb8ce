"""What a mimic of a data set is made from: an actor who performs requests, and the plan of how many and how fine."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mesh4d.datasets.scan import RangeScan, ScanStyle, simulate_scan
from mesh4d.errors import MeshError
from mesh4d.io.landmark_files import bu_landmark_names
from mesh4d.io.sources import write_bytes
from mesh4d.mesh import Landmarks, Mesh

NOSE_TIP = "nose tip"
BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
FIRST_PERSON = 10_000
"""People of mimics are numbered from here, far from those that models learn from."""


@dataclass(frozen=True)
class Request:
    """What an actor is asked to show."""

    person: int
    """Who: the same number is the same face."""
    expression: str
    """Canonical; "" where `units` say what to show."""
    envelope: tuple[float, ...]
    """Intensity of each frame, 0 to 1."""
    take: int = 0
    """Another take differs in the small things."""
    units: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Performance:
    """What the actor showed, frame by frame, in the face frame and mm."""

    frames: tuple[Mesh, ...]
    """With `landmarks`: those of `bu_landmark_names` and the nose tip."""
    units: dict[str, tuple[float, ...]]
    """Action unit -> intensity at each frame, 0 to 1."""


Actor = Callable[[Request], Performance]


@dataclass(frozen=True)
class MimicPlan:
    """How large and how fine a mimic is."""

    subjects: int = 4
    seed: int = 0
    frames: int = 12
    """Per sequence."""
    levels: tuple[int, ...] = (1, 2, 3, 4)
    """Of BU-3DFE."""
    scan: ScanStyle = field(default_factory=ScanStyle)
    quirks: bool = True
    """Stray files, absent frames and landmarks, CRLF, both zero paddings, as in the distributions."""

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.frames < 3:
            raise MeshError(f"a mimic needs a subject and 3 frames, found {self.subjects} and {self.frames}")

    def person(self, number: int) -> int:
        """Who plays the subject of that number."""
        return FIRST_PERSON * (self.seed + 1) + number

    def rng(self, *place: int) -> np.random.Generator:
        """Chance that belongs to one place of the data set."""
        return np.random.default_rng([self.seed, *place])

    def envelope(self) -> tuple[float, ...]:
        """Neutral to apex to neutral, faster up than down."""
        return tuple((np.sin(np.pi * np.linspace(0, 1, self.frames) ** 0.8) ** 2).tolist())


def capture(mesh: Mesh, style: ScanStyle, rng: np.random.Generator) -> tuple[RangeScan, Mesh]:
    """A scan of one frame, and the same as a mesh whose landmarks are among its vertices."""
    scan = simulate_scan(mesh, style, rng)
    return scan, scan.to_mesh()


def landmark_places(mesh: Mesh) -> Landmarks:
    """The landmarks an actor marked.

    Raises:
        MeshError: when it did not mark those that data sets have.
    """
    expected = (*bu_landmark_names(), NOSE_TIP)
    if mesh.landmarks is None or mesh.landmarks.names != expected:
        raise MeshError("an actor's frames need the landmarks of bu_landmark_names() and the nose tip")
    return mesh.landmarks


def gendered_names(count: int, digits: int) -> list[str]:
    """F and M in turn, numbered each: F001, M001, F002, ..."""
    return [f"{'FM'[number % 2]}{number // 2 + 1:0{digits}d}" for number in range(count)]


def write_picture(picture: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    """Write a picture in the format of its suffix (.jpg, .bmp, .png)."""
    from PIL import Image

    out = io.BytesIO()
    kinds = {".jpg": "JPEG", ".bmp": "BMP", ".png": "PNG"}
    Image.fromarray(picture).save(out, kinds[path.suffix])
    write_bytes(path, out.getvalue())


def with_crlf(path: Path) -> None:
    """Give a text file the line ends that some copies have."""
    write_bytes(path, path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def turned(points: Float[np.ndarray, "P 3"], degrees: float, shift_mm: tuple[float, float, float]) -> np.ndarray:
    """Points pitched about the x axis and moved: another camera's frame."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]]).T + np.array(shift_mm)
