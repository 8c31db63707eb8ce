"""Prompts that learn: through the tower's own path, by the stated losses, on towers that stay as they are."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from aublend.head_model import head_model
from facet_vlm.cli import main
from facet_vlm.config import ModelConfig
from facet_vlm.faces.shots import folder_shots
from facet_vlm.language.learned_prompts import (
    Adapter,
    LearnedPrompts,
    patch_cosines,
    prompted_cosines,
    prove_same_model,
    read_prompts,
    write_prompts,
)
from facet_vlm.language.prompts import label_sentences
from facet_vlm.language.soft_prompts import (
    SoftPrompts,
    class_words,
    encode_with_context,
    hard_features,
    mean_of_words,
    token_embedding,
)
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.local import FrozenFaces, frozen_faces, local_features
from facet_vlm.network.weights import ModelCard, write_weights
from facet_vlm.training import prompt_learning
from facet_vlm.training.prompt_learning import PromptConfig, learn_prompts
from mesh4d.errors import MeshError, MeshFormatError, SpecError
from mesh4d.io import write_mesh

QUICK = PromptConfig(context=4, adapter=8, steps=8, batch_size=8)


LABELS = np.repeat(np.arange(8), 3)


@pytest.fixture
def faces(network: FacetNetwork) -> FrozenFaces:
    """Three faces of each expression, alike but for noise: two views of 2 x 2 places."""
    generator, dim = torch.Generator().manual_seed(5), network.encoders.embed_dim
    kinds = torch.randn(8, 2, 5, dim, generator=generator)[LABELS]
    tokens = kinds + 0.3 * torch.randn(kinds.shape, generator=generator)
    unit = torch.nn.functional.normalize(tokens, dim=-1)
    return FrozenFaces(unit[:, :, 0], tokens, unit[:, :, 1:], torch.ones(len(LABELS), 2, dtype=torch.bool), (2, 2))


def test_words_own_vectors_as_context_give_the_sentence(network: FacetNetwork) -> None:
    clip, tokenizer = network.encoders.clip, network.encoders.tokenizer
    real = tokenizer(["the inner brows rise", "the lips part wide"])
    blank = real.clone()
    blank[:, 1:3] = 1  # what the exchange must overwrite
    context = token_embedding(clip)(real)[:, 1:3]
    clip.eval()
    with torch.no_grad():
        exchanged = encode_with_context(clip, blank, context)
        torch.testing.assert_close(exchanged, clip.encode_text(real))
        assert not torch.allclose(exchanged, clip.encode_text(blank))
        torch.testing.assert_close(clip.encode_text(real), clip.encode_text(real))  # the exchange is over


def test_an_open_clip_model_of_the_list_takes_contexts_too() -> None:
    from open_clip import CLIP, get_tokenizer

    text = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8}
    clip = CLIP(8, vision, text)
    ids = get_tokenizer("ViT-B-32", context_length=16)(["x x x happiness", "x x x a long name"])
    assert (ids[:, 1:4] == ids[0, 1]).all()
    context = torch.zeros(1, 3, 16, requires_grad=True)
    encode_with_context(clip, ids, context).sum().backward()
    assert context.grad is not None and context.grad.abs().sum() > 0
    places, grid = local_features(clip, torch.randn(2, 3, 32, 32))
    assert places.shape == (2, 4, 8) and grid == (2, 2)


def test_words_that_do_not_fit_behind_the_context_are_refused(network: FacetNetwork) -> None:
    room = network.encoders.tokenizer(["x"]).shape[1]
    with pytest.raises(SpecError, match="do not fit"):
        SoftPrompts(network.encoders, ["happiness or joy"], room - 3, False, torch.Generator())


def test_mean_of_words_leaves_out_start_end_and_padding() -> None:
    ids = torch.tensor([[2, 5, 6, 9, 0], [2, 7, 9, 0, 0]])
    embedded = ids[..., None].float()
    torch.testing.assert_close(mean_of_words(embedded, ids), torch.tensor([[5.5], [7.0]]))


def test_class_words_are_names_or_the_first_sentence() -> None:
    sentences = label_sentences(["fear"]) | {"wink": ("one eye closes", "a wink")}
    assert class_words(sentences) == ("fear", "one eye closes")


def test_hard_features_are_the_networks_classes(network: FacetNetwork) -> None:
    network.eval()
    sentences = label_sentences()
    with torch.no_grad():
        torch.testing.assert_close(hard_features(network.encoders, sentences)[0], network.classes(sentences))


def test_local_features_of_a_picture_average_to_its_global_feature(network: FacetNetwork) -> None:
    network.eval()
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        places, grid = local_features(network.encoders.clip, pictures)
        whole, _ = network.encoders.images(pictures)
    assert places.shape[1] == grid[0] * grid[1] > 1
    torch.testing.assert_close(places.mean(dim=1), whole, atol=1e-5, rtol=1e-4)


def test_alignments_in_closed_form() -> None:
    hard = torch.eye(2)
    expected = math.log(1 + math.exp(-1 / 0.5))
    assert prompt_learning.token_alignment(hard, hard, 0.5).item() == pytest.approx(expected)
    assert prompt_learning.token_alignment(hard.flip(0), hard, 0.5).item() == pytest.approx(expected + 2)
    assert prompt_learning.prompt_alignment(hard, hard.flip(0)).item() == pytest.approx(2)
    assert prompt_learning.prototype_alignment(hard, hard.flip(0), "l1").item() == pytest.approx(2)
    assert prompt_learning.prototype_alignment(hard, hard, "cosine").item() == pytest.approx(0, abs=1e-6)
    means = prompt_learning.class_prototypes(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]), 2)
    assert means.tolist() == [[2.0], [5.0]]


def test_the_best_patches_of_all_views_count_and_missing_views_never(network: FacetNetwork) -> None:
    dim = network.encoders.embed_dim
    axis = torch.nn.functional.one_hot(torch.tensor(0), dim).float()
    cosines = torch.tensor([[0.9, 0.1], [0.8, 0.7], [0.99, 0.99]])  # three views of two patches
    other = torch.nn.functional.one_hot(torch.tensor(1), dim).float()
    patches = cosines[..., None] * axis + (1 - cosines**2).sqrt()[..., None] * other
    present = torch.tensor([[True, True, False]])
    faces = FrozenFaces(torch.zeros(1, 3, dim), torch.randn(1, 3, 3, dim), patches[None], present, (1, 2))
    network.eval()
    with torch.no_grad():
        found = prompted_cosines(network, faces, axis[None], None, 1)
        assert found.patches is not None
        assert found.patches.item() == pytest.approx((0.9 + 0.8) / 2)
        everything = prompted_cosines(network, faces, axis[None], None, 99)
        assert everything.patches is not None
        assert everything.patches.item() == pytest.approx((0.9 + 0.1 + 0.8 + 0.7) / 4)
        assert patch_cosines(faces, axis[None], None)[0, 2].isneginf().all()
        none = prompted_cosines(network, faces, axis[None], None, 0)
    assert none.patches is None
    torch.testing.assert_close(none.cosines, none.whole)
    torch.testing.assert_close(found.cosines, (found.whole + found.patches) / 2)


def test_an_adapter_starts_as_the_identity() -> None:
    features = torch.nn.functional.normalize(torch.randn(5, 6), dim=1)
    torch.testing.assert_close(Adapter(6, 3)(features), features)


def test_learning_fits_the_shots_and_leaves_the_network_alone(network: FacetNetwork, faces: FrozenFaces) -> None:
    sentences = label_sentences()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    hard = learn_prompts(network, faces, LABELS, sentences, dataclasses.replace(QUICK, context=0, adapter=0))
    config = dataclasses.replace(QUICK, steps=30, adapter=32, alignment=0.1, prototypes=0.0, learning_rate=2e-2)
    learned = learn_prompts(network, faces, LABELS, sentences, config)
    again = learn_prompts(network, faces, LABELS, sentences, config)
    torch.testing.assert_close(learned.texts, again.texts, rtol=0, atol=0)
    assert share_right(network, faces, learned) > share_right(network, faces, hard) + 0.15
    after = network.state_dict()
    assert all(after[name].equal(value) for name, value in before.items())
    assert network.training and all(weight.requires_grad for weight in network.parameters())
    with pytest.raises(MeshError, match="needs a face"):
        learn_prompts(network, faces, np.zeros_like(LABELS), sentences, QUICK)


def test_alignment_brings_soft_prompts_to_the_hard_ones(network: FacetNetwork, faces: FrozenFaces) -> None:
    sentences = label_sentences()
    hard, _ = hard_features(network.eval().encoders, sentences)
    free = learn_prompts(network, faces, LABELS, sentences, dataclasses.replace(QUICK, steps=20, alignment=0.0))
    bound = learn_prompts(network, faces, LABELS, sentences, dataclasses.replace(QUICK, steps=20, alignment=5.0))
    distance = lambda texts: (texts - hard).abs().sum(dim=1).mean()  # noqa: E731
    assert distance(bound.texts) < 0.9 * distance(free.texts)


def test_rendered_faces_give_unit_patches_and_leave_the_network_in_its_mode(
    network: FacetNetwork, angles: np.ndarray
) -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, 7, 3, 32, 32), np.uint8)
    present = np.ones((3, 7), bool)
    present[1, 3:] = False
    faces = frozen_faces(network, images, angles, present)
    assert network.training and len(faces) == 3 and faces.patches.shape[2] == faces.grid[0] * faces.grid[1]
    lengths = faces.patches.norm(dim=-1)
    torch.testing.assert_close(lengths[torch.from_numpy(present)], torch.ones_like(lengths[torch.from_numpy(present)]))
    assert not faces.patches[1, 3:].any()
    alone = frozen_faces(network, images[1:2, :3], angles[:3])
    torch.testing.assert_close(alone.whole, faces.whole[1:2], atol=1e-5, rtol=1e-4)


def test_a_faces_scores_do_not_depend_on_its_batch(network: FacetNetwork, faces: FrozenFaces) -> None:
    prompts = learn_prompts(network, faces, LABELS, label_sentences(), dataclasses.replace(QUICK, steps=2))
    whole = prompts.scores(network.eval(), faces)
    alone = prompts.scores(network, faces.take(torch.tensor([7])))
    np.testing.assert_allclose(alone.fused, whole.fused[7:8], atol=1e-5)
    np.testing.assert_allclose(whole.view_weights.sum(axis=1), 1, atol=1e-5)
    assert whole.scale == pytest.approx(2 * float(network.scale))


def test_files_come_back_and_hostile_ones_are_refused(tmp_path: Path) -> None:
    adapter = Adapter(6, 3).requires_grad_(False)
    prompts = LearnedPrompts(("a", "b"), torch.randn(2, 6), adapter, 2, "abc", {"command": "test"})
    write_prompts(prompts, tmp_path / "p")
    back = read_prompts(tmp_path / "p.safetensors")
    assert back.labels == ("a", "b") and back.top_k == 2 and back.card["command"] == "test"
    torch.testing.assert_close(back.texts, prompts.texts)
    features = torch.randn(3, 6)
    assert back.adapter is not None
    torch.testing.assert_close(back.adapter(features), adapter(features))
    prove_same_model(back, "abc", 6)
    with pytest.raises(MeshError, match="learn them anew"):
        prove_same_model(back, "other", 6)
    with pytest.raises(SpecError, match="learned prompts"):
        read_prompts(tmp_path / "none.safetensors")
    card = json.loads((tmp_path / "p.json").read_text())
    for change in ({"labels": ["a"]}, {"prompts_sha256": "0"}, {"top_k": "many"}, {"labels": [1, 2]}):
        (tmp_path / "p.json").write_text(json.dumps(card | change))
        with pytest.raises(MeshFormatError):
            read_prompts(tmp_path / "p.safetensors")
    (tmp_path / "p.json").unlink()
    with pytest.raises(MeshFormatError, match="card"):
        read_prompts(tmp_path / "p.safetensors")


def test_a_folder_of_labels_becomes_labels_of_predict(
    network: FacetNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_card = ModelCard("tiny", ModelConfig(image_size=32), "none", 0, "none", {}, [0], [], [])
    model_card = write_weights(network.eval(), model_card, tmp_path / "tiny")
    meshes = {"wink": {"AU45L": 1.0}, "neutral": {}}
    for label, units in meshes.items():
        (tmp_path / "faces" / label).mkdir(parents=True)
        write_mesh(head_model().rig(450).drive(units), tmp_path / "faces" / label / "a.npz")
        (tmp_path / "faces" / label / "notes.txt").write_text("no mesh")
    weights, out = str(tmp_path / "tiny.safetensors"), str(tmp_path / "p.safetensors")
    learn = ["prompts", str(tmp_path / "faces"), "-o", out, "--model", weights, "--steps", "3", "--context", "2"]
    main([*learn, "--sentences", "wink=one eye closes", "--json"])
    card = json.loads(capsys.readouterr().out)
    assert card["shots"] == ["neutral/a.npz", "wink/a.npz"] and card["sentences"]["wink"] == ["one eye closes"]
    mesh = str(tmp_path / "faces" / "wink" / "a.npz")
    main(["predict", mesh, "--prompts", out, "--model", weights, "--json"])
    row = json.loads(capsys.readouterr().out)["details"][0]
    assert set(row["probabilities"]) == {"wink", "neutral"}
    for wrong in (learn, [*learn, "--sentences", "yawn=a yawn"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2
    (tmp_path / "faces" / "empty").mkdir()
    with pytest.raises(MeshError, match="empty"):
        folder_shots(tmp_path / "faces")


def share_right(network: FacetNetwork, faces: FrozenFaces, prompts: LearnedPrompts) -> float:
    was_training = network.training
    scores = prompts.scores(network.eval(), faces)
    network.train(was_training)
    return float((scores.fused.argmax(axis=1) == LABELS).mean())
