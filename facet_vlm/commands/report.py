"""Saved predictions against the truth."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class ReportOf:
    """Compare saved predictions to the truth: report.json, report.md and a picture of the confusion matrix."""

    predictions: Positional[Path]
    """An .npz from `facet-vlm predict -o`."""
    truth: Positional[Path]
    """A text file with the true label of each row, one a line."""
    protocol: str
    """What was asked, in words; it stands above every number."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("report")
    """Folder to write into."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluation.report import Report
        from facet_vlm.predictions import read_predictions

        truth = self.truth.read_text(encoding="utf-8").split()
        report = Report.of(read_predictions(self.predictions), truth, self.protocol)
        self.output.mkdir(parents=True, exist_ok=True)
        report.write(self.output)
        return {"table": report.to_markdown(), "report": json.loads(report.to_json())}
