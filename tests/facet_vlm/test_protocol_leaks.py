"""Attempts to cheat: each must end in a SplitError, or change nothing."""

import dataclasses

import numpy as np
import pytest

from facet_vlm.config import ModelConfig
from facet_vlm.evaluation.frames import plan_frames, single_frames, thinned
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.leaks import prove_no_look_alikes, prove_no_shared_content
from facet_vlm.evaluation.run_predictions import RunPredictions, joined
from facet_vlm.network.facet import build_network
from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.folds import Fold
from mesh4d.datasets.record import Record
from mesh4d.errors import MeshError, SplitError


def scan(name: str, subject: str, path: str | None = None, dataset: str = "bu3dfe") -> Record:
    return Record(dataset, name, subject, (path or f"{name}.wrl",), "x", expression="happiness")


def clip(subject: str) -> Record:
    return Record(
        "bp4d", f"{subject}/T1", subject, tuple(f"{subject}/{n}.obj" for n in range(6)), "T1", expression="happiness",
        au_frames={"AU12": (0.0, 1.0, 1.0, None, 0.0, 1.0)}, fps=25.0,
    )  # fmt: skip


def dataset(*records: Record, tmp_path) -> Dataset:
    return Dataset(records[0].dataset, tmp_path, records)


def test_one_person_in_both_parts() -> None:
    with pytest.raises(SplitError, match="F0001"):
        Fold("p/fold 0", (scan("a", "F0001"),), (scan("b", "F0001"),))


def test_frames_of_one_clip_in_both_parts() -> None:
    frames = [clip("F001").frame_record(number) for number in range(6)]
    with pytest.raises(SplitError, match="F001"):
        Fold("p/fold 0", tuple(frames[:3]), tuple(frames[3:]))
    renamed = [dataclasses.replace(frame, subject="F002") for frame in frames]
    with pytest.raises(SplitError, match=r"F001/2\.obj"):
        Fold("p/fold 0", tuple(frames[:3]), tuple(renamed[2:]))


def test_a_table_that_repeats_a_file() -> None:
    with pytest.raises(SplitError, match=r"same\.wrl"):
        Fold("p/fold 0", (scan("a", "F0001", "same.wrl"),), (scan("b", "F0002", "same.wrl"),))


@pytest.mark.parametrize("kind", [0, 1])
def test_one_scan_under_two_names(kind: int, tmp_path) -> None:
    """The same bytes, or other bytes that look the same."""
    records = [scan(name, name) for name in "abcd"]
    folds = [Fold("p/fold 0", tuple(records[:2]), tuple(records[2:]))]
    plan = plan_frames(records, [dataset(*records, tmp_path=tmp_path)], 3)
    hashes = [("1", "5"), ("2", "6"), ("3", "7"), ("4", "8")]
    assert "4 meshes" in prove_no_shared_content(folds, plan.rows, hashes)
    copied = [list(some) for some in hashes]
    copied[3][kind] = copied[0][kind]
    with pytest.raises(SplitError, match=r"bu3dfe:d is tested, and bu3dfe:a"):
        prove_no_shared_content(folds, plan.rows, [tuple(some) for some in copied])
    copied = [list(some) for some in hashes]
    copied[1][kind] = copied[0][kind]
    assert "one side only" in prove_no_shared_content(folds, plan.rows, [tuple(some) for some in copied])
    failed = [("", ""), *hashes[1:3], ("", "")]
    assert "none in both" in prove_no_shared_content(folds, plan.rows, failed)


def test_one_face_under_two_names() -> None:
    """Hashes know exact copies only; pictures know the others, and people who look like one person."""
    rng = np.random.default_rng(0)
    faces = rng.uniform(0, 255, (4, 60))  # of strangers, far apart
    records = [scan(f"{name}{take}", name) for name in "abcd" for take in range(2)]
    folds = [Fold("p/fold 0", tuple(records[:4]), tuple(records[4:]))]
    keys = [f"bu3dfe:{record.name}" for record in records]
    person_of = {key: record.person for key, record in zip(keys, records, strict=True)}
    rows = dict(zip(keys, range(8), strict=True))
    small = np.repeat(faces, 2, axis=0) + rng.choice([-1.5, 1.5], (8, 60))
    proof, alike = prove_no_look_alikes(folds, person_of, rows, small)
    assert proof.startswith("8 frontal pictures") and not alike
    copied = small.copy()
    copied[7] = copied[0] + rng.uniform(-1.5, 1.5, 60)
    with pytest.raises(SplitError, match=r"bu3dfe:d1 is tested, and bu3dfe:a0 of another name"):
        prove_no_look_alikes(folds, person_of, rows, copied)
    copied[7] = copied[0] + rng.choice([-1.4, 1.4], 60)
    assert "bu3dfe:a and bu3dfe:d look as alike" in prove_no_look_alikes(folds, person_of, rows, copied)[1][0]
    copied[3] = copied[0]
    copied[7] = np.nan
    assert "7 frontal" in prove_no_look_alikes(folds, person_of, rows, copied)[0]


