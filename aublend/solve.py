"""The inverse of driving: which unit weights, and which halves of them, explain the vertices that are seen."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from aublend.curves import AUCurves
from aublend.rig import AURig
from aublend.sided_curves import SAME_WITHIN, sided_curves
from aublend.solve_evidence import Evidence, evidence_of
from aublend.solve_kernel import fit_frames, jacobian_at
from aublend.units import AU_NAMES, N_UNITS
from mesh4d.errors import TopologyError
from mesh4d.geometry.topology import same_triangles
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

SPARSITY = 1.0
"""A weight that noise alone makes as large as this many of its standard deviations is put to 0."""
SPARSE_ROUNDS = 2
NOISE_SIGMAS = 5.0
"""A difference between halves must exceed so many standard deviations of what noise alone would make of it."""
SLOWEST = 0.005
"""Typical change of a weight from frame to frame, at least: bounds the smoothing of weights that hardly move."""
SMOOTH_PASSES = 4
THREADS_FROM, FRAMES_A_TASK = 32, 8
REGISTERED_TOGETHER = 10.0
"""Registration errs by patches of so many vertices of the embedded topology."""
RIDGE = 1e-9
LEAST_NOISE = 1e-6
"""Noise assumed at least, in mean squared displacement of a shape: decides between explanations that fit alike."""
ONE_PIECE = tuple(name[-1] in "LR" for name in AU_NAMES)
"""Units that have no halves: AU30L and AU30R."""

Observed = Mesh | MeshSequence | Sequence[Mesh]


@dataclass(frozen=True)
class Model:
    """Which weights there are, and what they move."""

    members: Int[np.ndarray, "K 2"]
    """The half units that each weight sets; -1 in the second place where it sets one half only."""
    partners: Int[np.ndarray, "halves most"]
    products: Int[np.ndarray, "halves most"]

    def halves(self, weights: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T 2 A"]:
        """The weights of all units' left and right halves."""
        halves = np.zeros((len(weights), 2 * N_UNITS))
        for column, pair in enumerate(self.members):
            halves[:, pair[pair >= 0]] = weights[:, column, None]
        return halves.reshape(-1, 2, N_UNITS)

    def weights(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, "T K"]:
        """The inverse of `halves`, of whose sides a weight of both takes the mean."""
        flat = halves.reshape(len(halves), -1)
        return flat[:, np.where(self.members < 0, self.members[:, :1], self.members)].mean(axis=2)

    def gram(self, evidence: Evidence) -> Float[np.ndarray, "K K"]:
        """The curvature of the units alone, without pairs."""
        rest = np.zeros(len(self.members))
        jacobian = jacobian_at(self.members, self.partners, self.products, rest, len(evidence.gram))
        return _regular(jacobian @ evidence.gram @ jacobian.T)


def solve(rig: AURig, observed: Observed, *, sides: bool = True, smooth: bool = True) -> AUCurves:
    """Unit weights in [0, 1] that explain a head, or each frame of a sequence.

    min_w |N + w.D + p(w).C - R^-1(V)|^2 + sparsity + smoothness: least squares over the rig's units and pairs (p: the
    products of paired weights), where noise decides what the other terms weigh. Its variance is read off what the fit
    leaves over; weights that it explains are put to 0 (a log penalty, by reweighting: Candes, Wakin & Boyd 2008), and
    steps between frames are held to the size that a weight's own course shows (empirical Bayes). Without noise
    neither has an effect.

    Args:
        observed: on the rig's own vertices; or raw scans of the rig's person, of any topology and pose, which are
            registered first (seconds a scan; `aublend.solve_scan`).
        sides: AU12L and AU12R where a unit's halves differ by more than 0.02 in some frame and by more than noise
            explains, AU12 where not; False: whole units only.
        smooth: whether frames follow each other in time.

    Returns:
        One row per frame; a single mesh gives one row at 25 fps.

    Raises:
        TopologyError: for as many vertices as the rig's behind other triangles: they may stand in another order.
        NoFaceError: for a scan without a face.
    """
    evidence, fps = _observed(rig, observed)
    frames = evidence.right
    tied = np.ones(N_UNITS, bool)
    model = _model(tied, evidence)
    weights = _least_squares(evidence, model, np.zeros((len(frames), N_UNITS)))
    if sides:
        loose = _model(np.array(ONE_PIECE), evidence)
        weights = _least_squares(evidence, loose, loose.weights(model.halves(weights)))
        tied = _halves_agree(loose, evidence, weights)
        model = _model(tied, evidence)
        weights = model.weights(loose.halves(weights))
    weights = _sparse(evidence, model, weights, smooth=smooth)
    return sided_curves(model.halves(weights), fps, same_within=np.where(tied, np.inf, 0.0))


def _observed(rig: AURig, observed: Observed) -> tuple[Evidence, float]:
    """What the vertices say, and their frame rate: 25 fps where there is none."""
    fps = observed.fps if isinstance(observed, MeshSequence) else 25.0
    topology = observed.topology if isinstance(observed, MeshSequence) else observed
    if isinstance(topology, Mesh) and topology.n_vertices == rig.neutral.n_vertices:
        if not same_triangles(topology.faces, rig.neutral.faces):
            raise TopologyError("expected the rig's triangles, found others: the vertices may stand in another order")
        frames = observed.frames if isinstance(observed, MeshSequence) else topology.vertices[None]
        return evidence_of(rig, frames), fps
    from aublend.solve_scan import registered_frames

    scans = [observed] if isinstance(observed, Mesh) else observed
    return replace(evidence_of(*registered_frames(rig, scans, fps)), err_together=REGISTERED_TOGETHER), fps


