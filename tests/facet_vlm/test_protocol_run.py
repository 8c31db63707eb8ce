"""A protocol end to end on four people: predictions, reports, failures, resuming, and labels that nobody may see."""

import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aublend.emotions import emotion_weights
from aublend.head_model import head_model
from facet_vlm.cli import main
from facet_vlm.evaluation import fold_work
from facet_vlm.evaluation.protocol_plan import ProtocolPlan
from facet_vlm.evaluation.protocol_run import PREDICTIONS, evaluate_protocol, run_protocol
from facet_vlm.evaluation.run_predictions import FORMAT, KEY, RunPredictions, read_run, write_run
from mesh4d.errors import MeshFormatError, SpecError, SplitError
from mesh4d.io import write_mesh

PEOPLE = (10_001, 10_002, 10_003, 10_004)
CLASSES = ("happiness", "surprise", "anger")
PROTOCOL = """
title = "Three <expressions> & four people"
dataset = "synthetic"
task = "expression"
classes = ["happiness", "surprise", "anger"]
metric = "accuracy"
source = "a test"
unverified = ["<b>everything</b> | nothing"]

[folds]
scheme = "kfold"
count = 2
"""


def write_people(root: Path) -> None:
    """Heads and labels.csv, with a sequence of two frames for one person."""
    rows = ["name,subject,expression,intensity,fps,path"]
    for person in PEOPLE:
        rig = head_model().rig(person)
        folder = root / f"P{person}"
        folder.mkdir(parents=True)
        for label in CLASSES:
            write_mesh(rig.drive(emotion_weights(label, 0.9)), folder / f"{label}.npz")
            rows.append(f"P{person}_{label},P{person},{label},0.9,,P{person}/{label}.npz")
        if person == PEOPLE[0]:
            (folder / "clip").mkdir()
            write_mesh(rig.neutral, folder / "clip" / "000.npz")
            write_mesh(rig.drive(emotion_weights("surprise", 0.8)), folder / "clip" / "001.npz")
            rows.append(f"P{person}_clip,P{person},surprise,0.8,25,P{person}/clip")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")


def write_protocol(folder: Path) -> Path:
    """The definition of the small protocol."""
    path = folder / "small.toml"
    path.write_text(PROTOCOL)
    return path


@dataclasses.dataclass(frozen=True)
class Small:
    root: Path
    plan: ProtocolPlan
    run: RunPredictions


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The run, with one scan that is a torso's worth of nothing."""
    folder = tmp_path_factory.mktemp("protocol")
    write_people(folder / "data")
    (folder / "data" / f"P{PEOPLE[1]}" / "anger.npz").write_bytes(b"no mesh at all")
    plan = ProtocolPlan(
        str(write_protocol(folder)),
        folder / "data",
        folder / "out",
        peers="none",
        device="cpu",
        frames=2,
        temporal="none",
    )
    evaluate_protocol(plan)
    return Small(folder / "data", plan, read_run(plan.output / PREDICTIONS))


def accuracy(run: RunPredictions, learner: int) -> float:
    part = run.of_learner(learner)
    told = np.nan_to_num(part.probabilities, nan=-1).argmax(axis=1)
    return float(((part.truth.argmax(axis=1) == told) & ~part.failed).mean())


def test_every_record_is_judged_once_by_each(small: Small) -> None:
    names = [learner["name"] for learner in small.run.header["learners"]]
    assert names == ["zero-shot", "tuned", "temporal", "frames-mean", "frames-max", *(f"view{n}" for n in range(7))]
    for place in range(len(names)):
        part = small.run.of_learner(place)
        assert len(part.record) == len(set(part.record)) == 3 * len(PEOPLE) + 1
    assert accuracy(small.run, 0) >= 0.7


def test_what_cannot_be_read_is_named_and_wrong(small: Small) -> None:
    (failure,) = small.run.header["failures"]
    assert failure["record"] == f"synthetic:P{PEOPLE[1]}_anger" and failure["lost"] == "no frame"
    assert "anger.npz" in failure["reason"] and str(small.root) not in failure["reason"]
    rows = [n for n, name in enumerate(small.run.record) if name == f"P{PEOPLE[1]}_anger"]
    assert small.run.failed[rows].all() and small.run.failed.sum() == len(rows) == len(small.run.header["learners"])
    assert np.isnan(small.run.probabilities[rows]).all()
    summary = json.loads((small.plan.output / "report.json").read_text())
    zero_shot = summary["learners"][0]
    assert zero_shot["failed"] == 1 and zero_shot["confusion"][2][-1] == 1
    assert zero_shot["accuracy"][0] == pytest.approx(accuracy(small.run, 0), abs=1e-6)


