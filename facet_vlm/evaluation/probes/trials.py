"""Small training runs that differ in one thing: parts of the network off, other inputs, more or fewer people.

Each trial trains from nothing on few people, so its numbers are below those of shipped weights; what counts is the
difference between trials under one protocol. Results are kept one by one, so that a long list can be stopped.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facet_vlm.config import Config, DataConfig, LossWeights
from facet_vlm.evaluation.intervals import Interval, mean_interval
from facet_vlm.faces.expression_set import ExpressionSet, expression_set
from facet_vlm.faces.synthesis import faces_per_person
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import resolve_device, score_images
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import build_network
from facet_vlm.training.loop import train
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.io.atomic import atomic_write

HELD_OUT_PEOPLE = 25
"""Of the part test, who judge every trial."""
JUDGED = ("plain", "other_ways", "rippled")
"""Scenarios that trials are judged in: as trained, other ways to show an expression, and a noise never met."""
SCANNED = ("range_imaged",)
"""The scenario that trials of few scanned people are judged in."""
FEW_PEOPLE_STEPS = 400
"""Of trials of few people: as many for all, or those with more faces would have trained longer."""
NO_CONSISTENCY = LossWeights(prediction_consistency=0.0, feature_consistency=0.0)
NO_CAPTIONS = LossWeights(unit_captions=0.0, region_captions=0.0, summary_captions=0.0)
NO_UNITS = LossWeights(units=0.0)


@dataclass(frozen=True)
class Trial:
    """One run."""

    name: str
    config: Config
    extra_subjects: int = 0
    """People beside those of `config.data.max_train_subjects`, whose faces are synthesised with all accidents."""


@dataclass(frozen=True)
class TrialResult:
    """Accuracy over all expressions in each scenario, with 95 % bounds over people."""

    name: str
    seed: int
    accuracy: dict[str, Interval]


def component_trials(base: Config) -> list[Trial]:
    """The whole network, and each component off in turn."""
    model, settings = base.model, base.train
    changes: Mapping[str, Config] = {
        "all": base,
        "no CVSA": dataclasses.replace(base, model=dataclasses.replace(model, cvsa=False)),
        "no MTGF": dataclasses.replace(base, model=dataclasses.replace(model, mtgf=False)),
        "no text": dataclasses.replace(base, model=dataclasses.replace(model, text=False)),
        "no consistency": dataclasses.replace(base, train=dataclasses.replace(settings, loss=NO_CONSISTENCY)),
        "no captions": dataclasses.replace(base, train=dataclasses.replace(settings, loss=NO_CAPTIONS)),
        "no unit regression": dataclasses.replace(base, train=dataclasses.replace(settings, loss=NO_UNITS)),
    }
    return [Trial(name, config) for name, config in changes.items()]


def input_trials(
    base: Config, inputs: Sequence[str] = ("geometry", "depth", "normals", "shaded", "equalized")
) -> list[Trial]:
    """The same network on other pictures."""
    return [
        Trial(name, dataclasses.replace(base, model=dataclasses.replace(base.model, inputs=name))) for name in inputs
    ]


def augmentation_trials(base: Config, people: Sequence[int], synthesised: int) -> list[Trial]:
    """With few people: alone, with synthesised heads beside them, with soft mixtures, and with what those replace.

    The few are imaged by a range scanner, as those who judge are (`SCANNED`); the synthesised ones are drawn from other
    identities with all accidents. All trials take as many steps.

    Args:
        people: how many there are, such as (5, 10, 20, 40).
        synthesised: identities added.
    """
    trials = []
    for count in people:
        few = dataclasses.replace(
            base.data, max_train_subjects=count, train_scenario="range_imaged", mixtures=0, anything=0
        )
        config = dataclasses.replace(base, data=few)
        mixed = dataclasses.replace(base, data=dataclasses.replace(few, mixtures=10))
        hard = dataclasses.replace(base, data=dataclasses.replace(few, mixtures=10, hard_mixtures=True))
        plain = dataclasses.replace(config, train=dataclasses.replace(base.train, label_smoothing=0.0))
        trials += [
            Trial(f"{count} people, nothing", plain),
            Trial(f"{count} people, label smoothing", config),
            Trial(f"{count} people, hard mixup", hard),
            Trial(f"{count} people, MIDAS", mixed),
            Trial(f"{count} people, {synthesised} synthesised heads", config, synthesised),
        ]
    return [_of_equal_length(trial) for trial in trials]


def _of_equal_length(trial: Trial) -> Trial:
    """The trial with as many epochs as FEW_PEOPLE_STEPS need."""
    settings = dataclasses.replace(trial.config.train, single_view_share=0.0)
    faces = (trial.config.data.max_train_subjects or 0) * faces_per_person(trial.config.data)
    faces += trial.extra_subjects * faces_per_person(DataConfig())
    epochs = math.ceil(FEW_PEOPLE_STEPS / max(1, faces // settings.batch_size))
    settings = dataclasses.replace(settings, epochs=epochs, validate_every=epochs)
    return dataclasses.replace(trial, config=dataclasses.replace(trial.config, train=settings))


def run_trials(
    trials: Sequence[Trial],
    folder: Path,
    seeds: Sequence[int] = (0,),
    judged: Sequence[str] = JUDGED,
    device: str = "cpu",
) -> list[TrialResult]:
    """Run what `folder` has no result of yet; all results, in order."""
    results = []
    for trial in tqdm(trials, desc="trials", unit="trial"):
        for seed in seeds:
            path = folder / f"trial-{_digest(trial, seed, judged)}.json"
            if not path.is_file():
                result = _run(trial, folder, seed, judged, device)
                with atomic_write(path, text=True) as file:
                    json.dump(dataclasses.asdict(result), file, indent=1)
            content = json.loads(path.read_text(encoding="utf-8"))
            accuracy = {name: Interval(**values) for name, values in content["accuracy"].items()}
            results.append(TrialResult(content["name"], content["seed"], accuracy))
    return results


def trials_table(results: Sequence[TrialResult]) -> str:
    """Markdown: a row per trial: mean over seeds, bounds of the first one, and the spread of several."""
    scenarios = list(results[0].accuracy)
    rows = ["| trial | " + " | ".join(scenarios) + " |", "| --- |" + " --- |" * len(scenarios)]
    for name in dict.fromkeys(result.name for result in results):
        runs = [result.accuracy for result in results if result.name == name]
        cells = []
        for scenario in scenarios:
            values = [run[scenario].value for run in runs]
            first = runs[0][scenario]
            cell = f"{np.mean(values):.3f} [{first.low:.3f}, {first.high:.3f}]"
            cells.append(cell if len(values) == 1 else f"{cell} seeds ± {np.std(values):.3f}")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _run(trial: Trial, folder: Path, seed: int, judged: Sequence[str], device: str) -> TrialResult:
    config = dataclasses.replace(trial.config, train=dataclasses.replace(trial.config.train, seed=seed))
    data = config.data
    training = expression_set("train", data, config.model, folder / "data")
    if trial.extra_subjects:
        whole = DataConfig(max_train_subjects=(data.max_train_subjects or 0) + trial.extra_subjects)
        more = expression_set("train", whole, config.model, folder / "data")
        known = np.unique(training.subjects)
        training = joined(training, more.where(~np.isin(more.subjects, known)))
    few = dataclasses.replace(data, max_train_subjects=min(data.max_train_subjects or 10, 10))
    validation = expression_set("validation", dataclasses.replace(few, scenario="plain"), config.model, folder / "data")
    network = build_network(config.model, seed)
    work = folder / f"run-{_digest(trial, seed, judged)}"
    work.mkdir(parents=True, exist_ok=True)
    train(network, training, validation, config, work, resolve_device(device))
    accuracy = {}
    for scenario in judged:
        held_out = dataclasses.replace(DataConfig(), scenario=scenario, max_train_subjects=HELD_OUT_PEOPLE)
        test = expression_set("test", held_out, config.model, folder / "data")
        prove_disjoint({"train": np.unique(training.subjects).tolist(), "test": np.unique(test.subjects).tolist()})
        scores = score_images(network, test.images, view_angles(config.model.rig), label_sentences())
        accuracy[scenario] = _accuracy(scores.fused.argmax(axis=1) == test.labels, test.subjects)
    return TrialResult(trial.name, seed, accuracy)


def joined(first: ExpressionSet, second: ExpressionSet) -> ExpressionSet:
    """The samples of two sets."""
    return ExpressionSet(*(
        np.concatenate([getattr(first, field.name), getattr(second, field.name)]) for field in dataclasses.fields(first)
    ))  # fmt: skip


def _accuracy(right: np.ndarray, subjects: np.ndarray) -> Interval:
    per_person = np.array([right[subjects == person].mean() for person in np.unique(subjects)])
    return mean_interval(per_person)  # each person has as many faces, so this is the accuracy over all


def _digest(trial: Trial, seed: int, judged: Sequence[str]) -> str:
    content = [dataclasses.asdict(trial), seed, list(judged)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
