"""How good predicted rigs are, on identities that no weight was made from, beside every honest baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from aublend.head_model import HeadModel
from aublend.predict import predict_deltas
from aublend.units import AU_NAMES

MOVED_MM = 0.1
"""Errors are averaged over the vertices that the true unit moves further than this."""
METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "net": lambda vertices: predict_deltas(vertices, "net"),
    "transfer": lambda vertices: predict_deltas(vertices, "transfer"),
    "mean": lambda vertices: predict_deltas(vertices, "mean"),
    "zero": lambda vertices: np.zeros((len(AU_NAMES), *vertices.shape)),
}


@dataclass(frozen=True)
class RigScores:
    """Vertex errors of one method, per identity and unit, in mm."""

    method: str
    mean_mm: Float[np.ndarray, "N A"]
    worst_mm: Float[np.ndarray, "N A"]
    cosine: Float[np.ndarray, "N A"]

    def interval(self, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
        """95 % bootstrap interval of the mean error over identities."""
        rng = np.random.default_rng(seed)
        per_identity = self.mean_mm.mean(axis=1)
        means = per_identity[rng.integers(0, len(per_identity), (draws, len(per_identity)))].mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)


def evaluate_rigs(model: HeadModel, seeds: Sequence[int], methods: Sequence[str] = tuple(METHODS)) -> list[RigScores]:
    """Compare predicted displacements with the ground truth of each identity."""
    rows: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {method: [] for method in methods}
    for seed in tqdm(seeds, desc="rigs", unit="identity"):
        identity = model.parameters(seed)
        truth, vertices = model.deltas(identity), model.neutral(identity).vertices
        for method in methods:
            rows[method].append(unit_errors(METHODS[method](vertices), truth))
    return [RigScores(method, *(np.stack(column) for column in zip(*rows[method], strict=True))) for method in methods]


def unit_errors(
    predicted: Float[np.ndarray, "A V 3"], truth: Float[np.ndarray, "A V 3"]
) -> tuple[Float[np.ndarray, " A"], Float[np.ndarray, " A"], Float[np.ndarray, " A"]]:
    """Mean and worst vertex error per unit (mm), and the cosine between the two displacement fields."""
    moved = np.linalg.norm(truth, axis=2) > MOVED_MM
    error = np.linalg.norm(predicted - truth, axis=2)
    mean = (error * moved).sum(axis=1) / np.maximum(moved.sum(axis=1), 1)
    flat, other = predicted.reshape(len(predicted), -1), truth.reshape(len(truth), -1)
    norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(other, axis=1)
    cosine = (flat * other).sum(axis=1) / np.maximum(norms, 1e-12)
    return mean, error.max(axis=1), cosine


def score_table(scores: Sequence[RigScores]) -> str:
    """A Markdown table: one row per unit, mean error of every method, then the summary."""
    header = "| unit | " + " | ".join(f"{s.method} mm" for s in scores) + " | " + f"{scores[0].method} cosine |"
    lines = [header, "| --- " * (len(scores) + 2) + "|"]
    for row, name in enumerate(AU_NAMES):
        errors = " | ".join(f"{s.mean_mm[:, row].mean():.3f}" for s in scores)
        lines.append(f"| {name} | {errors} | {scores[0].cosine[:, row].mean():.3f} |")
    means = " | ".join(f"**{s.mean_mm.mean():.3f}**" for s in scores)
    lines.append(f"| all | {means} | {scores[0].cosine.mean():.3f} |")
    intervals = " | ".join("{:.3f} to {:.3f}".format(*s.interval()) for s in scores)
    lines.append(f"| 95 % interval | {intervals} | |")
    lines.append(f"| worst vertex | {' | '.join(f'{s.worst_mm.max():.2f}' for s in scores)} | |")
    return "\n".join(lines)
