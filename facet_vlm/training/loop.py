"""The training loop: seeded, resumable, judged on validation identities only."""

import math
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from aublend.captions import REGIONS, face_caption, region_caption, region_rows
from facet_vlm.config import Config, TrainConfig
from facet_vlm.evaluation.metrics import confusion_matrix, unweighted_average_recall
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import score_images
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.training import objectives
from facet_vlm.training.batches import Batch, training_batch
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.datasets.splits import prove_disjoint

CHECKPOINT = "checkpoint.pt"
LOG_EVERY = 20


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    best_epoch: int = 0
    best_uar: float = -1.0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """Weights of the best epoch."""

    def keep_if_best(self, uar: float, network: FacetNetwork) -> None:
        """Remember the network when no earlier one was better."""
        if uar >= self.best_uar:
            self.best_epoch, self.best_uar = self.epoch, uar
            self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def train(
    network: FacetNetwork,
    training: ExpressionSet,
    validation: ExpressionSet,
    config: Config,
    folder: Path,
    device: torch.device,
) -> Progress:
    """Train to the last epoch; leaves the epoch of best validation UAR in `network`.

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
    steps = len(training) // settings.batch_size
    total_steps = steps * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_cosine(step, total_steps, settings.warmup_share)
    )
    progress = _restore(folder, network, optimizer, schedule)
    with SummaryWriter(str(folder / "events")) as events, torch.random.fork_rng(devices=[]):
        for epoch in range(progress.epoch, settings.epochs):
            started = time.perf_counter()
            torch.manual_seed(settings.seed * 10_007 + epoch)  # so that a resumed run draws what the whole one drew
            rng = np.random.default_rng([settings.seed, epoch])
            order = rng.permutation(len(training))[: steps * settings.batch_size].reshape(steps, -1)
            _run_epoch(network, training, order, config, optimizer, schedule, rng, events, epoch)
            progress.epoch = epoch + 1
            if progress.epoch % settings.validate_every == 0 or progress.epoch == settings.epochs:
                uar = validation_uar(network, validation, config)
                events.add_scalar("validation/uar", uar, progress.epoch * steps)
                tqdm.write(f"epoch {progress.epoch}: validation UAR {uar:.4f}")
                progress.keep_if_best(uar, network)
            events.add_scalar("epoch_seconds", time.perf_counter() - started, progress.epoch)
            _save(folder, network, optimizer, schedule, progress)
    network.load_state_dict(progress.best)
    return progress


def losses_of(network: FacetNetwork, batch: Batch, config: TrainConfig, rng: np.random.Generator) -> objectives.Losses:
    """All objectives on one batch. Sentences per class and the region that is captioned are drawn anew each time."""
    sentences = {
        label: [
            texts[row] for row in rng.choice(len(texts), min(config.sentences_per_class, len(texts)), replace=False)
        ]
        for label, texts in label_sentences().items()
    }
    region = str(rng.choice(REGIONS))
    classes, captions = network.classes(sentences), _embedded_captions(network, batch, region)
    seen = network.look(batch.images, batch.angles_deg, batch.present)
    cosines, _ = network.fuse(seen, torch.cat([classes, captions]))
    scale, size = network.scale, len(batch.labels)
    fused, faces, regions = (scale * cosines).split([len(classes), size, size], dim=1)
    views = scale * seen.views @ classes.T
    whole = range(batch.halves.shape[-1])
    face_targets = objectives.soft_caption_targets(batch.halves, whole, config.caption_temperature)
    region_targets = objectives.soft_caption_targets(batch.halves, region_rows(region), config.caption_temperature)
    return objectives.Losses(
        fused=objectives.fused_classification(fused, batch.labels, config.label_smoothing),
        per_view=objectives.per_view_classification(views, batch.labels, batch.present, config.label_smoothing),
        prediction_consistency=objectives.prediction_consistency(fused, views, batch.present),
        feature_consistency=objectives.feature_consistency(seen.views, seen.pooled, batch.present),
        captions=objectives.caption_contrast(faces, face_targets),
        region_captions=objectives.caption_contrast(regions, region_targets),
    )


def validation_uar(network: FacetNetwork, validation: ExpressionSet, config: Config) -> float:
    """UAR over all views of the validation identities."""
    scores = score_images(network, validation.images, view_angles(config.model.rig), label_sentences())
    confusion = confusion_matrix(validation.labels, scores.fused.argmax(axis=1), len(EXPRESSIONS))
    return unweighted_average_recall(confusion)


def optimizer_of(network: FacetNetwork, settings: TrainConfig) -> torch.optim.AdamW:
    """AdamW; norms, biases and the temperature do not decay."""
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    free = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def warm_cosine(step: int, total: int, warmup_share: float) -> float:
    """Learning rate as a share of its peak: linear rise, then half a cosine down to 0."""
    warm = max(1, int(total * warmup_share))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


def _run_epoch(
    network: FacetNetwork,
    training: ExpressionSet,
    order: Int[np.ndarray, "S B"],
    config: Config,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    rng: np.random.Generator,
    events: SummaryWriter,
    epoch: int,
) -> None:
    """One pass; `order` holds the rows of each step's samples."""
    settings, device = config.train, next(network.parameters()).device
    angles = view_angles(config.model.rig)
    network.train()
    for step, rows in enumerate(tqdm(order, desc=f"epoch {epoch + 1}/{settings.epochs}", mininterval=5)):
        batch = training_batch(training, rows, angles, settings.views_per_sample, rng).to(device)
        losses = losses_of(network, batch, settings, rng)
        total = losses.total(settings.loss)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
        optimizer.step()
        schedule.step()
        if step % LOG_EVERY == 0:
            events.add_scalar("train/total", total.item(), epoch * len(order) + step)
            for loss in fields(losses):
                events.add_scalar(f"train/{loss.name}", getattr(losses, loss.name).item(), epoch * len(order) + step)


def _embedded_captions(network: FacetNetwork, batch: Batch, region: str) -> torch.Tensor:
    """Embeddings of each face's caption, then of each face's caption of the region; equal sentences run once."""
    halves = batch.halves.cpu().numpy()
    captions = [face_caption(row) for row in halves] + [region_caption(row, region) for row in halves]
    row_of = {caption: row for row, caption in enumerate(dict.fromkeys(captions))}
    return network.sentences(list(row_of))[[row_of[caption] for caption in captions]]


def _save(
    folder: Path,
    network: FacetNetwork,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    progress: Progress,
) -> None:
    """Keep what a resumed run needs."""
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    temporary = folder / f"{CHECKPOINT}.part"
    torch.save(state | {"progress": vars(progress)}, temporary)
    temporary.replace(folder / CHECKPOINT)


def _restore(
    folder: Path,
    network: FacetNetwork,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> Progress:
    """Go back to the checkpoint of a folder, if it has one."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return Progress()
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return Progress(**state["progress"])
