"""Correspondence: for every vertex of one surface its place on the other, without mixing up the lips."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.registration.closest import SurfacePoints, triangle_tree
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.target_surface import TargetSurface
from mesh4d.registration.visibility import welded_ids

LEAST_COSINE = 0.2
NORMAL_LOSS = 1.6
"""A match that ignores normals must be this many times nearer to win over one that agrees."""


def places_on_template(
    template: FaceTemplate, fitted: Float[np.ndarray, "V 3"], target: Mesh
) -> tuple[SurfacePoints, Int[np.ndarray, " U"]]:
    """Where each target vertex lies on the fitted template's outer skin, and its lip side (+1 upper, -1 lower, 0)."""
    tree = triangle_tree(fitted, template.mesh.faces, template.outer_face_ids, template.face_side)
    normals = vertex_normals(target.vertices, target.faces)
    side = lip_sides(template, fitted, target, normals)
    facing = tree.query(target.vertices, normals, LEAST_COSINE, side)
    nearest = tree.query(target.vertices, sides=side)
    return _better(facing, nearest), side


def places_on_target(template: FaceTemplate, fitted: Float[np.ndarray, "V 3"], target: TargetSurface) -> SurfacePoints:
    """Where each vertex of the fitted template lies on the target's outer layer."""
    normals = vertex_normals(fitted, template.mesh.faces)
    return _better(target.tree.query(fitted, normals, LEAST_COSINE), target.tree.query(fitted))


def _better(facing: SurfacePoints, nearest: SurfacePoints) -> SurfacePoints:
    """The match that faces the same way, unless another is much nearer."""
    keep = np.abs(facing.signed_distance) < NORMAL_LOSS * np.abs(nearest.signed_distance) + 1e-9
    return SurfacePoints(
        np.where(keep, facing.triangles, nearest.triangles),
        np.where(keep[:, None], facing.barycentric, nearest.barycentric),
        np.where(keep, facing.signed_distance, nearest.signed_distance),
    )


def lip_sides(
    template: FaceTemplate,
    fitted: Float[np.ndarray, "V 3"],
    target: Mesh,
    normals: Float[np.ndarray, "U 3"],
    reach_mm: float = 12.0,
) -> Int[np.ndarray, " U"]:
    """Label the target's lips: near either lip, the side that nearness, normals and the mesh's own edges agree on.

    Closed lips touch, so that nearness alone flips vertices at random along the line between them. The labels solve
        min sum_i c_i (s_i - s0_i)^2 + sum_edges (s_i - s_j)^2
    with s0 the nearer lip and c the clearness of that choice: unclear vertices go with their neighbours.
    """
    side = np.zeros(target.n_vertices, np.int64)
    faces, face_side = template.mesh.faces, template.face_side
    lips = {sign: np.intersect1d(template.outer_face_ids, np.flatnonzero(face_side == sign)) for sign in (1, -1)}
    if not all(len(ids) for ids in lips.values()):
        return side
    trees = {sign: triangle_tree(fitted, faces, ids) for sign, ids in lips.items()}
    low, high = (
        op(fitted[faces[np.concatenate(list(lips.values()))]].reshape(-1, 3), axis=0) for op in (np.min, np.max)
    )
    near = np.flatnonzero(((target.vertices > low - reach_mm) & (target.vertices < high + reach_mm)).all(axis=1))
    if len(near) == 0:
        return side
    distance = {}
    for sign, tree in trees.items():
        places = tree.query(target.vertices[near])
        across = np.abs(places.signed_distance)
        agree = np.einsum("pc,pc->p", tree_normals(fitted, faces, places), normals[near])
        distance[sign] = across + 3.0 * (1 - agree)  # 3 mm per unit of disagreement in direction
    choice = np.clip((distance[-1] - distance[1]) / 2.0, -1, 1)
    smooth = _smoothed(target, near, choice)
    side[near] = np.where(np.minimum(distance[1], distance[-1]) < reach_mm, np.sign(smooth), 0).astype(np.int64)
    return side


def tree_normals(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], places: SurfacePoints
) -> Float[np.ndarray, "P 3"]:
    """Smooth normals at places on a mesh."""
    return places.interpolate(vertex_normals(vertices, faces), faces)


def _smoothed(target: Mesh, near: Int[np.ndarray, " M"], choice: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """The minimiser of `lip_sides`' sum over the vertices `near`."""
    inside = np.full(target.n_vertices, -1)
    inside[near] = np.arange(len(near))
    faces = inside[target.faces]
    faces = faces[(faces >= 0).all(axis=1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]], _seams(target.vertices[near])])
    weights = np.ones(len(edges))
    graph = sp.coo_matrix((weights, edges.T), shape=(len(near),) * 2).tocsr()
    graph = graph + graph.T
    stiffness = sp.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph
    clear = choice**2 + 1e-4
    solver = splu((stiffness + sp.diags(clear)).tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return solver.solve(clear * np.sign(choice))


def _seams(points: Float[np.ndarray, "M 3"]) -> Int[np.ndarray, "S 2"]:
    """Pairs of vertices at one place: a texture seam must not cut the surface."""
    ids = welded_ids(points)
    order = np.argsort(ids, kind="stable")
    same = ids[order[1:]] == ids[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)
