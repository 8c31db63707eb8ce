"""Seams: the mouth's and the eyes' fissures, where two margins of skin meet, and closing them to the tenth of a mm.

Seen from the side, each fissure is an upper and a lower margin. Samples of both are sorted into narrow slices along
the fissure; a slice's gap is the least height of the upper margin over the lower one, negative where they cross.
Closing moves both margins by their share of it, and the skin around them less the farther it is away. Nothing here
depends on topology: the two fields that make a seam can be carried to any head that is in correspondence.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.sparse.csgraph import dijkstra

END_SLICES = 2
"""Slices at either end where both margins turn round the corner; they take the gap of the slice before them."""
DEPTH_CELL_MM = 0.5
"""Upper and lower samples of a slice face each other when they lie in one cell of depth."""
SAMPLE_MM = 0.55
"""Samples on a margin's triangles lie about this far apart ..."""
LATTICE = (3, 10)
"""... at least and at most so many along an edge."""
TOUCHING_MM = 0.2
"""A gap wider than this is measured once more between the nearest samples of both edges ..."""
EDGE_SAMPLES = 24
"""... so many of the lowest of the upper and the highest of the lower margin."""
SMOOTHING_SLICES = 1.0
MEASURED_WEIGHT = 0.5
"""Triangles that follow the margin at least this much are sampled."""
FINE_ROUNDS, FINE_STEP_MM = 2, 0.5
"""The last rounds of closing are slice by slice, in steps too short to crease the skin."""
LONGEST_STEP_MM = 8.0


@dataclass(frozen=True)
class SeamKind:
    """How a fissure closes."""

    upper_share: float
    """Part of a gap that the upper margin covers; the lower one covers the rest."""
    near_mm: float
    """Skin nearer to the margin than this along the surface follows it in full ..."""
    far_mm: float
    """... and beyond this not at all."""
    slices: int
    """Slices from corner to corner, about a millimetre each."""
    overlap_mm: float = 0.0
    """How far closed margins reach over each other, so that coarse edges leave no chink between their vertices."""


LIPS = SeamKind(upper_share=0.5, near_mm=4.0, far_mm=16.0, slices=44)
LIDS = SeamKind(upper_share=0.85, near_mm=2.0, far_mm=9.0, slices=24, overlap_mm=0.15)


