"""The loop's stages, each leaving its files in the demo's folder."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

import facet_vlm
from aublend import (
    AU_NAMES,
    EMOTIONS,
    AUCurves,
    AURig,
    emotion_weights,
    head_model,
    joined,
    neutral_apex_neutral,
    write_rig,
)
from aublend.checkpoints import load_card
from aublend.emotions import sample_emotion_weights
from aublend.evaluation import RigScores, evaluate_rigs
from aublend.predict import rig_of_fit
from aublend.registration import HeadFit, fit_head
from facet_vlm import Predictions, Report
from mesh4d import Mesh, MeshError, NoFaceError, read_mesh, write_mesh
from mesh4d.render import Framing, contact_sheet, image_grid, render_views
from mesh4d.specs import load_split
from viewer.demo.page import write_page

INTENSITIES = (0.35, 0.65, 1.0)
FACE = Framing(np.array([0.0, -34.0, 30.0]), 88.0)
"""The face in the face frame, mm: from above the brows to below the chin."""
STAGES = 7


@dataclass
class Findings:
    """What the page will say; filled stage by stage."""

    title: str
    seed: int | None
    rig: AURig
    """In the head's own coordinates, as it is written."""
    fit: HeadFit
    """How the head lies, from its neutral."""
    upright: AURig
    """The same in the face frame, for cameras."""
    seconds: dict[str, float] = field(default_factory=dict)
    scores: list[RigScores] = field(default_factory=list)
    rig_identities: tuple[int, ...] = ()
    probabilities: dict[str, dict[str, float]] = field(default_factory=dict)
    """Expression shown -> label -> probability."""
    accuracy: float = float("nan")
    judged: int = 0
    facet_identities: tuple[int, ...] = ()
    facet_card: dict[str, object] = field(default_factory=dict)
    net_card: dict[str, object] = field(default_factory=dict)


def run_loop(head: Path | None, folder: Path, identities: int) -> Path:
    """Run all stages; returns the page's path.

    Args:
        head: a file with a neutral head, or None for the embedded model's.
        folder: where everything goes; made when missing.
        identities: held-out identities to judge rigs and recognition on.

    Raises:
        NoFaceError: when the file holds no face.
    """
    if identities < 1:
        raise MeshError(f"expected at least one held-out identity to judge, found {identities}")
    with tqdm(total=STAGES, desc="demo", unit="stage", bar_format="{desc}: {n_fmt}/{total_fmt} {postfix}") as bar:
        seconds: dict[str, float] = {}

        @contextmanager
        def stage(name: str) -> Iterator[None]:
            bar.set_postfix_str(name)
            start = time.perf_counter()
            yield
            seconds[name] = time.perf_counter() - start
            bar.update()

        with stage("head and rig"):
            findings = predict(head, folder)
        findings.seconds = seconds
        curves = joined([neutral_apex_neutral(emotion_weights(name)) for name in EMOTIONS])
        with stage("sequence"):
            animate(findings.rig, curves, folder)
        with stage("pictures"):
            draw(findings.upright, folder)
        with stage("rig errors on held-out identities"):
            judge_rigs(findings, identities)
        with stage("expressions read by FACET-VLM"):
            recognise(findings)
        with stage("recognition on held-out identities"):
            judge_recognition(findings, identities, folder)
        with stage("page"):
            return write_page(findings, folder, EMOTIONS, INTENSITIES)


def predict(head: Path | None, folder: Path) -> Findings:
    """Read or draw the head and predict its rig."""
    if head is None:
        seed = int(load_split("aublendset")["demo"][0])
        mesh, title = head_model().identity(seed), f"identity {seed} of the embedded head model"
    else:
        seed, mesh, title = None, read_mesh(head), head.name
    try:
        fit = fit_head(mesh)
    except NoFaceError as error:
        raise NoFaceError(f"{head}: {error}") from error
    rig = rig_of_fit(fit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").unlink(missing_ok=True)  # no page of an earlier head beside the files of this one
    write_rig(rig, folder / "rig.npz")
    write_rig(rig, folder / "rig.glb")
    write_mesh(mesh, folder / "head.obj")
    return Findings(title, seed, rig, fit, rig.moved(fit.to_mesh.inverse()), net_card=load_card())


def animate(rig: AURig, curves: AUCurves, folder: Path) -> None:
    """One sequence through all expressions, neutral-apex-neutral at 25 fps."""
    write_rig(rig, folder / "expression.glb", curves)


def draw(upright: AURig, folder: Path) -> None:
    """Three sheets: all action units, all expressions at each intensity, and seven views of one."""
    units = [upright.drive({name: 1.0}) for name in AU_NAMES]
    titles = ["neutral", *AU_NAMES]
    image_grid(_portraits([upright.neutral, *units]), titles, 11, folder / "action_units.png")
    graded = [(name, share) for name in EMOTIONS for share in INTENSITIES]
    heads = [upright.drive(emotion_weights(name, share)) for name, share in graded]
    image_grid(_portraits(heads), [f"{name} {share:g}" for name, share in graded], 9, folder / "expressions.png")
    views = render_views(upright.drive(emotion_weights("happiness")), framing=FACE)
    contact_sheet(views, folder / "views.png")


def judge_rigs(findings: Findings, identities: int) -> None:
    """Rig errors of AUBlendNet and its baselines on test identities."""
    seeds = tuple(int(seed) for seed in load_split("aublendset")["test"][:identities])
    findings.rig_identities = seeds
    findings.scores = evaluate_rigs(seeds, anatomy=False)


def recognise(findings: Findings) -> None:
    """FACET-VLM reads the demo head's own expressions."""
    model = facet_vlm.load()
    shown = {"neutral": {}} | {name: emotion_weights(name) for name in EMOTIONS}
    predictions = model.predict([findings.rig.drive(weights) for weights in shown.values()], fit=findings.fit)
    for name, row in zip(shown, predictions.probabilities.tolist(), strict=True):
        findings.probabilities[name] = dict(zip(predictions.labels, row, strict=True))
    findings.facet_card = dataclasses.asdict(model.card)


def judge_recognition(findings: Findings, identities: int, folder: Path) -> None:
    """A confusion matrix over expressions, as people vary them, of identities that no weight has seen."""
    seeds = tuple(int(seed) for seed in load_split("aublendset")["test"][:identities])
    model = facet_vlm.load()
    predicted, truth = [], []
    for seed in tqdm(seeds, desc="recognition", unit="identity", leave=False):
        rig, rng = head_model().rig(seed), np.random.default_rng(seed)
        heads = [rig.neutral]
        heads += [rig.drive(sample_emotion_weights(name, rng.uniform(0.35, 1.0), rng)) for name in EMOTIONS]
        predicted.append(model.predict(heads))
        truth += ["neutral", *EMOTIONS]
    report = Report.of(_stacked(predicted), truth, f"demo: {len(seeds)} test identities, intensity 0.35 to 1")
    report.plot(folder / "confusion.png")
    findings.accuracy, findings.judged, findings.facet_identities = report.accuracy, len(truth), seeds


def _stacked(predictions: Sequence[Predictions]) -> Predictions:
    """Predictions of several calls as one."""
    rows = [
        np.concatenate([getattr(p, name) for p in predictions])
        for name in ("probabilities", "text_scores", "view_weights")
    ]
    return facet_vlm.Predictions(predictions[0].labels, *rows)


def _portraits(heads: Sequence[Mesh], size: int = 190) -> list[np.ndarray]:
    """Shaded frontal pictures."""
    return [
        render_views(head, rig="frontal", size=size, channels=("shaded",), framing=FACE).channel("shaded")[0]
        for head in heads
    ]
