"""Synthesis, rendering and the loop on tiny data."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from facet_vlm.config import Config
from facet_vlm.evaluation.synthetic import SHIFTS
from facet_vlm.faces.expression_set import ExpressionSet, expression_set, render_subjects
from facet_vlm.network.facet import build_network
from facet_vlm.network.weights import read_weights
from facet_vlm.training import loop
from facet_vlm.training.batches import training_batch
from facet_vlm.training.loop import epoch_order, optimizer_of, train, warm_cosine
from facet_vlm.training.objectives import objectives_of
from facet_vlm.training.run import run_training
from facet_vlm.training.step import take_step
from facet_vlm.training.team import Team
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError, MeshFormatError, SplitError

CPU = torch.device("cpu")


def test_synthesis_is_repeatable_and_people_differ(tiny: Config, samples: ExpressionSet) -> None:
    again = render_subjects([1], tiny.data, tiny.model, training=True, processes=1)
    rows = samples.subjects == 1
    np.testing.assert_array_equal(again.images, samples.images[rows])
    assert not np.array_equal(again.images, samples.images[~rows])
    data = tiny.data
    assert np.bincount(samples.labels[rows] + 1).sum() == len(EXPRESSIONS) + data.more_neutrals + data.mixtures + (
        data.anything
    )
    assert (samples.labels == -1).sum() == 2 * data.anything
    labelled = samples.labels >= 0
    np.testing.assert_allclose(samples.targets[labelled].sum(axis=1), 1, rtol=1e-5)
    assert (samples.targets[~labelled] == 0).all()
    assert samples.images.shape[1] == data.kept_views


def test_held_out_label_is_never_shown_nor_named(tiny: Config) -> None:
    data = dataclasses.replace(tiny.data, held_out_labels=("contempt",))
    faces = render_subjects([2], data, tiny.model, training=True, processes=1)
    assert (faces.targets[:, EXPRESSIONS.index("contempt")] == 0).all()
    config = dataclasses.replace(tiny, data=data)
    network = build_network(tiny.model)
    step = take_step(
        network, training_batch(faces, np.arange(8), 2, np.random.default_rng(0)), config, np.random.default_rng(0)
    )
    assert step.fused.shape == (8, len(EXPRESSIONS) - 1)


@pytest.mark.parametrize("off", ["cvsa", "mtgf", "text"])
def test_a_network_without_a_component_still_learns(tiny: Config, samples: ExpressionSet, off: str) -> None:
    config = dataclasses.replace(tiny, model=dataclasses.replace(tiny.model, **{off: False}))
    network, rng = build_network(config.model), np.random.default_rng(0)
    step = take_step(network, training_batch(samples, np.arange(8), 2, rng), config, rng)
    sum(objective(step) for _, objective in objectives_of(config).values()).backward()
    assert all(w.grad is not None for n, w in network.named_parameters() if "encoders" not in n and "pose" not in n)
    if off == "text":
        with pytest.raises(MeshError, match="wink"):
            network.classes({"wink": ("one eye closes",)})


def test_members_of_a_team_take_disjoint_shares_of_one_order() -> None:
    whole = epoch_order(40, 8, epoch=3, seed=1, team=Team())
    parts = [epoch_order(40, 8, epoch=3, seed=1, team=Team(rank, 2)) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_two_processes_average_their_gradients(tmp_path: Path) -> None:
    script = tmp_path / "member.py"
    script.write_text(
        "import sys, torch\n"
        "from facet_vlm.training.team import team\n"
        "with team() as crew:\n"
        "    layer = torch.nn.Linear(1, 1, bias=False)\n"
        "    layer.weight.grad = torch.full((1, 1), float(crew.rank + 1))\n"
        "    crew.average_gradients(layer)\n"
        "    open(f'{sys.argv[1]}/{crew.rank}', 'w').write(str(layer.weight.grad.item()))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone"]
    subprocess.run([*command, str(script), str(tmp_path)], check=True, capture_output=True, timeout=120)
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["1.5", "1.5"]


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


def test_loss_falls(tiny: Config, samples: ExpressionSet) -> None:
    torch.manual_seed(0)
    network, rng = build_network(tiny.model), np.random.default_rng(0)
    optimizer, objectives, totals = optimizer_of(network, tiny.train), objectives_of(tiny), []
    for _ in range(20):
        step = take_step(network, training_batch(samples, np.arange(16), 2, rng), tiny, rng)
        losses = {name: objective(step) for name, (_, objective) in objectives.items()}
        total = torch.stack([objectives[name][0] * loss for name, loss in losses.items()]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append((total.item(), losses["fused"].item()))
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
    assert [name.split(",")[0] for name in card.metrics["shifted"]] == ["plain", *SHIFTS]


def test_learning_rate_rises_and_falls() -> None:
    shares = [warm_cosine(step, 100, 0.1) for step in range(101)]
    assert shares[9] == 1.0 and shares[0] == pytest.approx(0.1) and shares[100] == pytest.approx(0)
    assert np.argmax(shares) in (9, 10)
