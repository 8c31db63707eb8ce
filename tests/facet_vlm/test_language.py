"""Labels, prompts, captions and the vocabulary they share."""

import numpy as np
import pytest

from aublend.captions import REGIONS, face_caption, mirrored_halves, region_caption, region_rows
from aublend.curves import half_weights
from aublend.emotions import EMOTIONS
from aublend.units import ACTION_UNITS, AU_NAMES
from facet_vlm.language.prompts import class_sentences, label_sentences
from facet_vlm.language.tokenizer import PAD, START, UNKNOWN, WordTokenizer, read_vocabulary, vocabulary_of
from facet_vlm.network.encoders import PRESET_FOLDER
from mesh4d.datasets.labels import BASIC_EXPRESSIONS, EXPRESSIONS, canonical_label
from mesh4d.errors import MeshFormatError, SpecError
from mesh4d.specs import load_toml


def test_labels_are_neutral_and_the_emotions() -> None:
    assert ("neutral", *EMOTIONS) == EXPRESSIONS
    assert set(BASIC_EXPRESSIONS) == set(EMOTIONS) - {"contempt"}
    assert set(load_toml("prompts")["expression"]) == set(EXPRESSIONS)


@pytest.mark.parametrize("label", EXPRESSIONS)
def test_every_label_is_its_own_alias(label: str) -> None:
    assert canonical_label(label.upper()) == label


@pytest.mark.parametrize(
    ("name", "dataset", "label"),
    [("ha", "bu3dfe", "happiness"), ("E_FEAR", "bosphorus", "fear"), ("Angry", "bu3dfe", "anger")],
)
def test_data_set_names(name: str, dataset: str, label: str) -> None:
    assert canonical_label(name, dataset) == label


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SpecError, match="bliss"):
        canonical_label("bliss")
    with pytest.raises(SpecError, match="nowhere"):
        canonical_label("happy", "nowhere")
    with pytest.raises(SpecError, match="wink"):
        label_sentences(["wink"])
    with pytest.raises(SpecError, match="sentence"):
        label_sentences({"wink": " "})


def test_new_labels_bring_their_sentences() -> None:
    assert label_sentences({"wink": "one eye closes"}) == {"wink": ("one eye closes",)}
    assert len(class_sentences("anger")) == 2 * 3 + 3
    assert len({text for texts in label_sentences().values() for text in texts}) == 8 * 9


def test_caption_of_a_one_sided_smirk() -> None:
    halves = half_weights({"AU12L": 0.6, "AU4": 0.2, "AU9": 0.05})
    assert face_caption(halves) == (
        "the lip corners are pulled up strongly on the left side, the brows are drawn down and together slightly"
    )
    assert region_caption(halves, "nose") == "the nose is at rest"
    assert region_caption(halves, "brow") == "the brows are drawn down and together slightly"
    assert "on the right side" in face_caption(mirrored_halves(halves))


def test_rest_and_intensity_words() -> None:
    assert face_caption(np.zeros((2, 32))) == "the face is at rest"
    for weight, word in ((0.2, "slightly"), (0.5, "moderately"), (0.7, "strongly"), (1.0, "extremely")):
        assert face_caption(half_weights({"AU26": weight})) == f"the jaw drops {word}"


def test_mirroring_twice_is_nothing_and_gaze_turns() -> None:
    halves = np.random.default_rng(0).random((3, 2, 32))
    np.testing.assert_array_equal(mirrored_halves(mirrored_halves(halves)), halves)
    assert face_caption(mirrored_halves(half_weights({"AU61": 1.0}))) == "the eyes look right extremely"


def test_every_unit_has_a_phrase_and_one_region() -> None:
    assert tuple(load_toml("prompts")["caption"]["phrases"]) == AU_NAMES
    assert sorted(row for region in REGIONS for row in region_rows(region)) == list(range(len(ACTION_UNITS)))


def test_committed_vocabulary_is_that_of_our_sentences() -> None:
    caption = load_toml("prompts")["caption"]
    texts = [text for texts in label_sentences().values() for text in texts]
    texts += [*caption["phrases"].values(), caption["rest"], caption["left"], caption["right"], *REGIONS]
    texts += [caption["region_rest"].format(region=region) for region in REGIONS]
    texts += [step["word"] for step in caption["intensities"]]
    assert read_vocabulary(PRESET_FOLDER / "facet_mini_words.txt") == vocabulary_of(texts)


def test_tokens_start_end_and_pad() -> None:
    tokenizer = WordTokenizer(("brows", "rise", "the"), 6)
    ids = tokenizer(["The brows RISE!", "brow xylophone"])
    assert ids.tolist() == [[START, 5, 3, 4, 6, PAD], [START, 3, UNKNOWN, 6, PAD, PAD]]
    assert tokenizer(["the " * 50]).tolist() == [[START, 5, 5, 5, 5, 6]]


def test_hostile_vocabularies(tmp_path) -> None:
    for content in ("two words\n", "UPPER\n", "same\nsame\n", "\n"):
        (tmp_path / "words.txt").write_text(content)
        with pytest.raises(MeshFormatError):
            read_vocabulary(tmp_path / "words.txt")
