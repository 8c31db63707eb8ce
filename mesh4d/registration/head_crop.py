"""Where the head of a body may be: the ends of the surface, each cut off where that leaves a ball."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from mesh4d.registration.closest import triangle_tree
from mesh4d.registration.target_surface import LEAST_FACES, TargetSurface
from mesh4d.registration.visibility import boundary_vertices

SAMPLES, NEIGHBOURS = 9000, 8
TIPS = 6
"""Ends of a body: head, hands, feet, and one more for what it may hold."""
CUTS = 60
SMALLEST_SHARE, LARGEST_SHARE = 0.02, 0.6
"""Of the surface that a cut leaves: less is a finger, more is the whole, which is searched as such."""
LEAST_PIECE = 0.05
"""Share of the surface that a piece must hold to be tried by itself."""
LEAST_ROUND = 0.45
"""Limbs are longer than that."""
BELOW_CUT = 1.2
"""How far the crop goes on beyond the cut: the neck helps."""


def head_crops(target: TargetSurface) -> Iterator[tuple[float, TargetSurface]]:
    """Parts of a surface that may be a head: its pieces and ends, the roundest first, with how round they are.

    Each end is cut off where that leaves the roundest piece: a head at its neck.
    """
    points, _ = target.samples(SAMPLES, np.random.default_rng(0))
    graph = _neighbour_graph(points)
    piece = connected_components(graph, directed=False)[1]
    own = piece == np.bincount(piece).argmax()
    middle = int(np.flatnonzero(own)[((points[own] - points[own].mean(axis=0)) ** 2).sum(axis=1).argmin()])
    crops = [(_roundness(points[piece == name]), piece == name) for name in _other_whole(piece)]
    for way in _ways_from_tips(graph, middle, own):
        cut, roundness = _roundest_cut(points, np.where(own, way, np.inf))
        if roundness > LEAST_ROUND:
            crops.append((roundness, way < BELOW_CUT * cut))
    nearest = KDTree(points).query(target.vertices[target.faces[target.face_ids]].mean(axis=1))[1]
    for roundness, inside in sorted(crops, key=lambda crop: -crop[0]):
        face_ids = target.face_ids[inside[nearest]]
        if len(face_ids) >= LEAST_FACES:
            yield roundness, cropped(target, face_ids)


def cropped(target: TargetSurface, face_ids: Int[np.ndarray, " C"]) -> TargetSurface:
    """Only these faces of the surface; the cut is a rim."""
    ids, faces = np.unique(target.faces[face_ids], return_inverse=True)
    rim = target.rim.copy()
    rim[ids[boundary_vertices(target.vertices[ids], faces.reshape(-1, 3))]] = True
    return dataclasses.replace(
        target, face_ids=face_ids, rim=rim, tree=triangle_tree(target.vertices, target.faces, face_ids)
    )


def _neighbour_graph(points: Float[np.ndarray, "P 3"]) -> sp.csr_matrix:
    distance, neighbour = KDTree(points).query(points, k=NEIGHBOURS + 1)
    rows = np.repeat(np.arange(len(points)), NEIGHBOURS)
    entries = (np.maximum(distance[:, 1:].ravel(), 1e-12), (rows, np.asarray(neighbour)[:, 1:].ravel()))
    graph = sp.csr_matrix(entries, shape=(len(points), len(points)))
    return graph.maximum(graph.T).tocsr()


def _ways_from_tips(graph: sp.csr_matrix, middle: int, own: np.ndarray) -> Iterator[Float[np.ndarray, " P"]]:
    """Ways along the surface from each of its ends: the points farthest from the middle and from each other."""
    nearest = dijkstra(graph, directed=False, indices=middle)
    for _ in range(TIPS):
        tip = int(np.where(own, nearest, -1.0).argmax())
        way = dijkstra(graph, directed=False, indices=tip)
        nearest = np.minimum(nearest, way)
        yield way


def _other_whole(piece: Int[np.ndarray, " P"]) -> Int[np.ndarray, " N"]:
    """The pieces, where there are several that hold a good share of the surface."""
    share = np.bincount(piece) / len(piece)
    large = np.flatnonzero(share > LEAST_PIECE)
    return large if len(large) > 1 else large[:0]


def _roundness(points: Float[np.ndarray, "Q 3"]) -> float:
    """The smallest over the largest standard deviation along the principal axes."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(spread[-1] / max(spread[0], 1e-300))


def _roundest_cut(points: Float[np.ndarray, "P 3"], way: Float[np.ndarray, " P"]) -> tuple[float, float]:
    """How far to go from an end so that what lies before is as round as can be, and how round that is.

    Roundness is the smallest over the largest standard deviation along the principal axes: 0.85 for a head, less for
    limbs, for heads with shoulders, and for caps of heads.
    """
    order = np.argsort(way)
    centred = points[order] - points.mean(axis=0)
    count = np.arange(1, len(points) + 1)
    first = np.cumsum(centred, axis=0)
    second = np.cumsum(centred[:, :, None] * centred[:, None, :], axis=0)
    rows = np.unique(np.geomspace(SMALLEST_SHARE, LARGEST_SHARE, CUTS) * len(points)).astype(np.int64)
    mean = first[rows] / count[rows, None]
    covariance = second[rows] / count[rows, None, None] - mean[:, :, None] * mean[:, None, :]
    spread = np.linalg.eigvalsh(covariance)
    round_ = np.sqrt(np.maximum(spread[:, 0], 0) / np.maximum(spread[:, 2], 1e-300))
    best = int(round_.argmax())
    return float(way[order[rows[best]]]), float(round_[best])
