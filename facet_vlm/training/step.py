"""One look at a batch: class sentences and captions drawn, scores taken."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from aublend.captions import REGIONS, face_caption, region_caption, region_rows, summary_caption
from facet_vlm.config import Config
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from facet_vlm.training.batches import Batch
from facet_vlm.training.objectives import CaptionScores, Step, soft_caption_targets
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.specs import load_toml

UNHEARD_OF = "zxqj"
NAMED_FROM = 0.7
"""Probability from which a caption calls a mixed face by one expression's name."""


def seen_labels(config: Config) -> tuple[str, ...]:
    """The expressions that training names."""
    return tuple(name for name in EXPRESSIONS if name not in config.data.held_out_labels)


def take_step(network: FacetNetwork, batch: Batch, config: Config, rng: np.random.Generator) -> Step:
    """Scores of one batch. Sentences per class and the region that is captioned are drawn anew each time."""
    settings = config.train
    labels = seen_labels(config)
    sentences = {
        label: [texts[row] for row in rng.choice(len(texts), min(settings.sentences_per_class, len(texts)), False)]
        for label, texts in label_sentences(labels).items()
    }
    classes = network.classes(sentences)
    captions, fits = _captions(batch, config, rng)
    captions = [with_hidden_words(caption, settings.hidden_words, rng) for caption in captions]
    embedded = _embedded(network, captions) if captions else classes[:0]
    told = embedded[: len(batch.targets)] if "unit" in fits else classes[:0]
    seen = network.look(batch.images, batch.angles_deg, batch.present)
    cosines, _ = network.fuse(seen, torch.cat([classes, embedded]))
    scale, count = network.scale, len(batch.targets)
    columns = [EXPRESSIONS.index(label) for label in labels]
    fused, *levels = (scale * cosines).float().split([len(classes), *[count] * len(fits)], dim=1)
    texts = embedded.float().split([count] * len(fits))
    return Step(
        batch=batch.of_labels(columns),
        fused=fused,
        views=(scale * seen.views @ classes.T).float(),
        view_features=seen.views.float(),
        pooled=seen.pooled.float(),
        view_units=network.action_units(seen.views).float(),
        units=network.action_units(seen.pooled).float(),
        caption_units=network.action_units(told).float(),
        captioned=spoken_of(batch.halves[: len(told)]),
        captions={name: CaptionScores(*row) for name, *row in zip(fits, levels, fits.values(), texts, strict=True)},
    )


def _captions(batch: Batch, config: Config, rng: np.random.Generator) -> tuple[list[str], dict[str, torch.Tensor]]:
    """Captions of every face, level after level, and how well each fits each face; only levels that count.

    A summary fits another face as far as the units and the state that it speaks of are that face's.
    """
    weights, spread = config.train.loss, config.train.caption_temperature
    halves, whole = batch.halves.cpu().numpy(), range(batch.halves.shape[-1])
    captions: list[str] = []
    fits: dict[str, torch.Tensor] = {}
    if not config.model.text:
        return captions, fits
    if weights.unit_captions > 0:
        captions += [face_caption(row, rng) for row in halves]
        fits["unit"] = soft_caption_targets(batch.halves, whole, spread)
    if weights.region_captions > 0:
        region = str(rng.choice(REGIONS))
        captions += [region_caption(row, region, rng) for row in halves]
        fits["region"] = soft_caption_targets(batch.halves, region_rows(region), spread)
    if weights.summary_captions > 0:
        captions += [
            summary_caption(halves[row], state, float(batch.intensities[row]), rng)
            for row, state in enumerate(_states(batch))
        ]
        states = torch.nn.functional.normalize(batch.targets, dim=1)
        unnamed = (batch.targets.sum(dim=1) == 0).float()
        alike = states @ states.T + torch.outer(unnamed, unnamed)
        fits["summary"] = soft_caption_targets(batch.halves, whole, spread) * alike.clamp(1e-3, 1.0)
    return captions, fits


def with_hidden_words(text: str, share: float, rng: np.random.Generator) -> str:
    """The sentence with a share of its words replaced by one that no vocabulary has.

    A word that training never shows leaves the embedding of "unknown" random; hiding some makes it a word that says
    nothing.
    """
    words = text.split(" ")
    hidden = rng.random(len(words)) < share
    return " ".join(UNHEARD_OF if hide else word for word, hide in zip(words, hidden, strict=True))


def spoken_of(halves: Float[torch.Tensor, "B 2 A"]) -> Float[torch.Tensor, "B 2 A"]:
    """The weights that `face_caption` mentions: the strongest units, where they can be seen."""
    spec = load_toml("prompts")["caption"]
    strongest = halves.amax(dim=1)
    least = strongest.topk(spec["global_phrases"], dim=1).values[:, -1:].clamp(min=spec["visible_from"])
    return halves * (strongest >= least)[:, None]


def _states(batch: Batch) -> list[str | None]:
    """The expression that a caption may name: the likely one, where one is."""
    best, row = batch.targets.max(dim=1)
    return [EXPRESSIONS[int(r)] if float(share) >= NAMED_FROM else None for share, r in zip(best, row, strict=True)]


def _embedded(network: FacetNetwork, captions: Sequence[str]) -> torch.Tensor:
    """Embeddings of captions; equal sentences run once."""
    row_of = {caption: row for row, caption in enumerate(dict.fromkeys(captions))}
    return network.sentences(list(row_of))[[row_of[caption] for caption in captions]]
