"""Soft, hard and both: what prompt learning adds to frozen towers, from few shots, on identities nobody saw.

The label set is the gestures of zero_shot.toml, which no training names. Shots come from the part 'validation' of the
split, other identities for every seed; all are judged on the same identities of the part 'test'.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facet_vlm.config import DataConfig
from facet_vlm.evaluation.gestures import LabelledFaces, gesture_faces, gesture_sentences
from facet_vlm.evaluation.patch_relevance import RelevanceTable, patch_relevance, place_motion
from facet_vlm.evaluation.zero_shot import held_out_subjects
from facet_vlm.faces.views import view_angles
from facet_vlm.language.learned_prompts import LearnedPrompts
from facet_vlm.language.soft_prompts import token_embedding
from facet_vlm.network.local import FrozenFaces, frozen_faces
from facet_vlm.predict import FacetVLM
from facet_vlm.training.prompt_learning import PromptConfig, learn_prompts
from mesh4d.errors import SplitError
from mesh4d.specs import load_split

BARE = PromptConfig(context=0, adapter=0, top_k=0)
WAYS: Mapping[str, PromptConfig] = {
    "hard prompts": BARE,
    "hard prompts, patches": dataclasses.replace(BARE, top_k=1),
    "soft prompts": PromptConfig(adapter=0, top_k=0, alignment=0.0),
    "soft aligned to hard": PromptConfig(adapter=0, top_k=0),
    "soft aligned to hard, patches": PromptConfig(adapter=0),
    "and an adapter": PromptConfig(prototypes=0.0),
    "and prototypes": PromptConfig(),
}
"""What is compared, each row with one more part of MPA-FER."""
INTENSITIES = (0.4, 0.7, 1.0)


@dataclass(frozen=True)
class Compared:
    """One way to prompt."""

    name: str
    accuracies: tuple[float, ...]
    """Of each seed."""
    learnable: int
    """Learned numbers."""


@dataclass(frozen=True)
class Comparison:
    """All ways on one label set."""

    protocol: str
    ways: tuple[Compared, ...]
    relevance: Mapping[str, RelevanceTable]
    """Of the ways with patches, last seed."""

    def to_markdown(self) -> str:
        """The tables."""
        lines = [f"# {self.protocol}", "", "| prompts | accuracy | least | most | learned numbers |"]
        lines += ["| --- | ---: | ---: | ---: | ---: |"]
        for way in self.ways:
            values = np.array(way.accuracies)
            lines.append(
                f"| {way.name} | {values.mean():.3f} | {values.min():.3f} | {values.max():.3f} | {way.learnable} |"
            )
        lines += [
            "",
            "| best patches of | pointing game | overlap with motion | faces |",
            "| --- | ---: | ---: | ---: |",
        ]
        for name, table in self.relevance.items():
            rows = {"right text": table.right_text, "other texts": table.other_texts, "chance": table.chance}
            for kind, one in rows.items():
                lines.append(f"| {name}: {kind} | {one.pointing:.3f} | {one.overlap:.3f} | {one.n_faces} |")
        return "\n".join(lines) + "\n"


def compare_prompts(
    model: FacetVLM, shots: int = 4, seeds: int = 3, test_subjects: int = 10, steps: int | None = None
) -> Comparison:
    """Learn and judge every way of WAYS.

    Args:
        shots: identities per seed, each showing every gesture once.

    Raises:
        SplitError: fewer validation identities than are asked for, or test identities that were trained on.
    """
    split = DataConfig().split
    judged = held_out_subjects(model, "test", test_subjects, split)
    people = [int(subject) for subject in load_split(split)["validation"]]
    if shots * seeds > len(people):
        raise SplitError(f"{seeds} seeds of {shots} shots need {shots * seeds} identities, found {len(people)}")
    angles, sentences = view_angles(model.card.model.rig), gesture_sentences()
    test = gesture_faces(judged, INTENSITIES, model.card.model)
    test_features = frozen_faces(model.network, test.images, angles)
    learned: dict[str, list[LearnedPrompts]] = {name: [] for name in WAYS}
    for seed in range(seeds):
        few = gesture_faces(people[seed * shots : (seed + 1) * shots], (0.8,), model.card.model, seed)
        features = frozen_faces(model.network, few.images, angles)
        for name, way in WAYS.items():
            config = dataclasses.replace(way, seed=seed, steps=way.steps if steps is None else steps)
            learned[name].append(learn_prompts(model.network, features, few.labels, sentences, config))
    ways = tuple(
        Compared(
            name,
            tuple(judged_accuracy(model, test_features, test, prompts) for prompts in learned[name]),
            learned_numbers(WAYS[name], model, len(sentences)),
        )
        for name in WAYS
    )
    motion = np.stack(
        [
            place_motion(int(subject), halves, model.card.model, test_features.grid)
            for subject, halves in zip(test.subjects, test.halves, strict=True)
        ]
    )
    relevance = {
        name: patch_relevance(
            test_features, motion, test.labels, learned[name][-1].texts, learned[name][-1].adapter, WAYS[name].top_k
        )
        for name in WAYS
        if WAYS[name].top_k
    }
    protocol = (
        f"{len(sentences)} gestures, {shots} shots each at intensity 0.8 (part validation, {seeds} seeds), "
        f"{len(test)} faces of {len(judged)} identities of part test, {model.card.name}"
    )
    return Comparison(protocol, ways, relevance)


def judged_accuracy(model: FacetVLM, features: FrozenFaces, faces: LabelledFaces, prompts: LearnedPrompts) -> float:
    """Share of the faces that are called rightly."""
    return float((prompts.scores(model.network, features).fused.argmax(axis=1) == faces.labels).mean())


def learned_numbers(config: PromptConfig, model: FacetVLM, labels: int) -> int:
    """How many numbers a configuration learns."""
    dim = model.network.encoders.embed_dim
    width = token_embedding(model.network.encoders.clip).embedding_dim
    context = config.context * width * (labels if config.per_class else 1)
    return context + (2 * dim * config.adapter + dim + config.adapter if config.adapter else 0)
