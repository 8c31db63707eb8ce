"""The openings of a face, mouth and eyes, and which skin belongs above and which below each of them."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components, dijkstra

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh

REACH_MM = {"mouth": 14.0, "eye": 7.0}
"""How far along the surface skin still counts as upper or lower lip, or lid."""
LEAST_LEAD_MM = 1.5
"""Skin whose ways to the upper and to the lower rim differ by less belongs to neither: about the corners it is one."""
LEAST_RIM_EDGES = 6


@dataclass(frozen=True)
class Opening:
    """A ring of edges where outer skin turns inside."""

    kind: str
    """"mouth" or "eye"."""
    rim: Int[np.ndarray, "R 2"]
    """Edges of the ring."""


def opening_sides(mesh: Mesh, skin_faces: Int[np.ndarray, "S 3"], opening: Opening) -> Int[np.ndarray, " V"]:
    """+1 on skin above the opening, -1 below it, by which half of its rim is nearer along the skin; 0 elsewhere.

    Convention: +x the subject's left, +y up; the corners are where the rim reaches farthest along x.

    Raises:
        MeshError: when the rim is no ring with an upper and a lower half.
    """
    x, rim = mesh.vertices[:, 0], opening.rim
    corners = rim.ravel()[[x[rim.ravel()].argmin(), x[rim.ravel()].argmax()]]
    edges = np.concatenate([skin_faces[:, [0, 1]], skin_faces[:, [1, 2]], skin_faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    graph = sp.coo_matrix((np.maximum(length, 1e-6), edges.T), shape=(mesh.n_vertices,) * 2).tocsr()
    upper, lower = (
        dijkstra(graph, directed=False, indices=half, min_only=True) for half in _halves(mesh, rim, corners, edges)
    )
    side = np.zeros(mesh.n_vertices, np.int64)
    reach = np.minimum(upper, lower)
    near = reach < REACH_MM[opening.kind]
    lead = np.abs(np.where(near, lower, 0) - np.where(near, upper, 0))
    clear = near & (lead > np.minimum(LEAST_LEAD_MM, reach + 0.5))
    side[clear] = np.sign(lower[clear] - upper[clear]).astype(np.int64)
    return side


def _halves(
    mesh: Mesh, rim: Int[np.ndarray, "R 2"], corners: Int[np.ndarray, "2"], edges: Int[np.ndarray, "E 2"]
) -> tuple[Int[np.ndarray, " upper"], Int[np.ndarray, " lower"]]:
    """The two chains of the rim between the corners, the upper one first."""
    kept = rim[~np.isin(rim, corners).any(axis=1)]
    graph = sp.coo_matrix((np.ones(len(kept)), kept.T), shape=(mesh.n_vertices,) * 2).tocsr()
    piece = connected_components(graph, directed=False)[1]
    on_rim = np.unique(kept)
    chains = sorted((on_rim[piece[on_rim] == name] for name in np.unique(piece[on_rim])), key=len)[-2:]
    if len(chains) < 2:
        raise MeshError("an opening is no ring: expected an upper and a lower rim between its corners")
    # Closed lips touch; what lies on the outer side of each rim tells which is which.
    height = [float(mesh.vertices[_ring(chain, edges)][:, 1].mean()) for chain in chains]
    return (chains[0], chains[1]) if height[0] > height[1] else (chains[1], chains[0])


def _ring(chain: Int[np.ndarray, " C"], edges: Int[np.ndarray, "E 2"], steps: int = 3) -> Int[np.ndarray, " R"]:
    """The vertices within a few edges of a chain."""
    ring = chain
    for _ in range(steps):
        ring = np.unique(edges[np.isin(edges, ring).any(axis=1)])
    return ring


def mouth_opening(mesh: Mesh) -> tuple[Opening, ...]:
    """The ring between the parts "lips" and "mouth"; none where the mesh does not name both."""
    if mesh.part_of_face is None or not {"lips", "mouth"} <= set(mesh.part_names):
        return ()
    part = np.array(mesh.part_names)[mesh.part_of_face]
    rim = shared_edges(mesh.faces[part == "lips"], mesh.faces[part == "mouth"])
    return (Opening("mouth", rim),) if len(rim) >= LEAST_RIM_EDGES else ()


def shared_edges(faces: Int[np.ndarray, "F 3"], others: Int[np.ndarray, "O 3"]) -> Int[np.ndarray, "E 2"]:
    """Edges that a face of each set uses."""
    first, second = (
        np.unique(np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1), axis=0)
        for f in (faces, others)
    )
    both, counts = np.unique(np.concatenate([first, second]), axis=0, return_counts=True)
    return both[counts == 2]


def separate_rings(edges: Int[np.ndarray, "E 2"]) -> list[Int[np.ndarray, "R 2"]]:
    """The connected groups of edges."""
    ids, local = np.unique(edges, return_inverse=True)
    local = local.reshape(-1, 2)
    graph = sp.coo_matrix((np.ones(len(local)), local.T), shape=(len(ids),) * 2)
    piece = connected_components(graph, directed=False)[1]
    return [edges[piece[local[:, 0]] == name] for name in np.unique(piece)]


def centre_of(opening: Opening, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "3"]:
    """The middle of the rim's vertices."""
    return vertices[np.unique(opening.rim)].mean(axis=0)
