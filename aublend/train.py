"""Trains AUBlendNet: statistics in closed form, then the network on what ridge regression leaves over."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import trange

from aublend.blendset import BlendSet
from aublend.head_model import HeadModel
from aublend.net import AUBlendNet, NetConfig
from mesh4d.io import atomic_write


@dataclass(frozen=True)
class TrainConfig:
    """How the shipped weights are made."""

    seed: int = 0
    steps: int = 3000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    surface_noise_mm: float = 0.25
    """Independent noise on each input vertex, as a scan leaves."""
    drift_mm: float = 0.7
    """Smooth error of the input, as registration leaves: spread of random bumps some centimetres wide."""
    drift_radius_mm: float = 25.0
    ridge: float = 3.0
    """Ridge penalty, in identities' worth of code variance."""


def identity_support(model: HeadModel) -> Bool[np.ndarray, " V"]:
    """Vertices the code is read from: outer skin that expressions move. Scans show these; crowns and napes vary."""
    outer = np.zeros(model.topology.n_vertices, bool)
    outer[model.topology.part_vertices("skin", "lips")] = True
    outer[model.parts.cavity] = False
    moved = (np.abs(model.shapes.deltas) > 0).any(axis=(0, 1, 3))
    return outer & moved & ~model.socket


def fit_statistics(net: AUBlendNet, train: BlendSet, seen: Bool[np.ndarray, " V"], config: TrainConfig) -> None:
    """Principal components of neutrals and of every unit's displacements, and the ridge map between them."""
    size = net.config
    rng = np.random.default_rng(config.seed)
    neutrals = train.neutrals.astype(np.float64) * seen[:, None]
    flat = neutrals.reshape(len(neutrals), -1)
    mean = flat.mean(axis=0)
    _, spread, axes = np.linalg.svd(flat - mean, full_matrices=False)
    deviation = spread[: size.code_size] / np.sqrt(len(flat) - 1)
    basis = axes[: size.code_size].T / deviation
    net.code_mean.copy_(torch.from_numpy(mean))
    net.code_basis.copy_(torch.from_numpy(basis))
    noisy = np.repeat(neutrals, 8, axis=0) + input_error(train.neutrals, 8, config, rng) * seen[:, None]
    codes = net.code(torch.from_numpy(noisy).float()).double().numpy()
    gram = codes.T @ codes + config.ridge * np.eye(size.code_size)
    for unit in range(train.deltas.shape[1]):
        shapes = train.deltas[:, unit][:, net.support.numpy()].reshape(len(flat), -1).astype(np.float64)
        centre = shapes.mean(axis=0)
        left, spread, axes = np.linalg.svd(shapes - centre, full_matrices=False)
        rank = size.shape_rank
        scale = spread[:rank] / np.sqrt(len(flat))
        net.unit_mean[unit] = torch.from_numpy(centre)
        net.unit_basis[unit] = torch.from_numpy(axes[:rank] * scale[:, None])
        white = np.repeat(left[:, :rank] * np.sqrt(len(flat)), 8, axis=0)
        net.ridge[unit] = torch.from_numpy(np.linalg.solve(gram, codes.T @ white).T)


def input_error(
    neutrals: Float[np.ndarray, "N V 3"], repeats: int, config: TrainConfig, rng: np.random.Generator
) -> Float[np.ndarray, "NR V 3"]:
    """Random errors such as scans and registration leave, for `repeats` copies of every head."""
    vertices = neutrals[0].astype(np.float32)
    count = len(neutrals) * repeats
    centres = vertices[rng.choice(len(vertices), 24, replace=False)]
    bumps = np.exp(-((vertices[:, None] - centres) ** 2).sum(axis=2) / (2 * config.drift_radius_mm**2))
    bumps /= np.sqrt((bumps**2).sum(axis=1, keepdims=True)) + 1e-6
    error = np.einsum("vk,nkc->nvc", bumps, rng.normal(0, config.drift_mm, (count, 24, 3)).astype(np.float32))
    error += rng.normal(0, config.surface_noise_mm, error.shape).astype(np.float32)
    return error * rng.random((count, 1, 1)).astype(np.float32)


