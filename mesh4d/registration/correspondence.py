"""Correspondence: for every vertex of one surface its place on the other, without mixing up the lips."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from mesh4d.geometry.normals import face_normals, vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.registration.closest import SurfacePoints, triangle_tree
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.target_surface import TargetSurface
from mesh4d.registration.visibility import boundary_vertices, welded_ids

LEAST_COSINE = 0.2
NORMAL_LOSS = 1.6
"""A match that ignores normals must be this many times nearer to win over one that agrees."""
SEAM_COSINE = -0.2
"""Vertices at one place whose normals agree less than this belong to surfaces that touch."""
LIP_REACH_MM, LID_REACH_MM = 12.0, 6.0
"""How far from the template's lips and lids a target's vertices are labelled, inner surfaces included."""
ON_SKIN_MM = 2.5
STRAY_SHARE = 0.2
"""A patch of one lip this much smaller than the largest is astray."""
FOLD_COHERENCE = 0.75
"""Vertices whose faces' mean normal is shorter than this lie on a fold."""
FOLD_WEIGHT = 2.0
"""How firmly the whole seam of welded lips goes with the upper one; an edge to a neighbour weighs 1."""


@dataclass(frozen=True)
class Sides:
    """What lies above (+1) and below (-1) mouth and eyes of a target, vertex by vertex; 0 elsewhere."""

    lip: Int[np.ndarray, " U"]
    lid: Int[np.ndarray, " U"]

    @property
    def either(self) -> Int[np.ndarray, " U"]:
        return self.lip + self.lid


def target_sides(template: FaceTemplate, fitted: Float[np.ndarray, "V 3"], target: Mesh) -> Sides:
    """Label the lips and lids of a target with the help of a template on it; both in the template's frame."""
    normals = vertex_normals(target.vertices, target.faces)
    return Sides(
        _opening_labels(template, fitted, target, normals, template.lip_side, LIP_REACH_MM),
        _opening_labels(template, fitted, target, normals, template.lid_side, LID_REACH_MM),
    )


def places_on_template(
    template: FaceTemplate, fitted: Float[np.ndarray, "V 3"], target: Mesh, sides: Sides
) -> SurfacePoints:
    """Where each target vertex lies on the fitted template's outer skin."""
    tree = triangle_tree(fitted, template.mesh.faces, template.outer_face_ids, template.face_side(template.side))
    normals = vertex_normals(target.vertices, target.faces)
    facing = tree.query(target.vertices, normals, LEAST_COSINE, sides.either)
    nearest = tree.query(target.vertices, sides=sides.either)
    return _better(facing, nearest)


def places_on_target(template: FaceTemplate, fitted: Float[np.ndarray, "V 3"], target: TargetSurface) -> SurfacePoints:
    """Where each vertex of the fitted template lies on the target's outer layer (which knows its sides)."""
    normals = vertex_normals(fitted, template.mesh.faces)
    facing = target.tree.query(fitted, normals, LEAST_COSINE, template.side)
    return _better(facing, target.tree.query(fitted, sides=template.side))


def _better(facing: SurfacePoints, nearest: SurfacePoints) -> SurfacePoints:
    """The match that faces the same way, unless another is much nearer."""
    keep = np.abs(facing.signed_distance) < NORMAL_LOSS * np.abs(nearest.signed_distance) + 1e-9
    return SurfacePoints(
        np.where(keep, facing.triangles, nearest.triangles),
        np.where(keep[:, None], facing.barycentric, nearest.barycentric),
        np.where(keep, facing.signed_distance, nearest.signed_distance),
    )


def _opening_labels(
    template: FaceTemplate,
    fitted: Float[np.ndarray, "V 3"],
    target: Mesh,
    normals: Float[np.ndarray, "U 3"],
    template_side: Int[np.ndarray, " V"],
    reach_mm: float,
) -> Int[np.ndarray, " U"]:
    """Near either lip (or lid), the side that nearness, normals and the mesh's own edges agree on.

    Closed lips touch, so that nearness alone flips vertices at random along the line between them. The labels solve
        min sum_i c_i (s_i - s0_i)^2 + sum_edges (s_i - s_j)^2
    with s0 the nearer lip and c the clearness of that choice: unclear vertices go with their neighbours. The fold
    along which a scan has welded the lips belongs to both; it goes with the upper one from end to end. Patches astray
    within the other lip join it. Skin that lies on unlabelled skin, beside the corners, stays unlabelled.
    """
    side = np.zeros(target.n_vertices, np.int64)
    faces, face_side = template.mesh.faces, template.face_side(template_side)
    lips = {sign: np.intersect1d(template.outer_face_ids, np.flatnonzero(face_side == sign)) for sign in (1, -1)}
    if not all(len(ids) for ids in lips.values()):
        return side
    corners = fitted[faces[np.concatenate(list(lips.values()))]].reshape(-1, 3)
    low, high = corners.min(axis=0) - reach_mm, corners.max(axis=0) + reach_mm
    near = np.flatnonzero(((target.vertices > low) & (target.vertices < high)).all(axis=1))
    if len(near) == 0:
        return side
    distance = {}
    for sign, ids in lips.items():
        places = triangle_tree(fitted, faces, ids).query(target.vertices[near])
        across = np.abs(places.signed_distance)
        agree = np.einsum("pc,pc->p", tree_normals(fitted, faces, places), normals[near])
        distance[sign] = across + 3.0 * (1 - agree)  # 3 mm per unit of disagreement in direction
    choice = np.clip((distance[-1] - distance[1]) / 2.0, -1, 1)
    edges = _edges(target, near, normals)
    smooth = _smoothed(edges, choice, np.zeros(len(near), bool))
    folded = _folded(target, near) & _beside(edges, edges[np.sign(smooth)[edges].prod(axis=1) < 0].ravel(), len(near))
    if folded.any():
        smooth = _smoothed(edges, choice, folded)
    within = (np.minimum(distance[1], distance[-1]) < reach_mm) & ~_on_other_skin(
        template, fitted, target.vertices[near], normals[near], face_side
    )
    side[near] = _without_strays(edges, np.where(within, np.sign(smooth), 0).astype(np.int64))
    return side


