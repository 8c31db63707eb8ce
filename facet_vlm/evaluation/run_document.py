"""What a run's report says, as blocks that Markdown and HTML have in common: headings, sentences, tables, pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facet_vlm.evaluation import plots
from facet_vlm.evaluation.run_predictions import RunPredictions
from facet_vlm.evaluation.run_scores import LearnerScores

MOST_FOLDS = 40
MOST_FAILURES = 40


@dataclass(frozen=True)
class Heading:
    """Of a section."""

    text: str


@dataclass(frozen=True)
class Sentences:
    """Text; several are a list."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; all columns but the first are numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A plot."""

    name: str
    """Of its file, without suffix."""
    caption: str
    png: bytes


Block = Heading | Sentences | Table | Picture


def run_document(run: RunPredictions, scores: Sequence[LearnerScores]) -> tuple[str, list[Block]]:
    """Title and blocks of the report."""
    protocol, every = run.header["protocol"], scores
    scores = [s for s in every if s.group not in ("view", "part")]
    blocks: list[Block] = [
        Sentences((_asked(run),)),
        _main_table(run, scores),
        Sentences(tuple(_reading_aid(run, every))),
        Picture("overview", "All learners", plots.overview(scores, headline_name(run), _chance(run))),
        *_group_table(run, every, "part", "What each part adds", "tuned"),
        *_group_table(run, every, "view", "What each view tells alone", "zero-shot"),
        Heading("Can these numbers be trusted?"),
        Sentences(tuple(_trust(run))),
        Heading("Per class"),
        Picture("classes", "F1 of each class", plots.per_class(scores, run.classes)),
        *(_class_table(run, score) for score in scores if score.group == "own"),
    ]
    if run.exclusive:
        blocks += [
            Picture(f"confusion-{s.name}", f"Confusion, {s.title}", plots.confusion(s, run.classes)) for s in scores
        ]
    blocks += [
        Heading("Calibration"),
        Table(
            ("learner", "ECE, 15 bins", "Brier"),
            tuple((s.title, _number(s.ece), _number(s.brier)) for s in scores),
        ),
        Picture("reliability", "Reliability; a dot's size is the share of predictions", plots.reliability(scores)),
        Heading("People"),
        Picture("people", f"{headline_name(run)} per person", plots.people(scores, headline_name(run))),
        Heading("Folds"),
        _fold_table(run, scores),
        Sentences(tuple(_proofs(run))),
        *_failures(run),
        Heading("How it was made"),
        Sentences(tuple(_making(run, scores))),
    ]
    return f"{protocol['name']}: {protocol['title']}", blocks


def headline_name(run: RunPredictions) -> str:
    """What the headline number is."""
    return "accuracy (WAR)" if run.exclusive else "UF1, pooled"


def _chance(run: RunPredictions) -> float | None:
    return 1 / len(run.classes) if run.exclusive else None


def _asked(run: RunPredictions) -> str:
    header, settings = run.header, run.header["settings"]
    sets = "; ".join(f"{d['kind']} in {d['folder']}/ ({d['subjects']} subjects)" for d in header["datasets"])
    people = len(np.unique(run.person))
    share = "" if settings["folds"] == settings["of_folds"] else f" of {settings['of_folds']}"
    return (
        f"{sets}. {header['records']} records of {len(run.classes)} classes; {people} people tested in "
        f"{settings['folds']}{share} folds, {settings['rounds']} of {header['protocol']['repeats']} rounds, "
        f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}. Model {header['model']['name']}."
    )


def _main_table(run: RunPredictions, scores: Sequence[LearnerScores]) -> Table:
    first = "accuracy (WAR)" if run.exclusive else "labels told right"
    ranked = () if run.exclusive else ("macro AUC",)
    header = ("learner", first, "UAR", "macro F1 (UF1), pooled", *ranked, "mean of folds", "difference", "failed",
              "s a fold")  # fmt: skip
    rows = [
        (
            s.title, str(s.accuracy), str(s.uar), str(s.uf1), *(() if s.auc is None else (str(s.auc),)),
            f"{s.fold_mean:.3f} ± {s.fold_sd:.3f}", _gap(s), str(s.failed), f"{s.seconds_a_fold:.2f}",
        )
        for s in scores
    ]  # fmt: skip
    return Table(header, tuple(rows))


def _gap(score: LearnerScores) -> str:
    return "-" if score.gap is None else f"{score.gap.value:+.3f} [{score.gap.low:+.3f}, {score.gap.high:+.3f}]"


def _group_table(
    run: RunPredictions, scores: Sequence[LearnerScores], group: str, heading: str, whole: str
) -> list[Block]:
    """Variants of one learner under it."""
    some = [s for s in scores if s.group == group]
    base = [s for s in scores if s.name == whole]
    if not some or not base:
        return []
    header = ("learner", "accuracy (WAR)" if run.exclusive else "macro AUC", "UAR", "macro F1 (UF1), pooled",
              "difference")  # fmt: skip
    rows = [(s.title, str(s.auc or s.accuracy), str(s.uar), str(s.uf1), _gap(s)) for s in (base[0], *some)]
    rows[0] = (*rows[0][:-1], "-")
    return [Heading(heading), Table(header, tuple(rows))]