def train(
    model: HeadModel, parts: dict[str, BlendSet], run_folder: Path, size: NetConfig, config: TrainConfig
) -> tuple[AUBlendNet, dict[str, float]]:
    """Train on parts["train"], choose the step by parts["validation"], and return the net and its history.

    Only the coefficients are learned, weighted by the millimetres they stand for, so a step costs milliseconds.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed + 1)
    moved = np.abs(parts["train"].deltas).max(axis=(0, 1, 3)) > 0
    seen = identity_support(model)
    net = AUBlendNet(size, torch.from_numpy(np.flatnonzero(moved)))
    fit_statistics(net, parts["train"], seen, config)
    targets = {name: unit_coefficients(net, part) for name, part in parts.items() if name != "test"}
    weight = net.unit_basis.square().sum(dim=2)
    clean = torch.from_numpy(parts["train"].neutrals * seen[:, None])
    held = net.code(torch.from_numpy(parts["validation"].neutrals * seen[:, None]).float())
    history = {"ridge_validation_loss": _loss(net, held, targets["validation"], weight).item()}
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, config.steps)
    best, best_state = np.inf, net.state_dict()
    with SummaryWriter(str(run_folder)) as log:
        for step in trange(config.steps, desc="AUBlendNet", unit="step"):
            if step % 25 == 0:  # fresh input errors now and then: making them costs more than a step
                rows = rng.permutation(len(clean))
                noise = input_error(parts["train"].neutrals, 1, config, rng) * seen[:, None]
                codes = net.code(clean[rows] + torch.from_numpy(noise)[rows]).detach()
            pick = torch.from_numpy(rng.choice(len(rows), config.batch, replace=False))
            loss = _loss(net, codes[pick], targets["train"][rows[pick]], weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % 100 == 99 or step == config.steps - 1:
                with torch.no_grad():
                    score = _loss(net, held, targets["validation"], weight).item()
                log.add_scalars("loss", {"train": loss.item(), "validation": score}, step)
                if score < best:
                    best, best_state = score, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(best_state)
    history["net_validation_loss"] = best
    _write_run(run_folder, size, config, parts, history)
    return net.eval(), history


def unit_coefficients(net: AUBlendNet, part: BlendSet) -> Float[Tensor, "N A R"]:
    """The whitened coefficients that reproduce a set's displacements best."""
    support = net.support.numpy()
    columns = []
    for unit in range(part.deltas.shape[1]):
        shapes = torch.from_numpy(part.deltas[:, unit][:, support].reshape(len(part.seeds), -1).astype(np.float32))
        basis = net.unit_basis[unit]
        columns.append((shapes - net.unit_mean[unit]) @ (basis / basis.square().sum(dim=1, keepdim=True)).T)
    return torch.stack(columns, dim=1)


def _loss(
    net: AUBlendNet, codes: Float[Tensor, "B K"], target: Float[Tensor, "B A R"], weight: Float[Tensor, "A R"]
) -> Float[Tensor, ""]:
    """Squared displacement error per unit, relative to the unit's own variation over identities."""
    error = (net.coefficients(codes) - target).square() * weight
    return (error.sum(dim=2) / weight.sum(dim=1)).mean()


def _write_run(
    folder: Path, size: NetConfig, config: TrainConfig, parts: dict[str, BlendSet], history: dict[str, float]
) -> None:
    """Everything needed to make the same weights again."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    content = {
        "size": asdict(size),
        "config": asdict(config),
        "commit": commit or "unknown",
        "data": {name: {"identities": len(part.seeds), "digest": part.digest()} for name, part in parts.items()},
        "history": history,
    }
    with atomic_write(folder / "run.json", text=True) as file:
        json.dump(content, file, indent=2)
