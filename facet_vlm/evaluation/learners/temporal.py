"""The temporal module under a protocol: it reads the tokens of a sequence's frames, fitted per fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from facet_vlm.evaluation.features import CHUNK, FeatureTable, look_at
from facet_vlm.evaluation.items import Examples, Items
from facet_vlm.evaluation.judged_model import JudgedModel
from facet_vlm.evaluation.learners.learner import Fitted, best_thresholds, held_out
from facet_vlm.evaluation.learners.zero_shot import Question
from facet_vlm.faces.frame_tokens import FrameTokens
from facet_vlm.faces.views import view_angles
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.network.temporal_weights import read_temporal_weights, temporal_path
from facet_vlm.training.temporal_learner import TemporalLearner, face_stream

SHIPPED = "facet-mini-4d"


@dataclass(frozen=True)
class TemporalFusion:
    """A temporal module over the aggregated tokens of frames; a record of one frame is a sequence of one."""

    texts: Float[torch.Tensor, "K D"]
    tokens: Float[np.ndarray, "R N D"]
    """Of every mesh and view, after CVSA."""
    seconds: Float[np.ndarray, " R"]
    start: TemporalNetwork | None
    """The shipped module where it sits on the judged weights; else each fold starts at random."""
    name: str = "temporal"
    title: str = "temporal module on frames, towers and CVSA frozen"

    def fit(self, train: Examples, rng: np.random.Generator) -> Fitted:
        """Train until people held out of the training people are told no better; keep that epoch."""
        aside = held_out(train.people, rng)
        learner = TemporalLearner(self.texts, train.exclusive, self.start)
        fitted = learner.fit(self._sequences(train.items), train.targets, rng, train.known, aside)

        def score(items: Items) -> np.ndarray:
            scores = np.full((len(items), len(self.texts)), np.nan)
            good = np.flatnonzero(~items.failed)
            if len(good):
                scores[good] = fitted.predict(self._sequences(items.take(good)))
            return scores

        thresholds = None
        if not train.exclusive:
            check = train if aside is None else train.take(np.flatnonzero(aside))
            thresholds = best_thresholds(score(check.items), check.targets, check.known)
        return Fitted(score, thresholds, {"epoch": float(fitted.best_epoch)})

    def _sequences(self, items: Items) -> list[FrameTokens]:
        return [
            FrameTokens.of_views(self.tokens[list(rows)], self.seconds[list(rows)].astype(np.float32))
            for rows in items.frames
        ]


def temporal_fusion(
    model: JudgedModel, questions: Mapping[str, Question], table: FeatureTable, seconds: Float[np.ndarray, " R"]
) -> TemporalFusion:
    """The temporal learner of a run: from the shipped 4D weights when they belong to the judged model."""
    start, views = None, slice(None)
    path = temporal_path(SHIPPED)
    if path is not None and model.fusion_trained:
        shipped = read_temporal_weights(path)
        if shipped.card.base_sha256 == model.sha256:
            start, views = face_stream(shipped.network), list(shipped.card.model.views)
    angles = view_angles(model.config.rig)[views]
    with torch.inference_mode():
        texts = model.network.classes(
            {label: [t for way in ask.values() for t in way] for label, ask in questions.items()}
        )
        tokens = [
            look_at(model.network, table.views[at : at + CHUNK, views], table.patches[at : at + CHUNK, views], angles)
            .tokens[:, :, 0]
            .float()
            .cpu()
            .numpy()
            for at in range(0, len(table.failed), CHUNK)
        ]
    return TemporalFusion(texts.clone().cpu(), np.concatenate(tokens), seconds, start)
