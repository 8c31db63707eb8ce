import dataclasses
import json

import numpy as np
import pytest

from aublend import head_model
from aublend.anatomy_measures import ANATOMY_MEASURES
from aublend.combinations import COMBINATIONS
from aublend.embedded_gauge import UNIT_MEASURES, EmbeddedGauge, embedded_skin
from aublend.evaluation import (
    METHODS,
    TRUTH,
    RigScores,
    bootstrap_mean,
    compare,
    evaluate_rigs,
    report_markdown,
    report_tables,
    shape_errors,
)
from aublend.unit_areas import area_masks, unit_areas, unit_masks
from aublend.units import AU_INDEX, AU_NAMES
from mesh4d.errors import MeshError

SEED = 451


@pytest.fixture(scope="module")
def model():
    return head_model()


@pytest.fixture(scope="module")
def head(model):
    identity = model.parameters(SEED)
    return model.neutral(identity).vertices, model.deltas(identity)


@pytest.fixture(scope="module")
def gauge(model, head):
    return EmbeddedGauge(embedded_skin(model), model.shapes.at_rest(head[0]))


@pytest.fixture(scope="module")
def scores():
    return {s.method: s for s in evaluate_rigs([SEED], ["transfer", "zero"])}


def _only(unit, delta):
    deltas = np.zeros((len(AU_NAMES), *delta.shape))
    deltas[AU_INDEX[unit]] = delta
    return deltas


def test_areas_lie_where_their_names_say(model):
    average = model.topology.vertices
    masks = area_masks(average)
    middle = {name: np.average(average[:, 1], weights=mask) for name, mask in masks.items()}
    assert middle["brow"] > middle["lid"] > middle["nose"] > middle["lip"] > middle["jaw"]
    outer = embedded_skin(model).outer
    for mask in masks.values():
        assert mask.min() >= 0 and mask.max() == 1
        assert 0.01 < mask[outer].mean() < 0.5
        np.testing.assert_allclose(mask, mask[model.makehuman.mirror], atol=0.15, err_msg="both sides alike")
    assert set(unit_areas()["AU12"].moves) == {"lip", "cheek"} and unit_areas()["AU12"].still
    np.testing.assert_array_equal(unit_masks(average)[AU_INDEX["AU5"]], masks["lid"])


def test_outside_share_of_a_known_motion(model, gauge, head):
    lid = area_masks(model.topology.vertices)["lid"]
    inside, outside = (mask[:, None] * np.array([0.0, 2.0, 0.0]) for mask in (lid == 1, lid == 0))
    assert gauge.outside_share(_only("AU45", inside))[AU_INDEX["AU45"]] == 0
    assert gauge.outside_share(_only("AU45", outside))[AU_INDEX["AU45"]] == pytest.approx(1)
    assert gauge.outside_share(np.zeros_like(head[1])).max() == 0


def test_asymmetry_of_known_motions(model, gauge):
    mirror, flip = model.makehuman.mirror, np.array([-1.0, 1.0, 1.0])
    delta = np.random.default_rng(0).normal(size=(len(mirror), 3))
    even = (delta + delta[mirror] * flip) / 2
    assert gauge.asymmetry(_only("AU12", even))[AU_INDEX["AU12"]] < 1e-12
    sideways = np.zeros_like(even) + np.array([3.0, 0, 0])
    assert gauge.asymmetry(_only("AU12", sideways))[AU_INDEX["AU12"]] == pytest.approx(6.0)
    both = _only("AU61", sideways) + _only("AU62", sideways * flip)
    assert gauge.asymmetry(both).max() == 0, "turning left and turning right are each other's image"


def test_truth_is_sound_and_no_motion_leaves_the_eye_open(gauge, head):
    still, true = gauge.of_units(np.zeros_like(head[1])), gauge.of_units(head[1])
    blink = AU_INDEX["AU45"]
    assert true["lid_gap_mm"][blink] < 0.15 < 4 < still["lid_gap_mm"][blink]
    assert true["lip_seal_worst_mm"][[AU_INDEX["AU24"], AU_INDEX["AU28"]]].max() < 0.5
    assert true["lip_parting_mm"][AU_INDEX["AU25"]] > 2 > 0.5 > still["lip_parting_mm"][AU_INDEX["AU25"]]
    for name in ("intersections", "teeth_through", "lip_crossing_mm", "asymmetry_mm"):
        assert still[name].max() == 0
    assert np.isnan(true["lid_gap_mm"]).sum() == len(AU_NAMES) - 1, "lids need to meet in a blink alone"
    assert set(true) == set(UNIT_MEASURES)


