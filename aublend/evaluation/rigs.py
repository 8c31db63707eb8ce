"""How good predicted rigs are, on identities that no weight was made from, beside every honest baseline."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from aublend.combinations import COMBINATIONS, pair_deltas
from aublend.embedded_gauge import EmbeddedGauge, EmbeddedSkin, embedded_skin
from aublend.evaluation.methods import METHODS
from aublend.evaluation.scores import RigScores, shape_errors
from aublend.head_model import head_model
from aublend.units import AU_INDEX
from mesh4d.errors import MeshError
from mesh4d.scale_out import ONE_THREAD

TRUTH = "truth"
"""The ground truth itself, measured as a method where anatomy is."""
Row = dict[str, Float[np.ndarray, " _"]]
Judgement = dict[str, tuple[Row, Row, Row]]
"""Of one identity, by method: the measures of units, of pairs as plain sums, of pairs with their own shapes."""


def evaluate_rigs(
    seeds: Sequence[int], methods: Sequence[str] = tuple(METHODS), *, anatomy: bool = True, workers: int = 1
) -> list[RigScores]:
    """Compare predicted shapes with the ground truth of each identity, and measure both against anatomy.

    Args:
        seeds: identities.
        methods: names in METHODS.
        anatomy: also take the measures that need no ground truth, and judge pairs of units; the ground truth then
            comes first, as a method called "truth".
        workers: processes; scripts that ask for more than one need `if __name__ == "__main__":`.

    Raises:
        MeshError: for an unknown method, no identity, or fewer than one worker.
    """
    if unknown := set(methods) - set(METHODS):
        raise MeshError(f"unknown method {sorted(unknown)[0]!r}; expected one of {', '.join(METHODS)}")
    if not seeds or workers < 1:
        raise MeshError(f"expected at least one identity and one worker, found {len(seeds)} and {workers}")
    judge = partial(judge_identity, methods=tuple(methods), anatomy=anatomy)
    rows = list(tqdm(_judged(judge, seeds, workers), desc="rigs", unit="identity", total=len(seeds), disable=None))
    return [
        RigScores(method, *(_stacked([row[method][kind] for row in rows]) for kind in range(3))) for method in rows[0]
    ]


def judge_identity(seed: int, methods: Sequence[str], anatomy: bool) -> Judgement:
    """All measures of all methods on one identity."""
    model = head_model()
    identity = model.parameters(seed)
    truth, vertices = model.deltas(identity), model.neutral(identity).vertices
    predicted = {name: METHODS[name].predict(vertices) for name in methods}
    if not anatomy:
        return {name: (shape_errors(deltas, truth), {}, {}) for name, deltas in predicted.items()}
    gauge = EmbeddedGauge(_skin(), model.shapes.at_rest(vertices))
    true_pairs = _sums(truth) + pair_deltas(gauge.rest, truth, model.shapes.lashes)
    shapes = {TRUTH: truth} | predicted
    return {name: _judgement(gauge, deltas, truth, true_pairs) for name, deltas in shapes.items()}


def _judgement(
    gauge: EmbeddedGauge,
    deltas: Float[np.ndarray, "A V 3"],
    truth: Float[np.ndarray, "A V 3"],
    true_pairs: Float[np.ndarray, "P V 3"],
) -> tuple[Row, Row, Row]:
    sums = _sums(deltas)
    pairs = sums + pair_deltas(gauge.rest, deltas, head_model().shapes.lashes)
    return (
        shape_errors(deltas, truth) | gauge.of_units(deltas),
        shape_errors(sums, true_pairs) | gauge.anatomy.of_pairs(sums),
        shape_errors(pairs, true_pairs) | gauge.anatomy.of_pairs(pairs),
    )


def _sums(deltas: Float[np.ndarray, "A V 3"]) -> Float[np.ndarray, "P V 3"]:
    """Every pair of data_specs/combinations.toml as the plain sum of its units."""
    return np.stack([deltas[[AU_INDEX[unit] for unit in pair.units]].sum(axis=0) for pair in COMBINATIONS])


def _stacked(rows: Sequence[Row]) -> dict[str, Float[np.ndarray, "N _"]]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=1)
def _skin() -> EmbeddedSkin:
    return embedded_skin(head_model())


def _judged(judge: partial[Judgement], seeds: Sequence[int], workers: int) -> Iterator[Judgement]:
    """Judgements in the seeds' order, in this process or in others with one thread each."""
    if min(workers, len(seeds)) == 1:
        yield from map(judge, seeds)
        return
    with _one_thread_each(), ProcessPoolExecutor(min(workers, len(seeds)), get_context("spawn")) as pool:
        yield from pool.map(judge, seeds)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside share the cores: each computes with one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
