"""What to synthesise: identities, expressions, how many takes, and what varies between them."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError
from mesh4d.specs import load_split

PARTS = ("train", "validation", "test")
MeshSuffix = Literal[".glb", ".ply", ".npz", ".obj"]
Span = tuple[float, float]
SPLIT = "aublendset"


@dataclass(frozen=True)
class ExpressionPlan:
    """A data set of expressions; the same plan gives the same bytes."""

    identities: tuple[int, ...]
    """Seeds of the embedded model: a seed is a person."""
    expressions: tuple[str, ...] = EXPRESSIONS
    """Canonical."""
    stills: int = 2
    """3D heads per person and expression, each at an intensity of its own."""
    sequences: int = 1
    """4D takes per person and expression, from rest to the apex and back."""
    seed: int = 0
    intensity: Span = (0.3, 1.0)
    """Of the apex, drawn evenly."""
    fps: float = 25.0
    rest_s: Span = (0.08, 0.24)
    """At rest, before and after."""
    onset_s: Span = (0.25, 0.7)
    hold_s: Span = (0.15, 0.6)
    offset_s: Span = (0.35, 0.9)
    lag_s: float = 0.04
    """Standard deviation of how much earlier or later each unit sets in."""
    blinks_per_s: float = 0.2
    co_occurrence: float = 1.0
    """Factor on the rates at which an expression's optional units come along; 0 shows prototypes only."""
    stray: float = 0.3
    """Probability of one unit that has nothing to do with the expression, weakly (a second one: its square)."""
    asymmetry: float = 0.06
    """Standard deviation of half the difference between the sides, as a share of the weight."""
    noise_mm: float = 0.0
    """Standard deviation of each vertex along its normal, drawn anew in every frame."""
    pose_deg: float = 0.0
    """Largest yaw of the head, one way; pitch and roll reach half of it. Drawn once per take."""
    suffix: MeshSuffix = ".glb"
    """Format of the meshes."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.expressions if name not in EXPRESSIONS]
        if unknown or not self.expressions or len(set(self.expressions)) != len(self.expressions):
            raise MeshError(
                f"expressions must be some of {', '.join(EXPRESSIONS)}, each once; found {self.expressions}"
            )
        if not self.identities or min(self.identities) < 0 or len(set(self.identities)) != len(self.identities):
            raise MeshError(f"identities must be seeds from 0, at least one, each once; found {self.identities[:10]}")
        if min(self.stills, self.sequences) < 0 or self.stills + self.sequences == 0:
            raise MeshError(f"expected stills or sequences, found {self.stills} and {self.sequences}")
        if not 0 < self.fps <= 1000:
            raise MeshError(f"fps must be above 0 and at most 1000, found {self.fps}")
        spans = {"intensity": 1.0, "rest_s": 60.0, "onset_s": 60.0, "hold_s": 60.0, "offset_s": 60.0}
        for name, most in spans.items():
            low, high = getattr(self, name)
            if not 0 <= low <= high <= most or (name in ("onset_s", "offset_s", "intensity") and low <= 0):
                raise MeshError(f"{name} must rise within 0 to {most:g}, found {low} {high}")
        for name in ("lag_s", "blinks_per_s", "co_occurrence", "stray", "asymmetry", "noise_mm", "pose_deg"):
            most = {"stray": 1.0, "pose_deg": 180.0, "noise_mm": 10.0, "asymmetry": 1.0, "lag_s": 1.0}.get(name, 60.0)
            if not 0 <= getattr(self, name) <= most:
                raise MeshError(f"{name} must be 0 to {most:g}, found {getattr(self, name)}")

    def to_json(self) -> dict[str, object]:
        """The plan as plain data."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """SHA-256 of the plan."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def identities_of(count: int, part: str = "all") -> tuple[int, ...]:
    """Seeds of so many people.

    Args:
        count: at least 1.
        part: of the split aublendset, whose people never stand in two parts: train, validation, test; all shares them
            out among the three as the split does (8 : 1 : 1), with someone in each from three people up.

    Raises:
        MeshError: another part, or more people than it has.
    """
    people = load_split(SPLIT)
    if part not in (*PARTS, "all"):
        raise MeshError(f"part must be one of {', '.join(PARTS)} or all, found {part!r}")
    available = {name: [int(seed) for seed in people[name]] for name in PARTS}
    total = sum(map(len, available.values())) if part == "all" else len(available[part])
    if not 1 <= count <= total:
        raise MeshError(f"identities must be 1 to {total}, the people of part {part!r}; found {count}")
    if part != "all":
        return tuple(available[part][:count])
    held_out = min(max(round(count / 10), 1 if count >= 3 else 0), 50)
    shares = {"validation": held_out, "test": held_out}
    shares["train"] = count - sum(shares.values())
    return tuple(seed for name in PARTS for seed in available[name][: shares[name]])


def part_of(identity: int) -> str:
    """The part of the split aublendset that a person belongs to; "none" for others."""
    return next((name for name, seeds in load_split(SPLIT).items() if identity in seeds), "none")