def _reading_aid(run: RunPredictions, scores: Sequence[LearnerScores]) -> list[str]:
    reference = next((s.title for s in scores if s.gap is None), "")
    quantity, people = headline_name(run), len(np.unique(run.person))
    lines = [
        "In brackets: 95 % bootstrap intervals over subjects. UAR and UF1 are computed once, from predictions pooled "
        f"over folds, rounds and seeds; 'mean of folds' is the mean ± standard deviation of each fold's {quantity}. "
        f"'difference' is the {quantity} minus that of '{reference}', resampling the same people for both.",
    ]
    if not run.exclusive:
        lines.append(
            "Labels do not exclude each other: each is told from a threshold on, chosen on people held out of the "
            "training people (zero-shot: a half). 'labels told right' counts absent labels too, and is high wherever "
            "labels are rare. A record that failed counts as wrong in every known label; AUC, which needs no "
            "threshold, leaves it out."
        )
    if any(s.headline.is_degenerate for s in scores):
        lines.append(
            "An interval without width is no certainty: all people did alike, so that drawing them again says nothing. "
            f"Of {people} people without an error, up to {1 - 0.05 ** (1 / people):.0%} of all people may show some "
            "(95 %, rule of three)."
        )
    if run.header.get("temporal"):
        lines.append(f"{run.header['temporal']}.")
    if run.header["model"]["fusion_trained"] is False:
        lines.append("The model's fusion has learnt nothing: zero-shot is the mean over views of CLIP's own cosines.")
    return lines


def _trust(run: RunPredictions) -> list[str]:
    header = run.header
    people = header["people"]
    tested = len(np.unique(run.person))
    return [
        f"Subject-disjoint: {len(header['folds'])} folds, each proven when it was made and again from the saved "
        f"predictions when this was written; {tested} of {len(people)} people were tested.",
        *(f"Content: {line}." for line in header["content_proofs"]),
        *(f"LOOK AT THESE: {line}." for line in header["look_alikes"]),
        f"Predictions' digest: {run.digest}. An edited file is refused; hashed anew it has another digest.",
        *(f"Weights: {line}." for line in header["model"]["learnt"]),
        "Learners get test records without labels; stopping, regularisation, scaling and thresholds are chosen on "
        "people of the training part.",
        f"Failures: {header['meshes_failed']} of {header['meshes']} meshes could not be read or aligned, "
        f"{len({f['record'] for f in header['failures'] if f['lost'] == 'no frame'})} records have none left; they "
        "count as wrong.",
        *(["Reduced: fewer subjects or folds than the protocol asks for, so these are not the protocol's numbers."]
          if header["settings"]["reduced"] else []),
        *(f"Unverified detail of the protocol: {line}." for line in header["protocol"]["unverified"]),
    ]  # fmt: skip


def _class_table(run: RunPredictions, score: LearnerScores) -> Table:
    rows = []
    for place, label in enumerate(run.classes):
        hits, alarms, misses, _ = score.counts[place].tolist()
        precision = hits / (hits + alarms) if hits + alarms else float("nan")
        ranked = () if run.exclusive else (score.auc_of[place],)
        row = (label, hits + misses, score.recall[place], precision, score.f1[place], *ranked)
        rows.append((row[0], str(row[1]), *(_number(value) for value in row[2:])))
    ranked = () if run.exclusive else ("AUC",)
    return Table((score.title, "shown", "recall", "precision", "F1", *ranked), tuple(rows))


def _fold_table(run: RunPredictions, scores: Sequence[LearnerScores]) -> Table:
    header = ("fold", "train records", "test records", "people", *(s.name for s in scores))
    rows = []
    for place, fold in enumerate(run.header["folds"][:MOST_FOLDS]):
        tested = len(np.unique(run.person[run.fold == place]))
        values = tuple(_number(s.by_fold[place]) for s in scores)
        counts = (str(fold["train_records"]), str(fold["test_records"]), f"{len(fold['train_people'])}/{tested}")
        rows.append((fold["name"], *counts, *values))
    return Table(header, tuple(rows))


def _proofs(run: RunPredictions) -> list[str]:
    folds = run.header["folds"]
    lines = [f"{fold['name']}: {fold['proof']}" for fold in folds[:MOST_FOLDS]]
    if len(folds) > MOST_FOLDS:
        lines.append(f"... and {len(folds) - MOST_FOLDS} more folds, proven in the same way (folds.csv lists all)")
    return lines


def _failures(run: RunPredictions) -> list[Block]:
    failures: Sequence[Mapping[str, Any]] = run.header["failures"]
    if not failures:
        return []
    lines = [f"{f['record']}: {f['lost']}: {f['reason']}" for f in failures[:MOST_FAILURES]]
    if len(failures) > MOST_FAILURES:
        lines.append(f"... and {len(failures) - MOST_FAILURES} more (report.json lists them)")
    return [Heading("Failures"), Sentences(tuple(lines))]


def _making(run: RunPredictions, scores: Sequence[LearnerScores]) -> list[str]:
    header, settings = run.header, run.header["settings"]
    views = header["views"]
    chosen = [
        f"{s.name}: {', '.join(f'mean {name} {value:.3g}' for name, value in s.chosen.items())}"
        for s in scores
        if s.chosen
    ]
    return [
        f"Protocol's own metric: {header['protocol']['metric']}. Source: {header['protocol']['source']}.",
        *(f"Data set {d['kind']}: {d['records']} records, table's SHA-256 {d['digest']}" for d in header["datasets"]),
        f"Model {header['model']['name']} ({header['model']['clip']}), weights' SHA-256 {header['model']['sha256']}",
        f"Views: rig {views['rig']}, {views['size_px']} px, {views['inputs']}; aligned by {views['align']}",
        f"Sequences: {settings['frames']} frames each, brought together by {settings['pooling']}"
        + (f"; every {settings['every']}th frame judged" if settings["every"] > 1 else ""),
        *(["Chosen per fold, on average: " + "; ".join(chosen)] if chosen else []),
        "Time: " + ", ".join(f"{name.removesuffix('_s')} {value:.0f} s" for name, value in header["runtime"].items()),
        f"Command: {header['command']}",
    ]


def _number(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3f}"
