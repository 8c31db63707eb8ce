"""What users call: load a model, hand it heads, get predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from aublend.registration import HeadFit
from facet_vlm.faces.file_images import file_images
from facet_vlm.faces.views import face_images, view_angles
from facet_vlm.inference import Scores, resolve_device, score_images, softmax
from facet_vlm.language.learned_prompts import LearnedPrompts, prove_same_model
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.local import frozen_faces
from facet_vlm.network.temporal_weights import temporal_path
from facet_vlm.network.weights import ModelCard, read_weights
from facet_vlm.predictions import Predictions
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

SEQUENCE_FRAMES = 9
Labels = Sequence[str] | Mapping[str, str | Sequence[str]] | LearnedPrompts | None


@dataclass(frozen=True)
class FilePredictions:
    """What was said about the files that show a face, and what is wrong with the others."""

    paths: tuple[Path, ...]
    """One per row of `predictions`."""
    predictions: Predictions
    failures: dict[Path, str]


class FacetVLM:
    """A trained network with its card, ready to read heads."""

    def __init__(self, network: FacetNetwork, card: ModelCard, device: str = "auto") -> None:
        self.network = network.to(resolve_device(device)).eval()
        self.card = card

    def predict(
        self,
        shapes: Mesh | MeshSequence | Sequence[Mesh | MeshSequence],
        labels: Labels = None,
        fit: HeadFit | None = None,
    ) -> Predictions:
        """The expression of each head.

        Of a sequence, `SEQUENCE_FRAMES` evenly spaced frames are read; the one whose most probable label is the least
        neutral (the apex) speaks for the sequence. Where neutral is no label, the most certain frame does.

        Args:
            shapes: heads of any pose, unit and topology.
            labels: canonical labels to choose among; or new labels, each with a sentence or sentences that describe
                it: {"wink": "one eye closes strongly"}; or labels that were learned from faces
                (`facet_vlm.language.learned_prompts.read_prompts`). None is all canonical labels.
            fit: how this head lies, from `aublend.registration.fit_head` on its neutral, when all shapes are the one
                head in the one place: saves a registration per shape.
        """
        shapes = [shapes] if isinstance(shapes, Mesh | MeshSequence) else list(shapes)
        if not shapes:
            raise MeshError("expected at least one mesh or sequence, found none")
        frames = [_frames(shape) for shape in shapes]
        images = np.stack([self.images(mesh, fit) for meshes in frames for mesh in meshes])
        names, scores = self.score(images, labels)
        chosen, start = [], 0
        for meshes in frames:
            chosen.append(start + apex(scores.logits[start : start + len(meshes)], names))
            start += len(meshes)
        return Predictions(names, scores.probabilities[chosen], scores.fused[chosen], scores.view_weights[chosen])

    def predict_files(self, paths: Sequence[str | PathLike[str]], labels: Labels = None) -> FilePredictions:
        """The expression of the head in each mesh file, on all cores; a file that cannot be read stops nothing.

        Args:
            paths: mesh files of any format, pose, unit and topology.
            labels: as for `predict`.

        Raises:
            MeshError: when no file shows a face.
        """
        model = self.card.model
        read = list(file_images(paths, model.rig, model.image_size, inputs=model.inputs))
        images = {one.path: one.images for one in read if one.images is not None}
        failures = {one.path: one.error or "" for one in read if one.images is None}
        if not images:
            raise MeshError("; ".join(f"{path}: {error}" for path, error in failures.items()) or "no files to read")
        names, scores = self.score(np.stack(list(images.values())), labels)
        predictions = Predictions(names, scores.probabilities, scores.fused, scores.view_weights)
        return FilePredictions(tuple(images), predictions, failures)

    def score(self, images: UInt8[np.ndarray, "B N 3 H W"], labels: Labels = None) -> tuple[tuple[str, ...], Scores]:
        """The labels by name, and every face's scores with them; arguments as for `predict`.

        Raises:
            MeshError: labels that were learned on other weights.
        """
        angles = view_angles(self.card.model.rig)
        if isinstance(labels, LearnedPrompts):
            prove_same_model(labels, self.card.weights_sha256, self.network.encoders.embed_dim)
            return labels.labels, labels.scores(self.network, frozen_faces(self.network, images, angles))
        sentences = label_sentences(labels)
        margins = self.margins(tuple(sentences))
        return tuple(sentences), score_images(self.network, images, angles, sentences, margins=margins)

    def margins(self, labels: Sequence[str]) -> Float[np.ndarray, " K"]:
        """What helps labels that training never named to hold their own beside those it did."""
        named = [label in EXPRESSIONS and label not in self.card.held_out_labels for label in labels]
        return np.where(named, 0.0, self.card.unseen_margin)

    def images(self, mesh: Mesh, fit: HeadFit | None = None) -> UInt8[np.ndarray, "N 3 H W"]:
        """What the network sees of a head."""
        model = self.card.model
        return face_images(mesh, model.rig, model.image_size, fit, model.inputs)


def load(preset_or_path: str | PathLike[str] = "facet-mini", device: str = "auto") -> FacetVLM:
    """A trained model; of temporal weights, a `SequenceVLM` that reads sequences as a whole.

    Args:
        preset_or_path: a shipped preset ("facet-mini", "facet-mini-4d"), or a .safetensors file with its JSON card
            beside it.
        device: 'auto' (CUDA when there is one), 'cpu', 'cuda', ...

    Raises:
        SpecError: no such weights.
        MeshFormatError: weights that do not fit their card.
    """
    temporal = temporal_path(preset_or_path)
    if temporal is not None:
        from facet_vlm.predict_sequences import load_sequences

        return load_sequences(temporal, device)
    network, card = read_weights(preset_or_path)
    return FacetVLM(network, card, device)


def apex(logits: np.ndarray, labels: tuple[str, ...]) -> int:
    """The frame that speaks for a sequence: least neutral, or most certain where neutral is no label."""
    probabilities = softmax(logits)
    if "neutral" in labels and len(labels) > 1:
        return int(probabilities[:, labels.index("neutral")].argmin())
    return int(probabilities.max(axis=1).argmax())


def _frames(shape: Mesh | MeshSequence) -> list[Mesh]:
    """The mesh, or the frames of a sequence that are looked at."""
    if isinstance(shape, Mesh):
        return [shape]
    count = min(SEQUENCE_FRAMES, len(shape))
    if count == 0:
        raise MeshError("a sequence needs at least one frame")
    return [shape[int(frame)] for frame in np.unique(np.linspace(0, len(shape) - 1, count).round())]
