"""Fusion tuning: frozen towers; CVSA, MTGF and the classes' text embeddings learn from cached features."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facet_vlm.evaluation.features import look_at
from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.learner import Fitted, Group, best_thresholds, held_out
from facet_vlm.evaluation.learners.zero_shot import Question
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import CHUNK
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.fusion import MeanFusion

TUNED = ("patches", "cvsa", "mtgf")
PARTS = {
    "cvsa": "without CVSA: no view knows another",
    "mtgf": "without MTGF: the mean of the views",
    "text": "without text: labels start as random vectors",
}
"""What an ablation leaves out of the tuned fusion. The loss across views belongs to the training of the weights."""


@dataclass(frozen=True)
class TuningSettings:
    """Of the optimisation; our own choice, made on mimics of other people than those reported on."""

    epochs: int = 24
    patience: int = 4
    """Epochs without a lower loss on held-out training people."""
    batch_size: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 0.02
    smoothing: float = 0.05
    dropped_views: float = 0.3
    """Chance of each view to be missing in a step."""


@dataclass(frozen=True)
class FusionTuning:
    """The shipped fusion, tuned per fold; of an open_clip model, trained per fold from chance."""

    model: JudgedModel
    questions: Mapping[str, Question]
    settings: TuningSettings = TuningSettings()
    without: str = ""
    """One of PARTS, or nothing."""

    @property
    def name(self) -> str:
        """Short, as on the command line."""
        return f"tuned-no-{self.without}" if self.without else "tuned"

    @property
    def title(self) -> str:
        """What it does, for tables."""
        return f"tuned {PARTS[self.without]}" if self.without else "CVSA + MTGF tuned, towers frozen"

    @property
    def group(self) -> Group:
        """The table it belongs to."""
        return "part" if self.without else "own"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Train until people held out of the training people are told no better; keep that epoch."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            aside = held_out(train.people, rng)
            learn = train if aside is None else train.take(np.flatnonzero(~aside))
            check = None if aside is None else train.take(np.flatnonzero(aside))
            head = FusionHead(self.model, self.questions, train.exclusive, self.without)
            head.place_zero(learn)
            epoch = _train(head, learn, check, self.settings, rng)
        thresholds = None
        if not train.exclusive:
            chosen_on = train if check is None else check
            thresholds = best_thresholds(head.score(chosen_on.items), chosen_on.targets, chosen_on.known)
        return Fitted(head.score, thresholds, {"epoch": float(epoch)})


class FusionHead(nn.Module):
    """A copy of a network's fusion over shared frozen towers, with text embeddings of its own."""

    def __init__(
        self, model: JudgedModel, questions: Mapping[str, Question], exclusive: bool, without: str = ""
    ) -> None:
        super().__init__()
        network = model.network
        shared: dict[int, object] = {id(network.encoders): network.encoders}
        self.network: FacetNetwork = copy.deepcopy(network, shared).eval().requires_grad_(False)
        if without == "cvsa":
            self.network.cvsa.encoder = None
        elif without == "mtgf":
            self.network.mtgf = MeanFusion()
        for name in TUNED:
            getattr(self.network, name).requires_grad_(True)
        with torch.no_grad():
            texts = network.classes(
                {label: [t for way in ask.values() for t in way] for label, ask in questions.items()}
            )
        self.texts = nn.Parameter(torch.randn_like(texts) if without == "text" else texts.clone())
        self.offset = nn.Parameter(torch.zeros(len(questions), device=texts.device), requires_grad=not exclusive)
        self.angles = view_angles(model.config.rig)
        self.exclusive = exclusive

    def forward(self, items: Items, dropped: float = 0.0, rng: np.random.Generator | None = None) -> torch.Tensor:
        """Logits of some items."""
        keep = np.ones(len(self.angles), bool)
        if rng is not None and dropped:
            keep = rng.random(len(keep)) >= dropped
            keep[rng.integers(len(keep))] = True
        seen = look_at(self.network, items.views[:, keep], items.patches[:, keep], self.angles[keep])
        cosines, _ = self.network.fuse(seen, nn.functional.normalize(self.texts, dim=-1))
        return self.network.scale.detach() * cosines - self.offset

    def place_zero(self, train: Examples) -> None:
        """Where labels are told one by one, let the middle of the training faces' logits be 0."""
        if not self.exclusive:
            with torch.no_grad():
                some = np.arange(0, len(train), max(1, len(train) // 256))
                self.offset += self(train.items.take(some)).mean(dim=0)

    def score(self, items: Items) -> np.ndarray:
        """Probabilities of the labels; NaN where there are no pictures."""
        self.eval()
        with torch.inference_mode():
            parts = [
                self(items.take(np.arange(len(items))[start : start + CHUNK])) for start in range(0, len(items), CHUNK)
            ]
            logits = torch.cat(parts)
            scores = (logits.softmax(dim=1) if self.exclusive else logits.sigmoid()).cpu().numpy()
        scores[items.failed] = np.nan
        return scores

    def loss(self, logits: torch.Tensor, examples: Examples, smoothing: float) -> torch.Tensor:
        """Cross entropy over the labels that are known."""
        targets = torch.from_numpy(examples.targets).to(logits)
        if self.exclusive:
            return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        known = torch.from_numpy(examples.known).to(logits)
        every = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return (every * known).sum() / known.sum().clamp(min=1.0)


def _train(
    head: FusionHead, learn: Examples, check: Examples | None, settings: TuningSettings, rng: np.random.Generator
) -> int:
    """Leaves the best epoch in `head`; returns its number."""
    weights = [weight for weight in head.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    best, best_epoch, best_loss = None, settings.epochs, np.inf
    for epoch in range(1, settings.epochs + 1):
        for name in ("cvsa", "mtgf"):
            getattr(head.network, name).train()
        order = rng.permutation(len(learn))
        for start in range(0, len(order), settings.batch_size):
            batch = learn.take(order[start : start + settings.batch_size])
            loss = head.loss(head(batch.items, settings.dropped_views, rng), batch, settings.smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
        if check is None:
            continue
        head.eval()
        with torch.no_grad():
            found = float(head.loss(head(check.items), check, 0.0))
        if found < best_loss - 1e-4:
            best, best_epoch, best_loss = [w.detach().clone() for w in weights], epoch, found
        elif epoch - best_epoch >= settings.patience:
            break
    if best is not None:
        with torch.no_grad():
            for weight, kept in zip(weights, best, strict=True):
                weight.copy_(kept)
    return best_epoch