def test_saved_and_read_again(small: Small, tmp_path: Path) -> None:
    again = read_run(small.plan.output / PREDICTIONS)
    assert again.record == small.run.record
    np.testing.assert_array_equal(again.probabilities, small.run.probabilities)
    main(["report", str(small.plan.output / PREDICTIONS), "-o", str(tmp_path)])
    for name in ("report.md", "report.html", "folds.csv"):
        assert (tmp_path / name).read_bytes() == (small.plan.output / name).read_bytes(), name
    frame = pq.read_table(small.plan.output / PREDICTIONS).to_pylist()
    assert frame[0].keys() >= {"record", "person", "learner", "truth", "probabilities", "failed"}


def test_page_needs_nothing_and_escapes(small: Small) -> None:
    page = (small.plan.output / "report.html").read_text()
    assert "Three &lt;expressions&gt; &amp; four people" in page and "<b>everything" not in page
    assert "<script" not in page and not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") >= 6
    text = (small.plan.output / "report.md").read_text()
    assert "&lt;b&gt;everything&lt;/b&gt; \\| nothing" in text and "Subject-disjoint: 2 folds" in text
    for name in re.findall(r"\]\((plots/[^)]+)\)", text):
        assert (small.plan.output / name).is_file()
    with (small.plan.output / "folds.csv").open() as file:
        assert [row["proof"].count("each in exactly one part") for row in csv.DictReader(file)] == [1, 1]


def test_a_killed_run_goes_on(small: Small) -> None:
    """A lost fold is judged again, to the same numbers; nothing else is done twice."""
    (folder,) = small.plan.output.glob("folds-*")
    kept, lost = folder / "seed0-fold00000.npz", folder / "seed0-fold00001.npz"
    before = kept.stat().st_mtime_ns
    shards = {path: path.stat().st_mtime_ns for path in small.plan.cache_folder.rglob("*.np[yz]")}
    lost.unlink()
    again = run_protocol(small.plan)
    np.testing.assert_allclose(again.probabilities, small.run.probabilities, atol=1e-6)
    assert kept.stat().st_mtime_ns == before and lost.is_file()
    assert {path: path.stat().st_mtime_ns for path in shards} == shards


