"""Temporal tuning: frozen 3D network; a temporal module learns from the tokens of each record's frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from facet_vlm.evaluation.features import CHUNK, look_at
from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.learner import Fitted, best_thresholds, held_out
from facet_vlm.evaluation.learners.zero_shot import Question
from facet_vlm.faces.frame_tokens import FrameTokens
from facet_vlm.faces.views import view_angles
from facet_vlm.network.fusion import mean_over_present
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.training.temporal_learner import LearnerSettings, TemporalLearner
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class TemporalTuning:
    """A temporal module per fold, from chance or from a trained one (see `temporal_learner.face_stream`)."""

    model: JudgedModel
    questions: Mapping[str, Question]
    start: TemporalNetwork | None = None
    frame_s: float = 0.4
    """Time between two frames that are looked at: items do not say; ten of BU-4DFE's four seconds lie so far apart."""
    settings: LearnerSettings = field(default_factory=LearnerSettings)
    name: str = "temporal"
    title: str = "temporal module tuned, 3D network frozen"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Train until people held out of the training people are told no better; keep that epoch."""
        train = train.without_failures()
        aside = held_out(train.people, rng)
        with torch.no_grad():
            texts = self.model.network.classes(
                {label: [text for way in ask.values() for text in way] for label, ask in self.questions.items()}
            ).cpu()
        learner = TemporalLearner(texts, train.exclusive, self.start, self.settings)
        sequences = self.sequences(train.items)
        fitted = learner.fit(sequences, train.targets.astype(float), rng, train.known, aside)

        def score(items: Items) -> np.ndarray:
            scores = np.full((len(items), len(self.questions)), np.nan)
            good = np.flatnonzero(~items.failed)
            if len(good):
                scores[good] = fitted.predict(self.sequences(items.take(good)))
            return scores

        thresholds = None
        if not train.exclusive:
            chosen_on = train if aside is None else train.take(np.flatnonzero(aside))
            thresholds = best_thresholds(score(chosen_on.items), chosen_on.targets, chosen_on.known)
        return Fitted(score, thresholds, {"epoch": float(fitted.best_epoch)})

    def sequences(self, items: Items) -> list[FrameTokens]:
        """Tokens of the readable frames of each record.

        Raises:
            MeshError: items that do not know their frames.
        """
        if items.table is None or len(items.frames) != len(items):
            raise MeshError("a temporal learner needs items with their frames")
        found = []
        for rows in items.frames:
            tokens = self._tokens(items, list(rows))
            found.append(FrameTokens(tokens[:, None], self.frame_s * np.arange(len(rows)), np.ones(len(rows), bool)))
        return found

    def _tokens(self, items: Items, rows: list[int]) -> np.ndarray:
        table, angles = items.table, view_angles(self.model.config.rig)
        if table is None:
            raise MeshError("a temporal learner needs items with their frames")
        parts = []
        with torch.inference_mode():
            for start in range(0, len(rows), CHUNK):
                some = rows[start : start + CHUNK]
                seen = look_at(self.model.network, table.views[some], table.patches[some], angles)
                parts.append(mean_over_present(seen.tokens[:, :, 0], seen.present).float().cpu().numpy())
        return np.concatenate(parts)
