"""Synthesis, rendering and the loop on tiny data."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from facet_vlm.config import Config
from facet_vlm.faces.expression_set import ExpressionSet, expression_set, render_subjects
from facet_vlm.network.facet import build_network
from facet_vlm.network.weights import read_weights
from facet_vlm.training import loop
from facet_vlm.training.batches import training_batch
from facet_vlm.training.loop import losses_of, optimizer_of, train, warm_cosine
from facet_vlm.training.run import run_training
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshFormatError, SplitError

CPU = torch.device("cpu")


def test_synthesis_is_repeatable_and_people_differ(tiny: Config, samples: ExpressionSet) -> None:
    again = render_subjects([1], tiny.data, tiny.model, training=True, processes=1)
    rows = samples.subjects == 1
    np.testing.assert_array_equal(again.images, samples.images[rows])
    assert not np.array_equal(again.images, samples.images[~rows])
    assert np.bincount(samples.labels).tolist() == [2] * len(EXPRESSIONS)


def test_test_draws_stand_at_the_stated_intensities(other_people: ExpressionSet) -> None:
    assert set(np.round(other_people.intensities, 3).tolist()) == {0.0, 1.0}
    assert (other_people.halves[other_people.labels == 0] <= 0.1).all()


def test_rendered_file_is_kept_and_checked(tiny: Config, tmp_path: Path) -> None:
    data = dataclasses.replace(tiny.data, max_train_subjects=1)
    first = expression_set("demo", data, tiny.model, tmp_path, processes=1)
    files = list(tmp_path.glob("*.npz"))
    second = expression_set("demo", data, tiny.model, tmp_path, processes=1)
    assert first.content_hash() == second.content_hash() and list(tmp_path.glob("*.npz")) == files
    np.savez(files[0], images=first.images)
    with pytest.raises(MeshFormatError, match="labels"):
        expression_set("demo", data, tiny.model, tmp_path)
    with pytest.raises(SplitError, match="parts"):
        expression_set("all", data, tiny.model)


def test_loss_falls(tiny: Config, samples: ExpressionSet, angles: np.ndarray) -> None:
    torch.manual_seed(0)
    network, rng = build_network(tiny.model), np.random.default_rng(0)
    optimizer, totals = optimizer_of(network, tiny.train), []
    for _ in range(20):
        batch = training_batch(samples, np.arange(16), angles, 2, rng)
        losses = losses_of(network, batch, tiny.train, rng)
        total = losses.total(tiny.train.loss)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append((total.item(), losses.fused.item()))
    first, last = np.mean(totals[:4], axis=0), np.mean(totals[-4:], axis=0)
    assert last[0] < first[0] - 0.2
    assert last[1] < first[1] - 0.05
    assert all(weight.grad is not None for weight in network.parameters())


def test_same_seed_same_run_and_a_resumed_run_is_the_whole_run(
    tiny: Config, samples: ExpressionSet, other_people: ExpressionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str) -> dict[str, torch.Tensor]:
        (tmp_path / name).mkdir(exist_ok=True)
        network = build_network(tiny.model)
        train(network, samples, other_people, tiny, tmp_path / name, CPU)
        return torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["network"]

    whole, again = run("whole"), run("again")
    with monkeypatch.context() as patch:
        scores = iter([0.1])
        patch.setattr(loop, "validation_uar", lambda *_: next(scores))  # the second look fails
        with pytest.raises(StopIteration):
            run("stopped")
    resumed = run("stopped")
    for name, value in whole.items():
        torch.testing.assert_close(again[name], value, atol=0, rtol=0)
        torch.testing.assert_close(resumed[name], value, atol=0, rtol=0)


def test_shared_people_are_refused(tiny: Config, samples: ExpressionSet, tmp_path: Path) -> None:
    with pytest.raises(SplitError):
        train(build_network(tiny.model), samples, samples, tiny, tmp_path, CPU)


def test_whole_run_leaves_card_and_weights(tiny: Config, tmp_path: Path) -> None:
    data = dataclasses.replace(tiny.data, max_train_subjects=2)
    config = dataclasses.replace(tiny, data=data, train=dataclasses.replace(tiny.train, epochs=1))
    done = run_training(config, tmp_path, "facet-vlm train --preset tiny", "cpu")
    _, card = read_weights(done.weights)
    assert card == done.card
    assert card.train_subjects == [0, 1] and card.validation_subjects == [400, 401]
    assert not set(card.held_out_subjects) & {*card.train_subjects, *card.validation_subjects}
    left = {"config.json", "checkpoint.pt", "events", "data", "metrics.json", "evaluation.md", "confusion.png"}
    assert {path.name for path in tmp_path.iterdir()} >= left
    assert "aublendset/test, 2 identities" in card.metrics["protocol"]
    assert "in exactly one part" in card.metrics["proof"]
    assert set(card.metrics["accuracy_by_intensity"]) == {"0", "1"} and len(card.metrics["baselines"]) == 4
    assert 0 <= card.metrics["basic_accuracy"] <= 1


def test_learning_rate_rises_and_falls() -> None:
    shares = [warm_cosine(step, 100, 0.1) for step in range(101)]
    assert shares[9] == 1.0 and shares[0] == pytest.approx(0.1) and shares[100] == pytest.approx(0)
    assert np.argmax(shares) in (9, 10)
