"""A temporal module fitted to some labelled sequences, from the tokens of their frames: for the folds of a protocol.

    learner = TemporalLearner(texts, exclusive=True)
    fitted = learner.fit(sequences, targets, rng, aside=held_out_rows)
    probabilities = fitted.predict(others)

Sequences are `FrameTokens`: (T,S,D) tokens, times in seconds and a mask, T as it comes. Tokens per view (T,N,D) become
one with `FrameTokens.of_views`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

from facet_vlm.config_4d import TemporalConfig
from facet_vlm.faces.frame_tokens import FrameTokens
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.network.temporal_weights import build_temporal
from facet_vlm.training.temporal import sequence_cosines, with_dropped_frames
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class LearnerSettings:
    """Of the optimisation; our own choice."""

    epochs: int = 30
    patience: int = 6
    """Epochs without a lower loss on the sequences set aside."""
    batch_size: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    dropped_frames: float = 0.3
    tune_texts: bool = True
    """Let the labels' embeddings move as well; off keeps their sentences' meaning."""


@dataclass(frozen=True)
class PaddedTokens:
    """Sequences of several lengths as arrays; what stands where nothing is present never matters."""

    tokens: Float[np.ndarray, "B T S D"]
    times_s: Float[np.ndarray, "B T"]
    present: Bool[np.ndarray, "B T"]


@dataclass(frozen=True)
class FittedTemporal:
    """A learner that has learnt."""

    network: TemporalNetwork
    texts: Float[torch.Tensor, "K D"]
    exclusive: bool
    best_epoch: int

    def predict(self, sequences: Sequence[FrameTokens]) -> Float[np.ndarray, "B K"]:
        """Probability of each label: of a softmax where labels exclude each other, else of a sigmoid each."""
        data = padded(sequences)
        cosines = torch.from_numpy(sequence_cosines(self.network, data.tokens, data.times_s, data.present, self.texts))
        with torch.inference_mode():
            if self.exclusive:
                return self.network.expression_logits(cosines).softmax(dim=1).numpy()
            return self.network.category_logits(cosines).sigmoid().numpy()


@dataclass(frozen=True)
class TemporalLearner:
    """How to fit a temporal module."""

    texts: Float[torch.Tensor, "K D"]
    """Unit embedding of each label, from the text tower that goes with the tokens."""
    exclusive: bool
    """Exactly one label holds for a sequence; otherwise any number."""
    start: TemporalNetwork | None = None
    """A trained module to go on from; it must read tokens of the same streams. None starts at random."""
    settings: LearnerSettings = field(default_factory=LearnerSettings)

    def fit(
        self,
        sequences: Sequence[FrameTokens],
        targets: Float[np.ndarray, "B K"],
        rng: np.random.Generator,
        known: Bool[np.ndarray, "B K"] | None = None,
        aside: Bool[np.ndarray, " B"] | None = None,
    ) -> FittedTemporal:
        """Learn from labelled sequences; torch's global state stays as it is.

        Args:
            targets: probability of each label; rows sum to 1 where labels exclude each other.
            rng: the only source of chance.
            known: False where a label is unknown; only for labels that do not exclude each other.
            aside: sequences to choose the epoch by, of other people than the rest; None trains all epochs on all.

        Raises:
            MeshError: no sequences to learn from.
        """
        aside = np.zeros(len(sequences), bool) if aside is None else aside
        if aside.all():
            raise MeshError("expected sequences to learn from, found none")
        data = padded(sequences)
        known = np.ones(targets.shape, bool) if known is None else known
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            running = _Fitting(self, data, targets, known, rng)
            best, best_loss, best_epoch = running.state(), np.inf, 0
            for epoch in range(1, self.settings.epochs + 1):
                running.epoch(np.flatnonzero(~aside))
                loss = running.loss(np.flatnonzero(aside)) if aside.any() else -float(epoch)
                if loss < best_loss:
                    best, best_loss, best_epoch = running.state(), loss, epoch
                elif epoch - best_epoch >= self.settings.patience:
                    break
        running.restore(best)
        texts = nn.functional.normalize(running.texts.detach(), dim=-1)
        return FittedTemporal(running.network.eval(), texts, self.exclusive, best_epoch)


class _Fitting:
    """What changes during one fit."""

    def __init__(
        self,
        learner: TemporalLearner,
        data: PaddedTokens,
        targets: Float[np.ndarray, "B K"],
        known: Bool[np.ndarray, "B K"],
        rng: np.random.Generator,
    ) -> None:
        self.learner, self.data, self.rng = learner, data, rng
        self.targets, self.known = torch.from_numpy(targets).float(), torch.from_numpy(known)
        streams, dim = data.tokens.shape[2:]
        if learner.start is None:
            config = TemporalConfig(magnification=0.0 if streams == 1 else 1.0, dim=dim)
            self.network = build_temporal(config, int(rng.integers(2**31)))
            self.network.fit_scales(torch.from_numpy(data.tokens).float(), torch.from_numpy(data.present))
        else:
            self.network = copy.deepcopy(learner.start)
        if self.network.streams != streams:
            raise MeshError(f"expected tokens of {self.network.streams} streams, found {streams}")
        self.texts = nn.Parameter(learner.texts.clone(), requires_grad=learner.settings.tune_texts)
        weights = [*self.network.parameters(), *([self.texts] if learner.settings.tune_texts else [])]
        self.optimizer = torch.optim.AdamW(
            weights, lr=learner.settings.learning_rate, weight_decay=learner.settings.weight_decay
        )

    def epoch(self, rows: np.ndarray) -> None:
        """One pass over these sequences."""
        self.network.train()
        order = self.rng.permutation(rows)
        for start in range(0, len(order), self.learner.settings.batch_size):
            some = order[start : start + self.learner.settings.batch_size]
            present = with_dropped_frames(self.data.present[some], self.learner.settings.dropped_frames, self.rng)
            self.optimizer.zero_grad()
            self._loss(some, present).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()

    def loss(self, rows: np.ndarray) -> float:
        """On sequences that are not learnt from."""
        self.network.eval()
        with torch.no_grad():
            return float(self._loss(rows, self.data.present[rows]))

    def _loss(self, rows: np.ndarray, present: np.ndarray) -> torch.Tensor:
        texts = nn.functional.normalize(self.texts, dim=-1)
        cosines, _ = self.network(
            torch.from_numpy(self.data.tokens[rows]).float(),
            torch.from_numpy(self.data.times_s[rows]).float(),
            torch.from_numpy(present),
            texts,
        )
        if self.learner.exclusive:
            return nn.functional.cross_entropy(self.network.expression_logits(cosines), self.targets[rows])
        known = self.known[rows]
        return nn.functional.binary_cross_entropy_with_logits(
            self.network.category_logits(cosines)[known], self.targets[rows][known]
        )

    def state(self) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """A copy of all weights."""
        weights = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return weights, self.texts.detach().clone()

    def restore(self, state: tuple[dict[str, torch.Tensor], torch.Tensor]) -> None:
        """Back to a copy."""
        self.network.load_state_dict(state[0])
        self.texts.data.copy_(state[1])


def padded(sequences: Sequence[FrameTokens]) -> PaddedTokens:
    """All sequences as arrays of the longest one's length.

    Raises:
        MeshError: a sequence of which no frame is present.
    """
    lost = [row for row, one in enumerate(sequences) if not one.present.any()]
    if lost:
        raise MeshError(f"expected a present frame in every sequence, found none in sequence {lost[0]}")
    longest = max(map(len, sequences))
    streams, dim = sequences[0].tokens.shape[1:]
    tokens = np.zeros((len(sequences), longest, streams, dim), np.float32)
    times, present = np.zeros((len(sequences), longest), np.float32), np.zeros((len(sequences), longest), bool)
    for row, one in enumerate(sequences):
        tokens[row, : len(one)], times[row, : len(one)], present[row, : len(one)] = one.tokens, one.times_s, one.present
    return PaddedTokens(tokens, times, present)


def face_stream(network: TemporalNetwork) -> TemporalNetwork:
    """A trained module that reads the face's tokens alone, to go on from where pictures are not at hand."""
    if network.streams == 1:
        return copy.deepcopy(network)
    alone = copy.deepcopy(network)
    rows = [0, network.streams]  # the face, and its difference to the onset
    alone.streams = 1
    alone.centre, alone.spread = network.centre[rows].clone(), network.spread[rows].clone()
    alone.enter = nn.ModuleList(copy.deepcopy(network.enter[row]) for row in rows)
    return alone
