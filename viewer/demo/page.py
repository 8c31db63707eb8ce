"""The demo's report: one HTML file that opens from disk, beside the pictures and files it links to."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aublend.evaluation import score_table
from aublend.units import ACTION_UNITS
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.io import atomic_write
from mesh4d.specs import load_split
from viewer.export import embed_fragment
from viewer.scene import viewer_metadata

if TYPE_CHECKING:
    from viewer.demo.loop import Findings

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d2026, #e8e9ec); --paper: light-dark(#fbfaf8, #16181c);
  --soft: light-dark(#5b6069, #a4a9b3); --line: light-dark(#dedbd5, #31353d); --bar: light-dark(#b35c38, #e08a63); }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; } h2 { margin: 2.6rem 0 .5rem; font-size: 1.25rem; }
p, li { max-width: 74ch; } .soft { color: var(--soft); } img { width: 100%; border-radius: 8px; background: #eee; }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } .wide { overflow-x: auto; }
.bars td:nth-child(n+2) { min-width: 4.6rem; } .p { background: linear-gradient(90deg, var(--bar), var(--bar))
  no-repeat left bottom / calc(var(--v) * 100%) 3px; }
.hit { font-weight: 700; } code { font-size: .9em; } details { margin: .6rem 0; } .narrow { max-width: 620px; }
"""


def write_page(findings: "Findings", folder: Path, emotions: Sequence[str], intensities: Sequence[float]) -> Path:
    """Write index.html into the demo's folder."""
    path = folder / "index.html"
    parts = load_split("aublendset")
    body = [
        "<h1>A head, its 32 action units, and what a model reads in its face</h1>",
        f'<p class="soft">{html.escape(findings.title)}: {findings.rig.neutral.n_vertices:,} vertices. Nobody modelled '
        "these expressions: AUBlendNet predicted them from the neutral head in one pass.</p>",
        _live(folder),
        _files(),
        "<h2>The action units, each at full intensity</h2>",
        _figure("action_units.png", "Neutral, then AU1 to AU64. Sides are the subject's own."),
        _units(),
        "<h2>Expressions and their intensities</h2>",
        _figure("expressions.png", f"{', '.join(emotions)}, each at {', '.join(f'{i:g}' for i in intensities)}."),
        "<h2>Seven views</h2>",
        _figure("views.png", "Happiness. The recogniser sees depth and normals of these views at 96 pixels."),
        "<h2>What FACET-VLM reads in this head</h2>",
        _probabilities(findings),
        "<h2>Recognition on held-out identities</h2>",
        f"<p>Accuracy {findings.accuracy:.1%} over {findings.judged} heads of {len(findings.facet_identities)} "
        f"identities (seeds {_span(findings.facet_identities)}) that no weight was made from; each expression at a "
        "random intensity from 0.35 to 1.</p>",
        '<div class="narrow">' + _figure("confusion.png", "Rows: shown. Columns: read.") + "</div>",
        "<h2>Rig errors on held-out identities</h2>",
        f"<p>Mean vertex error in mm over the vertices that each unit moves; {len(findings.rig_identities)} test "
        f"identities (seeds {_span(findings.rig_identities)}). The ground truth is made by deformation transfer with "
        "each person's own mixture of population groups, then corrected to anatomy; transfer+anatomy repeats that "
        "with average shares and is nearly an oracle here. Plain transfer of the average head's shapes, the mean "
        "displacement and zero are the baselines to beat.</p>",
        f'<details><summary>Error of every unit</summary><div class="wide">{_table(score_table(findings.scores))}'
        "</div></details>",
        _summary(findings),
        "<h2>Who was held out, and how the weights were made</h2>",
        f"<p>{html.escape(prove_disjoint(parts))}. This head: {html.escape(findings.title)}.</p>",
        _card("AUBlendNet", findings.net_card),
        _card("FACET-VLM", findings.facet_card),
        f'<p class="soft">Seconds: {_seconds(findings)}.</p>',
    ]
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>facet4d demo</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>"
    )
    with atomic_write(path, text=True) as file:
        file.write(document)
    return path


def _live(folder: Path) -> str:
    """The viewer itself, playing the sequence."""
    metadata = viewer_metadata("Drag to orbit, move the sliders", autoplay=True)
    return embed_fragment((folder / "expression.glb").read_bytes(), metadata, height=860)


def _files() -> str:
    names = {
        "rig.glb": "rig for animators: 32 named morph targets",
        "rig.npz": "the same for numpy",
        "expression.glb": "all seven expressions as one weights animation, 25 fps",
        "head.obj": "the neutral head",
    }
    return "<ul>" + "".join(f'<li><a href="{n}">{n}</a>: {text}</li>' for n, text in names.items()) + "</ul>"


def _figure(name: str, caption: str) -> str:
    text = html.escape(caption)
    return f'<figure><img src="{name}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _units() -> str:
    rows = "".join(
        f"<tr><td>{unit.name}</td><td style='text-align:left'>{html.escape(unit.facs_name)}</td>"
        f"<td style='text-align:left'>{html.escape(unit.description)}</td></tr>"
        for unit in ACTION_UNITS
    )
    return f"<details><summary>What each unit does</summary><table>{rows}</table></details>"


def _probabilities(findings: "Findings") -> str:
    labels = list(next(iter(findings.probabilities.values())))
    head = "".join(f"<th>{html.escape(label)}</th>" for label in labels)
    rows = []
    for shown, row in findings.probabilities.items():
        best = max(row, key=lambda label: row[label])
        cells = "".join(
            f'<td class="p{" hit" if label == best else ""}" style="--v:{row[label]:.3f}">{row[label]:.2f}</td>'
            for label in labels
        )
        rows.append(f"<tr><td>{html.escape(shown)}</td>{cells}</tr>")
    return (
        "<p>Each row is this head showing one expression at full intensity; each column a label's probability.</p>"
        f'<div class="wide"><table class="bars"><tr><th>shown</th>{head}</tr>{"".join(rows)}</table></div>'
    )


def _summary(findings: "Findings") -> str:
    rows = [
        f"<tr><td>{s.method}</td><td>{s.mean_mm.mean():.3f}</td><td>{s.interval()[0]:.3f} to {s.interval()[1]:.3f}</td>"
        f"<td>{s.worst_mm.max():.2f}</td></tr>"
        for s in findings.scores
    ]
    header = "<tr><th>method</th><th>mean mm</th><th>95 % interval</th><th>worst vertex mm</th></tr>"
    return f"<table>{header}{''.join(rows)}</table>"


def _table(markdown: str) -> str:
    """A Markdown table as HTML."""
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines() if not line.startswith("| ---")]
    header = "".join(f"<th>{html.escape(cell)}</th>" for cell in lines[0])
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell.strip('*'))}</td>" for cell in line) + "</tr>" for line in lines[1:]
    )
    return f"<table><tr>{header}</tr>{rows}</table>"


def _card(name: str, card: dict[str, object]) -> str:
    short = {key: _people(value) if key.endswith("_subjects") else value for key, value in card.items()}
    text = html.escape(json.dumps(short, indent=2, default=str))
    command = html.escape(str(card.get("command", "")))
    return f"<details><summary>{name}: made by <code>{command}</code></summary><pre>{text}</pre></details>"


def _people(seeds: object) -> object:
    """A long list of seeds in words."""
    return f"{len(seeds)} identities, seeds {_span(seeds)}" if isinstance(seeds, list) and seeds else seeds


def _span(seeds: Sequence[int]) -> str:
    return f"{min(seeds)} to {max(seeds)}"


def _seconds(findings: "Findings") -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in findings.seconds.items())
