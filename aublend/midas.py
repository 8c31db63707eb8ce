"""MIDAS on meshes: new dynamic expressions and soft labels as convex mixtures of two, on one identity.

Kawamura et al., "MIDAS: Mixing Ambiguous Data with Soft Labels for Dynamic Facial Expression Recognition" (WACV 2024,
arXiv 2503.00202) mix video clips and their soft labels frame by frame, x(t) = s x_i(t) + (1 - s) x_j(t) and
y = s y_i + (1 - s) y_j with s ~ Beta(alpha, alpha), as mixup does. On vertices in correspondence the mixture is a face
again, without ghosts; and as displacements from each one's own neutral are mixed, V(t) = N + s D_i(t) + (1 - s) D_j(t),
it is the face of whomever N belongs to. The paper's alpha is not known to us; ours is an argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, TopologyError
from mesh4d.geometry.topology import same_triangles
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence


@dataclass(frozen=True)
class LabelledMotion:
    """How a face moves, whoever's it is, and what that shows."""

    displacements: Float[np.ndarray, "T V 3"]
    """From the person's own neutral."""
    label: Float[np.ndarray, " K"]
    """Probability of each class; sums to 1."""
    fps: float
    phases: tuple[int, int, int] | None = None
    """Frames of onset, apex and offset, where they are known."""

    def __post_init__(self) -> None:
        if len(self.displacements) == 0 or not self.fps > 0:
            raise MeshError(f"expected frames at a positive rate, found {len(self.displacements)} at {self.fps}")
        if (self.label < 0).any() or not np.isclose(self.label.sum(), 1.0):
            raise MeshError(f"a label must be probabilities that sum to 1, found {self.label.tolist()}")
        last = len(self.displacements) - 1
        if self.phases is not None and not 0 <= self.phases[0] <= self.phases[1] <= self.phases[2] <= last:
            raise MeshError(f"onset, apex and offset must ascend within 0 to {last}, found {self.phases}")

    @classmethod
    def of(
        cls,
        sequence: MeshSequence,
        neutral: Mesh,
        label: Float[np.ndarray, " K"],
        phases: tuple[int, int, int] | None = None,
    ) -> "LabelledMotion":
        """The motion of a sequence against the same person's neutral.

        Raises:
            TopologyError: when they do not share vertices and triangles.
        """
        topology = sequence.topology
        if topology.n_vertices != neutral.n_vertices or not same_triangles(topology.faces, neutral.faces):
            raise TopologyError(
                "a sequence and its neutral need the same vertices and triangles (register scans first)"
            )
        return cls(sequence.frames - neutral.vertices, label, sequence.fps, phases)

    def on(self, neutral: Mesh) -> MeshSequence:
        """The motion played by the person that `neutral` shows.

        Raises:
            TopologyError: when the neutral has another vertex count.
        """
        if neutral.n_vertices != self.displacements.shape[1]:
            raise TopologyError(f"expected {self.displacements.shape[1]} vertices, found {neutral.n_vertices}")
        return MeshSequence(neutral, neutral.vertices + self.displacements, self.fps)


def midas(first: LabelledMotion, second: LabelledMotion, share: float) -> LabelledMotion:
    """share x first + (1 - share) x second, motion and label alike.

    The result has the first one's frames and rate. The second is stretched to them: from onset to onset, apex to apex
    and offset to offset where both know theirs, else from end to end.

    Args:
        share: of the first, 0 to 1.

    Raises:
        TopologyError: different vertex counts.
        MeshError: different numbers of classes, or a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise MeshError(f"share must be 0 to 1, found {share}")
    if first.displacements.shape[1] != second.displacements.shape[1]:
        found = f"{first.displacements.shape[1]} and {second.displacements.shape[1]}"
        raise TopologyError(f"expected motions of the same vertices, found {found}")
    if first.label.shape != second.label.shape:
        raise MeshError(f"expected labels over the same classes, found {len(first.label)} and {len(second.label)}")
    stretched = _frames_at(second.displacements, _matching_times(first, second))
    return LabelledMotion(
        share * first.displacements + (1 - share) * stretched,
        share * first.label + (1 - share) * second.label,
        first.fps,
        first.phases,
    )


def midas_mixtures(
    motions: Sequence[LabelledMotion], count: int, rng: np.random.Generator, alpha: float = 0.4
) -> Iterator[LabelledMotion]:
    """Mixtures of pairs drawn at random, s ~ Beta(alpha, alpha).

    Args:
        motions: at least two.
        alpha: small values stay near one of the pair, 1 mixes evenly.
    """
    if len(motions) < 2 or not alpha > 0:
        raise MeshError(f"expected two motions or more and a positive alpha, found {len(motions)} and {alpha}")
    for _ in range(count):
        first, second = rng.choice(len(motions), 2, replace=False).tolist()
        yield midas(motions[first], motions[second], float(rng.beta(alpha, alpha)))


def hard_label(label: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """All probability on the likeliest class: the baseline without ambiguity."""
    return np.eye(len(label))[int(np.argmax(label))]


def smoothed_label(label: Float[np.ndarray, " K"], amount: float) -> Float[np.ndarray, " K"]:
    """(1 - amount) y + amount / K: label smoothing, the baseline whose ambiguity knows nothing of the data."""
    return (1 - amount) * label + amount / len(label)


def _matching_times(first: LabelledMotion, second: LabelledMotion) -> Float[np.ndarray, " T"]:
    """The second one's position, in frames, that goes with each frame of the first."""
    ends = len(first.displacements) - 1, len(second.displacements) - 1
    here, there = [0.0, float(ends[0])], [0.0, float(ends[1])]
    if first.phases is not None and second.phases is not None:
        here = [0.0, *map(float, first.phases), float(ends[0])]
        there = [0.0, *map(float, second.phases), float(ends[1])]
    kept = [0, *(k for k, (a, b) in enumerate(pairwise(here), 1) if b > a)]  # interp wants rising positions
    return np.interp(np.arange(ends[0] + 1), np.array(here)[kept], np.array(there)[kept])


def _frames_at(frames: Float[np.ndarray, "N V 3"], times: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T V 3"]:
    """Frames between frames, linearly."""
    before = np.minimum(times.astype(int), len(frames) - 1)
    after = np.minimum(before + 1, len(frames) - 1)
    part = (times - before)[:, None, None]
    return (1 - part) * frames[before] + part * frames[after]
