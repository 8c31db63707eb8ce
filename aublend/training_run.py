"""From a data set file to weights with a model card: what `aublend train` does."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from aublend.blendset import BlendSet, read_blendset
from aublend.checkpoints import save_net
from aublend.evaluation.scores import shape_errors
from aublend.head_model import head_model
from aublend.net import AUBlendNet, NetConfig
from aublend.train import TrainConfig, train
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.specs import load_split


def train_and_save(data: Path, output: Path, steps: int, seed: int) -> dict[str, object]:
    """Train on the split's training identities, choose by validation, and report on test once.

    Returns:
        The model card that was written beside the weights.
    """
    split = {name: [int(s) for s in load_split("aublendset")[name]] for name in ("train", "validation", "test")}
    proof = prove_disjoint(split)
    blendset = read_blendset(data)
    parts = {name: blendset.part(seeds) for name, seeds in split.items()}
    model = head_model()
    size, config = NetConfig(model.topology.n_vertices), TrainConfig(seed=seed, steps=steps)
    folder = Path("runs/aublendnet")
    folder.mkdir(parents=True, exist_ok=True)
    net, history = train(model, parts, folder, size, config)
    card = {
        "name": "AUBlendNet",
        "task": "neutral head on the embedded topology -> displacements of 32 action units, mm",
        "command": f"aublend train --data {data} --steps {steps} --seed {seed}",
        "architecture": asdict(size),
        "training": asdict(config),
        "parameters": sum(p.numel() for p in net.parameters()),
        "data": {
            "name": "AUBlendSet v2",
            "recipe": blendset.recipe,
            "digest": {name: part.digest() for name, part in parts.items()},
        },
        "identities": {name: f"seeds {min(seeds)} to {max(seeds)}" for name, seeds in split.items()},
        "disjoint": proof,
        "history": history,
        "test_mean_error_mm": _test_errors(net, parts["test"], parts["train"]),
    }
    save_net(net, card, output)
    return card


def _test_errors(net: AUBlendNet, test: BlendSet, train_part: BlendSet) -> dict[str, float]:
    """Mean vertex error over identities and units for the net, the mean displacement and none."""
    mean = train_part.deltas.mean(axis=0, dtype=np.float32).astype(np.float64)
    errors: dict[str, list[float]] = {"net": [], "mean": [], "zero": []}
    for neutral, truth in zip(test.neutrals, test.deltas.astype(np.float64), strict=True):
        with torch.inference_mode():
            predicted = net(torch.from_numpy(neutral[None]))[0].double().numpy()
        for name, guess in (("net", predicted), ("mean", mean), ("zero", np.zeros_like(mean))):
            errors[name].append(float(shape_errors(guess, truth)["mean_mm"].mean()))
    return {name: round(float(np.mean(values)), 4) for name, values in errors.items()}
