"""What `aublend eval rigs` says: numbers with intervals for machines, tables in Markdown for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.anatomy_measures import ANATOMY_MEASURES
from aublend.combinations import COMBINATIONS
from aublend.embedded_gauge import UNIT_MEASURES
from aublend.evaluation.methods import METHODS
from aublend.evaluation.rigs import TRUTH
from aublend.evaluation.scores import RigScores, bootstrap_mean
from aublend.units import AU_NAMES

ERRORS = {
    "mean_mm": "vertex error, mean over what the true unit moves by more than 0.1 mm",
    "worst_mm": "vertex error, greatest of the head",
    "cosine": "cosine between predicted and true displacement",
}
MEASURES = ERRORS | UNIT_MEASURES
UNIT_OF_MEASURE = {"cosine": "", "outside_share": "%", "intersections": "pairs", "teeth_through": "pairs"}
"""Of those that are not in mm."""
MORE_IS_BETTER = ("cosine", "lip_parting_mm")
PAIR_NAMES = tuple(pair.name for pair in COMBINATIONS)
Numbers = dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """One measure of two methods on the same identities: the mean of their differences."""

    measure: str
    difference: float
    """First minus second method."""
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the first method is better, worse, or neither for sure at 95 %."""
        if self.low <= 0 <= self.high:
            return "no difference"
        return "better" if (self.difference > 0) == (self.measure in MORE_IS_BETTER) else "worse"


def compare(one: RigScores, other: RigScores) -> list[Comparison]:
    """Paired differences of all measures, each averaged over the units it applies to."""
    rows = []
    for name in one.units:
        if name != "lip_parting_mm":  # neither more nor less is better
            apart = _over_units(one.units[name]) - _over_units(other.units[name])
            mean, low, high = bootstrap_mean(apart[:, None])
            rows.append(Comparison(name, float(mean[0]), float(low[0]), float(high[0])))
    return rows


def report_tables(scores: Sequence[RigScores]) -> dict[str, object]:
    """Every number with its interval, as plain dictionaries: method, unit or pair, measure."""
    return {
        "methods": {s.method: _what(s.method) for s in scores},
        "measures": MEASURES,
        "all": {s.method: {name: _over_all(values) for name, values in s.units.items()} for s in scores},
        "units": {s.method: _by_name(s.units, AU_NAMES) for s in scores},
        "pairs_as_sums": {s.method: _by_name(s.sums, PAIR_NAMES) for s in scores},
        "pairs_with_own_shapes": {s.method: _by_name(s.pairs, PAIR_NAMES) for s in scores},
    }


def report_markdown(scores: Sequence[RigScores], protocol: str, proof: str) -> str:
    """The whole report."""
    by_name = {s.method: s for s in scores}
    lines = ["# Rigs: predicted against true, and both against anatomy", ""]
    lines += [f"Protocol {protocol}: {len(scores[0].mean_mm)} identities. {proof[0].upper()}{proof[1:]}.", ""]
    lines += ["Figures are means over identities with 95 % bootstrap intervals over identities.", "", "Methods:", ""]
    lines += [f"- **{s.method}**: {_what(s.method)}" for s in scores]
    lines += ["", "## All units", "", summary_table(scores), ""]
    if "net" in by_name and "transfer" in by_name:
        lines += ["Net minus transfer, identity by identity:", "", _comparison_table(by_name), ""]
    lines += ["## Vertex error by unit", "", score_table([s for s in scores if s.method != TRUTH]), ""]
    for s in scores:
        if set(UNIT_MEASURES) <= set(s.units):
            lines += [f"## By unit: {s.method}", "", _unit_table(s), ""]
    if any(s.pairs for s in scores):
        lines += ["## Pairs of units", "", "Sum alone → sum with the pair's own shape.", ""]
        for s in scores:
            lines += [f"### {s.method}", "", _pair_table(s), ""]
    lines += ["## Measures", ""]
    lines += [f"- {_title(name)}: {meaning}" for name, meaning in MEASURES.items()]
    return "\n".join(lines) + "\n"


def summary_table(scores: Sequence[RigScores]) -> str:
    """A Markdown table: a row per measure, a column per method, each averaged over the units it applies to."""
    rows = [["measure", *(s.method for s in scores)], ["---"] * (len(scores) + 1)]
    for name in scores[0].units:
        rows.append([_title(name), *(_with_interval(name, _over_all(s.units[name])) for s in scores)])
    return _markdown(rows)


def score_table(scores: Sequence[RigScores]) -> str:
    """A Markdown table: one row per unit, mean error of every method, then the summary."""
    rows = [["unit", *(f"{s.method} mm" for s in scores), f"{scores[0].method} cosine"], ["---"] * (len(scores) + 2)]
    for row, name in enumerate(AU_NAMES):
        errors = [f"{s.mean_mm[:, row].mean():.3f}" for s in scores]
        rows.append([name, *errors, f"{scores[0].cosine[:, row].mean():.3f}"])
    rows.append(["all", *(f"**{s.mean_mm.mean():.3f}**" for s in scores), f"{scores[0].cosine.mean():.3f}"])
    rows.append(["95 % interval", *("{:.3f} to {:.3f}".format(*s.interval()) for s in scores), ""])
    rows.append(["worst vertex", *(f"{s.worst_mm.max():.2f}" for s in scores), ""])
    return _markdown(rows)


