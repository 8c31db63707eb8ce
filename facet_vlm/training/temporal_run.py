"""One command from a temporal preset to weights: synthesise, encode, train, write, judge on held-out identities."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facet_vlm.config_4d import Config4D
from facet_vlm.evaluation.sequences import (
    WAYS,
    SequenceScores,
    frame_rule_scores,
    sequence_metrics,
    temporal_scores,
)
from facet_vlm.faces.sequence_set import PARTS, SCANNED, SequenceSet, sequence_set
from facet_vlm.faces.sequences import categories, category_sentences
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.network.temporal import TemporalNetwork
from facet_vlm.network.temporal_weights import (
    TemporalCard,
    build_temporal,
    read_temporal_weights,
    write_temporal_weights,
)
from facet_vlm.network.weights import read_weights
from facet_vlm.training.run import commit
from facet_vlm.training.temporal import TemporalTexts, captions_of, train_temporal
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.io.atomic import atomic_write

TEXT_CHUNK = 256


@dataclass(frozen=True)
class TemporalRun:
    """What a run left behind."""

    weights: Path
    card: TemporalCard


def run_temporal_training(config: Config4D, folder: Path, command: str, processes: int | None = None) -> TemporalRun:
    """Train and write weights; a folder of the same configuration goes on where it stopped.

    Args:
        folder: the run folder; it keeps config.json, tokens, a checkpoint, TensorBoard events and the weights.
        command: what the model card will say reproduces the weights.
        processes: parallel renderers; None is one per core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "config.json", text=True) as file:
        json.dump(dataclasses.asdict(config) | {"command": command, "commit": commit()}, file, indent=1)
    data = {
        part: sequence_set(part, config.data, config.model, folder / "data", processes) for part in (*PARTS, SCANNED)
    }
    prove_disjoint({part: np.unique(found.subjects).tolist() for part, found in data.items() if part in PARTS})
    base, base_card = read_weights(config.model.base)
    texts = temporal_texts(base, data["train"])
    network = build_temporal(config.model, config.train.seed)
    progress = train_temporal(network, data["train"], data["validation"], texts, config, folder)
    thresholds = temporal_scores(network, data["validation"], texts, data["validation"]).thresholds
    card = TemporalCard(
        name=config.name,
        model=config.model,
        base_sha256=base_card.weights_sha256,
        command=command,
        seed=config.train.seed,
        commit=commit(),
        data_hashes={part: found.content_hash() for part, found in data.items()},
        train_subjects=np.unique(data["train"].subjects).tolist(),
        validation_subjects=np.unique(data["validation"].subjects).tolist(),
        held_out_subjects=np.unique(data["test"].subjects).tolist(),
        category_thresholds=dict(zip(categories(), (1 / (1 + np.exp(-thresholds))).tolist(), strict=True)),
        metrics={"validation_score": progress.best_uar, "best_epoch": progress.best_epoch},
    )
    stem = folder / config.name
    write_temporal_weights(network, card, stem)
    written = read_temporal_weights(stem.with_suffix(".safetensors"))
    scale = float(base.scale.detach())
    plain = _without_magnification(config, data, texts, folder) if config.model.streams > 1 else None
    summary: dict[str, object] = {}
    for part in ("test", SCANNED):
        scores = {"temporal module": temporal_scores(written.network, data[part], texts, data["validation"])}
        if plain is not None:
            alone = [found.without_magnification() for found in (data[part], data["validation"])]
            scores["without magnification"] = temporal_scores(plain, alone[0], texts, alone[1])
        scores |= {way: frame_rule_scores(way, data[part], scale, data["validation"]) for way in WAYS}
        summary[part] = comparison(scores, data[part])
    card = write_temporal_weights(written.network, dataclasses.replace(card, metrics=card.metrics | summary), stem)
    with atomic_write(folder / "metrics.json", text=True) as file:
        json.dump(card.metrics, file, indent=1)
    return TemporalRun(stem.with_suffix(".safetensors"), card)


def _without_magnification(
    config: Config4D, data: dict[str, SequenceSet], texts: TemporalTexts, folder: Path
) -> TemporalNetwork:
    """The same training on the face's own tokens alone, to say what magnification adds."""
    place = folder / "without_magnification"
    place.mkdir(exist_ok=True)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, magnification=0.0))
    network = build_temporal(config.model, config.train.seed)
    train, validation = (data[part].without_magnification() for part in ("train", "validation"))
    train_temporal(network, train, validation, texts, config, place)
    return network


def temporal_texts(base: FacetNetwork, training: SequenceSet | None = None) -> TemporalTexts:
    """Embeddings of all that the temporal module is compared with."""
    captions = [] if training is None else captions_of(training)
    row_of = {caption: row for row, caption in enumerate(dict.fromkeys(captions))}
    with torch.no_grad():
        expressions, categories = base.classes(label_sentences()), base.classes(category_sentences())
        wordings = list(row_of)
        parts = [base.sentences(wordings[k : k + TEXT_CHUNK]) for k in range(0, len(wordings), TEXT_CHUNK)]
        found = torch.cat(parts) if parts else expressions[:0]
        return TemporalTexts(expressions, categories, found[[row_of[caption] for caption in captions]])


def comparison(scores: dict[str, SequenceScores], truth: SequenceSet) -> dict[str, dict[str, object]]:
    """The measures of each way, ready for JSON."""
    return {way: dataclasses.asdict(sequence_metrics(found, truth)) for way, found in scores.items()}
