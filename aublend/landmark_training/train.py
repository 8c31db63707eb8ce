"""The loop: new scenes in every step, never the same picture twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from aublend.landmark_training.objectives import landmark_loss
from aublend.landmark_training.samples import FINDER_VIEWS, READER_VIEWS, Samples, ViewRange, draw_samples
from aublend.landmark_training.scenes import SceneMaker
from mesh4d.landmarks.heatmaps import peaks
from mesh4d.landmarks.network import HeatmapNet, NetConfig


@dataclass(frozen=True)
class TrainConfig:
    """One network's training."""

    views: ViewRange
    net: NetConfig
    steps: int
    heads: int = 8
    views_per_head: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    seed: int = 0


FINDER = TrainConfig(FINDER_VIEWS, NetConfig((24, 48, 80, 112), 1), 900)
READER = TrainConfig(READER_VIEWS, NetConfig((32, 64, 128, 160), 0), 2000)


def train(
    config: TrainConfig, maker: SceneMaker, each: Callable[[int, HeatmapNet], None] | None = None
) -> tuple[HeatmapNet, dict[str, float]]:
    """Train one network.

    Args:
        each: called now and then with the step and the network, e.g. to keep what there is.

    Returns:
        The network in evaluation mode, and the last losses.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng([config.seed, config.steps, len(config.views.name)])
    network = HeatmapNet(config.net).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, config.steps, pct_start=0.1)
    running: dict[str, float] = {}
    started = time.monotonic()
    for step in (bar := tqdm(range(config.steps), desc=config.views.name, unit="step")):
        samples = draw_samples(maker, config.views, config.heads, config.views_per_head, config.net.picture_px, rng)
        losses = _step(network, optimiser, samples)
        schedule.step()
        for name, value in losses.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        if step % 100 == 99:
            bar.set_postfix({name: f"{value:.3f}" for name, value in running.items()})
            if each is not None:
                each(step + 1, network)
    running["minutes"] = (time.monotonic() - started) / 60
    return network.eval(), running


def _step(network: HeatmapNet, optimiser: torch.optim.Optimizer, samples: Samples) -> dict[str, float]:
    pictures = torch.from_numpy(samples.pictures).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(pictures)
    fields = (torch.from_numpy(getattr(samples, name)) for name in ("places", "visible", "inside", "face"))
    losses = landmark_loss(output, *fields)
    optimiser.zero_grad(set_to_none=True)
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def validate(network: HeatmapNet, config: TrainConfig, maker: SceneMaker, heads: int, seed: int) -> dict[str, float]:
    """Errors on new scenes: of visible landmarks (share of the picture's side) and of the yes-or-no answers."""
    rng = np.random.default_rng([seed, 0x7E57])
    errors, right_face, right_visible = [], [], []
    for _ in range(heads // 8):
        samples = draw_samples(maker, config.views, 8, 4, config.net.picture_px, rng)
        with torch.inference_mode():
            output = network(torch.from_numpy(samples.pictures).contiguous(memory_format=torch.channels_last))
        found = peaks(output.heat.numpy()).places
        seen = (samples.visible > 0) & (samples.face > 0)[:, None]
        errors.append(np.linalg.norm(found - samples.places, axis=2)[seen])
        judged = samples.face >= 0
        right_face.append((output.face.numpy() > 0)[judged] == (samples.face[judged] > 0))
        faces = samples.face > 0
        right_visible.append(((output.visible.numpy() > 0) == (samples.visible > 0))[faces].ravel())
    return {
        "mean_error": round(float(np.concatenate(errors).mean()), 5),
        "median_error": round(float(np.median(np.concatenate(errors))), 5),
        "face_accuracy": round(float(np.concatenate(right_face).mean()), 4),
        "visibility_accuracy": round(float(np.concatenate(right_visible).mean()), 4),
    }
