"""From a data set file to the landmark networks with their card: what `aublend train-landmarks` does."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from aublend.blendset import read_blendset
from aublend.head_model import head_model
from aublend.landmark_training.scenes import SceneMaker
from aublend.landmark_training.shapes import ShapeSource, random_bend
from aublend.landmark_training.train import FINDER, READER, train, validate
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.landmarks.network import HeatmapNet
from mesh4d.landmarks.shape_model import LandmarkShapes, fit_landmark_shapes
from mesh4d.landmarks.weights import LandmarkModel, save_model
from mesh4d.specs import load_split

SHAPE_SAMPLES, SHAPE_DIRECTIONS = 2500, 50
VALIDATION_HEADS = 160


def train_and_save(
    data: Path, output: Path, seed: int, hurry: float = 1.0, on_step: Callable[[int, HeatmapNet], None] | None = None
) -> dict[str, object]:
    """Train both networks on the split's training identities and measure them on its validation identities.

    Args:
        hurry: share of the steps to take, for trials.
        on_step: see `train`.

    Returns:
        The model card that was written beside the weights.
    """
    split = {name: [int(s) for s in load_split("aublendset")[name]] for name in ("train", "validation", "test")}
    proof = prove_disjoint(split)
    blendset, model = read_blendset(data), head_model()
    parts = {name: blendset.part(split[name]) for name in ("train", "validation")}
    maker, unseen = (SceneMaker(model, ShapeSource.of(parts[name])) for name in ("train", "validation"))
    shapes = landmark_shapes(maker, seed)
    networks, history = {}, {}
    for name, usual in (("finder", FINDER), ("reader", READER)):
        config = replace(usual, seed=seed, steps=max(2, round(hurry * usual.steps)))
        networks[name], losses = train(config, maker, on_step)
        errors = validate(networks[name], config, unseen, VALIDATION_HEADS, seed)
        size = sum(p.numel() for p in networks[name].parameters())
        training = {key: value for key, value in asdict(config).items() if key != "net"}
        rounded = {key: round(value, 4) for key, value in losses.items()}
        history[name] = {"parameters": size, "training": training, "last_losses": rounded, "validation": errors}
    card = {
        "name": "mesh4d landmarks",
        "task": "depth and normals of a surface from several sides -> 68 landmarks, visibility, face or not",
        "command": f"aublend train-landmarks --data {data} --seed {seed}",
        "data": {
            "name": "AUBlendSet",
            "recipe": blendset.recipe,
            "digest": {name: part.digest() for name, part in parts.items()},
        },
        "identities": {name: f"seeds {min(seeds)} to {max(seeds)}" for name, seeds in split.items()},
        "disjoint": proof,
        "networks": history,
    }
    save_model(LandmarkModel(networks["finder"], networks["reader"], shapes), card, output)
    return card


def landmark_shapes(maker: SceneMaker, seed: int) -> LandmarkShapes:
    """The landmarks of bent heads with expressions, as a shape model."""
    rng = np.random.default_rng([seed, 0x5A9E])
    samples = []
    for _ in range(SHAPE_SAMPLES):
        points = maker.places.on(maker.source.shape(rng))
        samples.append(random_bend(rng, points, rng.uniform(0.3, 1.2))(points))
    return fit_landmark_shapes(np.stack(samples), SHAPE_DIRECTIONS)
