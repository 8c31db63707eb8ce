"""Evaluation of rigs: predicted shapes beside the ground truth, and both beside anatomy."""

from aublend.evaluation.head import measure_head
from aublend.evaluation.methods import METHODS, Method
from aublend.evaluation.report import (
    Comparison,
    compare,
    head_table,
    measures_by_name,
    report_markdown,
    report_tables,
    score_table,
    summary_table,
)
from aublend.evaluation.rigs import TRUTH, evaluate_rigs
from aublend.evaluation.scores import RigScores, bootstrap_mean, shape_errors

__all__ = [
    "METHODS",
    "TRUTH",
    "Comparison",
    "Method",
    "RigScores",
    "bootstrap_mean",
    "compare",
    "evaluate_rigs",
    "head_table",
    "measure_head",
    "measures_by_name",
    "report_markdown",
    "report_tables",
    "score_table",
    "shape_errors",
    "summary_table",
]
