"""Pictures of a run's numbers, as PNG bytes."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facet_vlm.evaluation.run_scores import LearnerScores

INK, GRID, MAIN, OTHER = "#1f2933", "#d5dbe1", "#1f6f8b", "#9fb3c1"
DPI = 110


def overview(scores: Sequence[LearnerScores], quantity: str, chance: float | None) -> bytes:
    """The headline of every learner with its interval."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for row, score in enumerate(scores):
            value = score.headline
            low, high = (value.low, value.high) if np.isfinite(value.low) else (value.value, value.value)
            colour = MAIN if row < _own(scores) else OTHER
            axes.barh(row, value.value, color=colour, height=0.62)
            axes.plot([low, high], [row, row], color=INK, linewidth=1.6)
            axes.text(max(high, value.value) + 0.012, row, f"{value.value:.3f}", va="center", fontsize=9)
        axes.set_yticks(range(len(scores)), [score.title for score in scores], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.14)
        axes.set_xlabel(f"{quantity}, with 95 % interval over subjects", fontsize=9)
        if chance is not None:
            axes.axvline(chance, color=INK, linewidth=0.8, linestyle=":")
            axes.text(chance + 0.005, len(scores) - 0.45, "chance", fontsize=8, va="bottom")
        _quiet(axes, "x")

    return _png(draw, (7.2, 0.9 + 0.42 * len(scores)))


def confusion(score: LearnerScores, classes: Sequence[str]) -> bytes:
    """Counts and shares of each true class; a column for failures where there are any."""
    matrix = np.asarray(score.confusion)
    columns = [*classes, "failed"] if matrix[:, -1].any() else list(classes)
    matrix = matrix[:, : len(columns)]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column]:
                ink = "white" if share[row, column] > 0.5 else INK
                text = f"{matrix[row, column]}\n{share[row, column]:.0%}"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8.5)
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", fontsize=9)
        axes.set_yticks(range(len(classes)), classes, fontsize=9)
        axes.set_xlabel("told", fontsize=9)
        axes.set_ylabel("true", fontsize=9)
        axes.set_title(score.title, fontsize=10)

    side = 1.5 + 0.56 * len(columns)
    return _png(draw, (side + 0.4, side))


def reliability(scores: Sequence[LearnerScores]) -> bytes:
    """Reliability diagrams: how often what is told with a certain confidence is so."""

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(scores), squeeze=False, sharey=True)[0]
        for axes, score in zip(panels, scores, strict=True):
            bins = score.calibration
            width, some = 1 / len(bins.count), bins.count > 0
            centres = (np.arange(len(bins.count)) + 0.5) * width
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
            axes.bar(centres[some], bins.frequency[some], width * 0.92, color=OTHER)
            area = 12 + 90 * bins.count[some] / max(1, bins.count.max())
            axes.scatter(bins.confidence[some], bins.frequency[some], s=area, color=MAIN, zorder=3)
            axes.set_title(f"{score.name}\nECE {score.ece:.3f}", fontsize=9)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            axes.set_xlabel("confidence", fontsize=8.5)
            _quiet(axes, "y")
        panels[0].set_ylabel("how often it was so", fontsize=8.5)

    return _png(draw, (max(3.2, 1.9 * len(scores)), 2.7))


def per_class(scores: Sequence[LearnerScores], classes: Sequence[str]) -> bytes:
    """F1 of each class and learner as a table of colours."""
    values = np.stack([score.f1 for score in scores])

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.imshow(np.nan_to_num(values), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(*values.shape):
            ink = "white" if values[row, column] > 0.5 else INK
            shown = "-" if np.isnan(values[row, column]) else f"{values[row, column]:.2f}"
            axes.text(column, row, shown, ha="center", va="center", color=ink, fontsize=9)
        axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right", fontsize=9)
        axes.set_yticks(range(len(scores)), [score.name for score in scores], fontsize=9)

    return _png(draw, (1.8 + 0.72 * len(classes), 1.2 + 0.36 * len(scores)))


def people(scores: Sequence[LearnerScores], quantity: str) -> bytes:
    """How the headline spreads over people: one dot each, from the weakest to the strongest."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for row, score in enumerate(scores):
            values = np.sort(score.by_person[np.isfinite(score.by_person)])
            spread = np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else np.zeros(len(values))
            axes.scatter(values, row + spread, s=10, color=MAIN if row < _own(scores) else OTHER, alpha=0.8)
        axes.set_yticks(range(len(scores)), [score.name for score in scores], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(f"{quantity} of each person", fontsize=9)
        _quiet(axes, "x")

    return _png(draw, (7.2, 0.9 + 0.42 * len(scores)))


def _own(scores: Sequence[LearnerScores]) -> int:
    """How many of the first learners are the judged model's own."""
    return sum(score.group == "own" for score in scores)


def _quiet(axes: Any, grid: str) -> None:
    axes.grid(axis=grid, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _png(draw: Callable[[Any], None], size: tuple[float, float]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(size, dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure)
    out = io.BytesIO()
    canvas.print_png(out)
    return out.getvalue()
