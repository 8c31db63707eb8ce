"""Deformation transfer: move one mesh's deformations onto another mesh of the same topology.

Sumner & Popovic, "Deformation Transfer for Triangle Meshes" (SIGGRAPH 2004), in the gradient form of Botsch et al.,
"Deformation Transfer for Detail-Preserving Surface Editing" (2006): the target's displacement field u minimises
    sum_t sum_(i,j in t) cot_tij / 2 || (u_i - u_j) - (J_t - I) (X_i - X_j) ||^2,
with J_t the source triangle's deformation gradient: a Poisson system.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.linalg import splu


def deformation_gradients(
    rest: Float[np.ndarray, "V 3"], deltas: Float[np.ndarray, "A V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "A F 3 3"]:
    """J with J (x_k - x_0) = y_k - y_0 on every triangle and J n = n' along scaled normals (Sumner eq. 3-5)."""
    inverse = np.linalg.inv(_frames(rest[faces]))
    return np.stack([_frames((rest + delta)[faces]) @ inverse for delta in deltas])


class DeformationTransfer:
    """Carries deformations of a source mesh to any mesh of its topology.

    Weights are the source's cotangents, not the target's: the systems are factorised once for all targets, and a
    target's collapsed triangles (folded lids) cannot outweigh their neighbours.
    """

    def __init__(
        self, source: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], fixed: Bool[np.ndarray, "A V"]
    ) -> None:
        """Factorise.

        Args:
            source: rest vertices.
            faces: triangles, the same on source and targets.
            fixed: vertices that stay where they are under each deformation; at least one in each connected piece.
                Vertices that no face uses stay too. With what does not move fixed, a motion stays local: a Poisson
                system left free would spread traces of it over the whole piece.
        """
        self.faces, self.source = faces, source
        self.cot = cotangents(source, faces)
        stiffness = cotangent_stiffness(self.cot, faces, len(source))
        used = np.zeros(len(source), bool)
        used[faces] = True
        self.free = [np.flatnonzero(used & ~row) for row in fixed]
        options = {"SymmetricMode": True}
        self.solvers = [
            splu(stiffness[ids][:, ids].tocsc(), permc_spec="MMD_AT_PLUS_A", options=options) if len(ids) else None
            for ids in self.free
        ]

    def carry(
        self, gradients: Float[np.ndarray, "A F 3 3"], target: Float[np.ndarray, "V 3"]
    ) -> Float[np.ndarray, "A V 3"]:
        """Displacements of `target` that repeat the deformation gradients, zero on fixed vertices, in its unit."""
        right = _divergence(gradients - np.eye(3), self.cot, target, self.faces)
        deltas = np.zeros((len(gradients), len(target), 3))
        for row, (ids, solver) in enumerate(zip(self.free, self.solvers, strict=True)):
            if solver is not None:
                deltas[row, ids] = solver.solve(right[row, ids])
        return deltas


def cotangents(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "F 3"]:
    """Cotangent of the angle at each corner, bounded so that slivers stay harmless."""
    corners = vertices[faces]
    cot = np.empty(faces.shape)
    for k in range(3):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        area = np.linalg.norm(np.cross(a, b), axis=1)
        cot[:, k] = np.einsum("fi,fi->f", a, b) / np.maximum(area, 1e-9)
    return np.clip(cot, -20.0, 20.0)


def cotangent_stiffness(cot: Float[np.ndarray, "F 3"], faces: Int[np.ndarray, "F 3"], n_vertices: int) -> sp.csr_matrix:
    """The positive semi-definite cotangent Laplacian (stiffness, no mass), with a breath of regularisation."""
    rows, columns, values = [], [], []
    for k in range(3):
        i, j = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        half = cot[:, k] / 2
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-half, -half, half, half]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_matrix(entries, shape=(n_vertices, n_vertices)) + 1e-8 * sp.identity(n_vertices, format="csr")


def _divergence(
    fields: Float[np.ndarray, "A F 3 3"],
    cot: Float[np.ndarray, "F 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> Float[np.ndarray, "A V 3"]:
    """Integrated divergence of the gradient fields J grad X at each vertex."""
    n_shapes, n_vertices = len(fields), len(vertices)
    gather_rows, edge_values = [], []
    for k in range(3):
        i, j = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        edge = (vertices[i] - vertices[j]) * (cot[:, k] / 2)[:, None]
        flow = np.einsum("afij,fj->fai", fields, edge).reshape(len(faces), -1)
        gather_rows += [i, j]
        edge_values += [flow, -flow]
    rows = np.concatenate(gather_rows)
    incidence = sp.csr_matrix((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(n_vertices, len(rows)))
    return (incidence @ np.concatenate(edge_values)).reshape(n_vertices, n_shapes, 3).transpose(1, 0, 2)


def _frames(corners: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F 3 3"]:
    """Two edges and the scaled normal of each triangle as matrix columns."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    length = np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
    frames = np.stack([first, second, normal / length], axis=2)
    flat = np.abs(np.linalg.det(frames)) < 1e-9
    frames[flat] += 1e-3 * np.eye(3)  # a collapsed triangle has no frame of its own; any regular one serves
    return frames