def _on_other_skin(
    template: FaceTemplate,
    fitted: Float[np.ndarray, "V 3"],
    points: Float[np.ndarray, "M 3"],
    normals: Float[np.ndarray, "M 3"],
    face_side: Int[np.ndarray, " F"],
) -> Bool[np.ndarray, " M"]:
    """Points whose place on the template's skin is on faces without a side."""
    tree = triangle_tree(fitted, template.mesh.faces, template.outer_face_ids)
    places = tree.query(points, normals, LEAST_COSINE, max_distance=ON_SKIN_MM)
    return places.found & (face_side[np.maximum(places.triangles, 0)] == 0)


def tree_normals(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], places: SurfacePoints
) -> Float[np.ndarray, "P 3"]:
    """Smooth normals at places on a mesh."""
    return places.interpolate(vertex_normals(vertices, faces), faces)


def _edges(target: Mesh, near: Int[np.ndarray, " M"], normals: Float[np.ndarray, "U 3"]) -> Int[np.ndarray, "E 2"]:
    """Edges between the vertices `near`, by their places in it."""
    inside = np.full(target.n_vertices, -1)
    inside[near] = np.arange(len(near))
    faces = inside[target.faces]
    faces = faces[(faces >= 0).all(axis=1)]
    sides = [faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]
    return np.concatenate([*sides, seams(target.vertices[near], normals[near])])


def _folded(mesh: Mesh, near: Int[np.ndarray, " M"]) -> Bool[np.ndarray, " M"]:
    """Which vertices `near` have faces that turn away from each other, or lie on the rim of a hole beginning there."""
    chosen = np.zeros(mesh.n_vertices, bool)
    chosen[near] = True
    ids, faces = np.unique(mesh.faces[chosen[mesh.faces].any(axis=1)], return_inverse=True)
    faces = faces.reshape(-1, 3)
    rows = faces.ravel()
    normals = np.repeat(face_normals(mesh.vertices[ids], faces), 3, axis=0)
    mean = np.stack([np.bincount(rows, normals[:, axis], len(ids)) for axis in range(3)], axis=1)
    count = np.maximum(np.bincount(rows, minlength=len(ids)), 1)
    folded = np.linalg.norm(mean, axis=1) < FOLD_COHERENCE * count
    beside = np.zeros(len(ids), bool)
    beside[faces[folded[faces].any(axis=1)]] = True
    rim = boundary_vertices(mesh.vertices[ids], faces) & chosen[ids]
    found = np.zeros(mesh.n_vertices, bool)
    found[ids] = folded | (beside & rim)
    return found[near]


def _beside(edges: Int[np.ndarray, "E 2"], ids: Int[np.ndarray, " I"], count: int) -> Bool[np.ndarray, " M"]:
    """The vertices `ids` and their neighbours, of `count` vertices."""
    chosen = np.zeros(count, bool)
    chosen[ids] = True
    chosen[edges[chosen[edges].any(axis=1)]] = True
    return chosen


def _smoothed(
    edges: Int[np.ndarray, "E 2"], choice: Float[np.ndarray, " M"], folded: Bool[np.ndarray, " M"]
) -> Float[np.ndarray, " M"]:
    """The minimiser of `_opening_labels`' sum."""
    graph = sp.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(choice),) * 2).tocsr()
    graph = graph + graph.T
    stiffness = sp.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph
    clear = np.where(folded, FOLD_WEIGHT, choice**2 + 1e-4)
    wanted = np.where(folded, 1.0, np.sign(choice))
    solver = splu((stiffness + sp.diags(clear)).tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return solver.solve(clear * wanted)


def _without_strays(edges: Int[np.ndarray, "E 2"], label: Int[np.ndarray, " M"]) -> Int[np.ndarray, " M"]:
    """Give patches that touch the other lip and are much smaller than their own side's largest to the other lip."""
    same = edges[label[edges[:, 0]] == label[edges[:, 1]]]
    graph = sp.coo_matrix((np.ones(len(same)), same.T), shape=(len(label),) * 2)
    patch = connected_components(graph, directed=False)[1]
    size = np.bincount(patch)
    touching = np.zeros(len(size), bool)
    touching[patch[edges[label[edges].prod(axis=1) < 0]]] = True
    cleaned = label.copy()
    for sign in (1, -1):
        own = label == sign
        if own.any():
            stray = own & touching[patch] & (size[patch] < STRAY_SHARE * size[patch[own]].max())
            cleaned[stray] = -sign
    return cleaned


def seams(points: Float[np.ndarray, "M 3"], normals: Float[np.ndarray, "M 3"]) -> Int[np.ndarray, "S 2"]:
    """Pairs of vertices at one place that face the same way: a texture seam must not cut the surface.

    Lips that touch at a place face each other there, and are not tied.
    """
    ids = welded_ids(points)
    first = np.unique(ids, return_index=True)[1]
    # In the order of their turn from one of them, those of either lip follow each other.
    turn = np.einsum("mc,mc->m", normals, normals[first][ids])
    order = np.lexsort((turn, ids))
    before, after = order[:-1], order[1:]
    tied = (ids[before] == ids[after]) & (np.einsum("sc,sc->s", normals[before], normals[after]) > SEAM_COSINE)
    return np.stack([before[tied], after[tied]], axis=1)
