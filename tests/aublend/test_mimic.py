"""The embedded heads as actors, and the command that writes mimics with them."""

import numpy as np
import pytest

from aublend.mimic import embedded_actor, landmark_vertex_ids
from mesh4d.datasets.mimic import installed_actor, write_mimic
from mesh4d.datasets.performance import MimicPlan, Request
from mesh4d.datasets.registry import open_dataset
from mesh4d.datasets.scan import ScanStyle
from mesh4d.datasets.validate import validate_dataset

PERSON = 10_000


def test_the_geometry_package_finds_the_actor():
    assert installed_actor() is embedded_actor


def test_landmarks_stand_where_they_are_called(model):
    ids = landmark_vertex_ids()
    points = model.topology.vertices[ids]
    assert len(ids) == 84
    for inner, outer, side in ((0, 4, -1), (8, 12, 1)):
        assert side * points[inner, 0] < side * points[outer, 0]
        assert abs(points[[inner, outer], 1]).max() < 8
    np.testing.assert_allclose(points[:8] * [-1, 1, 1], points[8:16], atol=3)
    assert points[16:36, 1].min() > 12
    assert points[48:68, 1].max() < -50
    assert points[75, 1] == points[:83, 1].min()
    assert points[83, 2] == points[:, 2].max()
    assert points[51, 1] > points[62, 1] > points[66, 1] > points[57, 1]


def test_labels_are_what_was_driven():
    shown = embedded_actor(Request(PERSON, "happiness", (0.0, 1.0, 0.5)))
    assert shown.units["AU12"][0] == 0.0
    assert shown.units["AU12"][1] > 0.5
    assert shown.units["AU12"][2] == pytest.approx(shown.units["AU12"][1] / 2)
    assert max(shown.units["AU45"]) == 0.0
    corners = [mesh.landmarks.points[[48, 54]] for mesh in shown.frames]
    widths = [np.linalg.norm(np.diff(pair, axis=0)) for pair in corners]
    assert widths[1] > widths[2] > widths[0]


def test_units_can_be_asked_for_and_people_differ():
    shown = embedded_actor(Request(PERSON, "", (1.0,), 0, {"AU14": 1.0}))
    assert {unit for unit, values in shown.units.items() if values[0]} == {"AU14"}
    neutral = [embedded_actor(Request(PERSON + n, "neutral", (0.0,))).frames[0].vertices for n in (0, 1)]
    assert np.abs(neutral[0] - neutral[1]).max() > 1


def test_a_mimic_of_embedded_heads_reads(tmp_path):
    plan = MimicPlan(subjects=2, frames=3, levels=(4,), scan=ScanStyle(step_mm=5.0, picture_px=64))
    write_mimic("bosphorus", tmp_path, embedded_actor, plan)
    report = validate_dataset(open_dataset("bosphorus", tmp_path), depth="all")
    assert (report.errors, report.records) == (0, 22)
