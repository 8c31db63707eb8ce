"""Saved predictions to reports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class ReportOf:
    """Turn saved predictions into a report; no model and no mesh is looked at.

    Of a protocol run (predictions.parquet of `facet-vlm eval --protocol`), which holds truth, folds and hashes: proves
    once more that no person is on both sides of a fold, and writes report.md, report.html, report.json, folds.csv.

    Of `facet-vlm predict -o` (.npz): compares them with a file of true labels: report.md, report.json, confusion.png.
    """

    predictions: Positional[Path]
    """A .parquet of `facet-vlm eval --protocol`, or an .npz of `facet-vlm predict -o`."""
    truth: Positional[Path | None] = None
    """For an .npz: a text file with the true label of each row, one a line."""
    protocol: str | None = None
    """For an .npz: what was asked, in words; it stands above every number."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("report")
    """Folder to write into."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluation.run_predictions import is_run, read_run

        if is_run(self.predictions):
            from facet_vlm.evaluation.run_report import write_reports

            if self.truth is not None or self.protocol is not None:
                raise MeshError(f"{self.predictions} holds its own truth and protocol; leave yours out")
            return write_reports(read_run(self.predictions), self.output)
        if self.truth is None or self.protocol is None:
            raise MeshError(f"{self.predictions}: expected a file of true labels and --protocol 'what was asked'")
        from facet_vlm.evaluation.report import Report
        from facet_vlm.predictions import read_predictions

        truth = self.truth.read_text(encoding="utf-8").split()
        report = Report.of(read_predictions(self.predictions), truth, self.protocol)
        self.output.mkdir(parents=True, exist_ok=True)
        report.write(self.output)
        return {"table": report.to_markdown(), "report": json.loads(report.to_json())}