def _model(tied: Bool[np.ndarray, " A"], evidence: Evidence) -> Model:
    """One weight for each tied unit, two for the others."""
    members = [(unit, N_UNITS + unit) for unit in np.flatnonzero(tied)]
    members += [(unit + half, -1) for half in (0, N_UNITS) for unit in np.flatnonzero(~tied)]
    weight_of = np.empty(2 * N_UNITS, np.int64)
    for weight, pair in enumerate(members):
        weight_of[np.array([unit for unit in pair if unit >= 0])] = weight
    lists: list[list[tuple[int, int]]] = [[] for _ in range(2 * N_UNITS)]
    count = len(evidence.pair_units)
    for half in (0, 1):
        for pair, (one, other) in enumerate(half * N_UNITS + evidence.pair_units):
            product = 2 * N_UNITS + half * count + pair
            lists[one].append((weight_of[other], product))
            lists[other].append((weight_of[one], product))
    most = max(1, *(len(entries) for entries in lists))
    table = np.full((2 * N_UNITS, most, 2), -1)
    for unit, entries in enumerate(lists):
        table[unit, : len(entries)] = np.reshape(entries, (-1, 2))
    partners, products = (np.ascontiguousarray(table[..., k]) for k in (0, 1))
    return Model(np.array(members, np.int64), partners, products)


def _least_squares(evidence: Evidence, model: Model, start: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T K"]:
    free = np.zeros(start.shape[1])
    return _fitted(evidence, model, start, np.zeros_like(start), free, 1)


def _sparse(
    evidence: Evidence, model: Model, weights: Float[np.ndarray, "T K"], *, smooth: bool
) -> Float[np.ndarray, "T K"]:
    """Least squares without the weights, and the trembling, that noise explains."""
    noise = _noise(evidence, model.halves(weights), len(model.members))
    spread = np.sqrt(noise * np.diag(np.linalg.inv(model.gram(evidence))))
    coupling, passes = np.zeros(len(model.members)), 1
    for _ in range(SPARSE_ROUNDS):
        weights = _fitted(evidence, model, weights, SPARSITY * noise / (weights + spread), coupling, passes)
        if smooth and len(weights) > 2:
            steps = (np.diff(weights, axis=0) ** 2).mean(axis=0) - 2 * spread**2
            coupling, passes = noise / np.maximum(steps, SLOWEST**2), SMOOTH_PASSES
    return weights


def _fitted(
    evidence: Evidence,
    model: Model,
    start: Float[np.ndarray, "T K"],
    penalty: Float[np.ndarray, "T K"],
    coupling: Float[np.ndarray, " K"],
    passes: int,
) -> Float[np.ndarray, "T K"]:
    """The minimum from a start, on two threads where frames do not wait for each other."""
    weights = np.array(start)

    def fit(rows: slice) -> None:
        fit_frames(
            evidence.gram,
            evidence.right[rows],
            model.members,
            model.partners,
            model.products,
            penalty[rows],
            coupling,
            weights[rows],
            passes,
        )

    if passes > 1 or len(weights) < THREADS_FROM:
        fit(slice(None))
    else:
        with ThreadPoolExecutor(2) as pool:  # the kernel holds no lock
            list(pool.map(fit, [slice(at, at + FRAMES_A_TASK) for at in range(0, len(weights), FRAMES_A_TASK)]))
    return weights


def _noise(evidence: Evidence, halves: Float[np.ndarray, "T 2 A"], weights: int) -> float:
    """Variance per coordinate of what a fit of so many weights leaves over: the median frame's, and never quite 0."""
    products = halves[..., evidence.pair_units].prod(axis=-1)
    factors = np.concatenate([halves.reshape(len(halves), -1), products.reshape(len(halves), -1)], axis=1)
    left = evidence.energy + np.einsum("ts,ts->t", factors, factors @ evidence.gram - 2 * evidence.right)
    variance = np.median(np.maximum(left, 0.0)) / max(evidence.observations - weights, 1)
    variance *= evidence.err_together
    return float(variance + LEAST_NOISE * np.diag(evidence.gram).mean() / evidence.observations)


def _halves_agree(model: Model, evidence: Evidence, weights: Float[np.ndarray, "T K"]) -> Bool[np.ndarray, " A"]:
    """Units whose halves differ in no frame by more than noise explains (white noise on every coordinate)."""
    weight_of = np.empty(2 * N_UNITS, np.int64)
    for weight, pair in enumerate(model.members):
        weight_of[pair[pair >= 0]] = weight
    left, right = weight_of.reshape(2, N_UNITS)
    noise = _noise(evidence, model.halves(weights), len(model.members))
    agree = np.ones(N_UNITS, bool)
    for row in weights:
        apart = agree & (np.abs(row[left] - row[right]) > SAME_WITHIN)
        if apart.any():
            jacobian = jacobian_at(model.members, model.partners, model.products, row, len(evidence.gram))
            covariance = noise * np.linalg.inv(_regular(jacobian @ evidence.gram @ jacobian.T))
            variance = covariance[left, left] + covariance[right, right] - 2 * covariance[left, right]
            bound = NOISE_SIGMAS * np.sqrt(np.maximum(variance, 0.0))
            agree &= ~(apart & (np.abs(row[left] - row[right]) > bound))
    return agree


def _regular(gram: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
    """With a ridge that keeps it invertible where a weight moves nothing."""
    return gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
