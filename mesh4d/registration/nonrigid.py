"""Non-rigid fit: a smooth displacement that brings the template's outer skin onto the target.

Optimal-step ICP in the manner of Amberg et al., "Optimal Step Nonrigid ICP Algorithms for Surface Registration"
(CVPR 2007), on displacements d of a fitted instance x instead of affine maps: each step minimises
    sum_i w_i |x_i + d_i - q_i|^2 + stiffness |L d|^2 + floor |d|^2
with L the umbrella Laplacian, closest points q_i that move with the iterate, and a stiffness that falls. In a
sequence the floor pulls towards the displacement of the frame before instead of towards none.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import similarity_align
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.target_surface import TargetSurface

LEVELS = (300.0, 100.0, 50.0, 25.0, 10.0, 5.0)
"""Stiffness of each level of a fit from scratch."""
TRACKING_LEVELS = (10.0, 5.0)
"""The same for a frame that starts from the one before it."""
STEPS_PER_LEVEL = 2
FLOOR = 1e-4
REACH_MM = (12.0, 4.0)
"""How far to look for a match at the first and the last level."""
LEAST_COSINE = 0.5


@dataclass(frozen=True)
class Before:
    """What a frame of a sequence knows from the one before it."""

    displacement: Float[np.ndarray, "V 3"]
    """Non-rigid displacement of the frame before, mm."""
    weight: float
    """Say of "as before" beside a match of full weight."""


def fit_nonrigid(
    template: FaceTemplate,
    target: TargetSurface,
    vertices: Float[np.ndarray, "V 3"],
    before: Before | None = None,
) -> Float[np.ndarray, "V 3"]:
    """Deform an instance of the template onto the target; both in the template's frame, mm.

    Inner parts follow: what hangs together with the skin by its smoothness, loose pieces as solids.
    """
    laplacian = umbrella_laplacian(template.mesh.faces, len(vertices))
    bending = (laplacian.T @ laplacian).tocsc()
    outer = np.flatnonzero(template.outer)
    known = np.zeros_like(vertices) if before is None else before.displacement
    floor = FLOOR if before is None else before.weight
    displacement = known
    levels = np.repeat(LEVELS if before is None else TRACKING_LEVELS, STEPS_PER_LEVEL)
    for number, stiffness in enumerate(levels):
        t = number / (len(levels) - 1)
        reach = (REACH_MM[0] * (1 - t) + REACH_MM[1] * t) if before is None else REACH_MM[1]
        now = vertices + displacement
        normals = vertex_normals(now, template.outer_faces)[outer]
        match = target.matches(now[outer], normals, LEAST_COSINE, reach, template.side[outer])
        distance = np.linalg.norm(match.points - now[outer], axis=1)
        agree = np.maximum(np.einsum("pc,pc->p", normals, match.normals), 0)
        weight = np.zeros(len(vertices))
        weight[outer] = np.where(match.good, agree * np.exp(-((distance / (reach / 3)) ** 2) / 2), 0.0)
        pull = floor * known
        pull[outer] += weight[outer, None] * (match.points - vertices[outer])
        system = stiffness * bending + sp.diags(weight + floor)
        solver = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        displacement = solver.solve(pull)
    return _with_loose_parts(template, vertices, vertices + displacement)


def umbrella_laplacian(faces: Int[np.ndarray, "F 3"], n_vertices: int) -> sp.csr_matrix:
    """Each vertex minus the mean of its neighbours; zero rows for vertices that no face uses."""
    rows = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    columns = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    adjacency = sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_vertices, n_vertices)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    return (sp.diags((degree > 0).astype(float)) - sp.diags(1 / np.maximum(degree, 1)) @ adjacency).tocsr()


def _with_loose_parts(
    template: FaceTemplate, before: Float[np.ndarray, "V 3"], after: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Move each piece without outer skin (eyeballs, teeth, lashes) by the similarity of the skin around it."""
    moved = after.copy()
    outer = np.flatnonzero(template.outer)
    tree = KDTree(before[outer])
    loose = np.setdiff1d(template.component, template.component[outer])
    for name in loose:
        piece = np.flatnonzero(template.component == name)
        around = np.unique(tree.query(before[piece], k=24)[1])
        skin = outer[around]
        try:
            follow = similarity_align(before[skin], after[skin])
        except MeshError:
            continue  # a degenerate neighbourhood moves nothing
        moved[piece] = follow.apply(before[piece])
    return moved
