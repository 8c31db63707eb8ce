import json

import numpy as np
import pytest

from aublend.blendset import build_blendset, read_blendset, recipe_of, stored_recipe, write_blendset
from aublend.blendset_card import write_blendset_card
from aublend.postures import EXCLUSIVE, postures_of
from aublend.units import AU_INDEX, AU_NAMES


@pytest.fixture(scope="module")
def blendset(model):
    return build_blendset(model, [470, 471])


def test_postures_say_what_they_show():
    postures = postures_of(7)
    assert len(set(postures.names)) == len(postures.names) == len(postures.kinds) == len(postures.weights)
    at = dict(zip(postures.names, postures.weights, strict=True))
    for letter, weight in (("A", 0.2), ("C", 0.6), ("E", 1.0)):
        expected = np.zeros(len(AU_NAMES))
        expected[AU_INDEX["AU12"]] = weight
        np.testing.assert_allclose(at[f"AU12{letter}"], [expected, expected], atol=1e-6)
    assert at["AU45L"][0, AU_INDEX["AU45"]] > 0 and not at["AU45L"][1].any(), "the subject's left"
    assert (at["AU6+AU45"][:, [AU_INDEX["AU6"], AU_INDEX["AU45"]]] == 1).all()
    assert set(postures.kinds) == {"single", "combination", "emotion", "one-sided", "random"}


def test_random_postures_follow_the_seed_and_hold_no_opposites():
    one, again, other = postures_of(7), postures_of(7), postures_of(8)
    np.testing.assert_array_equal(one.weights, again.weights)
    drawn = np.array([kind == "random" for kind in one.kinds])
    np.testing.assert_array_equal(one.weights[~drawn], other.weights[~drawn])
    assert np.abs(one.weights[drawn] - other.weights[drawn]).max() > 0.3
    assert (one.weights >= 0).all() and (one.weights <= 1).all()
    assert ((one.weights[drawn] > 0).any(axis=1).sum(axis=1) >= 1).all()
    for pair in EXCLUSIVE:
        both = one.weights[drawn][:, :, [AU_INDEX[unit] for unit in pair]] > 0
        assert not both.all(axis=2).any()
    assert np.any(one.weights[drawn][:, 0] != one.weights[drawn][:, 1]), "some are lopsided"


def test_set_comes_back_with_its_recipe_and_postures(model, blendset, tmp_path):
    write_blendset(blendset, tmp_path / "set.npz")
    back = read_blendset(tmp_path / "set.npz")
    assert back.digest() == blendset.digest() and back.seeds == (470, 471)
    assert stored_recipe(tmp_path / "set.npz") == recipe_of(model) and stored_recipe(tmp_path / "none.npz") is None
    with np.load(tmp_path / "set.npz") as stored:
        np.testing.assert_array_equal(stored["posture_weights"][1], postures_of(471).weights)
        assert tuple(stored["posture_names"]) == postures_of(470).names


def test_digest_covers_shapes(blendset):
    from dataclasses import replace

    moved = blendset.deltas.copy()
    moved[0, 3, 100] += 1.0
    assert replace(blendset, deltas=moved).digest() != blendset.digest()


def test_card_and_picture(model, blendset, tmp_path):
    from PIL import Image

    paths = write_blendset_card(blendset, model, tmp_path / "set.npz")
    card = json.loads(paths[0].read_text())
    assert card["identities"] == 2 and card["parts"]["test"] == 2 and card["parts"]["train"] == 0
    assert card["postures_per_identity"]["single"] == 5 * len(AU_NAMES)
    assert "# AUBlendSet v2" in paths[1].read_text()
    with Image.open(paths[2]) as picture:
        assert picture.width > 6 * 160
