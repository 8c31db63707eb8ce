"""What synthesised faces show, and what happens to them."""

import numpy as np
import pytest

from aublend.head_model import head_model
from aublend.units import AU_INDEX, AU_NAMES
from facet_vlm.config import DataConfig
from facet_vlm.faces import accidents, acting
from facet_vlm.faces.fields import SmoothField
from facet_vlm.faces.synthesis import faces_per_person, judged_faces, performed, scenario, training_faces
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml


@pytest.fixture(scope="module")
def smile() -> Mesh:
    rig = head_model().rig(7)
    shown = acting.prototype("happiness", 1.0, 0.0, np.random.default_rng(0))
    return performed(rig, shown, np.random.default_rng(0))


def test_variants_name_known_units_and_every_expression_but_neutral() -> None:
    table = load_toml("expression_variants")
    assert set(table) == set(EXPRESSIONS) - {"neutral"}
    halves = {f"{unit}{side}" for unit in AU_NAMES for side in "LR"}
    for row in table.values():
        for units in row["variants"]:
            assert set(units) <= halves | set(AU_NAMES) and all(0 < weight <= 1 for weight in units.values())


def test_variants_scale_with_intensity_and_contempt_takes_either_side() -> None:
    rng = np.random.default_rng(0)
    weak = np.mean([max(acting.variant_weights("anger", 0.4, rng).values()) for _ in range(200)])
    full = np.mean([max(acting.variant_weights("anger", 1.0, rng).values()) for _ in range(200)])
    assert 0.3 < weak / full < 0.6
    sides = {next(iter(acting.variant_weights("contempt", 1.0, rng)))[-1] for _ in range(40)}
    assert sides == {"L", "R"}


def test_any_units_keep_opposites_apart_and_have_no_label() -> None:
    rng = np.random.default_rng(1)
    pairs = load_toml("antagonists")["pairs"]
    for _ in range(100):
        shown = acting.anything(0.0, rng)
        assert shown.label == -1 and 0.3 <= shown.halves.max() <= 1
        for one, other in pairs:
            assert not (shown.halves[:, AU_INDEX[one]].any() and shown.halves[:, AU_INDEX[other]].any()), (one, other)


def test_mixture_is_the_mean_of_units_and_meaning() -> None:
    rng = np.random.default_rng(2)
    joy, fear = (acting.prototype(name, 1.0, 0.0, rng) for name in ("happiness", "fear"))
    mixed = acting.mixture(joy, fear, 0.75)
    np.testing.assert_allclose(mixed.halves, 0.75 * joy.halves + 0.25 * fear.halves, atol=1e-6)
    assert mixed.target[EXPRESSIONS.index("happiness")] == pytest.approx(0.75) and mixed.target.sum() == pytest.approx(
        1
    )


def test_smooth_fields_have_unit_spread_and_change_slowly() -> None:
    points = np.random.default_rng(0).uniform(-100, 100, (4000, 3))
    values = [SmoothField.drawn((40.0, 80.0), 3, np.random.default_rng(s)).at(points) for s in range(20)]
    assert np.std(values) == pytest.approx(1, abs=0.1)
    field = SmoothField.drawn((40.0, 80.0), 3, np.random.default_rng(0))
    assert np.abs(field.at(points + 0.4) - field.at(points)).max() < 0.5


@pytest.mark.parametrize("name", sorted(accidents.ALL))
def test_accidents_leave_a_face_and_repeat(name: str, smile: Mesh) -> None:
    hit = accidents.accident(name)
    first, again = hit(smile, np.random.default_rng(5)), hit(smile, np.random.default_rng(5))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert np.isfinite(first.vertices).all() and first.n_faces > 500
    unchanged = first.n_faces == smile.n_faces and np.array_equal(first.vertices, smile.vertices)
    assert not unchanged


def test_held_out_noise_is_never_drawn_for_training() -> None:
    drawn = {*accidents.NOISE, *accidents.LOSSES, *accidents.COVERS, "coarse"}
    assert drawn.isdisjoint(accidents.HELD_OUT) and accidents.HELD_OUT


def test_ripples_are_as_high_as_stated(smile: Mesh) -> None:
    moved = accidents.rippled(smile, np.random.default_rng(0)).vertices - smile.vertices
    assert (moved[:, :2] == 0).all() and 0.1 < np.abs(moved[:, 2]).max() <= 0.4


def test_training_faces_repeat_and_judged_faces_follow_their_scenario() -> None:
    config = DataConfig(
        train_intensities=((0.9, 1.0),), test_intensities=(1.0,), anything=1, mixtures=1, more_neutrals=0
    )
    first, again = list(training_faces(3, config)), list(training_faces(3, config))
    assert len(first) == len(EXPRESSIONS) + 2 == faces_per_person(config)
    np.testing.assert_array_equal(first[4].mesh.vertices, again[4].mesh.vertices)
    labels = [face.shown.label for face in judged_faces(3, config)]
    assert labels == list(range(len(EXPRESSIONS)))
    assert scenario("rippled") is not scenario("plain")
    with pytest.raises(MeshError, match="scenario"):
        scenario("earthquake")
