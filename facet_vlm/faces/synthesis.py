"""One person's faces: what they show, on their own rig, with what happens to it before it is a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from aublend.head_model import head_model
from aublend.rig import AURig
from facet_vlm.config import DataConfig, OtherMakers
from facet_vlm.faces.accidents import accident, captured, misplaced, own_build, own_manner
from facet_vlm.faces.acting import Showing, any_way, anything, mixture, prototype
from facet_vlm.faces.views import standard_vertices
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh

PLAIN, VARIED = "plain", "varied"
MIXING = 0.4
"""Alpha of the Beta distribution that shares of mixtures are drawn from."""


@dataclass(frozen=True)
class Face:
    """One synthesised sample."""

    mesh: Mesh
    """In the face frame and at standard size, but for the errors of alignment."""
    shown: Showing


def training_faces(seed: int, config: DataConfig) -> Iterator[Face]:
    """What one identity adds to the training data; the same for the same seed and configuration."""
    rig = head_model().rig(seed)
    rng = np.random.default_rng([config.seed, seed, 1])
    shown: list[Showing] = []
    for name in EXPRESSIONS:
        if name in config.held_out_labels:
            continue
        for low, high in config.train_intensities:
            shown.append(any_way(name, float(rng.uniform(low, high)), config.residual, rng))
    expressive = [one for one in shown if one.intensity > 0]
    shown += [any_way("neutral", 0.0, config.residual, rng) for _ in range(config.more_neutrals)]
    for _ in range(config.mixtures):
        first, second = rng.choice(len(expressive), 2, replace=False)
        mixed = mixture(expressive[first], expressive[second], float(rng.beta(MIXING, MIXING)))
        shown.append(mixed.with_hard_label() if config.hard_mixtures else mixed)
    shown += [anything(config.residual, rng) for _ in range(config.anything)]
    for one in shown:
        mesh = performed(rig, one, rng, _maker(config, rng))
        if config.train_scenario == VARIED:
            yield Face(captured(mesh, config, rng), one)
        else:
            yield Face(misplaced(accident(config.train_scenario)(mesh, rng), config, rng), one)


def faces_per_person(config: DataConfig) -> int:
    """How many faces `training_faces` gives."""
    shown = len(set(EXPRESSIONS) - set(config.held_out_labels)) * len(config.train_intensities)
    return shown + config.more_neutrals + config.mixtures + config.anything


def judged_faces(seed: int, config: DataConfig) -> Iterator[Face]:
    """What one identity is judged by: every expression at each of the test intensities, neutral as often.

    The scenario says what differs from what was trained on; see SCENARIOS and `accidents.ALL`.

    Raises:
        MeshError: an unknown scenario.
    """
    rig = head_model().rig(seed)
    rng = np.random.default_rng([config.seed, seed, 0])
    play = scenario(config.scenario)
    for name in EXPRESSIONS:
        for intensity in config.test_intensities:
            yield play(rig, name, intensity, config, rng)


def performed(rig: AURig, shown: Showing, rng: np.random.Generator, makers: OtherMakers | None = None) -> Mesh:
    """The rig's face at standard size.

    Args:
        makers: with a build and a manner that the generator does not have, so far from its own.
    """
    neutral, posed = rig.neutral.vertices, rig.pose(shown.halves.astype(float))
    if makers is not None:
        posed = neutral + own_manner(neutral, posed - neutral, makers, rng) + own_build(neutral, makers, rng)
    return rig.neutral.with_vertices(standard_vertices(posed, straighten=False))


def _plain(rig: AURig, name: str, intensity: float, config: DataConfig, rng: np.random.Generator) -> Face:
    shown = prototype(name, intensity, config.residual, rng)
    mesh = performed(rig, shown, rng)
    if rng.random() < 0.5:
        mesh = accident("grainy")(mesh, rng)
    return Face(misplaced(mesh, config, rng), shown)


def _other_ways(rig: AURig, name: str, intensity: float, config: DataConfig, rng: np.random.Generator) -> Face:
    shown = any_way(name, intensity, config.residual, rng)
    return Face(misplaced(performed(rig, shown, rng, OtherMakers()), config, rng), shown)


def _varied(rig: AURig, name: str, intensity: float, config: DataConfig, rng: np.random.Generator) -> Face:
    shown = any_way(name, intensity, config.residual, rng)
    return Face(captured(performed(rig, shown, rng, _maker(config, rng)), config, rng), shown)


def _maker(config: DataConfig, rng: np.random.Generator) -> OtherMakers | None:
    return config.makers if rng.random() < config.own_share else None


def _struck(rig: AURig, name: str, intensity: float, config: DataConfig, rng: np.random.Generator, kind: str) -> Face:
    shown = prototype(name, intensity, config.residual, rng)
    return Face(misplaced(accident(kind)(performed(rig, shown, rng), rng), config, rng), shown)


Scenario = Callable[[AURig, str, float, DataConfig, np.random.Generator], Face]
SCENARIOS: Mapping[str, Scenario] = {PLAIN: _plain, "other_ways": _other_ways, VARIED: _varied}
"""plain: prototypes, grainy noise on half. other_ways: variants of the expressions, builds and manners of others.
varied: all that training faces meet."""


def scenario(name: str) -> Scenario:
    """A scenario by its own name or, for prototypes that all meet one accident, by the accident's."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    try:
        accident(name)
    except MeshError as error:
        raise MeshError(f"expected a scenario among {', '.join(SCENARIOS)}, or an accident: {error}") from error
    return partial(_struck, kind=name)
