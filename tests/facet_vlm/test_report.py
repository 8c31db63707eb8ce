"""Predictions files, reports and pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facet_vlm.commands.predict import top_probabilities
from facet_vlm.evaluation.report import Report
from facet_vlm.predictions import Predictions, read_predictions, write_predictions
from mesh4d.errors import MeshError, MeshFormatError

LABELS = ("happiness", "fear")


@pytest.fixture
def predictions() -> Predictions:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    return Predictions(LABELS, probabilities, probabilities - 0.5, np.array([[0.25, 0.75]] * 4))


def test_names_and_rows(predictions: Predictions) -> None:
    assert predictions.names == ("happiness", "fear", "happiness", "fear")
    row = predictions.rows()[1]
    assert row["label"] == "fear" and [*top_probabilities(row)] == [("fear", 0.8), ("happiness", 0.2)]
    json.dumps(predictions.rows())


def test_round_trip_and_hostile_files(predictions: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    write_predictions(predictions, path)
    again = read_predictions(path)
    assert again.labels == LABELS
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities)
    for content in (b"", b"PK\x03\x04 nonsense", path.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(MeshFormatError):
            read_predictions(path)
    np.savez(path, labels=np.array(LABELS))
    with pytest.raises(MeshFormatError):
        read_predictions(path)
    with pytest.raises(MeshFormatError):
        read_predictions(tmp_path / "none.npz")


def test_numbers_of_a_report(predictions: Predictions) -> None:
    report = Report.of(predictions, ["happiness", "fear", "fear", "fear"], "toy")
    np.testing.assert_array_equal(report.confusion, [[1, 0], [1, 2]])
    assert report.accuracy == 0.75
    assert report.uar == pytest.approx((1 + 2 / 3) / 2)
    assert report.mean_view_weights == (0.25, 0.75)
    assert "toy" in report.to_markdown() and "accuracy (WAR) 0.7500" in report.to_markdown()
    assert json.loads(report.to_json())["confusion"] == [[1, 0], [1, 2]]


def test_truth_must_fit(predictions: Predictions) -> None:
    with pytest.raises(MeshError, match="one per prediction"):
        Report.of(predictions, ["fear"], "toy")
    with pytest.raises(MeshError, match="bliss"):
        Report.of(predictions, ["fear", "fear", "fear", "bliss"], "toy")


def test_written_report_has_a_legible_picture(predictions: Predictions, tmp_path: Path) -> None:
    Report.of(predictions, ["happiness", "fear", "fear", "fear"], "toy").write(tmp_path)
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) >= 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert (tmp_path / "report.md").read_text().startswith("# toy")
