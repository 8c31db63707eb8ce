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
    steps: int = 1500
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
    outer[model.parts.cavity] = outer[model.parts.socket] = False
    moved = (np.abs(model.shapes.deltas) > 0).any(axis=(0, 1, 3))
    return outer & moved


def fit_statistics(net: AUBlendNet, train: BlendSet, seen: Bool[np.ndarray, " V"], config: TrainConfig) -> None:
    """Principal components of neutrals and of every unit's displacements, and the ridge map between them."""
    size = net.config
    flat = (train.neutrals * seen[:, None]).reshape(len(train.seeds), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, spread, axes = principal_components(flat - mean, size.code_size)
    net.code_mean.copy_(torch.from_numpy(mean))
    net.code_basis.copy_(torch.from_numpy(axes.T / (spread[:, None].T / np.sqrt(len(flat) - 1))))
    clean = net.raw_code(torch.from_numpy(flat.reshape(len(flat), -1, 3)).float())
    repeats = 8
    errors = InputError(net, train.neutrals[0], seen, config).draw(repeats * len(flat))
    codes = net.bounded(clean.repeat(repeats, 1) + errors).double().numpy()
    gram = codes.T @ codes + config.ridge * repeats * np.eye(size.code_size)
    for unit in range(train.deltas.shape[1]):
        shapes = train.deltas[:, unit][:, net.support.numpy()].reshape(len(flat), -1).astype(np.float64)
        centre = shapes.mean(axis=0)
        left, spread, axes = principal_components(shapes - centre, size.shape_rank)
        net.unit_mean[unit] = torch.from_numpy(centre)
        net.unit_basis[unit] = torch.from_numpy(axes * spread[:, None] / np.sqrt(len(flat)))
        white = np.tile(left * np.sqrt(len(flat)), (repeats, 1))
        net.ridge[unit] = torch.from_numpy(np.linalg.solve(gram, codes.T @ white).T)


def principal_components(
    rows: Float[np.ndarray, "N C"], rank: int
) -> tuple[Float[np.ndarray, "N R"], Float[np.ndarray, " R"], Float[np.ndarray, "R C"]]:
    """The leading singular triplets, from the small N x N Gram matrix."""
    values, vectors = np.linalg.eigh(rows @ rows.T)
    left = vectors[:, ::-1][:, :rank]
    spread = np.sqrt(np.maximum(values[::-1][:rank], 1e-12))
    return left, spread, (left.T @ rows) / spread[:, None]


class InputError:
    """What errors of scanning and registration do to the raw code.

    The code is linear in the vertices, so the errors' covariance is carried into code space once, and drawing costs
    next to nothing: independent noise on every vertex, and smooth bumps, at random strength from none to full.
    """

    def __init__(
        self, net: AUBlendNet, vertices: Float[np.ndarray, "V 3"], seen: Bool[np.ndarray, " V"], config: TrainConfig
    ) -> None:
        self.rng = np.random.default_rng(config.seed + 2)
        places = vertices[seen].astype(np.float64)
        centres = places[self.rng.choice(len(places), 24, replace=False)]
        bumps = np.exp(-((places[:, None] - centres) ** 2).sum(axis=2) / (2 * config.drift_radius_mm**2))
        bumps /= np.sqrt((bumps**2).sum(axis=1, keepdims=True)) + 1e-6
        basis = net.code_basis.double().numpy().reshape(len(seen), 3, -1)[seen]
        size = basis.shape[-1]
        self.drift = config.drift_mm * (bumps.T @ basis.reshape(len(places), -1)).reshape(-1, size)
        flat = basis.reshape(-1, size)
        self.noise = config.surface_noise_mm * np.linalg.cholesky(flat.T @ flat + 1e-9 * np.eye(size)).T

    def draw(self, count: int) -> Float[Tensor, "N K"]:
        """Errors to add to `count` raw codes."""
        codes = self.rng.normal(size=(count, len(self.drift))) @ self.drift
        codes += self.rng.normal(size=(count, len(self.noise))) @ self.noise
        return torch.from_numpy(codes * self.rng.random((count, 1))).float()


def train(
    model: HeadModel, parts: dict[str, BlendSet], run_folder: Path, size: NetConfig, config: TrainConfig
) -> tuple[AUBlendNet, dict[str, float]]:
    """Train on parts["train"], choose the step by parts["validation"], and return the net and its history.

    Only the coefficients are learned, weighted by the millimetres they stand for, so a step costs milliseconds.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed + 1)
    moved = (np.abs(model.shapes.deltas) > 0).any(axis=(0, 1, 3))
    seen = identity_support(model)
    net = AUBlendNet(size, torch.from_numpy(np.flatnonzero(moved)))
    fit_statistics(net, parts["train"], seen, config)
    errors = InputError(net, parts["train"].neutrals[0], seen, config)
    targets = {name: unit_coefficients(net, part) for name, part in parts.items() if name != "test"}
    weight = net.unit_basis.square().sum(dim=2)
    clean, held = (
        net.raw_code(torch.from_numpy(parts[name].neutrals * seen[:, None])) for name in ("train", "validation")
    )
    held = torch.cat([net.bounded(held), net.bounded(held + errors.draw(len(held)))])
    targets["validation"] = targets["validation"].repeat(2, 1, 1)
    history = {"ridge_validation_loss": _loss(net, held, targets["validation"], weight).item()}
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, config.steps)
    best, best_state = np.inf, net.state_dict()
    with SummaryWriter(str(run_folder)) as log:
        for step in trange(config.steps, desc="AUBlendNet", unit="step"):
            pick = torch.from_numpy(rng.choice(len(clean), config.batch, replace=False))
            codes = net.bounded(clean[pick] + errors.draw(config.batch))
            loss = _loss(net, codes, targets["train"][pick], weight)
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
