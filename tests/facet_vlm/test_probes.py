"""Probes: exact masks, paired differences, and trials that differ in one thing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from aublend.head_model import head_model
from facet_vlm.config import Config, DataConfig
from facet_vlm.evaluation.probes import cues, halves, trials
from facet_vlm.predict import FacetVLM, load
from mesh4d.datasets.labels import EXPRESSIONS


@pytest.fixture(scope="module")
def model() -> FacetVLM:
    loaded = load("facet-mini", "cpu")
    assert isinstance(loaded, FacetVLM)
    return loaded


def test_upper_and_lower_cut_the_face_in_two() -> None:
    head = head_model().identity(3)
    parts = halves.face_parts()
    upper, lower = (halves.hidden_beyond(head, *parts[name]) for name in ("upper", "lower"))
    assert (upper ^ lower).all() and not halves.hidden_beyond(head, *parts["whole"]).any()


def test_the_whole_face_tells_more_than_its_brows(model: FacetVLM) -> None:
    config = DataConfig(test_intensities=(1.0,))
    whole, brows = halves.compare_parts(model, [450, 451], config, ("whole", "brows"))
    assert whole.sensitivity.value > 0.8 > brows.sensitivity.value
    assert whole.confusion.sum() == 2 * len(EXPRESSIONS)
    assert "| brows |" in halves.parts_table([whole, brows])


def test_sensitivity_is_the_mean_recall_and_its_spread() -> None:
    truth, guess = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    result = halves.part_result("whole", truth, guess, np.array([1, 2, 1, 2]))
    assert result.sensitivity.value == pytest.approx(0.75) and result.spread == pytest.approx(0.25)
    assert result.sensitivity.low <= 0.75 <= result.sensitivity.high


def test_effects_are_paired_differences() -> None:
    before = np.full((4, len(EXPRESSIONS)), 1 / len(EXPRESSIONS))
    after = before.copy()
    happy = EXPRESSIONS.index("happiness")
    after[:, happy] += 0.2
    after[:, 0] -= 0.2
    effect = cues.effect_of("teeth", "neutral", before, after)
    assert effect.probability["happiness"].value == pytest.approx(0.2)
    assert effect.probability["happiness"].low == pytest.approx(0.2)
    assert effect.valence.value == pytest.approx(0.2 * cues.affect_of_expressions()[happy, 0])
    assert effect.flipped == 1.0


def test_cues_change_what_they_say(model: FacetVLM) -> None:
    chosen = [cue for cue in cues.CUES if cue.name in ("brows lowered", "teeth seen (mouth open)")]
    effects = cues.probe_cues(model, [450, 451], ("neutral",), chosen)
    rig = head_model().rig(450)
    shut, open_ = chosen[0].without(rig, {}), chosen[0].with_it(rig, {})
    assert shut.n_faces == open_.n_faces or shut.n_faces < open_.n_faces
    assert abs(sum(i.value for i in effects[0].probability.values())) < 1e-5
    assert cues.cues_table(effects).count("neutral") >= len(chosen)


def test_groups_cover_everyone_three_times(model: FacetVLM) -> None:
    gaps = cues.group_gaps(model, [450, 451])
    assert sum(count for _, count in gaps.values()) == 6
    assert all(0 <= value <= 1 for value, _ in gaps.values())


def test_a_trial_runs_once_and_is_read_back(tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(
        tiny, data=dataclasses.replace(tiny.data, max_train_subjects=1), train=dataclasses.replace(tiny.train, epochs=1)
    )
    monkeypatch.setattr(trials, "HELD_OUT_PEOPLE", 2)
    wanted = [trials.Trial("all", config)]
    first = trials.run_trials(wanted, tmp_path, judged=("plain",))
    monkeypatch.setattr(trials, "train", None)  # a second training would fail
    again = trials.run_trials(wanted, tmp_path, judged=("plain",))
    assert first == again and 0 <= first[0].accuracy["plain"].value <= 1
    assert trials.trials_table(first).splitlines()[2].startswith("| all |")


def test_trials_differ_in_what_they_name() -> None:
    base = Config()
    by_name = {trial.name: trial.config for trial in trials.component_trials(base)}
    assert not by_name["no CVSA"].model.cvsa and not by_name["no MTGF"].model.mtgf and not by_name["no text"].model.text
    assert by_name["no captions"].train.loss.region_captions == 0 and by_name["all"] == base
    few = trials.augmentation_trials(base, (5,), 40)
    assert [trial.extra_subjects for trial in few] == [0, 0, 0, 0, 40]
    assert few[2].config.data.hard_mixtures and not few[3].config.data.hard_mixtures
    assert all(trial.config.data.train_scenario == "range_imaged" for trial in few)
    # 45 faces of each person without mixtures, 60 of a synthesised one: (5 * 45 + 40 * 60) // 48 = 54 steps an epoch
    assert [trial.config.train.epochs for trial in few] == [100, 100, 80, 80, 8]
