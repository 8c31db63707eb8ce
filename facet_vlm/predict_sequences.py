"""Reading sequences of any length with a temporal module; single heads are read as by the 3D network below it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from aublend.registration import HeadFit, is_embedded
from facet_vlm.faces.frame_tokens import FrameReader
from facet_vlm.faces.sequences import category_sentences
from facet_vlm.faces.views import in_face_frame, view_angles
from facet_vlm.inference import resolve_device, softmax
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.temporal_weights import TemporalModel, read_temporal_weights
from facet_vlm.predict import FacetVLM
from facet_vlm.predictions import Predictions
from mesh4d.errors import MeshError
from mesh4d.io.frame_folder import FrameFolder
from mesh4d.landmarks import face_pose
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

Clip = MeshSequence | FrameFolder
"""Frames over one topology, or raw scans each with its own."""
STEADY_S = 1.0
"""In a shorter clip heads turn by less than alignment errs, and micro-expressions are as small as that."""
MOST_FRAMES = 33
"""Read of one sequence, evenly spaced."""


@dataclass(frozen=True)
class ClipReading:
    """What a model says of one sequence."""

    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, " K"]
    """Of a softmax where one label is right, of a sigmoid each where any number may be."""
    thresholds: Float[np.ndarray, " K"]
    """Where any number of labels may be right: the probability from which each is said to be there."""
    text_scores: Float[np.ndarray, " K"]
    """Cosine of the sequence with each label's sentences."""
    times_s: Float[np.ndarray, " T"]
    """Of the frames that were read, from the first on."""
    frame_weights: Float[np.ndarray, "K T"]
    """Share of each frame in a label's evidence: where in time the expression is. Rows sum to 1."""
    view_weights: Float[np.ndarray, " N"]
    """Share of each view in the winning label's evidence in the frame that weighs most."""

    @property
    def there(self) -> tuple[str, ...]:
        """The labels that reach their threshold; perhaps none."""
        return tuple(
            name for name, reached in zip(self.labels, self.probabilities >= self.thresholds, strict=True) if reached
        )


class SequenceVLM(FacetVLM):
    """A temporal module on its frozen 3D network, ready to read sequences."""

    def __init__(self, model: TemporalModel, device: str = "auto") -> None:
        super().__init__(model.base, model.base_card, device)
        # Tokens and scores of a clip are small work: they stay on the CPU, whatever the 3D network is on.
        self.temporal = model.network.to(resolve_device("cpu"))
        self.temporal_card = model.card

    def predict(
        self,
        shapes: Mesh | Clip | Sequence[Mesh | MeshSequence] | Sequence[Mesh | Clip],
        labels: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        fit: HeadFit | None = None,
    ) -> Predictions:
        """The expression of each head or sequence; arguments as of `FacetVLM.predict`.

        A sequence may also be a `FrameFolder` of raw scans. Frames are aligned as `read` says.
        """
        shapes = [shapes] if isinstance(shapes, Mesh | Clip) else list(shapes)
        if not shapes:
            raise MeshError("expected at least one mesh or sequence, found none")
        rows = [
            super(SequenceVLM, self).predict(shape, labels, fit)
            if isinstance(shape, Mesh)
            else _as_row(
                self.read(shape, labels, fit), len(view_angles(self.card.model.rig)), self.temporal_card.model.views
            )
            for shape in shapes
        ]
        fields = ("probabilities", "text_scores", "view_weights")
        return Predictions(rows[0].labels, *(np.concatenate([getattr(row, name) for row in rows]) for name in fields))

    def read(
        self,
        clip: Clip,
        labels: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        fit: HeadFit | None = None,
        multi_label: bool = False,
        onset: int = 0,
        steady: bool | None = None,
    ) -> ClipReading:
        """One sequence, with the frames that decided.

        Args:
            labels: as of `predict`; None is the canonical expressions, or the categories of micro-expressions where
                `multi_label` is set.
            multi_label: any number of labels may be right: a probability for each, independent of the others.
            onset: the frame of the clip that motion starts from; earlier ones are not read.
            steady: the head stands still, so that one frame's alignment does for all; None takes that of clips shorter
                than STEADY_S. Heads on the embedded topology are aligned exactly, frame by frame.
        """
        if not 0 <= onset < len(clip):
            raise MeshError(f"onset must be a frame from 0 to {len(clip) - 1}, found {onset}")
        steady = (len(clip) - onset) / clip.fps < STEADY_S if steady is None else steady
        sentences = category_sentences() if labels is None and multi_label else label_sentences(labels)
        count = min(MOST_FRAMES, len(clip) - onset)
        chosen = np.unique(np.linspace(onset, len(clip) - 1, count).round().astype(int))
        reader = FrameReader.of(self.network, self.card.model, self.temporal_card.model)
        pictures = reader.pictures(list(_aligned(clip, chosen.tolist(), fit, steady)))
        seen = reader.look(pictures)
        times = (chosen - onset) / clip.fps
        read = reader.tokens_of(seen, pictures, times)
        with torch.inference_mode():
            texts = reader.texts(sentences).cpu()
            cosines, weights = self.temporal(
                torch.from_numpy(read.tokens)[None],
                torch.from_numpy(times)[None].float(),
                torch.ones(1, len(times), dtype=torch.bool),
                texts,
            )
            logits = self.temporal.category_logits(cosines) if multi_label else self.temporal.expression_logits(cosines)
            won = int(logits[0].argmax())
            frame = int(weights[0, won].argmax())
            views = self.network.mtgf(seen.tokens[[frame]], texts.to(seen.tokens), seen.present[[frame]])[1][0, won]
        scores = logits[0].numpy()
        probabilities = 1 / (1 + np.exp(-scores)) if multi_label else softmax(scores)
        tuned = self.temporal_card.category_thresholds if labels is None and multi_label else {}
        thresholds = np.array([tuned.get(name, 0.5) for name in sentences])
        return ClipReading(
            tuple(sentences),
            probabilities,
            thresholds,
            cosines[0].numpy(),
            times,
            weights[0].numpy(),
            views.cpu().numpy(),
        )


def load_sequences(path: Path, device: str = "auto") -> SequenceVLM:
    """The temporal model in a file; see `facet_vlm.load`."""
    return SequenceVLM(read_temporal_weights(path), device)


def _aligned(clip: Clip, chosen: Sequence[int], fit: HeadFit | None, steady: bool) -> Iterator[Mesh]:
    """Frames upright and at standard size.

    Args:
        steady: all lie as the first one does, so that alignment adds no motion of its own; otherwise each is aligned
            by itself, so that the head's motion is taken out.
    """
    first = clip[chosen[0]]
    if fit is not None or not steady or is_embedded(first):
        yield from (in_face_frame(clip[frame], fit) for frame in chosen)
        return
    to_face = face_pose(first).to_face
    for frame in chosen:
        mesh = clip[frame]
        yield mesh.with_vertices(to_face.apply(mesh.vertices))


def _as_row(reading: ClipReading, n_views: int, views: tuple[int, ...]) -> Predictions:
    """One row of predictions; views that were not rendered have no share."""
    weights = np.zeros((1, n_views), np.float32)
    weights[0, list(views)] = reading.view_weights
    return Predictions(reading.labels, reading.probabilities[None], reading.text_scores[None], weights)
