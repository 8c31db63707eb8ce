"""The training loop of the temporal module on cached tokens: seeded, resumable, judged on validation identities."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from aublend.captions import face_caption
from facet_vlm.config_4d import Config4D, TemporalTrainConfig
from facet_vlm.evaluation.metrics import confusion_matrix, unweighted_average_recall
from facet_vlm.faces.sequence_set import SequenceSet
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.training.checkpoint import Progress, Running
from facet_vlm.training.loop import optimizer_of, warm_cosine
from facet_vlm.training.objectives import soft_caption_targets
from mesh4d.datasets.splits import prove_disjoint

CHUNK = 256


@dataclass(frozen=True)
class TemporalTexts:
    """Unit embeddings by the frozen text tower; sequences are compared with nothing else."""

    expressions: Float[torch.Tensor, "K D"]
    categories: Float[torch.Tensor, "C D"]
    captions: Float[torch.Tensor, "B D"]
    """One per training sequence."""


@dataclass(frozen=True)
class TemporalBatch:
    """Some training sequences."""

    tokens: Float[torch.Tensor, "B T S D"]
    times_s: Float[torch.Tensor, "B T"]
    present: Bool[torch.Tensor, "B T"]
    targets: Float[torch.Tensor, "B K"]
    categories: Float[torch.Tensor, "B C"]
    halves: Float[torch.Tensor, "B 2 A"]
    captions: Float[torch.Tensor, "B D"]


def train_temporal(
    network: TemporalNetwork,
    training: SequenceSet,
    validation: SequenceSet,
    texts: TemporalTexts,
    config: Config4D,
    folder: Path,
) -> Progress:
    """Train until patience ends; leaves the epoch of the best validation score in `network`.

    A run folder with a checkpoint goes on where it stopped, to the same result.

    Raises:
        SplitError: when an identity is in both sets.
    """
    prove_disjoint(
        {"train": np.unique(training.subjects).tolist(), "validation": np.unique(validation.subjects).tolist()}
    )
    settings = config.train
    torch.set_num_threads(settings.threads)
    network.fit_scales(torch.from_numpy(training.tokens).float(), torch.from_numpy(training.present))
    optimizer = optimizer_of(network, settings.optimisation())
    steps = max(1, len(training) // settings.batch_size)
    total = steps * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: warm_cosine(s, total, settings.warmup_share))
    running = Running(network, optimizer, schedule, total, Progress()).restored(folder)
    progress = running.progress
    with SummaryWriter(str(folder / "events")) as events, torch.random.fork_rng(devices=[]):
        bar = tqdm(total=settings.epochs, initial=progress.epoch, desc="epochs", unit="epoch", mininterval=2)
        while progress.epoch < settings.epochs and not progress.is_over(settings.patience):
            loss = _run_epoch(running, training, texts, settings, steps)
            progress.epoch += 1
            score = validation_score(network, validation, texts)
            progress.keep_if_best(score, network)
            events.add_scalar("train/loss", loss, progress.epoch * steps)
            events.add_scalar("validation/score", score, progress.epoch * steps)
            running.save(folder)
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", score=f"{score:.4f}")
        bar.close()
    network.load_state_dict(progress.best)
    return progress


def temporal_loss(
    network: TemporalNetwork, batch: TemporalBatch, texts: TemporalTexts, settings: TemporalTrainConfig
) -> Float[torch.Tensor, ""]:
    """The weighted sum of the objectives on one batch."""
    weights = settings.loss
    labels = [texts.expressions, texts.categories] + ([batch.captions] if weights.captions > 0 else [])
    cosines, _ = network(batch.tokens, batch.times_s, batch.present, torch.cat(labels))
    expressions, categories, captions = cosines.tensor_split(
        [len(texts.expressions), len(texts.expressions) + len(texts.categories)], dim=1
    )
    meant = batch.targets.sum(dim=1) > 0
    loss = weights.categories * nn.functional.binary_cross_entropy_with_logits(
        network.category_logits(categories), batch.categories
    )
    if meant.any():
        logits = network.expression_logits(expressions[meant])
        one_of = nn.functional.cross_entropy(logits, batch.targets[meant], label_smoothing=settings.label_smoothing)
        loss = loss + weights.expressions * one_of
    if weights.captions > 0:
        fit = soft_caption_targets(batch.halves, range(batch.halves.shape[-1]), settings.caption_temperature)
        logits, fit = network.expression_logits(captions), fit / fit.sum(dim=1, keepdim=True)
        both = nn.functional.cross_entropy(logits, fit) + nn.functional.cross_entropy(logits.T, fit)
        loss = loss + weights.captions * 0.5 * both
    return loss


def validation_score(network: TemporalNetwork, validation: SequenceSet, texts: TemporalTexts) -> float:
    """Mean of the UAR over expressions and the mean F1 of the categories at a probability of one half."""
    expressions, categories = score_sequences(network, validation, texts)
    meant = validation.targets.sum(axis=1) > 0
    truth, found = validation.targets[meant].argmax(axis=1), expressions[meant].argmax(axis=1)
    uar = unweighted_average_recall(confusion_matrix(truth, found, validation.targets.shape[1]))
    there, said = validation.categories >= 0.5, categories > 0
    f1 = 2 * (there & said).sum(axis=0) / np.maximum(there.sum(axis=0) + said.sum(axis=0), 1)
    return float((uar + f1.mean()) / 2)


def score_sequences(
    network: TemporalNetwork, sequences: SequenceSet, texts: TemporalTexts
) -> tuple[Float[np.ndarray, "B K"], Float[np.ndarray, "B C"]]:
    """Logits over expressions and of categories, in eval mode; a row's result depends on nothing but its own frames."""
    labels = torch.cat([texts.expressions, texts.categories])
    cosines = sequence_cosines(network, sequences.tokens, sequences.times_s, sequences.present, labels)
    expressions, categories = torch.from_numpy(cosines).split([len(texts.expressions), len(texts.categories)], dim=1)
    with torch.inference_mode():
        return network.expression_logits(expressions).numpy(), network.category_logits(categories).numpy()


