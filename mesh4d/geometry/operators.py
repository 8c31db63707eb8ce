"""Operators on surfaces: Laplacian, gradient and divergence, and distances along the surface.

Degenerate triangles are harmless: edge lengths are lengthened by a trace until every triangle is a true one
("intrinsic mollification", Sharp & Crane, "A Laplacian for Nonmanifold Triangle Meshes", SGP 2020, section 4.5).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from mesh4d.errors import MeshError

MOLLIFY = 1e-4
"""How far from degenerate a triangle must be, as a share of the mean edge length."""


@dataclass(frozen=True)
class SurfaceLaplacian:
    """L u integrates minus the Laplacian of u over each vertex's area: L u = f M for -laplace u = f."""

    stiffness: sp.csr_matrix
    """Positive semi-definite, rows sum to zero (V, V)."""
    mass: Float[np.ndarray, " V"]
    """Area that belongs to each vertex, a third of its triangles'; 0 where no triangle is."""
    mean_edge: float
    """Mean edge length: the time step of the heat method is its square."""


def cotangent_laplacian(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> SurfaceLaplacian:
    """The cotangent Laplacian and lumped masses of a triangle mesh, collapsed and needle triangles included.

    Raises:
        MeshError: when the mesh has no triangle of positive size.
    """
    faces = faces[(faces != faces[:, [1, 2, 0]]).all(axis=1)]  # a triangle that names a vertex twice is an edge
    lengths = _mollified(_edge_lengths(vertices, faces))
    doubled = _doubled_areas(lengths)
    squares = lengths**2
    # Angle at corner k lies opposite to edge k: cot = (b^2 + c^2 - a^2) / (4 area).
    cot = (squares.sum(axis=1, keepdims=True) - 2 * squares) / (2 * doubled[:, None])
    count = len(vertices)
    rows, columns, values = [], [], []
    for k in range(3):
        i, j = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        half = cot[:, k] / 2
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-half, -half, half, half]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    mass = np.bincount(faces.ravel(), np.repeat(doubled / 6, 3), minlength=count)
    return SurfaceLaplacian(sp.csr_matrix(entries, shape=(count, count)), mass, float(lengths.mean()))


class GeodesicDistance:
    """Distances along a surface by the heat method (Crane, Weischedel & Wardetzky, "Geodesics in Heat", 2013).

    Factorises once; each query is two back-substitutions.
    """

    def __init__(
        self, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], diffusion: float = 1.0
    ) -> None:
        """Factorise.

        Args:
            diffusion: time step in squares of the mean edge length; larger is smoother.
        """
        self.vertices, self.faces = vertices, faces
        laplacian = cotangent_laplacian(vertices, faces)
        # Vertices without a triangle keep themselves; a trace of mass makes the Poisson system regular.
        mass = laplacian.mass + 1e-9 * laplacian.mass.mean()
        step = diffusion * laplacian.mean_edge**2
        options = {"SymmetricMode": True}
        self._heat = splu(
            (sp.diags(mass) + step * laplacian.stiffness).tocsc(), permc_spec="MMD_AT_PLUS_A", options=options
        )
        poisson = laplacian.stiffness + 1e-8 * sp.diags(mass / laplacian.mean_edge**2)
        self._poisson = splu(poisson.tocsc(), permc_spec="MMD_AT_PLUS_A", options=options)
        self._used = np.zeros(len(vertices), bool)
        self._used[faces] = True

    def from_vertices(self, sources: Int[np.ndarray, " S"]) -> Float[np.ndarray, " V"]:
        """Distance of every vertex to the nearest source, in the vertices' unit; infinite off the sources' pieces.

        Raises:
            MeshError: when no source is given or none lies on a triangle.
        """
        if len(sources) == 0 or not self._used[sources].any():
            raise MeshError("geodesic distances need a source vertex that a triangle uses")
        heat = np.zeros(len(self.vertices))
        heat[sources] = 1.0
        heat = self._heat.solve(heat)
        distance = self._poisson.solve(self._divergence(heat))
        reached = self._used & (heat > 1e-300)
        offset = distance[sources[self._used[sources]]].min()
        return np.where(reached, np.maximum(distance - offset, 0.0), np.inf)

    def _divergence(self, heat: np.ndarray) -> np.ndarray:
        """Integrated divergence of -grad u / |grad u| at each vertex."""
        corners = self.vertices[self.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        doubled = np.linalg.norm(normal, axis=1)
        solid = doubled > 1e-12 * max(float(doubled.max()), 1e-300)
        unit_normal = normal / np.where(solid, doubled, 1.0)[:, None]
        opposite = [corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3] for k in range(3)]
        # Heat falls over hundreds of orders of magnitude: scale within each triangle before differences are taken.
        local = heat[self.faces]
        local = local / np.maximum(np.abs(local).max(axis=1, keepdims=True), 1e-300)
        gradient = sum(local[:, k, None] * np.cross(unit_normal, opposite[k]) for k in range(3))
        length = np.linalg.norm(gradient, axis=1)
        field = -gradient / np.where(length > 0, length, 1.0)[:, None]
        field[~solid] = 0.0
        total = np.zeros(len(self.vertices))
        for k in range(3):
            # The gradient of corner k's hat function times the triangle's area.
            hat = np.cross(unit_normal, opposite[k]) / 2
            total += np.bincount(self.faces[:, k], np.einsum("fc,fc->f", field, hat), minlength=len(total))
        return total


def _edge_lengths(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Length of the edge opposite to each corner."""
    corners = vertices[faces]
    return np.stack(
        [np.linalg.norm(corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3], axis=1) for k in range(3)], axis=1
    )


def _mollified(lengths: np.ndarray) -> np.ndarray:
    """Edge lengths of true triangles: every two sides longer than the third by a trace."""
    if len(lengths) == 0 or not lengths.max() > 0:
        raise MeshError("a surface operator needs a triangle of positive size")
    margin = MOLLIFY * float(lengths.mean())
    lack = (margin - (lengths.sum(axis=1, keepdims=True) - 2 * lengths)).max(axis=1, keepdims=True)
    # Lengthening all edges of a triangle alike by e widens b + c - a by e.
    return lengths + np.maximum(lack, 0.0)


def _doubled_areas(lengths: np.ndarray) -> np.ndarray:
    """Twice the area by Heron's formula in Kahan's stable order."""
    a, b, c = np.sort(lengths, axis=1)[:, ::-1].T
    product = (a + (b + c)) * (c - (a - b)) * (c + (a - b)) * (a + (b - c))
    return np.sqrt(np.maximum(product, 0)) / 2
