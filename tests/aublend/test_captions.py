"""Captions say what the weights say, in every wording."""

import itertools
import re

import numpy as np
import pytest

from aublend.captions import (
    REGIONS,
    caption_wordings,
    face_caption,
    global_caption,
    mirrored_halves,
    region_caption,
    region_rows,
    summary_caption,
)
from aublend.curves import half_weights
from aublend.emotions import EMOTIONS, emotion_weights, sample_emotion_weights
from aublend.units import ACTION_UNITS, AU_NAMES
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

SPEC = load_toml("prompts")["caption"]
WORD = re.compile(r"[a-z]+|,")
LONGEST = 46
"""Words of a sentence that a text tower of context length 48 reads whole: start and end take a place each."""


def test_global_captions_name_the_state_and_its_intensity() -> None:
    for intensity, word in ((0.2, "a slightly"), (0.4, "a moderately"), (0.7, "a strongly"), (1.0, "an extremely")):
        assert global_caption("happiness", intensity) == f"{word} happy face"
    assert global_caption("neutral", 0.0) == "a neutral face"
    assert global_caption(None, 0.9) == "a face with no clear emotion"
    with pytest.raises(SpecError, match="boredom"):
        global_caption("boredom", 0.5)


def test_summaries_give_the_main_evidence() -> None:
    sad = half_weights({"AU1": 0.8, "AU15": 0.7, "AU17": 0.3, "AU12": 0.05})
    assert summary_caption(sad, "sadness", 0.5) == (
        "a moderately sad face: the inner brows rise and the lip corners are pulled down"
    )
    smirk = half_weights({"AU14L": 0.6})
    assert summary_caption(smirk, None, 0.0) == (
        "a face with no clear emotion: the lip corners are dimpled on the left side"
    )
    assert summary_caption(np.zeros((2, 32)), "neutral", 0.0) == "a neutral face: the face is at rest"
    assert summary_caption(np.zeros((2, 32)), "fear", 0.1) == "a slightly frightened face"


def test_every_unit_has_several_wordings_on_both_sides_and_on_one() -> None:
    assert tuple(SPEC["unit"]) == AU_NAMES
    unsided = {"AU30L", "AU30R"}
    for name, unit in SPEC["unit"].items():
        assert len(unit["both"]) >= 4 and len(set(unit["both"])) == len(unit["both"]), name
        assert any(place in unit["both"][0] for place in ("{after}",)), name
        told = [text for text in unit["one"] if not re.search(r"\{which\}|crooked|half", text)]
        assert not told or name in unsided, told


def test_no_wording_stands_for_two_units_of_both_sides() -> None:
    owners: dict[str, str] = {}
    shared = {"the jaw slides to one side {after}", "the eyes look sideways {after}"}  # left and right alike
    for name, unit in SPEC["unit"].items():
        for text in set(unit["both"]) - shared:
            assert owners.setdefault(text, name) == name, text


@pytest.mark.parametrize("seed", range(3))
def test_drawn_wordings_are_clean_and_true_to_the_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name in EMOTIONS:
        intensity = float(rng.uniform(0.2, 1))
        halves = half_weights(sample_emotion_weights(name, intensity, rng))
        texts = [face_caption(halves, rng), global_caption(name, intensity, rng)]
        texts += [summary_caption(halves, name, intensity, rng), *(region_caption(halves, r, rng) for r in REGIONS)]
        for text in texts:
            assert text == text.strip() and not re.search(r"[{}]|  | [,:]|\ba [aeiou]", text), text
            assert set(WORD.findall(text)) <= known()


def test_drawn_intensity_words_are_those_of_the_weight() -> None:
    rng = np.random.default_rng(0)
    steps = [{word for kind in ("anywhere", "before", "after", "size") for word in step[kind]}
             for step in SPEC["intensities"]]  # fmt: skip
    for weight, own in ((0.2, 0), (0.5, 1), (0.7, 2), (1.0, 3)):
        said = " ".join(face_caption(half_weights({"AU1": weight}), rng) for _ in range(60))
        for row, words in enumerate(steps):
            found = any(re.search(rf"\b{word}\b", said) for word in words)
            assert found == (row == own), (weight, row, said)


def test_weak_motion_is_never_overstated() -> None:
    rng = np.random.default_rng(1)
    weak = {face_caption(half_weights({"AU27": 0.2}), rng) for _ in range(100)}
    strong = {face_caption(half_weights({"AU27": 0.9}), rng) for _ in range(100)}
    assert not any("wide open" in text for text in weak) and any("wide open" in text for text in strong)
    assert not any("full of" in global_caption("anger", 0.2, rng) for _ in range(100))


def test_sides_are_said_and_never_the_wrong_one() -> None:
    rng = np.random.default_rng(2)
    names = [u.name for u in ACTION_UNITS if u.name not in ("AU30L", "AU30R", "AU61", "AU62")]
    for name in names:
        texts = [face_caption(half_weights({f"{name}L": 0.9}), rng) for _ in range(30)]
        assert not any(re.search(r"\bright\b", text) for text in texts)
        assert any(re.search(r"\bleft\b", text) for text in texts), name
        mirrored = mirrored_halves(half_weights({f"{name}L": 0.9}))
        assert not any(re.search(r"\bleft\b", face_caption(mirrored, rng)) for _ in range(30))


def test_a_generator_draws_what_its_seed_says_and_varies() -> None:
    halves = half_weights(emotion_weights("happiness"))
    draw = lambda seed: [face_caption(halves, np.random.default_rng([seed, n])) for n in range(20)]  # noqa: E731
    assert draw(0) == draw(0)
    assert len(set(draw(0))) > 15
    assert face_caption(halves) == face_caption(halves)


def test_the_longest_sentence_fits_the_text_tower() -> None:
    adverbs = {
        key: max((word for step in SPEC["intensities"] for word in step["anywhere"] + step[key]), key=words)
        for key in ("after", "before")
    }
    adverbs["size"], adverbs["which"] = "extreme", "the left"
    side = max(SPEC["side"], key=words)
    lengths = []
    for unit in SPEC["unit"].values():
        wordings = [*unit["both"], *unit["one"], f"{unit['both'][0]} {side}"]
        lengths.append(max(words(text.format(**adverbs)) for text in wordings))
    longest = sorted(lengths, reverse=True)
    assert sum(longest[: SPEC["global_phrases"]]) + SPEC["global_phrases"] - 1 <= LONGEST
    state = max(words(text) + 5 for text in load_toml("prompts")["state"]["templates"])
    assert state + sum(longest[: SPEC["evidence_phrases"]]) + 3 <= LONGEST


def test_regions_hold_every_unit_once() -> None:
    rows = itertools.chain.from_iterable(region_rows(region) for region in REGIONS)
    assert sorted(rows) == list(range(len(ACTION_UNITS)))
    assert set(SPEC["region_rest"]) == set(REGIONS)


def words(text: str) -> int:
    return len(WORD.findall(text))


def known() -> set[str]:
    return {word for text in caption_wordings() for word in WORD.findall(text)}