def head_table(units: Mapping[str, Float[np.ndarray, " A"]], pairs: Mapping[str, Float[np.ndarray, " P"]]) -> str:
    """A Markdown table: anatomy of one head's units and pairs, a row each, and the worst of all."""
    rows = [["unit", *map(_title, units)], ["---"] * (len(units) + 1)]
    for names, measures in ((AU_NAMES, units), (PAIR_NAMES, pairs)):
        for column, name in enumerate(names):
            values = {measure: float(row[column]) for measure, row in measures.items()}
            rows.append([name, *(_number(key, value) if np.isfinite(value) else "" for key, value in values.items())])
    rows.append(["worst", *(_number(name, float(np.nanmax([*units[name], *pairs[name]]))) for name in units)])
    return _markdown(rows)


def measures_by_name(
    units: Mapping[str, Float[np.ndarray, " A"]], pairs: Mapping[str, Float[np.ndarray, " P"]]
) -> dict[str, dict[str, Numbers]]:
    """One head's measures by unit or pair, without those that do not apply."""
    return {
        kind: {
            name: {key: float(row[column]) for key, row in measures.items() if np.isfinite(row[column])}
            for column, name in enumerate(names)
        }
        for kind, names, measures in (("units", AU_NAMES, units), ("pairs", PAIR_NAMES, pairs))
    }


def _unit_table(scores: RigScores) -> str:
    names = [name for name in scores.units if np.isfinite(scores.units[name]).any()]
    rows = [["unit", *(_title(name) for name in names)], ["---"] * (len(names) + 1)]
    for unit, measures in _by_name(scores.units, AU_NAMES).items():
        rows.append([unit, *(_with_interval(name, measures[name]) if name in measures else "" for name in names)])
    return _markdown(rows)


def _pair_table(scores: RigScores) -> str:
    sums, pairs = _by_name(scores.sums, PAIR_NAMES), _by_name(scores.pairs, PAIR_NAMES)
    names = [name for name in ("mean_mm", *ANATOMY_MEASURES) if np.isfinite(scores.pairs[name]).any()]
    rows = [["pair", *(_title(name) for name in names)], ["---"] * (len(names) + 1)]
    for pair in PAIR_NAMES:
        cells = [
            f"{_number(name, sums[pair][name]['mean'])} → {_with_interval(name, pairs[pair][name])}"
            if name in pairs[pair]
            else ""
            for name in names
        ]
        rows.append([pair, *cells])
    return _markdown(rows)


def _comparison_table(by_name: Mapping[str, RigScores]) -> str:
    rows = [["measure", "difference", "95 % interval", "net is"], ["---"] * 4]
    for row in compare(by_name["net"], by_name["transfer"]):
        number = [_number(row.measure, value) for value in (row.difference, row.low, row.high)]
        rows.append([_title(row.measure), number[0], f"{number[1]} to {number[2]}", row.verdict])
    return _markdown(rows)


def _by_name(measures: Mapping[str, Float[np.ndarray, "N _"]], names: Sequence[str]) -> dict[str, dict[str, Numbers]]:
    """Mean and interval by unit or pair, then measure; without what does not apply."""
    table: dict[str, dict[str, Numbers]] = {name: {} for name in names}
    for measure, values in measures.items():
        for column, (mean, low, high) in enumerate(zip(*bootstrap_mean(values), strict=True)):
            if np.isfinite(mean):
                table[names[column]][measure] = {"mean": float(mean), "low": float(low), "high": float(high)}
    return table


def _over_all(values: Float[np.ndarray, "N A"]) -> Numbers:
    mean, low, high = bootstrap_mean(_over_units(values)[:, None])
    return {"mean": float(mean[0]), "low": float(low[0]), "high": float(high[0]), "worst": float(np.nanmax(values))}


def _over_units(values: Float[np.ndarray, "N A"]) -> Float[np.ndarray, " N"]:
    """Each identity's mean over the units that a measure applies to."""
    return np.nanmean(values, axis=1)


def _what(method: str) -> str:
    return "the ground truth itself" if method == TRUTH else METHODS[method].what


def _title(measure: str) -> str:
    words = measure.removesuffix("_mm").replace("outside_share", "outside").replace("_", " ")
    unit = UNIT_OF_MEASURE.get(measure, "mm")
    return f"{words} {unit}".strip()


def _number(measure: str, value: float) -> str:
    if measure == "outside_share":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if UNIT_OF_MEASURE.get(measure) == "pairs" else f"{value:.3f}"


def _with_interval(measure: str, numbers: Numbers) -> str:
    mean, low, high = (_number(measure, numbers[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
