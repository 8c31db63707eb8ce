"""Labels by sentences alone: closed forms of the measures, and faces that are what they are called."""

import json

import numpy as np
import pytest
import torch

from aublend.curves import half_weights
from aublend.units import AU_INDEX
from facet_vlm.config import ModelConfig
from facet_vlm.evaluation.gestures import gesture_faces, gesture_halves, gesture_sentences, wordings
from facet_vlm.evaluation.patch_relevance import patch_relevance, place_motion, pooled
from facet_vlm.evaluation.prompt_comparison import WAYS, compare_prompts
from facet_vlm.evaluation.zero_shot import (
    Found,
    ZeroShot,
    ZeroShotReport,
    held_out_subjects,
    judged_wording,
    roc_auc,
    zero_shot,
)
from facet_vlm.language.tokenizer import split_words
from facet_vlm.language.vocabulary import known_words
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.local import FrozenFaces
from facet_vlm.network.weights import ModelCard
from facet_vlm.predict import FacetVLM
from mesh4d.errors import SpecError, SplitError
from mesh4d.specs import load_toml


def test_auc_in_closed_form() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.1])
    assert roc_auc(scores, np.array([True, True, False, False])) == 1.0
    assert roc_auc(scores, np.array([False, False, True, True])) == 0.0
    assert roc_auc(scores, np.array([True, False, True, False])) == 0.75
    assert roc_auc(np.ones(4), np.array([True, False, True, False])) == 0.5
    assert np.isnan(roc_auc(scores, np.ones(4, bool)))


def test_a_wording_is_judged_in_its_labels_place() -> None:
    cosines = np.array([[0.5, 0.1], [0.5, 0.1], [0.2, 0.9]])
    truth = np.array([0, 1, 1])
    blind = judged_wording(cosines, np.array([0.0, 0.0, 0.0]), 1, truth, 10.0, ("nothing",))
    assert (blind.accuracy, blind.recall) == (pytest.approx(1 / 3), 0.0)
    good = judged_wording(cosines, np.array([0.4, 0.6, 0.9]), 1, truth, 10.0, ("good",))
    assert (good.accuracy, good.recall, good.auc) == (1.0, 1.0, 1.0)
    assert cosines[0, 1] == 0.1


def test_mean_and_worst_wording() -> None:
    one = ZeroShot(
        "wink", (Found(("a",), 0.5, 0.2, 0.9), Found(("b",), 0.7, 0.6, 0.7)), Found(("a", "b"), 1.0, 1.0, 1.0)
    )
    assert one.mean("recall") == pytest.approx(0.4) and one.worst("auc") == 0.7
    report = ZeroShotReport("toy", ("wink", "rest"), 4, 2, 0.5, (one,))
    assert "| wink | 0.400 | 0.200 | 0.800 | 0.700 | 1.000 | 1.000 |" in report.to_markdown()
    assert json.loads(json.dumps(report.summary()))["labels"]["wink"]["worst_recall"] == 0.2


def test_gestures_are_what_their_units_say_on_either_side() -> None:
    drawn = [gesture_halves("wink", 0.8, np.random.default_rng(seed)) for seed in range(12)]
    sides = {tuple(np.round(halves[:, AU_INDEX["AU45"]], 6)) for halves in drawn}
    assert sides == {(0.8, 0.0), (0.0, 0.8)}
    jaws = {int(np.argmax(gesture_halves("jaw_sideways", 1.0, np.random.default_rng(s))[0])) for s in range(12)}
    assert jaws == {AU_INDEX["AU30L"], AU_INDEX["AU30R"]}
    assert not gesture_halves("rest", 1.0, np.random.default_rng(0)).any()
    with pytest.raises(SpecError, match="sneeze"):
        gesture_halves("sneeze", 1.0, np.random.default_rng(0))


def test_several_wordings_each_mostly_of_known_words() -> None:
    known = set(known_words())
    entries = [*load_toml("zero_shot")["gesture"].values(), *load_toml("zero_shot")["expression"].values()]
    for entry in entries:
        assert len(set(entry["sentences"])) == len(entry["sentences"]) >= 4
        for text in entry["sentences"]:
            words = split_words(text)
            assert sum(word in known for word in words) >= 0.5 * len(words), text
    assert wordings({"a": ("x", "y")}) == {"a#1": ("x",), "a#2": ("y",)}


