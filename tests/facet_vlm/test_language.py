"""Labels, prompts, captions and the vocabulary they share."""

import json
from pathlib import Path

import numpy as np
import pytest

from aublend.captions import face_caption, mirrored_halves, region_caption
from aublend.curves import half_weights
from aublend.emotions import EMOTIONS
from facet_vlm.cli import main
from facet_vlm.language.prompts import class_sentences, label_sentences
from facet_vlm.language.tokenizer import PAD, START, UNKNOWN, WordTokenizer, read_vocabulary
from facet_vlm.language.vocabulary import known_words
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


def test_committed_vocabulary_is_that_of_our_sentences(tmp_path: Path) -> None:
    path = PRESET_FOLDER / "facet_mini_words.txt"
    assert read_vocabulary(path) == known_words()
    main(["vocabulary", "-o", str(tmp_path / "words.txt")])
    assert (tmp_path / "words.txt").read_bytes() == path.read_bytes()
    (tmp_path / "more.txt").write_text("The left EYE twinkles.\n")
    main(["vocabulary", "-o", str(tmp_path / "words.txt"), "--sentences", str(tmp_path / "more.txt")])
    assert set(read_vocabulary(tmp_path / "words.txt")) - set(known_words()) == {"twinkles"}


def test_vocabulary_fits_the_preset_and_sentences_people_write() -> None:
    text = json.loads((PRESET_FOLDER / "facet_mini.json").read_text())["text_cfg"]
    tokenizer = WordTokenizer(known_words(), text["context_length"])
    assert 300 <= tokenizer.vocabulary_size <= text["vocab_size"]
    written = (
        "one eye closes strongly",
        "lips puckered as for a kiss",
        "mouth wide open",
        "raised eyebrows and a dropped jaw",
        "the person winks with the left eye",
        "puffed out cheeks",
        "a crooked smile on one side",
        "eyes squeezed shut, nose scrunched up",
    )
    assert not (tokenizer(written) == UNKNOWN).any()


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