def test_test_labels_change_no_prediction(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looked at test labels (to stop, to scale, to choose) would be found out here."""
    where = fold_work.Bench(fold_work.run_sight(small.plan, "labels"))
    fold = where.prepared.folds[0]
    place = [where.place[fold_work.record_key(record)] for record in fold.test]
    train = where.examples([where.place[fold_work.record_key(record)] for record in fold.train])
    asked = where.items.take(np.array(place))
    honest = [one.fit(train, np.random.default_rng(1)).score(asked) for one in where.learners]
    where.targets[place] = np.roll(where.targets[place], 1, axis=1)
    lied = where.examples([where.place[fold_work.record_key(record)] for record in fold.train])
    for learner, before in zip(where.learners, honest, strict=True):
        np.testing.assert_array_equal(learner.fit(lied, np.random.default_rng(1)).score(asked), before)


def test_a_copied_scan_ends_the_run(small: Small, tmp_path: Path) -> None:
    """One person's scan under another person's name."""
    root = tmp_path / "data"
    root.mkdir()
    rows = (small.root / "labels.csv").read_text().splitlines()
    kept = [rows[0]]
    for person in PEOPLE:
        (root / f"P{person}").mkdir()
        source = small.root / f"P{PEOPLE[2]}" / "surprise.npz"
        (root / f"P{person}" / "surprise.npz").write_bytes(source.read_bytes())
        kept.append(f"P{person}_surprise,P{person},surprise,0.9,,P{person}/surprise.npz")
    (root / "labels.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(SplitError, match="a copy of it under another name"):
        run_protocol(dataclasses.replace(small.plan, root=root, output=tmp_path / "out"))


def test_people_of_the_training_split_are_refused_first(small: Small, tmp_path: Path) -> None:
    text = (small.root / "labels.csv").read_text().replace(f"P{PEOPLE[3]},", "P00017,")
    root = tmp_path / "data"
    shutil.copytree(small.root, root)
    (root / "labels.csv").write_text(text)
    with pytest.raises(SplitError, match="P00017"):
        run_protocol(dataclasses.replace(small.plan, root=root, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_hostile_predictions(small: Small, tmp_path: Path) -> None:
    whole = (small.plan.output / PREDICTIONS).read_bytes()
    path = tmp_path / "p.parquet"
    for content in (b"", b"PAR1 nonsense PAR1", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(MeshFormatError):
            read_run(path)
    pq.write_table(pq.read_table(small.plan.output / PREDICTIONS).replace_schema_metadata({}), path)
    with pytest.raises(MeshFormatError, match="predictions of a protocol run"):
        read_run(path)
    for change in ({"folds": small.run.header["folds"][:1]}, {"people": []}, {"learners": []}, {"classes": ["one"]}):
        header = json.dumps(dict(small.run.header) | {"format": FORMAT} | change)
        pq.write_table(pq.read_table(small.plan.output / PREDICTIONS).replace_schema_metadata({KEY: header}), path)
        with pytest.raises(MeshFormatError):
            read_run(path)


def test_edited_predictions(small: Small, tmp_path: Path) -> None:
    """Better numbers, hidden failures, dropped rows: refused."""
    table = pq.read_table(small.plan.output / PREDICTIONS)
    path = tmp_path / "p.parquet"
    turned = table.set_column(table.column_names.index("failed"), "failed", pa.array([False] * len(table)))
    for edited in (turned, table.slice(1), table.take(pa.array(range(len(table) - 1, -1, -1)))):
        pq.write_table(edited.replace_schema_metadata(table.schema.metadata), path)
        with pytest.raises(MeshFormatError, match="edited after the run"):
            read_run(path)
    some = np.arange(len(table)) != 3
    fields = ("learner", "seed", "fold", "person", "failed", "truth", "probabilities", "thresholds")
    kept = {name: getattr(small.run, name)[some] for name in fields}
    names = tuple(name for name, keep in zip(small.run.record, some, strict=True) if keep)
    write_run(dataclasses.replace(small.run, record=names, **kept), path)  # hashed anew
    with pytest.raises(MeshFormatError, match="expected 7 predictions, found 6"):
        read_run(path)


def test_caches_of_other_data_or_weights(small: Small, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(small.plan.output, output)
    plan = dataclasses.replace(small.plan, output=output)
    (features,) = (output / "cache").glob("features-*")
    about = (features / "done.json").read_text()
    (features / "done.json").write_text(about.replace('"weights": "', '"weights": "f00'))
    with pytest.raises(MeshFormatError, match="found f00"):
        run_protocol(plan)
    (features / "done.json").write_text(about)
    views = np.load(features / "views.npy")
    np.save(features / "views.npy", views[::-1])
    with pytest.raises(MeshFormatError, match="features: expected those of"):
        run_protocol(plan)
    np.save(features / "views.npy", views)
    two = max((output / "cache").glob("views-*/*.npz"), key=lambda path: path.stat().st_size)
    kept = two.read_bytes()
    with np.load(two) as shard:
        arrays = dict(shard)
    arrays["digests"] = np.roll(arrays["digests"], 1)
    np.savez(two, **arrays)
    with pytest.raises(MeshFormatError, match="to be taken from a file with SHA-256"):
        run_protocol(plan)
    two.write_bytes(kept)
    (part, *_) = sorted(output.glob("folds-*/*.npz"))
    with np.load(part) as saved:
        arrays = dict(saved)
    np.savez(part, **(arrays | {"probabilities": arrays["probabilities"][:, ::-1]}))
    with pytest.raises(MeshFormatError, match="delete it"):
        run_protocol(plan)


def test_4d_weights_of_other_3d_weights(small: Small, tmp_path: Path) -> None:
    assert "No 4D weights" in small.run.header["temporal"] and "rules over frames" in small.run.header["temporal"]
    (tmp_path / "motion.json").write_text('{"base_sha256": "f00"}')
    (tmp_path / "motion.safetensors").write_bytes(b"")
    with pytest.raises(SpecError, match="sits on the 3D weights f00"):
        run_protocol(dataclasses.replace(small.plan, temporal=str(tmp_path / "motion.safetensors")))
    with pytest.raises(SpecError, match="expected 4D weights"):
        run_protocol(dataclasses.replace(small.plan, temporal=str(tmp_path / "none.safetensors")))


def test_commands(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    main(["protocols"])
    text = capsys.readouterr().out
    assert "4dme-loso" in text and "bu4dfe -> bp4d" in text and "each in exactly one part" in text
    for arguments, complaint in (
        (["eval", "--protocol", "nonsense", "--root", str(small.root)], "expected a protocol among"),
        (["eval", "--protocol", "bu3dfe-p1"], "needs --root"),
        (["eval", "--root", str(small.root)], "expected --protocol"),
        (["eval", "--protocol", "bu3dfe-p1", "--root", str(small.root)], "F0001"),
        (["report", str(small.plan.output / PREDICTIONS), "truth.txt"], "its own truth"),
        (["report", "p.npz"], "file of true labels"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2 and complaint in capsys.readouterr().err


def test_an_open_clip_model_needs_weights(small: Small) -> None:
    with pytest.raises(SpecError, match="no weights"):
        run_protocol(dataclasses.replace(small.plan, model="ViT-B-32"))
    with pytest.raises(SpecError, match="open_clip lists"):
        run_protocol(dataclasses.replace(small.plan, model="ViT-none", weights="x.pt"))


def test_labels_of_the_small_protocol_are_in_its_order(small: Small) -> None:
    assert small.run.classes == CLASSES