def test_weights_that_learnt_the_judged(tmp_path) -> None:
    config = ModelConfig(image_size=32)
    model = JudgedModel("m", config, build_network(config), "0", True, frozenset({7, 451}))
    known = dataset(scan("a", "P00451", dataset="synthetic"), tmp_path=tmp_path)
    with pytest.raises(SplitError, match="P00451"):
        model.refuse_learnt_subjects(known)
    bare = dataset(scan("a", "7", dataset="synthetic"), tmp_path=tmp_path)
    with pytest.raises(SplitError, match="7"):
        model.refuse_learnt_subjects(bare)
    others = dataset(
        scan("a", "P10007", dataset="synthetic"), scan("b", "F0007x", dataset="synthetic"), tmp_path=tmp_path
    )
    assert "none of the 2" in model.refuse_learnt_subjects(others)
    real = dataset(scan("a", "7"), tmp_path=tmp_path)
    assert "bu3dfe" in model.refuse_learnt_subjects(real)


def test_saved_predictions_prove_it_again() -> None:
    header = {
        "classes": ["a", "b"], "exclusive": True, "learners": [{"name": "x", "title": "x"}], "people": ["p", "q"],
        "folds": [{"name": "fold 0", "train_people": [0]}],
    }  # fmt: skip
    one = np.zeros(1, np.int64)
    parts = [one, one, one, ("r",)]
    rest = (np.zeros(1, bool), np.eye(2)[:1], np.eye(2)[:1], np.full((1, 2), np.nan))
    good = RunPredictions(header, *parts, one + 1, *rest)
    assert joined(header, [good, good]).record == ("r", "r")
    with pytest.raises(SplitError, match="p is in 'train'"):
        RunPredictions(header, *parts, one, *rest)


def test_thinned_folds_say_so() -> None:
    train = tuple(clip("F001").frame_record(n) for n in range(6))
    test = tuple(clip("F002").frame_record(n) for n in range(6))
    (fold,) = thinned([Fold("p/fold 0", train, test)], 3)
    assert [record.name for record in fold.test] == ["F002/T1#0", "F002/T1#3"]
    assert fold.name == "p/fold 0 (frames 0, 3, 6, ...)"


def test_frames_of_a_plan(tmp_path) -> None:
    sequence = dataclasses.replace(clip("F001"), apex=3)
    single = sequence.frame_record(5)
    plan = plan_frames([sequence, single, sequence], [dataset(sequence, tmp_path=tmp_path)], 2)
    assert plan.clips[0].paths == ("F001/0.obj", "F001/3.obj", "F001/5.obj") and len(plan) == 3
    assert plan.rows["bp4d:F001/T1"] == (0, 1, 2) and plan.rows["bp4d:F001/T1#5"] == (2,)
    assert plan.seconds == (0.0, 3 / 25, 5 / 25)


def test_one_frame_of_each_sequence(tmp_path) -> None:
    sequence, other = clip("F001"), clip("F002")
    scans = [dataclasses.replace(scan(f"s{n}", "F003"), dataset="bp4d") for n in range(2)]
    plan = plan_frames([sequence, other, *scans], [dataset(sequence, tmp_path=tmp_path)], 3)
    chosen = {key: rows[-1] for key, rows in plan.rows.items()}
    alone = single_frames(plan, chosen)
    paths = [path for some in alone.clips for path in some.paths]
    assert paths == ["F001/5.obj", "F002/5.obj", "s0.wrl", "s1.wrl"] and len(alone) == len(alone.seconds) == 4
    assert {key: paths[rows[0]] for key, rows in alone.rows.items()}["bp4d:F002/T1"] == "F002/5.obj"
    assert alone.seconds == (5 / 25, 5 / 25, 0.0, 0.0)


def test_plans_that_ask_for_nothing(tmp_path) -> None:
    from facet_vlm.evaluation.protocol_plan import ProtocolPlan

    for field in ("seeds", "frames", "every", "workers", "rounds", "max_folds"):
        with pytest.raises(MeshError, match=field):
            ProtocolPlan("bu3dfe-p1", tmp_path, tmp_path, **{field: 0})
