"""The training loop: seeded, resumable, judged on validation identities only."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from facet_vlm import objectives
from facet_vlm.batches import Batch, training_batch, whole_batch
from facet_vlm.captions import REGIONS, face_caption, region_caption, region_rows
from facet_vlm.config import Config, TrainConfig
from facet_vlm.data import ExpressionSet
from facet_vlm.labels import EXPRESSIONS
from facet_vlm.metrics import confusion_matrix, unweighted_average_recall
from facet_vlm.model import FacetNetwork
from facet_vlm.prompts import label_sentences
from facet_vlm.views import view_angles

CHECKPOINT = "checkpoint.pt"


def losses_of(
    network: FacetNetwork, batch: Batch, config: TrainConfig, rng: np.random.Generator
) -> objectives.Losses:
    """All objectives on one batch. Sentences per class and the captioned region are drawn anew each time."""
    sentences = {
        label: [texts[row] for row in rng.choice(len(texts), min(config.sentences_per_class, len(texts)), replace=False)]
        for label, texts in label_sentences().items()
    }
    halves = batch.halves.cpu().numpy()
    region = str(rng.choice(REGIONS))
    captions = [face_caption(row) for row in halves] + [region_caption(row, region) for row in halves]
    distinct = list(dict.fromkeys(captions))
    embedded = network.sentences(distinct)[[distinct.index(caption) for caption in captions]]
    classes = network.classes(sentences)
    seen = network.look(batch.images, batch.angles_deg, batch.present)
    scale, size = network.scale, len(batch.labels)
    cosines, _ = network.fuse(seen, torch.cat([classes, embedded]))
    fused, faces, regions = (scale * cosines).split([len(classes), size, size], dim=1)
    views = scale * seen.views @ classes.T
    everything = range(batch.halves.shape[-1])
    return objectives.Losses(
        fused=objectives.fused_classification(fused, batch.labels, config.label_smoothing),
        per_view=objectives.per_view_classification(views, batch.labels, batch.present, config.label_smoothing),
        prediction_consistency=objectives.prediction_consistency(fused, views, batch.present),
        feature_consistency=objectives.feature_consistency(seen.views, seen.pooled, batch.present),
        captions=objectives.caption_contrast(
            faces, objectives.soft_caption_targets(batch.halves, everything, config.caption_temperature)
        ),
        region_captions=objectives.caption_contrast(
            regions, objectives.soft_caption_targets(batch.halves, region_rows(region), config.caption_temperature)
        ),
    )


def train(
    network: FacetNetwork, training: ExpressionSet, validation: ExpressionSet, config: Config, folder: Path,
    device: torch.device,
) -> dict[str, float]:
    """Train to the last epoch and leave the best network by validation UAR in `network`.

    A run folder with a checkpoint goes on where it stopped.

    Returns:
        The best epoch and its validation UAR.
    """
    if set(training.subjects.tolist()) & set(validation.subjects.tolist()):
        raise objectives_error()
    settings = config.train
    torch.set_num_threads(settings.threads)
    angles = view_angles(config.model.rig)
    network.to(device)
    optimizer = optimizer_of(network, settings)
    steps = len(training) // settings.batch_size
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_cosine(step, steps * settings.epochs, settings.warmup_share)
    )
    state = {"epoch": 0, "best_epoch": -1, "best_uar": -1.0, "best": None}
    state = restored(folder, network, optimizer, schedule, state)
    with SummaryWriter(str(folder / "events")) as events, torch.random.fork_rng(devices=[]):
        for epoch in range(int(state["epoch"]), settings.epochs):
            torch.manual_seed(settings.seed * 10_007 + epoch)
            rng = np.random.default_rng([settings.seed, epoch])
            started = time.perf_counter()
            order = rng.permutation(len(training))[: steps * settings.batch_size].reshape(steps, -1)
            network.train()
            for step, rows in enumerate(tqdm(order, desc=f"epoch {epoch + 1}/{settings.epochs}", mininterval=5)):
                batch = training_batch(training, rows, angles, settings.views_per_sample, rng).to(device)
                found = losses_of(network, batch, settings, rng)
                total = found.total(settings.loss)
                optimizer.zero_grad()
                total.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
                optimizer.step()
                schedule.step()
                if step % 20 == 0:
                    log_losses(events, found, total, epoch * steps + step)
            uar = validation_uar(network, validation, angles, device)
            events.add_scalar("validation/uar", uar, (epoch + 1) * steps)
            events.add_scalar("epoch_s", time.perf_counter() - started, epoch)
            tqdm.write(f"epoch {epoch + 1}: validation UAR {uar:.4f}, {time.perf_counter() - started:.0f} s")
            if uar >= state["best_uar"]:
                best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
                state |= {"best_epoch": epoch, "best_uar": uar, "best": best}
            state["epoch"] = epoch + 1
            save_state(folder, network, optimizer, schedule, state)
    if state["best"] is not None:
        network.load_state_dict(state["best"])
    return {"best_epoch": float(state["best_epoch"]) + 1, "validation_uar": float(state["best_uar"])}