def test_broken_anatomy_is_seen(model, gauge, head):
    vertices = head[0]
    eye = gauge.rest.eyeballs[0]
    lid = gauge.rest.fissures.guards[0].lid
    sunk = np.zeros_like(vertices)
    sunk[lid] = 0.25 * (eye.centre - vertices[lid])
    lips = gauge.rest.fissures.mouth
    crossed = (lips.weight * lips.side * -2.0)[:, None] * np.array([0.0, 1.0, 0.0])
    back = np.zeros_like(vertices)
    back[np.unique(model.topology.faces[model.topology.part_of_face == 1]), 2] = -15.0
    measured = gauge.of_units(_only("AU5", sunk) + _only("AU12", crossed) + _only("AU18", back))
    assert measured["eyeball_depth_mm"][AU_INDEX["AU5"]] > 1
    assert measured["lip_crossing_mm"][AU_INDEX["AU12"]] > 2
    assert measured["intersections"][AU_INDEX["AU12"]] > 20
    assert measured["teeth_through"][AU_INDEX["AU18"]] > 20
    others = np.setdiff1d(np.arange(len(AU_NAMES)), [AU_INDEX[name] for name in ("AU5", "AU12", "AU18")])
    assert measured["intersections"][others].max() == 0


def test_plain_transfer_knows_the_average_head_and_no_anatomy(model, scores):
    from aublend.identity import average_identity

    average = average_identity(model.makehuman.target_names)
    shapes = model.deltas(average)
    again = METHODS["transfer"].predict(model.neutral(average).vertices)
    assert np.abs(again - shapes)[:, model.parts.skin].max() < 0.02, "onto itself it changes nothing"
    true, plain = scores[TRUTH].units, scores["transfer"].units
    assert plain["lid_gap_mm"][0, AU_INDEX["AU45"]] > 3 * true["lid_gap_mm"][0, AU_INDEX["AU45"]]
    assert 0 < plain["mean_mm"].mean() < 0.5 < scores["zero"].mean_mm.mean()


def test_scores_hold_every_measure_of_every_unit_and_pair(scores):
    assert list(scores) == [TRUTH, "transfer", "zero"]
    for s in scores.values():
        assert set(UNIT_MEASURES) < set(s.units) and set(ANATOMY_MEASURES) < set(s.pairs) == set(s.sums)
        assert s.mean_mm.shape == (1, len(AU_NAMES)) and s.pairs["intersections"].shape == (1, len(COMBINATIONS))
    assert scores[TRUTH].mean_mm.max() == 0 and scores[TRUTH].cosine.min() == pytest.approx(1)
    blinks = [row for row, pair in enumerate(COMBINATIONS) if pair.lids == "closed"]
    truth = scores[TRUTH]
    assert (truth.pairs["lid_gap_mm"][0, blinks] <= 0.2 * truth.sums["lid_gap_mm"][0, blinks] + 0.02).all()


def test_report_and_tables(scores):
    shown = list(scores.values())
    report = report_markdown(shown, "aublendset/test", "50 subjects")
    for piece in ("# Rigs", "| AU12 |", "AU6+AU45", "plain deformation transfer", "| lid gap mm |", "95 %"):
        assert piece in report
    tables = json.loads(json.dumps(report_tables(shown), allow_nan=False))
    numbers = tables["units"]["transfer"]["AU45"]["lid_gap_mm"]
    assert numbers["low"] == numbers["mean"] == numbers["high"], "one identity has no spread"
    assert "lid_gap_mm" not in tables["units"]["transfer"]["AU1"]


def test_bootstrap_covers_the_mean_and_narrows():
    rng = np.random.default_rng(1)
    misses = 0
    for _ in range(60):
        _, low, high = bootstrap_mean(rng.normal(2.0, 1.0, (40, 1)))
        misses += not low[0] <= 2.0 <= high[0]
    assert 1 <= misses <= 9, "about one in twenty"
    values = rng.normal(0, 1, (400, 2))
    values[:, 1] = np.nan
    mean, low, high = bootstrap_mean(values)
    assert high[0] - low[0] == pytest.approx(4 * 0.98 / 20, rel=0.15)
    assert mean[0] == pytest.approx(values[:, 0].mean()) and np.isnan([mean[1], low[1], high[1]]).all()


def test_verdicts():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 2, (30, len(AU_NAMES)))
    one = RigScores("net", {"mean_mm": base, "cosine": base, "lid_gap_mm": base})
    noise = rng.normal(0, 0.1, base.shape)
    other = RigScores("transfer", {"mean_mm": base + 0.2, "cosine": base + 0.2, "lid_gap_mm": base + noise})
    verdicts = {row.measure: row.verdict for row in compare(one, other)}
    assert verdicts == {"mean_mm": "better", "cosine": "worse", "lid_gap_mm": "no difference"}
    assert compare(one, other)[0].difference == pytest.approx(-0.2)


def test_errors_of_one_shape():
    truth = np.zeros((1, 4, 3))
    truth[0, 0] = [3, 4, 0]
    errors = shape_errors(np.zeros_like(truth) + np.array([0, 0, 1.0]), truth)
    assert errors["mean_mm"][0] == pytest.approx(np.sqrt(26)) == errors["worst_mm"][0]
    assert errors["cosine"][0] == 0


def test_bad_questions_are_refused():
    with pytest.raises(MeshError, match="unknown method 'best'"):
        evaluate_rigs([SEED], ["best"])
    with pytest.raises(MeshError, match="at least one identity"):
        evaluate_rigs([], ["zero"])
    assert dataclasses.is_dataclass(METHODS["net"])