def sequence_cosines(
    network: TemporalNetwork,
    tokens: np.ndarray,
    times_s: Float[np.ndarray, "B T"],
    present: Bool[np.ndarray, "B T"],
    texts: Float[torch.Tensor, "K D"],
) -> Float[np.ndarray, "B K"]:
    """Cosines in eval mode, in chunks.

    Args:
        tokens: (B,T,S,D) in half or single precision.
    """
    was_training = network.training
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(tokens), CHUNK):
            rows = slice(start, start + CHUNK)
            some = torch.from_numpy(tokens[rows]).float()
            times = torch.from_numpy(times_s[rows]).float()
            found.append(network(some, times, torch.from_numpy(present[rows]), texts)[0])
    network.train(was_training)
    return torch.cat(found).numpy()


def captions_of(sequences: SequenceSet) -> list[str]:
    """What each sequence's apex shows, in words."""
    return [face_caption(halves.astype(float)) for halves in sequences.halves]


def _run_epoch(
    running: Running[TemporalNetwork],
    training: SequenceSet,
    texts: TemporalTexts,
    settings: TemporalTrainConfig,
    steps: int,
) -> float:
    """One pass, drawing what a run that was never stopped would draw; the mean loss."""
    network, epoch = running.network, running.progress.epoch
    torch.manual_seed(settings.seed * 10_007 + epoch)
    rng = np.random.default_rng([settings.seed, epoch])
    order = rng.permutation(len(training))
    total = 0.0
    network.train()
    for step in range(steps):
        rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
        loss = temporal_loss(network, _batch(training, rows, texts, settings, rng), texts, settings)
        running.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
        running.optimizer.step()
        running.schedule.step()
        total += float(loss.detach()) / steps
    return total


def _batch(
    training: SequenceSet,
    rows: np.ndarray,
    texts: TemporalTexts,
    settings: TemporalTrainConfig,
    rng: np.random.Generator,
) -> TemporalBatch:
    """Some sequences, of each some frames."""
    present = with_dropped_frames(training.present[rows], settings.dropped_frames, rng)
    return TemporalBatch(
        tokens=torch.from_numpy(training.tokens[rows]).float(),
        times_s=torch.from_numpy(training.times_s[rows]).float(),
        present=torch.from_numpy(present),
        targets=torch.from_numpy(training.targets[rows]).float(),
        categories=torch.from_numpy(training.categories[rows]).float(),
        halves=torch.from_numpy(training.halves[rows]).float(),
        captions=texts.captions[torch.from_numpy(rows)],
    )


def with_dropped_frames(
    present: Bool[np.ndarray, "B T"], largest_share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "B T"]:
    """Of each sequence a random share of frames hidden, up to the largest; the first frame, its onset, stays."""
    hidden = rng.random(present.shape) < rng.uniform(0, largest_share, (len(present), 1))
    hidden[:, 0] = False
    return present & ~hidden
