"""Training, weights and prediction of the temporal module, on tokens without a face and on one small face."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from facet_vlm.config_4d import Config4D, SequenceDataConfig, TemporalConfig, TemporalTrainConfig, preset_4d
from facet_vlm.evaluation.sequences import best_threshold, frame_rule_scores, sequence_metrics, temporal_scores
from facet_vlm.faces.frame_tokens import FrameReader, FrameTokens
from facet_vlm.faces.sequence_set import FIELDS, SequenceSet, read_sequence_set, set_of_shots
from facet_vlm.faces.sequences import KINDS, categories, person_shots
from facet_vlm.language.prompts import label_sentences
from facet_vlm.language.tokenizer import UNKNOWN
from facet_vlm.network.temporal_weights import (
    TemporalCard,
    build_temporal,
    read_temporal_weights,
    temporal_path,
    write_temporal_weights,
)
from facet_vlm.network.weights import read_weights
from facet_vlm.predict import load
from facet_vlm.predict_sequences import SequenceVLM
from facet_vlm.training.temporal import TemporalTexts, train_temporal
from facet_vlm.training.temporal_learner import TemporalLearner, face_stream, padded
from facet_vlm.training.temporal_run import temporal_texts
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError, MeshFormatError, SpecError, SplitError
from mesh4d.sequence import MeshSequence

QUICK = Config4D(name="quick", train=TemporalTrainConfig(epochs=4, batch_size=16, patience=9, learning_rate=3e-3))
DIM, K = 128, len(EXPRESSIONS)


def toy_set(people: range, per_person: int = 16, seed: int = 0) -> SequenceSet:
    """Tokens that move along one of K directions, the label, for a while."""
    ways = np.random.default_rng(99).normal(size=(K, DIM))
    rng = np.random.default_rng([seed, people.start])
    count, frames = len(people) * per_person, 6
    labels = rng.integers(0, K, count)
    shown = np.sin(np.pi * np.linspace(0, 1, frames))[None, :, None, None]
    tokens = rng.normal(size=(count, 1, 2, DIM)) + 2 * shown * ways[labels][:, None, None]
    present = np.ones((count, frames), bool)
    present[::3, -1] = False
    table = np.zeros((count, len(categories())), np.float32)
    table[:, 0], table[:, 2] = labels == 1, labels == 3
    return SequenceSet(
        tokens=(tokens + 0.3 * rng.normal(size=tokens.shape)).astype(np.float16),
        times_s=np.broadcast_to(0.1 * np.arange(frames, dtype=np.float32), present.shape).copy(),
        present=present,
        targets=np.eye(K, dtype=np.float32)[labels],
        categories=table,
        halves=rng.random((count, 2, 32)).astype(np.float32),
        kinds=np.arange(count) % 2,
        intensities=np.ones(count, np.float32),
        subjects=np.repeat(np.array(people), per_person),
        cosines=rng.normal(size=(count, frames, K + len(categories()))).astype(np.float16),
    )


@pytest.fixture(scope="module")
def training() -> SequenceSet:
    return toy_set(range(12))


@pytest.fixture(scope="module")
def validation() -> SequenceSet:
    return toy_set(range(400, 404))


@pytest.fixture(scope="module")
def texts(training) -> TemporalTexts:
    chance = torch.Generator().manual_seed(5)
    sizes = (K, len(categories()), len(training))
    return TemporalTexts(*(normalize(torch.randn(size, DIM, generator=chance), dim=-1) for size in sizes))


@pytest.fixture(scope="module")
def trained(training, validation, texts, tmp_path_factory):
    network = build_temporal(QUICK.model, 0)
    train_temporal(network, training, validation, texts, QUICK, tmp_path_factory.mktemp("whole"))
    return network


def test_it_learns_and_beats_chance(trained, validation, texts):
    scores = temporal_scores(trained, validation, texts, tuned_on=validation)
    metrics = sequence_metrics(scores, validation)
    assert metrics.macro_uar > 0.7
    untuned = dataclasses.replace(scores, thresholds=np.zeros_like(scores.thresholds))
    assert all(
        tuned >= metrics_at_half
        for tuned, metrics_at_half in zip(
            metrics.f1_by_category.values(), sequence_metrics(untuned, validation).f1_by_category.values(), strict=True
        )
    )


def test_a_run_that_was_cut_off_goes_on_to_the_same_numbers(trained, training, validation, texts, tmp_path):
    first = dataclasses.replace(QUICK, train=dataclasses.replace(QUICK.train, epochs=4))
    network = build_temporal(QUICK.model, 0)

    class Cut(Exception):
        pass

    def stop(*_):
        raise Cut

    from facet_vlm.training import temporal

    calls = []
    whole = temporal.validation_score
    temporal.validation_score = lambda *a: stop() if len(calls) == 2 else (calls.append(1), whole(*a))[1]
    try:
        with pytest.raises(Cut):
            train_temporal(network, training, validation, texts, first, tmp_path)
    finally:
        temporal.validation_score = whole
    again = build_temporal(QUICK.model, 0)
    progress = train_temporal(again, training, validation, texts, first, tmp_path)
    assert progress.epoch == 4
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_a_person_in_two_parts_is_refused(training, texts, tmp_path):
    with pytest.raises(SplitError):
        train_temporal(build_temporal(QUICK.model), training, training, texts, QUICK, tmp_path)


def card_of(network, **changes) -> TemporalCard:
    base = read_weights("facet-mini")[1].weights_sha256
    made = TemporalCard("quick", network_config(), base, "none", 0, "unknown", {}, [0], [400], [450])
    return dataclasses.replace(made, **changes)


def network_config() -> TemporalConfig:
    return QUICK.model


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    stem = tmp_path_factory.mktemp("weights") / "quick"
    write_temporal_weights(trained, card_of(trained), stem)
    return stem.with_suffix(".safetensors")


def test_weights_come_back_as_they_were(trained, written):
    assert temporal_path(written) == written and temporal_path("facet-mini") is None
    found = read_temporal_weights(written)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[name], value, rtol=0, atol=0)


def test_weights_refuse_another_3d_network(trained, tmp_path):
    write_temporal_weights(trained, card_of(trained, base_sha256="0" * 64), tmp_path / "other")
    with pytest.raises(MeshFormatError, match="3D weights"):
        read_temporal_weights(tmp_path / "other.safetensors")


def test_spoilt_weights_and_cards_are_refused(trained, tmp_path):
    stem = tmp_path / "spoilt"
    write_temporal_weights(trained, card_of(trained), stem)
    content = bytearray(stem.with_suffix(".safetensors").read_bytes())
    content[-1] ^= 1
    stem.with_suffix(".safetensors").write_bytes(bytes(content))
    with pytest.raises(MeshFormatError, match="SHA-256"):
        read_temporal_weights(stem.with_suffix(".safetensors"))
    card = json.loads(stem.with_suffix(".json").read_text())
    del card["seed"]
    stem.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(MeshFormatError, match="card"):
        read_temporal_weights(stem.with_suffix(".safetensors"))


def test_unknown_presets_are_refused():
    with pytest.raises(SpecError):
        preset_4d("no-such")


@pytest.fixture(scope="module")
def shots():
    """Neutral and a smile, of one person, in five frames."""
    takes = person_shots(7, SequenceDataConfig(partial_share=0.0, noise_mm=0.0), 5, training=False)
    return [next(takes), next(takes)]


def test_takes_are_the_same_for_the_same_seed_and_labelled_exactly(shots):
    again = next(person_shots(7, SequenceDataConfig(partial_share=0.0, noise_mm=0.0), 5, training=False))
    np.testing.assert_array_equal(again.frames[2].vertices, shots[0].frames[2].vertices)
    smile = shots[1]
    assert EXPRESSIONS[int(smile.target.argmax())] == "happiness" and smile.categories.tolist() == [1, 0, 0, 0, 0]
    assert smile.times_s[0] == 0 and (np.diff(smile.times_s) > 0).all() and len(smile.frames) == 5


def test_takes_become_padded_tokens(shots, tmp_path):
    network, card = read_weights("facet-mini")
    reader = FrameReader.of(network, card.model, TemporalConfig())
    found = set_of_shots(shots, 7, reader, 7)
    assert found.tokens.shape == (2, 7, 2, DIM) and found.present.sum() == 10
    assert found.cosines.shape == (2, 7, K + len(categories()))
    np.savez(tmp_path / "set.npz", **{name: getattr(found, name) for name in FIELDS})
    assert read_sequence_set(tmp_path / "set.npz").content_hash() == found.content_hash()
    np.savez(tmp_path / "less.npz", tokens=found.tokens)
    with pytest.raises(MeshFormatError, match="arrays"):
        read_sequence_set(tmp_path / "less.npz")


def test_sequences_are_read_by_the_temporal_model(written, shots):
    model = load(written, "cpu")
    assert isinstance(model, SequenceVLM)
    smile = shots[1]
    clip = MeshSequence(smile.frames[0], np.stack([mesh.vertices for mesh in smile.frames]), 10.0)
    both = model.predict([clip, smile.frames[2]])
    np.testing.assert_allclose(both.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(both.view_weights.sum(axis=1), 1.0, rtol=1e-4)
    reading = model.read(clip, {"wink": "one eye closes", "smile": "a smile"}, multi_label=True, onset=1)
    assert reading.labels == ("wink", "smile") and len(reading.times_s) == 4
    assert reading.there == tuple(
        name for name, p in zip(reading.labels, reading.probabilities, strict=True) if p >= 0.5
    )
    np.testing.assert_allclose(reading.frame_weights.sum(axis=1), 1.0, rtol=1e-5)
    with pytest.raises(MeshError, match="onset"):
        model.read(clip, onset=5)


def test_category_sentences_use_words_that_the_model_knows():
    network, _ = read_weights("facet-mini")
    from facet_vlm.faces.sequences import category_sentences

    sentences = [text for texts in category_sentences().values() for text in texts]
    assert not (network.encoders.tokenizer(sentences) == UNKNOWN).any()


def test_texts_of_all_labels_are_unit_vectors():
    found = temporal_texts(read_weights("facet-mini")[0])
    for some in (found.expressions, found.categories):
        torch.testing.assert_close(some.norm(dim=-1), torch.ones(len(some)))
    assert len(found.expressions) == len(label_sentences()) and len(found.captions) == 0


def as_sequences(found: SequenceSet, streams: int = 2) -> list[FrameTokens]:
    return [
        FrameTokens(tokens[:, :streams].astype(np.float32), times.astype(float), present)
        for tokens, times, present in zip(found.tokens, found.times_s, found.present, strict=True)
    ]


def test_a_learner_fits_tokens_of_its_own(training, validation, texts):
    learner = TemporalLearner(texts.expressions, exclusive=True)
    aside = training.subjects >= 10
    fitted = learner.fit(
        as_sequences(training, 1), training.targets.astype(float), np.random.default_rng(0), aside=aside
    )
    found = fitted.predict(as_sequences(validation, 1))
    assert (found.argmax(axis=1) == validation.targets.argmax(axis=1)).mean() > 0.7
    one = fitted.predict(as_sequences(validation, 1)[3:4])
    np.testing.assert_allclose(one[0], found[3], atol=1e-5)


def test_a_learner_goes_on_from_trained_weights_and_leaves_them_alone(trained, training, texts):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    start = face_stream(trained)
    assert start.streams == 1
    learner = TemporalLearner(texts.categories, exclusive=False, start=start)
    some = as_sequences(training, 1)[:32]
    known = np.ones((32, len(categories())), bool)
    known[:, 4] = False
    learner.fit(some, training.categories[:32].astype(float), np.random.default_rng(1), known)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    with pytest.raises(MeshError, match="streams"):
        TemporalLearner(texts.categories, False, start).fit(
            as_sequences(training)[:4], training.categories[:4].astype(float), np.random.default_rng(1)
        )


def test_a_sequence_without_a_frame_is_refused(training):
    lost = dataclasses.replace(as_sequences(training)[0], present=np.zeros(6, bool))
    with pytest.raises(MeshError, match="sequence 1"):
        padded([as_sequences(training)[0], lost])


def test_rules_over_frames_are_what_they_say(validation):
    mean = frame_rule_scores("mean of frames", validation, 10.0, validation).expressions[0]
    kept = validation.cosines[0][validation.present[0]].astype(np.float32)
    np.testing.assert_allclose(mean, kept[:, :K].mean(axis=0), rtol=1e-5)
    largest = frame_rule_scores("max of frames", validation, 10.0, validation).categories[0]
    np.testing.assert_allclose(largest, kept[:, K:].max(axis=0), rtol=1e-5)
    lone = frame_rule_scores("apex frame", validation, 10.0, validation).expressions[0]
    assert any(np.allclose(lone, frame) for frame in kept[:, :K])


def test_the_best_threshold_has_the_largest_f1():
    scores, there = np.array([0.9, 0.8, 0.7, 0.3, 0.1]), np.array([True, False, True, False, False])
    assert 0.3 < best_threshold(scores, there) < 0.7


def test_kinds_are_named():
    assert KINDS == ("macro", "micro", "mixture")
