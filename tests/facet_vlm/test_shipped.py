"""The weights in the package, on heads they never saw; and the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from aublend.curves import neutral_apex_neutral
from aublend.emotions import emotion_weights
from aublend.head_model import head_model
from facet_vlm import FacetVLM, load
from facet_vlm.cli import main
from facet_vlm.commands.predict import named_labels
from facet_vlm.config import DataConfig, ModelConfig
from facet_vlm.evaluation.synthetic import subject_proof
from facet_vlm.faces.expression_set import render_subjects
from facet_vlm.language.prompts import class_sentences
from facet_vlm.network.weights import WEIGHTS_FOLDER
from facet_vlm.predict_sequences import SequenceVLM
from mesh4d.datasets.labels import BASIC_EXPRESSIONS, EXPRESSIONS
from mesh4d.errors import MeshError, SplitError
from mesh4d.io import write_mesh
from mesh4d.specs import load_split

HELD_OUT = (450, 470)
"""Identities of the part 'test'."""


@pytest.fixture(scope="module")
def model() -> FacetVLM:
    return load("facet-mini", device="cpu")


@pytest.fixture(scope="module")
def heads() -> list:
    rigs = [head_model().rig(seed) for seed in HELD_OUT]
    return [rig.drive(emotion_weights(name, 0.95)) for rig in rigs for name in BASIC_EXPRESSIONS]


def test_held_out_heads_are_held_out(model: FacetVLM) -> None:
    parts = load_split("aublendset")
    assert set(HELD_OUT) <= set(parts["test"]) <= set(model.card.held_out_subjects)
    assert set(model.card.train_subjects) == set(parts["train"])
    assert set(model.card.validation_subjects) == set(parts["validation"])


def test_basic_expressions_of_two_unseen_people(model: FacetVLM, heads: list) -> None:
    predictions = model.predict(heads, BASIC_EXPRESSIONS)
    right = [name == truth for name, truth in zip(predictions.names, 2 * BASIC_EXPRESSIONS, strict=True)]
    assert sum(right) >= 11
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(predictions.view_weights.sum(axis=1), 1, rtol=1e-5)


def test_neutral_and_a_sequence_that_comes_back_to_it(model: FacetVLM) -> None:
    rig = head_model().rig(HELD_OUT[0])
    sequence = rig.animate(neutral_apex_neutral(emotion_weights("happiness"), fps=8.0))
    neutrals = [head_model().identity(seed) for seed in range(450, 460)]
    *at_rest, moving = model.predict([*neutrals, sequence]).names
    assert at_rest.count("neutral") >= 8 and moving == "happiness"


def test_a_new_label_is_a_sentence(model: FacetVLM) -> None:
    rig = head_model().rig(HELD_OUT[1])
    labels = {"open mouth": "the jaw drops extremely, the lips part", "rest": "the face is at rest"}
    predictions = model.predict([rig.drive({"AU26": 1.0, "AU27": 0.5}), rig.neutral], labels)
    assert predictions.names == ("open mouth", "rest")


def test_nothing_to_predict(model: FacetVLM) -> None:
    with pytest.raises(MeshError, match="at least one"):
        model.predict([])


def test_package_stays_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS_FOLDER.iterdir()) < 14e6


def test_judging_on_training_people_is_refused(model: FacetVLM) -> None:
    samples = render_subjects([0], DataConfig(test_intensities=(1.0,)), ModelConfig(image_size=32), False, 1)
    with pytest.raises(SplitError, match="used to train"):
        subject_proof(model, "train", samples, "aublendset")


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = head_model().rig(HELD_OUT[0])
    paths = []
    for name in ("happiness", "anger"):
        paths.append(str(tmp_path / f"{name}.npz"))
        write_mesh(rig.drive(emotion_weights(name)), paths[-1])
    main(["predict", *paths, "--json", "-o", str(tmp_path / "p.npz")])
    answer = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in answer["details"]] == ["happiness", "anger"]
    (tmp_path / "truth.txt").write_text("happiness\nanger\n")
    main(
        ["report", str(tmp_path / "p.npz"), str(tmp_path / "truth.txt"), "--protocol", "toy", "-o", str(tmp_path / "r")]
    )
    assert "accuracy (WAR) 1.0000" in capsys.readouterr().out
    main(["protocols"])
    assert "each in exactly one part" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(tmp_path / "none.obj")])
    assert stop.value.code == 2 and "none.obj" in capsys.readouterr().err


def test_label_options() -> None:
    assert named_labels(()) is None
    assert named_labels(("fear", "wink=one eye closes")) == {"fear": class_sentences("fear"), "wink": "one eye closes"}
    assert set(EXPRESSIONS) >= {"fear"}


def test_a_folder_is_read_with_its_bad_files_named(
    model: FacetVLM, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rig = head_model().rig(480)
    write_mesh(rig.drive(emotion_weights("happiness")), tmp_path / "a.ply")
    write_mesh(rig.drive(emotion_weights("surprise")), tmp_path / "b.obj")
    (tmp_path / "c.obj").write_text("f 1 2 3\n")
    (tmp_path / "notes.txt").write_text("not a mesh")
    main(["--json", "predict", str(tmp_path)])
    details = json.loads(capsys.readouterr().out)["details"]
    assert [one.get("label") for one in details] == ["happiness", "surprise", None]
    assert details[2]["file"].endswith("c.obj") and details[2]["error"]
    with pytest.raises(MeshError, match=r"c\.obj"):
        model.predict_files([tmp_path / "c.obj"])


def test_sequences_are_read_as_a_whole_and_small_smiles_are_found() -> None:
    model = load("facet-mini-4d", device="cpu")
    assert isinstance(model, SequenceVLM) and set(HELD_OUT) <= set(model.temporal_card.held_out_subjects)
    rig = head_model().rig(HELD_OUT[0])
    smile, fright = (neutral_apex_neutral(emotion_weights(name), fps=8.0) for name in ("happiness", "fear"))
    assert model.predict([rig.animate(smile), rig.animate(fright)]).names == ("happiness", "fear")
    glimpse = rig.animate(neutral_apex_neutral(emotion_weights("happiness", 0.2), fps=30.0))
    assert "positive" in model.read(glimpse, multi_label=True).there
    still = rig.animate(neutral_apex_neutral({}, fps=30.0))
    assert model.read(still, multi_label=True).there == ()
