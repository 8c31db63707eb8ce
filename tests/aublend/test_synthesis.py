"""Synthesised expressions: exact labels, controlled chance, the same bytes however they are made."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aublend.commands.synth import SynthSet
from aublend.commands.synth_expressions import SynthExpressions
from aublend.curves import half_weights
from aublend.emotions import emotion
from aublend.synthesis import ExpressionPlan, identities_of, perform, synthesise_expressions
from aublend.synthesis.take import unit_labels
from aublend.units import AU_INDEX, AU_NAMES
from mesh4d import open_dataset
from mesh4d.datasets.dataset import Dataset
from mesh4d.errors import MeshError
from mesh4d.specs import load_split, load_toml

SMALL = ExpressionPlan((3, 470), ("neutral", "happiness"), stills=1, sequences=1, fps=6.0, noise_mm=0.05, pose_deg=10.0)
CALM = {"lag_s": 0.0, "blinks_per_s": 0.0, "stray": 0.0, "asymmetry": 0.0, "co_occurrence": 0.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("expressions")
    synthesise_expressions(SMALL, folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_data_set_opens_with_all_its_labels(made):
    dataset = open_dataset("synthetic", made)
    assert len(dataset) == 8 and dataset.problems == ()
    assert {record.subject: record.task for record in dataset} == {"P00003": "train", "P00470": "test"}
    happy = dataset.named("P00470_happiness_sequence_00")
    take = perform(SMALL, 470, "happiness", "sequence", 0)
    assert (happy.onset, happy.apex, happy.offset) == (take.onset, take.apex, take.offset)
    assert happy.fps == 6.0 and happy.expression == "happiness" and happy.caption == take.caption
    assert happy.intensity == pytest.approx(take.intensity, abs=1e-5)
    assert len(happy.frames) == len(take.halves)
    np.testing.assert_allclose(happy.au_frames["AU12L"], take.halves[:, 0, AU_INDEX["AU12"]], atol=1e-5)
    still = dataset.named("P00003_happiness_still_00")
    assert still.au_labels["AU12"] == max(still.au_labels["AU12L"], still.au_labels["AU12R"]) > 0.2
    assert "lip corners are pulled up" in still.caption


def test_the_table_survives_parquet(made, tmp_path):
    dataset = open_dataset("synthetic", made)
    dataset.to_parquet(tmp_path / "t.parquet")
    assert Dataset.from_parquet(tmp_path / "t.parquet", made).digest() == dataset.digest()


def test_meshes_show_their_labels(model, tmp_path):
    plan = dataclasses.replace(SMALL, identities=(470,), noise_mm=0.0, pose_deg=0.0)
    synthesise_expressions(plan, tmp_path / "a")
    dataset = open_dataset("synthetic", tmp_path / "a")
    rig = model.rig(470)
    record = dataset.named("P00470_happiness_sequence_00")
    labels = record.frame_record(record.apex).known_units()
    halves = half_weights(
        {name: value for name, value in labels.items() if name[-1] in "LR" or f"{name}L" not in labels}
    )
    np.testing.assert_allclose(dataset.read_frame(record, record.apex).vertices, rig.pose(halves), atol=0.01)


def test_any_number_of_workers_and_any_interruption_give_the_same_bytes(made, tmp_path, monkeypatch):
    synthesise_expressions(SMALL, tmp_path / "two", workers=2)
    assert contents(tmp_path / "two") == contents(made)
    from aublend.synthesis import writing

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    original = writing._write_take
    calls = iter(range(100))
    monkeypatch.setattr(writing, "_write_take", lambda *given: killed() if next(calls) == 5 else original(*given))
    with pytest.raises(KeyboardInterrupt):
        synthesise_expressions(SMALL, tmp_path / "cut")
    assert (tmp_path / "cut" / "P00003").is_dir() and not (tmp_path / "cut" / "P00470").exists()
    (tmp_path / "cut" / ".P00470.0123456789ab.part").mkdir()  # as a killed process leaves it
    first = (tmp_path / "cut" / "P00003" / "records.json").stat().st_mtime_ns
    monkeypatch.setattr(writing, "_write_take", original)
    synthesise_expressions(SMALL, tmp_path / "cut")
    assert (tmp_path / "cut" / "P00003" / "records.json").stat().st_mtime_ns == first
    assert contents(tmp_path / "cut") == contents(made)


def test_another_plan_or_other_files_in_the_folder_are_refused(made, tmp_path):
    with pytest.raises(MeshError, match="another plan"):
        synthesise_expressions(dataclasses.replace(SMALL, seed=1), made)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(MeshError, match="new folder"):
        synthesise_expressions(SMALL, tmp_path)


def test_the_card_says_what_is_there(made):
    card = json.loads((made / "card.json").read_text())
    assert (card["records"], card["stills"], card["sequences"]) == (8, 4, 4)
    assert card["split"]["subjects"] == {"train": ["P00003"], "test": ["P00470"]}
    assert "each in exactly one part" in card["split"]["proof"]
    assert card["units_shown"]["AU12"] >= 4 and card["plan_sha256"] == SMALL.digest()
    assert card["frames"] == sum(len(r.frames) for r in open_dataset("synthetic", made) if r.is_sequence)
    text = (made / "card.md").read_text()
    assert "contact_sheet.png" in text and "| happiness | 4 |" in text
    with Image.open(made / "contact_sheet.png") as picture:
        assert picture.width > 300 and np.asarray(picture).std() > 20


def test_without_chance_a_take_is_the_prototype():
    plan = dataclasses.replace(SMALL, intensity=(1.0, 1.0), **CALM)
    plain = perform(plan, 3, "anger", "still", 0).halves[0]
    units = emotion("anger").units
    assert {name for name, weight in zip(AU_NAMES, plain.max(axis=0), strict=True) if weight > 0} == set(units)
    np.testing.assert_array_equal(plain[0], plain[1])


def test_co_occurrence_asymmetry_and_strays_are_under_control():
    def draw(**settings: float) -> np.ndarray:
        plan = dataclasses.replace(SMALL, **(CALM | settings))
        return np.stack([perform(plan, 3, "sadness", "still", number).halves[0] for number in range(300)])

    rate = (draw(co_occurrence=1.0)[:, :, AU_INDEX["AU17"]].max(axis=1) > 0).mean()
    assert rate == pytest.approx(emotion("sadness").rates["AU17"], abs=0.09)
    assert (draw()[:, :, AU_INDEX["AU17"]] == 0).all()
    skewed = draw(asymmetry=0.1)[:, :, AU_INDEX["AU15"]]
    assert np.std(skewed[:, 0] / skewed.mean(axis=1) - 1) == pytest.approx(0.1, abs=0.02)
    known = {*emotion("sadness").units, *emotion("sadness").optional}
    others = [row for row, name in enumerate(AU_NAMES) if name not in known]
    assert (draw(stray=0.5)[:, :, others].max(axis=(1, 2)) > 0).mean() == pytest.approx(0.62, abs=0.15)


def test_no_take_shows_antagonists():
    pairs = [(AU_INDEX[a], AU_INDEX[b]) for a, b in load_toml("antagonists")["pairs"]]
    plan = dataclasses.replace(SMALL, stray=1.0, co_occurrence=0.0)
    own = {name: {AU_INDEX[unit.rstrip("LR")] for unit in emotion(name).units} for name in ("fear", "happiness")}
    for name, units in own.items():
        for number in range(150):
            shown = perform(plan, 3, name, "still", number).halves[0].max(axis=0) > 0
            clashes = [(a, b) for a, b in pairs if shown[a] and shown[b] and not {a, b} <= units]
            assert clashes == []


def test_takes_rise_to_their_apex_and_come_back():
    for number in range(20):
        take = perform(dataclasses.replace(SMALL, fps=50.0, blinks_per_s=0.0), 3, "surprise", "sequence", number)
        strength = take.halves[:, :, AU_INDEX["AU1"]].max(axis=1)
        assert strength[0] == strength[-1] == 0
        assert 0 < take.onset < take.apex <= take.offset < len(strength)
        assert strength[take.apex] > 0.8 * strength.max()
        assert np.abs(np.diff(strength)).max() < 0.2


def test_blinks_close_the_lids_and_are_labelled():
    plan = dataclasses.replace(SMALL, fps=60.0, blinks_per_s=3.0, onset_s=(2.0, 2.0))
    take = perform(plan, 3, "neutral", "sequence", 0)
    closed = take.halves[:, :, AU_INDEX["AU45"]]
    assert closed.max() > 0.9 and (closed[:, 0] == closed[:, 1]).all()
    assert max(unit_labels(halves)["AU45"] for halves in take.halves) > 0.9


def test_people_keep_their_part_of_the_split():
    split = load_split("aublendset")
    people = identities_of(20)
    counts = {part: sum(seed in split[part] for seed in people) for part in ("train", "validation", "test")}
    assert counts == {"train": 16, "validation": 2, "test": 2}
    assert set(identities_of(7, "test")) <= set(split["test"])
    with pytest.raises(MeshError, match="1 to 50"):
        identities_of(51, "test")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (SynthExpressions(identities=-1), "identities"),
        (SynthExpressions(identities=0), "identities"),
        (SynthExpressions(expressions=("joyless",)), "joyless"),
        (SynthExpressions(stills=0, sequences=0), "stills or sequences"),
        (SynthExpressions(workers=0), "workers"),
        (SynthExpressions(fps=0.0), "fps"),
        (SynthSet(identities=-1), "at least 1"),
        (SynthSet(identities=0), "at least 1"),
    ],
)
def test_impossible_settings_are_errors_of_one_line(command, message):
    with pytest.raises(MeshError, match=message):
        command.run()


@pytest.mark.parametrize(
    "change",
    [{"intensity": (0.9, 0.2)}, {"stray": 2.0}, {"hold_s": (-1.0, 1.0)}, {"identities": ()}, {"onset_s": (0.0, 0.0)}],
)
def test_impossible_plans_are_refused(change):
    with pytest.raises(MeshError):
        dataclasses.replace(SMALL, **change)
