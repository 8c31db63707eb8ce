"""Protocols: who is tested after learning from whom, and that nobody is on both sides."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.folds import Fold, dealt, shuffled
from mesh4d.datasets.protocols import parse_protocol, protocol, protocol_names
from mesh4d.datasets.record import Record
from mesh4d.datasets.registry import ADAPTERS, open_dataset
from mesh4d.errors import MeshError, SpecError, SplitError
from mesh4d.specs import load_toml

CLASSES = ("happiness", "sadness", "surprise", "fear", "anger", "disgust")


def table(kind, subjects, levels=(None,), labels=CLASSES, root="."):
    records = tuple(
        Record(kind, f"{s}_{label}_{level}", s, (f"{s}/{label}_{level}.wrl",), label, expression=label, level=level)
        for s in subjects
        for label in labels
        for level in levels
    )
    return Dataset(kind, Path(root), records)


def people(count):
    return [f"S{number:03d}" for number in range(count)]


@pytest.mark.parametrize("name", protocol_names())
def test_specs_are_whole(name):
    spec = protocol(name)
    assert spec.dataset in ADAPTERS and (spec.test_dataset is None or spec.test_dataset in ADAPTERS)
    assert spec.source and spec.metric
    assert spec.unverified or name == "synthetic"
    assert len(set(spec.classes)) == len(spec.classes) > 1


def test_the_protocols_that_are_promised_exist():
    promised = {"bu3dfe-p1", "bu3dfe-p2", "bosphorus", "bu4dfe", "bp4d-au", "bu4dfe-bp4d", "4dme-loso"}
    assert promised <= set(protocol_names())
    with pytest.raises(SpecError, match="bu3dfe-p1"):
        protocol("bu3dfe")


def test_bu3dfe_takes_60_of_100_and_720_scans():
    dataset = table("bu3dfe", people(100), (1, 2, 3, 4))
    folds = protocol("bu3dfe-p1").folds(dataset, repeats=3)
    assert len(folds) == 30
    for fold in folds:
        assert (len(fold.train_subjects), len(fold.test_subjects)) == (54, 6)
        assert len(fold.train) + len(fold.test) == 720
        assert {record.level for record in fold.train} == {3, 4}
        assert "60 subjects, each in exactly one part" in fold.proof
    for number in range(3):
        tested = [subject for fold in folds[10 * number : 10 * number + 10] for subject in fold.test_subjects]
        assert len(tested) == len(set(tested)) == 60
    assert "3 of 100 rounds" in folds[0].name


def test_p1_keeps_its_subjects_and_p2_draws_them_anew():
    dataset = table("bu3dfe", people(100), (3, 4))
    drawn = {}
    for name in ("bu3dfe-p1", "bu3dfe-p2"):
        folds = protocol(name).folds(dataset, repeats=2)
        drawn[name] = [{*folds[k].train_subjects, *folds[k].test_subjects} for k in (0, 10)]
        assert folds[0].test_subjects != folds[10].test_subjects
    assert drawn["bu3dfe-p1"][0] == drawn["bu3dfe-p1"][1]
    assert drawn["bu3dfe-p2"][0] != drawn["bu3dfe-p2"][1]


def test_folds_depend_on_subject_names_alone():
    dataset = table("bu4dfe", people(20))
    shuffled_records = tuple(np.random.default_rng(0).permutation(np.array(dataset.records, object)).tolist())
    turned = dataclasses.replace(dataset, records=shuffled_records)
    a, b = (protocol("bu4dfe").folds(d) for d in (dataset, turned))
    assert [fold.test_subjects for fold in a] == [fold.test_subjects for fold in b]
    assert [fold.name for fold in a] == [f"bu4dfe/fold {k}" for k in range(10)]
    assert [sorted(r.name for r in f.test) for f in a] == [sorted(r.name for r in f.test) for f in b]


def test_the_order_of_subjects_is_fixed_for_all_time():
    assert shuffled(people(5), "0/draw") == ("S004", "S001", "S000", "S002", "S003")  # by sha256sum
    without = shuffled([s for s in people(5) if s != "S003"], "0/draw")
    assert without == tuple(s for s in shuffled(people(5), "0/draw") if s != "S003")


def test_dealing():
    parts = dealt(people(11), 3)
    assert [len(part) for part in parts] == [4, 4, 3]
    assert sorted(itertools.chain(*parts)) == people(11)
    for count in (1, 12):
        with pytest.raises(SplitError):
            dealt(people(11), count)


def test_subjects_who_lack_a_class_do_not_qualify():
    whole = table("bosphorus", people(61))
    records = tuple(r for r in whole if not (r.subject == "S007" and r.expression == "fear"))
    folds = protocol("bosphorus").folds(dataclasses.replace(whole, records=records), repeats=1)
    drawn = {*folds[0].train_subjects, *folds[0].test_subjects}
    assert len(drawn) == 60 and "bosphorus:S007" not in drawn
    assert sum(len(fold.test) for fold in folds) == 360


def test_several_takes_count_once():
    dataset = table("bosphorus", people(60), labels=CLASSES)
    extra = tuple(dataclasses.replace(r, name=r.name + "_2", frames=("x" + r.frames[0],)) for r in dataset)
    folds = protocol("bosphorus").folds(dataclasses.replace(dataset, records=extra + dataset.records), repeats=1)
    assert sum(len(fold.test) for fold in folds) == 360
    assert not any(record.name.endswith("_2") for record in folds[0].test)


def test_too_few_subjects_are_refused_unless_the_name_says_so():
    dataset = table("bu3dfe", people(7), (3, 4))
    with pytest.raises(SplitError, match="expected 60 subjects that qualify, found 7"):
        protocol("bu3dfe-p1").folds(dataset)
    folds = protocol("bu3dfe-p1").folds(dataset, repeats=1, reduced=True)
    assert len(folds) == 7
    assert all("reduced: 7 subjects, 7 folds" in fold.name for fold in folds)
    with pytest.raises(SplitError, match="kind bu3dfe"):
        protocol("bu3dfe-p1").folds(table("bosphorus", people(60)))
    with pytest.raises(SplitError, match="qualifies"):
        protocol("bu4dfe").folds(table("bu4dfe", people(20), labels=("neutral",)))


LISTS = """
title = "x"
dataset = "bu4dfe"
task = "expression"
classes = ["happiness", "fear"]
metric = "accuracy"
source = "own"
unverified = []
[folds]
scheme = "lists"
lists = [["S000", "S001"], ["S002"]%s]
"""


def test_written_folds_are_taken_as_they_are(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(LISTS % "")
    folds = protocol(str(path)).folds(table("bu4dfe", people(3)))
    assert [fold.test_subjects for fold in folds] == [("bu4dfe:S000", "bu4dfe:S001"), ("bu4dfe:S002",)]
    with pytest.raises(SplitError, match=r"in no list \['S003'\]"):
        protocol(str(path)).folds(table("bu4dfe", people(4)))
    path.write_text(LISTS % ', ["S001"]')
    with pytest.raises(SplitError, match="'S001' is in 'fold 0' and again in 'fold 2'"):
        protocol(str(path)).folds(table("bu4dfe", people(3)))
    with pytest.raises(SpecError, match=r"nowhere\.toml"):
        protocol(str(tmp_path / "nowhere.toml"))


# --- leakage


def test_a_fold_with_a_subject_on_both_sides_cannot_be_made():
    dataset = table("bu4dfe", people(4))
    with pytest.raises(SplitError, match=r"'bu4dfe:S001' is in 'train' and again in 'test'"):
        Fold("leak", dataset.records[:9], dataset.records[9:])
    with pytest.raises(SplitError, match="both parts"):
        Fold("empty", dataset.records, ())


def test_frames_of_one_clip_cannot_be_parted():
    """The known mistake: grouping by file puts frames of one person on both sides."""
    clip = Record("bu4dfe", "F001/Happy", "F001", tuple(f"F001/Happy/{n:03d}.wrl" for n in range(4)), "Happy", fps=25.0)
    frames = Dataset("bu4dfe", Path(), (clip,)).by_frame().records
    with pytest.raises(SplitError, match="F001"):
        Fold("by file", frames[:2], frames[2:])


def test_one_file_under_two_subjects_cannot_be_parted():
    a = Record("bu4dfe", "a", "F001", ("x/000.wrl",), "Happy")
    b = Record("bu4dfe", "b", "F002", ("x/000.wrl",), "Happy")
    with pytest.raises(SplitError, match=r"file x/000\.wrl"):
        Fold("same file", (a,), (b,))


def test_subjects_named_twice_are_refused():
    with pytest.raises(SplitError, match="S1"):
        shuffled(["S1", "S2", "S1"], "0")


def test_subjects_of_two_data_sets_are_two_people():
    train, test = table("bu4dfe", people(3)), table("bp4d", people(3))
    (fold,) = protocol("bu4dfe-bp4d").folds(train, test)
    assert {record.dataset for record in fold.test} == {"bp4d"}
    assert {record.expression for record in fold.train} == {"happiness", "disgust"}
    with pytest.raises(SplitError, match=r"second data set \(bp4d\)"):
        protocol("bu4dfe-bp4d").folds(train)


# --- targets


def test_unknown_units_are_masked():
    spec = protocol("bp4d-au")
    labels = [{"AU1": 1.0, "AU2": None, "AU4": 0.0}, {"AU1": None}]
    records = [Record("bp4d", str(n), "F001", (f"{n}.obj",), "T1", au_labels=units) for n, units in enumerate(labels)]
    values, known = spec.targets(records)
    assert values[0, :3].tolist() == [1.0, 0.0, 0.0]
    assert known[0, :4].tolist() == [True, False, True, False]
    assert not known[1].any()
    selected = spec.selected(Dataset("bp4d", Path(), tuple(records)))
    assert [record.name for record in selected] == ["0#0"]


def test_several_categories_hold_at_once():
    spec = protocol("4dme-loso")
    record = Record("4dme", "a", "S1", ("a.obj",), "negative+repression")
    values, known = spec.targets([record])
    assert values[0].tolist() == [0, 1, 0, 1, 0] and known.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"test_dataset": "bp4d"}, "come together"), ({"clases": []}, "unknown fields"), ({"metric": None}, "metric")],
)
def test_wrong_specs_are_named(change, message):
    spec = dict(load_toml("protocols/bu4dfe")) | change
    with pytest.raises(SpecError, match=message):
        parse_protocol("x", {key: value for key, value in spec.items() if value is not None})


# --- end to end on the mimics


@pytest.mark.parametrize(
    ("name", "count"),
    [("bu3dfe-p2", 3), ("bosphorus", 3), ("bu4dfe", 3), ("bp4d-au", 3), ("4dme-loso", 3), ("synthetic", 3)],
)
def test_protocols_run_on_mimics(name, count, mimic):
    spec = protocol(name)
    folds = spec.folds(open_dataset(spec.dataset, mimic(spec.dataset)), repeats=1, reduced=True)
    assert len(folds) == 3
    text = spec.describe(folds)
    for fold in folds:
        assert len(fold.test_subjects) == 1
        assert fold.proof in text
        values, known = spec.targets(fold.test)
        assert values[known].sum() > 0
    assert all(detail in text for detail in spec.unverified)


def test_the_cross_protocol_runs_on_mimics(mimic):
    (fold,) = protocol("bu4dfe-bp4d").folds(
        open_dataset("bu4dfe", mimic("bu4dfe")), open_dataset("bp4d", mimic("bp4d"))
    )
    assert (len(fold.train), len(fold.test)) == (6, 6)


def test_records_are_consistent():
    good = {"dataset": "bp4d", "name": "a", "subject": "F001", "frames": ("a", "b"), "source_label": "T1"}
    for wrong in ({"frames": ()}, {"textures": ("x",)}, {"au_frames": {"AU1": (1.0,)}}, {"apex": 2}):
        with pytest.raises(MeshError):
            Record(**(good | wrong))
    with pytest.raises(MeshError, match="two records"):
        Dataset("bp4d", Path(), (Record(**good), Record(**good)))
