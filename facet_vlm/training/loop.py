"""The training loop: seeded, resumable, in one process or several, judged on validation identities only."""

import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from facet_vlm.config import Config, TrainConfig
from facet_vlm.evaluation.metrics import confusion_matrix, unweighted_average_recall
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import score_images
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.training.batches import training_batch
from facet_vlm.training.checkpoint import Progress, Running
from facet_vlm.training.objectives import objectives_of
from facet_vlm.training.step import seen_labels, take_step
from facet_vlm.training.team import ALONE, Team
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.datasets.splits import prove_disjoint

LOG_EVERY = 20


def train(
    network: FacetNetwork,
    training: ExpressionSet,
    validation: ExpressionSet,
    config: Config,
    folder: Path,
    device: torch.device,
    team: Team = ALONE,
) -> Progress:
    """Train to the last epoch, or until patience ends; leaves the epoch of best validation UAR in `network`.

    A run folder with a checkpoint goes on where it stopped, to the same result.

    Raises:
        SplitError: when an identity is in both sets.
    """
    prove_disjoint(
        {"train": np.unique(training.subjects).tolist(), "validation": np.unique(validation.subjects).tolist()}
    )
    settings = config.train
    torch.set_num_threads(settings.threads)
    network.to(device)
    optimizer = optimizer_of(network, settings)
    total = sum(len(training) // samples_and_views(settings, epoch)[0] for epoch in range(settings.epochs))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_cosine(step, total, settings.warmup_share)
    )
    running = Running(network, optimizer, schedule, total, Progress()).restored(folder)
    progress = running.progress
    with SummaryWriter(str(folder / "events" / str(team.rank))) as events, torch.random.fork_rng(devices=[]):
        while progress.epoch < settings.epochs and not progress.is_over(settings.patience):
            started = time.perf_counter()
            _run_epoch(running, training, config, events, team)
            progress.epoch += 1
            if progress.epoch % settings.validate_every == 0 or progress.epoch == settings.epochs:
                uar = validation_uar(network, validation, config)
                events.add_scalar("validation/uar", uar, progress.epoch)
                progress.keep_if_best(uar, network)
                if team.leads:
                    tqdm.write(f"epoch {progress.epoch}: validation UAR {uar:.4f}")
            events.add_scalar("epoch_seconds", time.perf_counter() - started, progress.epoch)
            if team.leads:
                running.save(folder)
    network.load_state_dict(progress.best)
    return progress


def validation_uar(network: FacetNetwork, validation: ExpressionSet, config: Config) -> float:
    """UAR over all views of the validation identities, among the labels that training names."""
    labels = seen_labels(config)
    known = np.isin(validation.labels, [EXPRESSIONS.index(label) for label in labels])
    scores = score_images(network, validation.images[known], view_angles(config.model.rig), label_sentences(labels))
    rows = np.array([labels.index(EXPRESSIONS[row]) for row in validation.labels[known]])
    return unweighted_average_recall(confusion_matrix(rows, scores.fused.argmax(axis=1), len(labels)))


def optimizer_of(network: torch.nn.Module, settings: TrainConfig) -> torch.optim.AdamW:
    """AdamW; norms, biases and the temperature do not decay."""
    decayed = [weight for weight in network.parameters() if weight.requires_grad and weight.ndim > 1]
    free = [weight for weight in network.parameters() if weight.requires_grad and weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def warm_cosine(step: int, total: int, warmup_share: float) -> float:
    """Learning rate as a share of its peak: linear rise, then half a cosine down to 0."""
    warm = max(1, int(total * warmup_share))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


def caption_share(done: float, begin: float) -> float:
    """How much captions count when a share of the training is done: 0 until `begin`, 1 from twice that."""
    return min(max((done - begin) / begin, 0.0), 1.0) if begin > 0 else 1.0


def samples_and_views(settings: TrainConfig, epoch: int) -> tuple[int, int]:
    """Samples of a step of one epoch, and views of each: as many pictures in every epoch."""
    if epoch < settings.single_view_share * settings.epochs:
        return settings.batch_size * settings.views_per_sample, 1
    return settings.batch_size, settings.views_per_sample


def epoch_order(count: int, batch_size: int, epoch: int, seed: int, team: Team) -> Int[np.ndarray, "S B"]:
    """The rows of each step of one epoch that a member of the team takes; all draw the same order and cut it up."""
    steps = count // batch_size
    order = np.random.default_rng([seed, epoch]).permutation(count)[: steps * batch_size].reshape(steps, batch_size)
    share = team.share_of(batch_size)
    return order[:, team.rank * share : (team.rank + 1) * share]


def _run_epoch(running: Running, training: ExpressionSet, config: Config, events: SummaryWriter, team: Team) -> None:
    """One pass, drawing what a run that was never stopped would draw."""
    settings, epoch = config.train, running.progress.epoch
    network = running.network
    device = next(network.parameters()).device
    torch.manual_seed(settings.seed * 10_007 + epoch * team.size + team.rank)
    rng = np.random.default_rng([settings.seed, epoch, team.rank, 1])
    size, views = samples_and_views(settings, epoch)
    order = epoch_order(len(training), size, epoch, settings.seed, team)
    objectives = objectives_of(config)
    network.train()
    progress = tqdm(order, desc=f"epoch {epoch + 1}/{settings.epochs}", mininterval=5, disable=not team.leads)
    for number, rows in enumerate(progress):
        batch = training_batch(training, rows, views, rng, config.model.inputs).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.mixed_precision):
            step = take_step(network, batch, config, rng)
        losses = {name: objective(step) for name, (_, objective) in objectives.items()}
        share = caption_share(running.schedule.last_epoch / running.total_steps, settings.captions_from)
        weights = {name: weight * (share if "captions" in name else 1.0) for name, (weight, _) in objectives.items()}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        running.optimizer.zero_grad()
        total.backward()
        team.average_gradients(network)
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
        running.optimizer.step()
        running.schedule.step()
        if number % LOG_EVERY == 0:
            for name, value in {"total": total, **losses}.items():
                events.add_scalar(f"train/{name}", value.item(), running.schedule.last_epoch)
    team.agree_on_buffers(network)