def test_asking_one_wording_among_the_others(network: FacetNetwork) -> None:
    model = FacetVLM(network, card(train=[0]), "cpu")
    faces = gesture_faces([450], (1.0,), ModelConfig(image_size=32))
    assert len(faces) == len(faces.names) == len(gesture_sentences())
    sentences = {name: texts[:2] for name, texts in gesture_sentences().items()}
    accuracy, found = zero_shot(model, faces.images, faces.labels, sentences, ["wink", "kiss"])
    assert [one.label for one in found] == ["wink", "kiss"] and all(len(one.wordings) == 2 for one in found)
    assert {one.together.accuracy for one in found} == {accuracy}
    only = {**sentences, "wink": sentences["wink"][1:]}
    alone, _ = zero_shot(model, faces.images, faces.labels, only, [])
    assert found[0].wordings[1].accuracy == alone


def test_trained_identities_are_refused(network: FacetNetwork) -> None:
    model = FacetVLM(network, card(train=[450]), "cpu")
    with pytest.raises(SplitError, match="used to train"):
        held_out_subjects(model, "test", 3, "aublendset")
    with pytest.raises(SplitError, match="parts"):
        held_out_subjects(model, "nowhere", 3, "aublendset")


def test_motion_is_where_the_units_are() -> None:
    grid = (3, 3)
    jaw = place_motion(450, half_weights({"AU27": 1.0}), ModelConfig(image_size=48), grid).reshape(-1, *grid)
    brow = place_motion(450, half_weights({"AU1": 1.0, "AU2": 1.0}), ModelConfig(image_size=48), grid).reshape(
        -1, *grid
    )
    assert jaw[:, 2].sum() > 3 * jaw[:, 0].sum() and jaw.max() > 1
    assert brow[:, 0].sum() > 3 * brow[:, 2].sum()
    assert place_motion(450, np.zeros((2, 32)), ModelConfig(image_size=48), grid).max() < 1e-3


def test_pooling_is_the_mean_of_cells() -> None:
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    np.testing.assert_allclose(pooled(maps, (2, 2)), [[2.5, 4.5, 10.5, 12.5]])


def test_patches_that_follow_the_motion_win_the_pointing_game() -> None:
    rng = np.random.default_rng(7)
    motion = rng.random((40, 2, 9)).astype(np.float32) ** 3
    cosines = torch.from_numpy(np.stack([motion, rng.random(motion.shape, np.float32)], axis=-1)) / 2
    # Patches whose cosine with text 0 is the motion and with text 1 is anything.
    rest = (1 - cosines.square().sum(dim=-1, keepdim=True)).sqrt()
    patches = torch.cat([cosines, rest], dim=-1)
    present = torch.ones(40, 2, dtype=torch.bool)
    faces = FrozenFaces(torch.zeros(40, 2, 3), torch.zeros(40, 2, 10, 3), patches, present, (3, 3))
    table = patch_relevance(faces, motion, np.zeros(40, np.int64), torch.eye(3)[:2], None, 2)
    assert table.right_text.pointing == 1.0 and table.right_text.overlap == 1.0
    assert table.chance.pointing < 0.6 and table.chance.overlap < 0.4
    assert table.other_texts.n_faces == 40
    still = patch_relevance(
        faces, np.concatenate([motion[:1], 0 * motion[1:]]), np.zeros(40, np.int64), torch.eye(3)[:2], None, 2
    )
    assert still.right_text.n_faces == 1


@pytest.mark.slow  # renders and encodes the shots of all ways: two minutes
def test_ways_of_prompting_are_compared_on_people_nobody_saw(network: FacetNetwork) -> None:
    model = FacetVLM(network, card(train=[0]), "cpu")
    done = compare_prompts(model, shots=1, seeds=1, test_subjects=1, steps=2)
    assert [way.name for way in done.ways] == list(WAYS)
    assert done.ways[0].learnable == 0 and all(0 <= way.accuracies[0] <= 1 for way in done.ways)
    assert set(done.relevance) == {name for name, way in WAYS.items() if way.top_k}
    assert "pointing game" in done.to_markdown()
    with pytest.raises(SplitError, match="identities"):
        compare_prompts(model, shots=1000)


def card(train: list[int]) -> ModelCard:
    return ModelCard("tiny", ModelConfig(image_size=32), "none", 0, "none", {}, train, [], [])
