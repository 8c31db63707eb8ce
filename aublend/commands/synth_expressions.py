"""`aublend synth expressions`: labelled 3D and 4D expressions as the data set `synthetic`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from mesh4d.errors import MeshError

Suffix = Literal[".glb", ".ply", ".npz", ".obj"]


@dataclass(frozen=True)
class Variation:
    """What differs between takes; spans are drawn from evenly."""

    intensity: tuple[float, float] = (0.3, 1.0)
    """Of the apex."""
    onset_s: tuple[float, float] = (0.25, 0.7)
    """Seconds from rest to the apex."""
    hold_s: tuple[float, float] = (0.15, 0.6)
    """Seconds at the apex."""
    offset_s: tuple[float, float] = (0.35, 0.9)
    """Seconds back to rest."""
    lag_s: float = 0.04
    """How much earlier or later each unit sets in (standard deviation, seconds)."""
    blinks_per_s: float = 0.2
    """In sequences."""
    co_occurrence: float = 1.0
    """Factor on the rates of an expression's optional units; 0 shows prototypes only."""
    stray: float = 0.3
    """Probability of a weak unit that has nothing to do with the expression."""
    asymmetry: float = 0.06
    """Half the difference between the sides (standard deviation, share of the weight)."""
    noise_mm: float = 0.0
    """Of each vertex along its normal (standard deviation), in every frame anew."""
    pose_deg: float = 0.0
    """Largest yaw of the head; pitch and roll reach half of it."""


@dataclass(frozen=True)
class SynthExpressions:
    """Make labelled 3D and 4D expressions of many people, as the data set `synthetic`.

    Labels: expression, exact action unit weights (per frame), intensity, onset, apex, offset, a caption. Beside them a
    data card and a contact sheet. The same settings give the same bytes; a run that was cut off goes on.
    """

    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/expressions")
    """A new folder, or one that the same settings have begun."""
    identities: int = 10
    """People."""
    part: Literal["all", "train", "validation", "test"] = "all"
    """Of the split aublendset that people come from; all keeps its proportions, and labels.csv says who is in which."""
    expressions: tuple[str, ...] = ()
    """Some of neutral, happiness, sadness, surprise, fear, anger, disgust, contempt; all by default."""
    stills: int = 2
    """3D heads per person and expression."""
    sequences: int = 1
    """4D takes per person and expression."""
    seed: int = 0
    fps: float = 25.0
    format: Suffix = ".glb"
    """Of the meshes."""
    vary: Variation = field(default_factory=Variation)
    workers: int = 1
    """Processes on this machine."""
    scheduler: str | None = None
    """Address of a dask scheduler instead, such as tcp://host:8786; its workers must see the same folder."""

    def run(self) -> dict[str, object]:
        from dataclasses import asdict

        from aublend.synthesis import ExpressionPlan, identities_of, synthesise_expressions
        from mesh4d.datasets.labels import EXPRESSIONS

        if self.workers < 1:
            raise MeshError(f"--workers must be at least 1, found {self.workers}")
        plan = ExpressionPlan(
            identities_of(self.identities, self.part),
            self.expressions or EXPRESSIONS,
            self.stills,
            self.sequences,
            self.seed,
            fps=self.fps,
            suffix=self.format,
            **asdict(self.vary),
        )
        card = synthesise_expressions(plan, self.output, workers=self.workers, scheduler=self.scheduler)
        shown = ("records", "stills", "sequences", "frames", "labels_sha256")
        picture = str(self.output / "contact_sheet.png")
        return {"folder": str(self.output)} | {name: card[name] for name in shown} | {"picture": picture}
