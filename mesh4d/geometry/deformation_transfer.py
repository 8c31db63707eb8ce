"""Deformation transfer: move one mesh's deformations onto another mesh of the same topology.

Sumner & Popovic, "Deformation Transfer for Triangle Meshes" (SIGGRAPH 2004), in the gradient form of Botsch et al.,
"Deformation Transfer for Detail-Preserving Surface Editing" (2006): the target's displacement field u minimises
    sum_t area_t || grad u - (J_t - I) grad X ||^2,
with J_t the source triangle's deformation gradient, which is a Poisson system with one matrix per target.
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


def transfer_deltas(
    gradients: Float[np.ndarray, "A F 3 3"],
    target: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    fixed: Bool[np.ndarray, " V"],
) -> Float[np.ndarray, "A V 3"]:
    """Displacements of `target` that repeat the source's deformation gradients.

    Args:
        gradients: J of each deformation on each triangle, from `deformation_gradients`.
        target: rest vertices of the mesh that receives the deformation.
        faces: triangles, the same on source and target.
        fixed: vertices that stay where they are; at least one in each connected piece. Vertices that no face
            uses stay too.

    Returns:
        Displacements, zero on fixed vertices, in the target's unit.
    """
    cot = cotangents(target, faces)
    stiffness = cotangent_stiffness(cot, faces, len(target))
    used = np.zeros(len(target), bool)
    used[faces] = True
    free = np.flatnonzero(used & ~fixed)
    right = _divergence(gradients - np.eye(3), cot, target, faces)[:, free]
    solver = splu(stiffness[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    n_shapes = len(gradients)
    solution = solver.solve(np.ascontiguousarray(right.transpose(1, 0, 2).reshape(len(free), -1)))
    deltas = np.zeros((n_shapes, len(target), 3))
    deltas[:, free] = solution.reshape(len(free), n_shapes, 3).transpose(1, 0, 2)
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
