"""Reports of a protocol run: Markdown, one HTML file that needs nothing else, JSON, and a table of folds."""

import base64
import csv
import html
import io
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from facet_vlm.evaluation.run_document import Block, Heading, Picture, Sentences, Table, headline_name, run_document
from facet_vlm.evaluation.run_predictions import RunPredictions
from facet_vlm.evaluation.run_scores import LearnerScores, run_scores
from mesh4d.io.atomic import atomic_write

STYLE = """
:root{color-scheme:light dark;--ink:#1f2933;--soft:#52606d;--line:#d5dbe1;--strong:#9fb3c1;--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--soft:#a7b4c0;--line:#333c45;--strong:#5b6b79;--page:#14191e}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1080px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .6rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;padding-top:1rem;
border-top:1px solid var(--line)}
table{border-collapse:collapse;margin:.8rem 0;font-size:.86rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}th,td{padding:.28rem .6rem;border-bottom:1px solid var(--line);text-align:right;
vertical-align:top}td:not(:first-child){white-space:nowrap}small{color:var(--soft);font-size:.92em}
th:first-child,td:first-child{text-align:left}td:first-child{min-width:9rem}
th{border-bottom:2px solid var(--strong);font-weight:600;vertical-align:bottom}
figure{display:inline-block;margin:.6rem 1rem .6rem 0;vertical-align:top;max-width:100%}
img{max-width:100%;background:#fff;border-radius:6px}figure.pair{max-width:min(100%,31rem)}
figcaption{font-size:.82rem;color:var(--soft)}ul{padding-left:1.2rem}li{overflow-wrap:anywhere}
"""


def write_reports(run: RunPredictions, folder: str | PathLike[str]) -> dict[str, Any]:
    """Write report.md with its pictures, report.html, report.json and folds.csv; returns what a command prints."""
    folder = Path(folder)
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    scores = run_scores(run)
    title, blocks = run_document(run, scores)
    summary = run_summary(run, scores)
    for block in blocks:
        if isinstance(block, Picture):
            with atomic_write(folder / "plots" / f"{block.name}.png") as file:
                file.write(block.png)
    for name, text in (
        ("report.md", to_markdown(title, blocks)),
        ("report.html", to_html(title, blocks)),
        ("report.json", json.dumps(summary, indent=1) + "\n"),
        ("folds.csv", folds_table(run, scores)),
    ):
        with atomic_write(folder / name, text=True) as file:
            file.write(text)
    table = next(block for block in blocks if isinstance(block, Table))
    return {"table": f"{title}\n\n" + _columns(table), "report": str(folder / "report.html"), "details": summary}


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """The report as Markdown; pictures lie in plots/."""
    lines = [f"# {_plain(title)}", ""]
    for block in blocks:
        match block:
            case Heading(text):
                lines += [f"## {_plain(text)}", ""]
            case Sentences(texts):
                lines += [*(f"- {_plain(text)}" if len(texts) > 1 else _plain(text) for text in texts), ""]
            case Table(header, rows):
                lines += ["| " + " | ".join(map(_plain, header)) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
                lines += [*("| " + " | ".join(map(_plain, row)) + " |" for row in rows), ""]
            case Picture(name, caption):
                lines += [f"![{_plain(caption)}](plots/{name}.png)", ""]
    return "\n".join(lines)


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """The report as one page: pictures inside, no script, all text escaped."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(f"<h2>{html.escape(text)}</h2>")
            case Sentences((text,)):
                parts.append(f"<p>{html.escape(text)}</p>")
            case Sentences(texts):
                parts.append("<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>")
            case Table(header, rows):
                head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
                body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
                parts.append(f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>')
            case Picture(name, caption, png):
                place = ' class="pair"' if name.startswith("confusion-") else ""
                data = base64.b64encode(png).decode("ascii")
                image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(caption)}">'
                parts.append(f"<figure{place}>{image}<figcaption>{html.escape(caption)}</figcaption></figure>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def run_summary(run: RunPredictions, scores: Sequence[LearnerScores]) -> dict[str, Any]:
    """The numbers for machines, under the protocol they belong to."""
    header = {name: value for name, value in run.header.items() if name not in ("people", "folds", "learners")}
    return header | {
        "digest": run.digest,
        "headline": headline_name(run),
        "people_tested": len(np.unique(run.person)),
        "learners": [
            {
                "name": s.name, "title": s.title, "group": s.group,
                "accuracy": _interval(s.accuracy), "uar": _interval(s.uar),
                "uar_sd_over_classes": _finite(s.uar_sd), "uf1": _interval(s.uf1),
                "macro_auc": None if s.auc is None else _interval(s.auc),
                "auc": None if s.auc is None else dict(zip(run.classes, map(_finite, s.auc_of), strict=True)),
                "difference": None if s.gap is None else _interval(s.gap),
                "fold_mean": _finite(s.fold_mean), "fold_sd": _finite(s.fold_sd),
                "recall": dict(zip(run.classes, map(_finite, s.recall), strict=True)),
                "f1": dict(zip(run.classes, map(_finite, s.f1), strict=True)),
                "counts_tp_fp_fn_tn": dict(zip(run.classes, s.counts.tolist(), strict=True)),
                "confusion": None if s.confusion is None else s.confusion.tolist(),
                "ece": _finite(s.ece), "brier": _finite(s.brier), "judged": s.judged, "failed": s.failed,
                "seconds_a_fold": _finite(s.seconds_a_fold), "chosen": s.chosen,
            }
            for s in scores
        ],
    }  # fmt: skip


def folds_table(run: RunPredictions, scores: Sequence[LearnerScores]) -> str:
    """Every fold with its proof and each learner's headline, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["fold", "train_records", "train_failed", "test_records", *(s.name for s in scores), "proof"])
    for place, fold in enumerate(run.header["folds"]):
        counts = [fold["train_records"], fold["train_failed"], fold["test_records"]]
        writer.writerow([fold["name"], *counts, *(f"{s.by_fold[place]:.4f}" for s in scores), fold["proof"]])
    return out.getvalue()


def _interval(value: Any) -> list[float | None]:
    return [_finite(value.value), _finite(value.low), _finite(value.high)]


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return round(float(value), 6) if np.isfinite(value) else None


def _plain(text: str) -> str:
    """Text that breaks neither a Markdown table nor the page."""
    return html.escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _cell(text: str) -> str:
    """A number with its interval below."""
    value, bracket, interval = html.escape(text).partition(" [")
    return f"{value}<br><small>[{interval}</small>" if bracket else value


def _columns(table: Table) -> str:
    """A table for the terminal."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if c == 0 else cell.rjust(w) for c, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
