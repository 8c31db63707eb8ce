"""What any model must not do: let batch rows see each other, depend on pose, or forget who was held out."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from aublend import head_model, predict_rig
from aublend.blendset import build_blendset, read_blendset, write_blendset
from aublend.checkpoints import SHIPPED, load_card, load_net, save_net, shipped_net
from aublend.evaluation import evaluate_rigs, score_table, shape_errors
from aublend.net import AUBlendNet, NetConfig
from aublend.predict import predict_deltas
from aublend.registration import is_embedded
from aublend.train import TrainConfig, train
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle
from mesh4d.io import read_mesh, write_mesh
from mesh4d.specs import load_split

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def heads(model):
    return torch.from_numpy(np.stack([model.identity(seed).vertices for seed in (450, 460, 480)])).float()


def test_a_row_does_not_depend_on_its_batch(heads):
    net = shipped_net()
    with torch.inference_mode():
        together, alone = net(heads), torch.cat([net(head[None]) for head in heads])
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.5, "identities get their own shapes"


def test_unseen_vertices_do_not_matter(model, heads):
    changed = heads.clone()
    changed[:, model.parts.cavity] += 5.0
    with torch.inference_mode():
        torch.testing.assert_close(shipped_net()(heads), shipped_net()(changed))


def test_prediction_follows_the_heads_pose_and_unit(model):
    mesh = model.identity(455)
    frame = Similarity(0.1, rotation_from_axis_angle(np.array([0.2, 0.9, -0.3])), np.array([3.0, -1.0, 40.0]))
    upright = predict_rig(mesh)
    turned = predict_rig(mesh.with_vertices(frame.apply(mesh.vertices)))
    weights = {"AU12": 0.8, "AU61": 0.5, "AU26L": 0.4}
    difference = turned.drive(weights).vertices - frame.apply(upright.drive(weights).vertices)
    assert np.linalg.norm(difference, axis=1).max() < 0.02, "cm: the pose is found again to a fifth of a millimetre"
    assert turned.unit_m == pytest.approx(0.01, rel=0.02)


def test_embedded_heads_are_recognised_by_meaning(model, tmp_path):
    """In any face order yes; mirrored, or with other vertices behind the same faces, no."""
    head = model.identity(455)
    shuffled = dataclasses.replace(head, faces=np.roll(head.faces[::-1], 1, axis=1), polygon_of_face=None,
                                   part_of_face=None, part_names=())  # fmt: skip
    assert is_embedded(head) and is_embedded(shuffled)
    assert not is_embedded(head.with_vertices(head.vertices * [-1.0, 1.0, 1.0]))
    assert not is_embedded(head.with_vertices(np.random.default_rng(0).normal(0, 80, head.vertices.shape)))
    write_mesh(head, tmp_path / "head.glb")
    assert is_embedded(read_mesh(tmp_path / "head.glb"))


def test_net_beats_the_mean_on_held_out_identities(model):
    seeds = [int(seed) for seed in load_split("aublendset")["test"][::6]]
    scores = {s.method: s for s in evaluate_rigs(seeds, anatomy=False)}
    net, mean, zero = (scores[name].mean_mm for name in ("net", "mean", "zero"))
    assert net.mean() < 0.5 * mean.mean() < 0.5 * zero.mean()
    assert (net.mean(axis=0) < mean.mean(axis=0)).all(), "for every unit"
    assert (net.mean(axis=1) < mean.mean(axis=1)).all(), "for every identity"
    table = score_table(list(scores.values()))
    assert "| AU12 |" in table and "95 % interval" in table


def test_no_held_out_identity_was_trained_on():
    parts = load_split("aublendset")
    prove_disjoint(parts)
    card = load_card()
    first, last = (int(word) for word in card["identities"]["train"].split() if word.isdigit())
    assert not set(range(first, last + 1)) & {*parts["test"], *parts["validation"], *parts["demo"]}


def test_weights_are_small():
    assert sum(parameter.numel() for parameter in shipped_net().parameters()) < 10e6
    shipped = [path for package in ("aublend", "facet_vlm") for path in (ROOT / package / "weights").iterdir()]
    assert SHIPPED in shipped and sum(path.stat().st_size for path in shipped) < 25e6, "all weights together"


def test_training_repeats_itself_and_learns(model, tmp_path):
    small = build_blendset(model, range(14))
    parts = {"train": small.part(range(10)), "validation": small.part(range(10, 14))}
    size = NetConfig(model.topology.n_vertices, code_size=6, shape_rank=4, width=32, n_blocks=1, n_heads=2)
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        net, history = train(model, parts, tmp_path / name, size, TrainConfig(steps=60, batch=8))
        runs.append((net, history))
        assert (tmp_path / name / "run.json").exists()
    (first, history), (second, _) = runs
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    neutrals = torch.from_numpy(parts["train"].neutrals)
    with torch.inference_mode():
        predicted = first(neutrals).numpy()
    truth = parts["train"].deltas.astype(np.float32)
    error, mean = (np.abs(truth - guess).mean() for guess in (predicted, truth.mean(axis=0)))
    assert error < 0.8 * mean and history["net_validation_loss"] < 2


def test_weights_survive_the_disk(tmp_path, model):
    net = AUBlendNet(NetConfig(model.topology.n_vertices, code_size=3, shape_rank=2, width=16, n_blocks=1, n_heads=2),
                     torch.arange(5, 25))  # fmt: skip
    net.code_basis.normal_()
    net.code_basis[100:] = 0
    net.unit_basis.normal_()
    net.unit_basis[3] = 0
    card = {"architecture": {"n_vertices": model.topology.n_vertices, "code_size": 3, "shape_rank": 2, "width": 16,
                             "n_blocks": 1, "n_heads": 2, "code_limit": 3.0}}  # fmt: skip
    save_net(net, card, tmp_path / "net.safetensors")
    back = load_net(tmp_path / "net.safetensors")
    for name, value in net.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, atol=2e-3, rtol=2e-3)
    (tmp_path / "net.json").unlink()
    with pytest.raises(MeshFormatError, match=r"net\.json"):
        load_net(tmp_path / "net.safetensors")


def test_blendset_round_trip(model, tmp_path):
    small = build_blendset(model, (3, 9))
    write_blendset(small, tmp_path / "set.npz")
    back = read_blendset(tmp_path / "set.npz")
    assert back.seeds == (3, 9) and back.digest() == small.digest()
    np.testing.assert_array_equal(back.deltas, small.deltas)
    np.savez(tmp_path / "other.npz", seeds=np.arange(3))
    with pytest.raises(MeshFormatError, match="format"):
        read_blendset(tmp_path / "other.npz")


def test_errors_in_closed_form():
    truth = np.zeros((2, 4, 3))
    truth[0, 0], truth[1, 1] = [3, 4, 0], [0, 0, 2]
    predicted = truth * 0.5
    mean, worst, cosine = shape_errors(predicted, truth).values()
    np.testing.assert_allclose(mean, [2.5, 1.0])
    np.testing.assert_allclose(worst, [2.5, 1.0])
    np.testing.assert_allclose(cosine, 1.0)


def test_methods_differ_and_unknown_ones_are_refused(model):
    vertices = model.identity(461).vertices
    net, transfer, mean = (predict_deltas(vertices, method) for method in ("net", "transfer", "mean"))
    assert np.abs(net - mean).max() > 0.3 and np.abs(net - transfer).max() > 1e-3
    with pytest.raises((MeshError, TypeCheckError), match="magic"):  # the test suite's type checker may come first
        predict_rig(model.identity(461), "magic")


def test_head_model_is_made_once():
    assert head_model() is head_model()