@dataclass(frozen=True)
class Seam:
    """One fissure of one head. Face frame, mm: up is +y, depth is +z."""

    kind: SeamKind
    side: Int[np.ndarray, " V"]
    """1 above the fissure, -1 below it, 0 elsewhere."""
    weight: Float[np.ndarray, " V"]
    """How much a vertex follows its margin, 0 to 1."""
    across: Float[np.ndarray, " V"]
    """Place along the fissure: 0 at its right corner, 1 at its left one (the subject's), whatever the head does."""
    upper_faces: Int[np.ndarray, "U 3"]
    lower_faces: Int[np.ndarray, "L 3"]

    def gaps(self, vertices: Float[np.ndarray, "V 3"]) -> "SeamGaps":
        """The fissure's gap in each of its slices."""
        above, below = (margin.heights_and_depths(vertices) for margin in self._margins)
        # Where the line between the margins is steep, a slice is a drop of its own: heights are taken over the line.
        line = _middle_line(self._margins, above, below, self.kind.slices)
        middles = np.arange(self.kind.slices) + 0.5
        for margin, points in zip(self._margins, (above, below), strict=True):
            points[:, 0] -= np.interp(margin.along, middles, line)
        return _gaps_of_slices(self._margins, above, below, self.kind.slices)

    def closed(
        self, vertices: Float[np.ndarray, "V 3"], wanted: "SeamGaps | None" = None, rounds: int = 2
    ) -> Float[np.ndarray, "V 3"]:
        """The head with its margins moved together (or apart, where they cross) until each slice has the wanted gap.

        Args:
            wanted: gaps to leave, e.g. the neutral's; touching everywhere by default.
        """
        target = np.full(self.kind.slices, -self.kind.overlap_mm) if wanted is None else wanted.height
        moved = vertices
        for left in reversed(range(rounds)):
            moved = self._with_heights(moved, self.gaps(moved), target, smooth=left >= FINE_ROUNDS)
        return moved

    def uncrossed(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
        """The head with its margins moved apart where they cross, and left alone elsewhere."""
        gaps = self.gaps(vertices)
        if gaps.height.min() >= 0:
            return vertices
        return self._with_heights(vertices, gaps, np.maximum(gaps.height, 0.0), smooth=True)

    def _with_heights(
        self, vertices: Float[np.ndarray, "V 3"], gaps: "SeamGaps", wanted: Float[np.ndarray, " S"], smooth: bool
    ) -> Float[np.ndarray, "V 3"]:
        excess = gaps.height - wanted
        if smooth:  # a fold makes a slice that its neighbours know nothing of
            excess = median_filter(excess, 3)
        longest = LONGEST_STEP_MM if smooth else FINE_STEP_MM
        step = np.stack([np.zeros(self.kind.slices), excess, np.where(excess > -TOUCHING_MM, gaps.depth, 0.0)], axis=1)
        step = gaussian_filter1d(np.clip(step, -longest, longest), SMOOTHING_SLICES if smooth else 0.4, axis=0)
        middles = (np.arange(self.kind.slices) + 0.5) / self.kind.slices
        own = np.stack([np.interp(self.across, middles, column) for column in step.T], axis=1)
        share = np.where(self.side > 0, -self.kind.upper_share, 1 - self.kind.upper_share)
        return vertices + (share * self.weight * (self.side != 0))[:, None] * own

    @cached_property
    def _margins(self) -> "tuple[MarginSamples, MarginSamples]":
        """The upper and the lower margin's samples, in the order of the slices."""
        upper, lower = (
            _margin_samples(self.across * self.kind.slices, faces, self.kind.slices)
            for faces in (self.upper_faces, self.lower_faces)
        )
        return upper, lower


@dataclass(frozen=True)
class MarginSamples:
    """Points on the triangles of one margin, sorted by slice."""

    corners: Int[np.ndarray, "P 3"]
    shares: Float[np.ndarray, "P 3"]
    along: Float[np.ndarray, " P"]
    """Place along the fissure, in slices."""
    slice_of: Int[np.ndarray, " P"]

    def heights_and_depths(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "P 2"]:
        """Where the samples are on a head: +y and +z."""
        return np.einsum("pk,pkc->pc", self.shares, vertices[:, 1:][self.corners])

    def of_slice(self, row: int, points: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "Q 2"]:
        """The samples in one slice."""
        start, stop = np.searchsorted(self.slice_of, [row, row + 1])
        return points[start:stop]


@dataclass(frozen=True)
class SeamGaps:
    """Gaps along a fissure, mm."""

    height: Float[np.ndarray, " S"]
    """Upper over lower margin; negative where they cross."""
    depth: Float[np.ndarray, " S"]
    """How far the upper margin lies in front of the lower one where they do not face each other; else 0."""


def seam_of_loop(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    loop: Int[np.ndarray, " R"],
    kind: SeamKind,
) -> Seam:
    """The seam around a closed loop of margin vertices, on the embedded head at rest.

    Args:
        faces: skin, inside of the fissure included.
        loop: margin vertices in order around the fissure.
    """
    right, left = int(vertices[loop, 0].argmin()), int(vertices[loop, 0].argmax())
    ends = loop[[right, left]]
    turned = np.roll(loop, -right)
    cut = (left - right) % len(loop)
    chains = [turned[1:cut], turned[cut + 1 :]]
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = sp.coo_matrix((length, edges.T), shape=(len(vertices),) * 2).tocsr()
    reach = [dijkstra(graph, directed=False, indices=chain, min_only=True, limit=2 * kind.far_mm) for chain in chains]
    # Closed lips touch: what lies around each chain, not the chain itself, tells which is the upper one.
    heights = [vertices[(reach[i] < kind.far_mm) & (reach[i] < reach[1 - i]), 1].mean() for i in (0, 1)]
    above, below = reach if heights[0] > heights[1] else reach[::-1]
    side = np.where(above < below, 1, -1)
    side[~np.isfinite(np.minimum(above, below))] = 0
    t = np.clip((kind.far_mm - np.minimum(above, below)) / (kind.far_mm - kind.near_mm), 0, 1)
    weight = t * t * (3 - 2 * t)
    weight[ends] = 0.0
    start, stop = vertices[ends, 0]
    return seam_of_fields(kind, side, weight, (vertices[:, 0] - start) / (stop - start), faces)


def seam_of_fields(
    kind: SeamKind,
    side: Int[np.ndarray, " V"],
    weight: Float[np.ndarray, " V"],
    across: Float[np.ndarray, " V"],
    faces: Int[np.ndarray, "F 3"],
) -> Seam:
    """The seam that three fields on a head's vertices describe."""
    near = (weight[faces] > MEASURED_WEIGHT).all(axis=1)
    upper, lower = (faces[near & (side[faces] == sign).all(axis=1)] for sign in (1, -1))
    return Seam(kind, side, weight, across, upper, lower)


def margin_loops(inside: Int[np.ndarray, "F 3"], outside: Int[np.ndarray, "G 3"]) -> list[Int[np.ndarray, " R"]]:
    """The closed loops of edges that the faces of two areas share, each in order."""
    shared = _edge_set(inside) & _edge_set(outside)
    neighbours: dict[int, list[int]] = {}
    for one, other in sorted(shared):
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    loops, seen = [], set()
    for start in sorted(neighbours):
        if start in seen:
            continue
        loop = [start]
        seen.add(start)
        while following := [v for v in neighbours[loop[-1]] if v not in seen]:
            loop.append(following[0])
            seen.add(following[0])
        loops.append(np.array(loop))
    return loops


def _edge_set(faces: np.ndarray) -> set[tuple[int, int]]:
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    return {(int(a), int(b)) for a, b in np.unique(edges, axis=0)}


def _margin_samples(along: Float[np.ndarray, " V"], faces: Int[np.ndarray, "F 3"], slices: int) -> MarginSamples:
    """A regular lattice of points on each triangle, without those beyond the fissure's ends."""
    extent = np.percentile(np.ptp(along[faces], axis=1), 75) if len(faces) else 0.0  # in slices, of a millimetre each
    lattice_size = int(np.clip(np.ceil(extent / SAMPLE_MM) + 1, *LATTICE))
    i, j = np.meshgrid(np.arange(lattice_size), np.arange(lattice_size), indexing="ij")
    kept = i + j < lattice_size
    a, b = i[kept] / (lattice_size - 1), j[kept] / (lattice_size - 1)
    lattice = np.stack([1 - a - b, a, b], axis=1)
    corners = np.repeat(faces, len(lattice), axis=0)
    shares = np.tile(lattice, (len(faces), 1))
    place = (shares * along[corners]).sum(axis=1)
    inside = np.flatnonzero((place >= 0) & (place < slices))
    inside = inside[np.argsort(place[inside], kind="stable")]
    return MarginSamples(corners[inside], shares[inside], place[inside], place[inside].astype(np.int64))


def _middle_line(
    margins: tuple[MarginSamples, MarginSamples], above: np.ndarray, below: np.ndarray, slices: int
) -> Float[np.ndarray, " S"]:
    """Height of the line between the margins at the middle of each slice, continued where a margin has no sample."""
    lowest, highest = np.full(slices, np.inf), np.full(slices, -np.inf)
    np.minimum.at(lowest, margins[0].slice_of, above[:, 0])
    np.maximum.at(highest, margins[1].slice_of, below[:, 0])
    known = np.flatnonzero(np.isfinite(lowest) & np.isfinite(highest))
    if len(known) == 0:
        return np.zeros(slices)
    line = (lowest[known] + highest[known]) / 2
    return gaussian_filter1d(np.interp(np.arange(slices), known, line), SMOOTHING_SLICES)


def _gaps_of_slices(
    margins: tuple[MarginSamples, MarginSamples], above: np.ndarray, below: np.ndarray, slices: int
) -> SeamGaps:
    """Least height of the upper over the lower margin in each slice, where they face each other in depth."""
    height, depth = np.zeros(slices), np.zeros(slices)
    if len(above) and len(below):
        front = min(above[:, 1].min(), below[:, 1].min())
        cells = int((max(above[:, 1].max(), below[:, 1].max()) - front) / DEPTH_CELL_MM) + 1
        floor, ceiling = np.full((slices, cells), np.inf), np.full((slices, cells), -np.inf)
        np.minimum.at(floor, (margins[0].slice_of, ((above[:, 1] - front) / DEPTH_CELL_MM).astype(int)), above[:, 0])
        np.maximum.at(ceiling, (margins[1].slice_of, ((below[:, 1] - front) / DEPTH_CELL_MM).astype(int)), below[:, 0])
        least = (floor - ceiling).min(axis=1)
        facing = np.isfinite(least)
        height[facing] = least[facing]
        for row in map(int, np.flatnonzero(~facing | (least > TOUCHING_MM))):
            one, other = (margin.of_slice(row, points) for margin, points in zip(margins, (above, below), strict=True))
            if len(one) and len(other):
                edge, other_edge = (
                    one[one[:, 0].argsort()[:EDGE_SAMPLES]],
                    other[(-other[:, 0]).argsort()[:EDGE_SAMPLES]],
                )
                apart = (edge[:, None] - other_edge[None]).reshape(-1, 2)
                nearest = apart[np.einsum("ac,ac->a", apart, apart).argmin()]
                if not facing[row] or np.hypot(*nearest) < least[row]:  # thin edges can pass between the cells
                    height[row], depth[row] = nearest
    for gap in (height, depth):
        gap[:END_SLICES], gap[-END_SLICES:] = gap[END_SLICES], gap[-END_SLICES - 1]
    return SeamGaps(height, depth)
