"""What is asked of a protocol run, and what follows from it: data sets, folds, meshes to read, the model."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from facet_vlm.evaluation.frames import FramePlan, plan_frames, thinned
from facet_vlm.evaluation.items import Pooling
from facet_vlm.evaluation.judged_model import JudgedModel, judged_model
from facet_vlm.evaluation.readings import Alignment, LandmarkReading, UnitReading, ViewReading
from facet_vlm.faces.views import view_angles
from mesh4d.datasets.commands import options_of
from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.folds import Fold
from mesh4d.datasets.protocols import Protocol, protocol
from mesh4d.datasets.record import Record
from mesh4d.datasets.registry import open_dataset
from mesh4d.errors import MeshError, SplitError

Peers = Literal["none", "probes", "fast", "all"]


@dataclass(frozen=True)
class ProtocolPlan:
    """The request. What it does not change it does not name: caches serve all plans that agree."""

    protocol: str
    root: Path
    output: Path
    test_root: Path | None = None
    """The second data set of a cross-data-set protocol."""
    options: tuple[str, ...] = ()
    """Of the data set's adapter, NAME=VALUE."""
    test_options: tuple[str, ...] = ()
    keep_going: bool = False
    """Leave contradictory records out instead of refusing the copy."""
    model: str = "facet-mini"
    weights: str | None = None
    temporal: str = "auto"
    """4D weights; see `judged_model`."""
    tune: bool = True
    ablate: bool = False
    """Also tune with one part of the fusion off."""
    peers: Peers = "fast"
    rounds: int | None = None
    max_folds: int | None = None
    seeds: int = 1
    reduced: bool = False
    frames: int = 9
    every: int = 1
    pooling: Pooling = "apex"
    align: Literal["auto", "frame", "onset"] = "auto"
    workers: int = 1
    scheduler: str | None = None
    device: str = "auto"
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name in ("seeds", "frames", "every", "workers"):
            if getattr(self, name) < 1:
                raise MeshError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("rounds", "max_folds"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise MeshError(f"{name} must be at least 1, found {getattr(self, name)}")

    @property
    def cache_folder(self) -> Path:
        """Where readings and features are kept."""
        return self.cache or self.output / "cache"


class Prepared:
    """All that follows from a plan without reading a mesh."""

    def __init__(self, plan: ProtocolPlan) -> None:
        self.plan = plan
        self.protocol: Protocol = protocol(plan.protocol)
        self.train_set: Dataset = open_dataset(
            self.protocol.dataset, plan.root, keep_going=plan.keep_going, **options_of(plan.options)
        )
        self.test_set: Dataset | None = None
        if self.protocol.test_dataset is not None and plan.test_root is not None:
            self.test_set = open_dataset(
                self.protocol.test_dataset, plan.test_root, keep_going=plan.keep_going, **options_of(plan.test_options)
            )
        elif plan.test_root is not None:
            raise SplitError(f"{self.protocol.name} has no second data set, but a test root was given")
        whole = self.protocol.folds(self.train_set, self.test_set, repeats=plan.rounds, reduced=plan.reduced)
        if plan.every > 1 and self.protocol.task != "units":
            raise MeshError(f"every: {self.protocol.name} is not judged frame by frame; use frames")
        self.folds: list[Fold] = thinned(whole, plan.every)[: plan.max_folds]
        self.fold_count = len(whole)
        """Before `max_folds`."""
        rounds = plan.rounds or self.protocol.repeats
        self.round_of = [number // max(1, len(whole) // rounds) for number in range(len(self.folds))]

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The one or two data sets."""
        return (self.train_set,) if self.test_set is None else (self.train_set, self.test_set)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Every record of any fold, once, in the order of the data sets."""
        found: dict[tuple[str, str], Record] = {}
        for fold in self.folds:
            for record in (*fold.train, *fold.test):
                found.setdefault((record.dataset, record.name), record)
        return tuple(found[key] for key in sorted(found))

    @cached_property
    def frames(self) -> FramePlan:
        """The meshes to read."""
        return plan_frames(self.records, self.datasets, self.plan.frames)

    @cached_property
    def model(self) -> JudgedModel:
        """The model, after refusing one that has learnt from the data set's people."""
        found = judged_model(self.plan.model, self.plan.weights, self.plan.device, self.plan.temporal)
        for dataset in self.datasets:
            found.refuse_learnt_subjects(dataset)
        return found

    @property
    def exclusive(self) -> bool:
        """Exactly one class holds for a record."""
        return self.protocol.task == "expression"

    @property
    def alignment(self) -> Alignment:
        """Micro-expressions by their onset, everything else frame by frame; see `readings`."""
        if self.plan.align == "auto":
            return "onset" if self.protocol.task == "categories" else "frame"
        return self.plan.align

    @property
    def views(self) -> ViewReading:
        """The pictures that the model wants."""
        config = self.model.config
        return ViewReading(config.rig, config.image_size, self.alignment, config.inputs)

    @property
    def frontal_view(self) -> int:
        """Row of the rig's view that looks straightest at the face."""
        return int(np.abs(view_angles(self.model.config.rig)).sum(axis=1).argmin())

    @property
    def peer_readings(self) -> tuple[LandmarkReading | UnitReading, ...]:
        """What the peers look at beyond the model's features."""
        landmarks = (LandmarkReading(),)
        wanted = {"none": (), "probes": (), "fast": landmarks, "all": (*landmarks, UnitReading())}
        return wanted[self.plan.peers]


@lru_cache(maxsize=1)
def prepared_plan(plan: ProtocolPlan, token: str) -> Prepared:
    """The preparation of a plan, made once per process and run.

    Args:
        plan: what is asked.
        token: names the run; another run looks at the data set anew.
    """
    return Prepared(plan)
