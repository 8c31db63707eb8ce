"""Judge a model: on identities it never saw, or under the protocol of a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Eval:
    """Judge a model on people it never saw.

    Without --protocol: on held-out identities of our own synthetic faces (data_specs/splits), with accuracy by
    intensity and simpler ways to read the views.

    With --protocol NAME --root FOLDER: on your copy of a data set, or on a mimic of it (`mesh4d dataset mimic`), fold
    by fold, subject-disjoint. `facet-vlm protocols` lists the names. What happens:

    1. Every scan, and chosen frames of every sequence, are read, aligned and rendered once; pictures are kept.
       What cannot be read or holds no face is listed with the reason, and counts as wrong.
    2. Two different files with the same content on both sides of a fold end the run, as does a subject.
    3. The frozen towers look at every picture once; features are kept.
    4. Per fold and seed learn and are judged: the weights as they are, asked by sentences (zero-shot), also with each
       view alone; CVSA and MTGF tuned on frozen towers (tuned); of sequences the temporal module and rules over
       frames; and peers: a linear probe on the frontal view (frontal), on the mean of the views (mean), a small
       network on 68 landmarks (landmarks), a random forest on solved action units (units).
    5. predictions.parquet has every prediction. report.md, report.html, report.json and folds.csv are computed from
       it alone; `facet-vlm report OUT/predictions.parquet` computes them again.

    A run that was killed goes on where it stood when the same command is given again. Examples:

        facet-vlm eval --protocol bu3dfe-p1 --root ~/BU_3DFE -o runs/bu3dfe-p1 --rounds 3 --workers 8
        facet-vlm eval --protocol bu4dfe-bp4d --root ~/BU4DFE --test-root ~/BP4D -o runs/cross
        facet-vlm eval --protocol bp4d-au --root ~/BP4D -o runs/bp4d --every 25 --seeds 3
        facet-vlm eval --protocol bosphorus --root ~/Bosphorus --model ViT-B-16 --weights vit_b_16.pt -o runs/vit
        mesh4d dataset mimic 4dme /tmp/4dme && facet-vlm eval --protocol 4dme-loso --root /tmp/4dme -o runs/4dme
    """

    model: str = "facet-mini"
    """A shipped preset, a .safetensors file with its card, or (with --weights) a model that open_clip lists."""
    part: Literal["validation", "test", "demo"] = "test"
    """Without --protocol: part of the split to judge on."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/facet-eval")
    """Folder for predictions, reports and caches."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""
    protocol: str | None = None
    """A protocol of data_specs/protocols, or the path to a .toml of your own."""
    root: Path | None = None
    """Folder of the protocol's data set."""
    test_root: Path | None = None
    """Folder of the second data set, which a cross-data-set protocol tests on."""
    weights: str | None = None
    """A file of weights for an open_clip --model (any that open_clip.create_model takes), or one of its tags."""
    temporal: str = "auto"
    """4D weights for sequences: a preset or a .safetensors file; 'auto' takes the shipped ones where they sit on the
    model's weights, 'none' leaves them out."""
    tune: bool = True
    """Also tune CVSA and MTGF per fold; --no-tune leaves that out. With the small preset an epoch over 650 scans takes
    about a second of one core, a fold 5 to 20: hours for the 1000 folds of 100 rounds, so mind --rounds."""
    ablate: bool = False
    """Also tune with CVSA, MTGF or text off."""
    peers: Literal["none", "probes", "fast", "all"] = "fast"
    """'probes': on the towers' features; 'fast': with landmarks too, which take most of a second per scan or sequence,
    once; 'all': with action units too, which take several."""
    rounds: int | None = None
    """Fewer rounds than the protocol's (100 for BU-3DFE); the report says so."""
    max_folds: int | None = None
    """Only the first so many folds, for a quick look; the report says so."""
    seeds: int = 1
    """Repeat everything that learns under so many seeds."""
    reduced: bool = False
    """Take what subjects there are where the protocol asks for more; such numbers are not the protocol's."""
    frames: int = 9
    """Of each sequence, evenly spaced; labelled onsets and apexes come on top."""
    every: int = 1
    """Of protocols that judge single frames (bp4d-au): only every so many of each sequence."""
    pooling: Literal["apex", "mean", "max"] = "apex"
    """How a sequence's frames become one: the least neutral frame, or mean or maximum of the features."""
    align: Literal["auto", "frame", "onset"] = "auto"
    """'frame': align each frame, as heads turn; 'onset': a sequence by its first frame, as micro-expressions are
    smaller than what alignment errs by; 'auto': 'onset' for micro-expressions."""
    workers: int = 1
    """Processes that read, render and learn."""
    scheduler: str | None = None
    """Address of a dask scheduler whose workers see the same folders, instead of --workers."""
    cache: Path | None = None
    """Keep pictures and features here, to share them between runs; OUTPUT/cache by default."""
    keep_going: bool = False
    """Leave contradictory or incomplete records out instead of refusing the copy."""
    option: tuple[str, ...] = ()
    """Options of the data set's layout, NAME=VALUE, such as mesh=RAW (bu3dfe) or pattern=... (4dme)."""
    test_option: tuple[str, ...] = ()
    """The same for the second data set."""

    def run(self) -> dict[str, object]:
        if self.protocol is not None:
            return self._under_protocol()
        if self.root is not None:
            raise MeshError(f"--root {self.root}: expected --protocol with it; `facet-vlm protocols` lists them")
        from facet_vlm.evaluation.synthetic import evaluate
        from facet_vlm.predict import load

        self.output.mkdir(parents=True, exist_ok=True)
        done = evaluate(load(self.model, self.device), self.part, self.output)
        return done.summary() | {"report": str(self.output)}

    def _under_protocol(self) -> dict[str, object]:
        from facet_vlm.evaluation.protocol_plan import ProtocolPlan
        from facet_vlm.evaluation.protocol_run import evaluate_protocol

        if self.protocol is None or self.root is None:
            raise MeshError("--protocol needs --root, the folder of its data set (or of a `mesh4d dataset mimic`)")
        return evaluate_protocol(
            ProtocolPlan(
                protocol=self.protocol,
                root=self.root,
                output=self.output,
                test_root=self.test_root,
                options=self.option,
                test_options=self.test_option,
                keep_going=self.keep_going,
                model=self.model,
                weights=self.weights,
                temporal=self.temporal,
                tune=self.tune,
                ablate=self.ablate,
                peers=self.peers,
                rounds=self.rounds,
                max_folds=self.max_folds,
                seeds=self.seeds,
                reduced=self.reduced,
                frames=self.frames,
                every=self.every,
                pooling=self.pooling,
                align=self.align,
                workers=self.workers,
                scheduler=self.scheduler,
                device=self.device,
                cache=self.cache,
            )
        )
