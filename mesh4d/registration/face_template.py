"""FaceTemplate: a head that others are brought into correspondence with, and what registration must know of it."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_areas
from mesh4d.mesh import Mesh
from mesh4d.registration.visibility import outer_faces, vertex_components

SKIN_PARTS = ("skin", "lips")
LIP_REACH_MM = 9.0
"""How far from the red of the lips skin still counts as upper or lower lip."""

CORNER_MM = 2.0
"""Around the mouth's corners the lips are one skin."""


@dataclass(frozen=True)
class FaceTemplate:
    """A template head and its regions.

    Convention: the mesh is in the face frame: millimetres, origin between the eyes, +x the subject's left, +y up,
    +z forward.
    """

    mesh: Mesh
    outer_face_ids: Int[np.ndarray, " O"]
    """Skin and lips that can be seen from outside: what may be matched with a target."""
    outer: Bool[np.ndarray, " V"]
    """Vertices of those faces."""
    face: Bool[np.ndarray, " V"]
    """Outer vertices of the front of the face: brows to chin."""
    weight: Float[np.ndarray, " V"]
    """Area of each outer vertex (mm^2), counted in full on the face and less behind it; 0 on inner vertices."""
    lip_side: Int[np.ndarray, " V"]
    """+1 upper lip, -1 lower lip, with the skin around them; 0 elsewhere."""
    component: Int[np.ndarray, " V"]
    """Connected piece of each vertex."""
    basis: Float[np.ndarray, "K V 3"] | None
    """Directions in which heads differ, each scaled to one standard deviation (mm)."""

    @property
    def vertices(self) -> Float[np.ndarray, "V 3"]:
        """The template at rest."""
        return self.mesh.vertices

    @property
    def outer_faces(self) -> Int[np.ndarray, "O 3"]:
        """Corners of the outer faces."""
        return self.mesh.faces[self.outer_face_ids]

    @property
    def face_side(self) -> Int[np.ndarray, " F"]:
        """The lip side of each face of the mesh: that of any of its corners, 0 where they disagree."""
        return np.sign(self.lip_side[self.mesh.faces].sum(axis=1)).astype(np.int64)


def face_template(mesh: Mesh, shape_basis: Float[np.ndarray, "K V 3"] | None = None) -> FaceTemplate:
    """Work out the regions of a template head in the face frame.

    Args:
        mesh: with parts "skin" and "lips" where it has inner parts; a mesh without parts is skin all over.
        shape_basis: see `FaceTemplate.basis`.

    Raises:
        MeshError: when the basis does not fit the mesh, or nothing of the face lies where the face frame says.
    """
    if shape_basis is not None and shape_basis.shape[1:] != mesh.vertices.shape:
        raise MeshError(f"shape_basis needs shape (K, {mesh.n_vertices}, 3), found {shape_basis.shape}")
    outer_ids = outer_faces(mesh)
    if mesh.part_of_face is not None:
        skin = [row for row, name in enumerate(mesh.part_names) if name in SKIN_PARTS]
        outer_ids = outer_ids[np.isin(mesh.part_of_face[outer_ids], skin)]
    outer = np.zeros(mesh.n_vertices, bool)
    outer[mesh.faces[outer_ids]] = True
    face = outer & _front_of_face(mesh)
    if face.sum() < 100:
        raise MeshError(
            f"a template needs its face in the face frame (mm, eyes at the origin); found {face.sum()} vertices there"
        )
    area = vertex_areas(mesh.vertices, mesh.faces[outer_ids])
    return FaceTemplate(
        mesh=mesh,
        outer_face_ids=outer_ids,
        outer=outer,
        face=face,
        weight=area * np.where(face, 1.0, 0.25),
        lip_side=_lip_sides(mesh, outer),
        component=vertex_components(mesh.vertices, mesh.faces),
        basis=shape_basis,
    )


def _front_of_face(mesh: Mesh) -> Bool[np.ndarray, " V"]:
    """Brows to chin, cheek to cheek."""
    x, y, z = mesh.vertices.T
    return (np.abs(x) < 60) & (y > -105) & (y < 45) & (z > -25)


def _lip_sides(mesh: Mesh, outer: Bool[np.ndarray, " V"]) -> Int[np.ndarray, " V"]:
    """Split the lips at their corners: each outer vertex near them takes the side it reaches first on the surface."""
    side = np.zeros(mesh.n_vertices, np.int64)
    if mesh.part_of_face is None or not {"lips", "mouth"} <= set(mesh.part_names):
        return side
    part = np.array(mesh.part_names)[mesh.part_of_face]
    lips = mesh.part_vertices("lips")
    rim = _shared_edges(mesh.faces[part == "lips"], mesh.faces[part == "mouth"])
    if len(rim) < 6:
        return side
    x = mesh.vertices[:, 0]
    corners = rim.ravel()[[x[rim.ravel()].argmin(), x[rim.ravel()].argmax()]]
    faces = mesh.faces[np.isin(part, SKIN_PARTS)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    graph = sp.coo_matrix((length, edges.T), shape=(mesh.n_vertices,) * 2).tocsr()
    upper, lower = (
        dijkstra(graph, directed=False, indices=half, min_only=True) for half in _halves(mesh, rim, corners, edges)
    )
    near = outer & (KDTree(mesh.vertices[lips]).query(mesh.vertices)[0] < LIP_REACH_MM)
    near &= (x > x[corners[0]] + CORNER_MM) & (x < x[corners[1]] - CORNER_MM)
    side[near] = np.sign(lower[near] - upper[near]).astype(np.int64)
    return side


def _halves(
    mesh: Mesh, rim: Int[np.ndarray, "R 2"], corners: Int[np.ndarray, "2"], edges: Int[np.ndarray, "E 2"]
) -> tuple[Int[np.ndarray, " upper"], Int[np.ndarray, " lower"]]:
    """The two chains of the rim between the mouth's corners, the upper one first."""
    kept = rim[~np.isin(rim, corners).any(axis=1)]
    graph = sp.coo_matrix((np.ones(len(kept)), kept.T), shape=(mesh.n_vertices,) * 2).tocsr()
    piece = connected_components(graph, directed=False)[1]
    on_rim = np.unique(kept)
    chains = sorted((on_rim[piece[on_rim] == name] for name in np.unique(piece[on_rim])), key=len)[-2:]
    if len(chains) < 2:
        raise MeshError("the template's mouth is no ring: expected an upper and a lower rim between its corners")
    # Closed lips touch; what lies on the outer side of each rim tells which is which.
    height = [float(mesh.vertices[_ring(chain, edges)][:, 1].mean()) for chain in chains]
    return (chains[0], chains[1]) if height[0] > height[1] else (chains[1], chains[0])


def _ring(chain: Int[np.ndarray, " C"], edges: Int[np.ndarray, "E 2"], steps: int = 3) -> Int[np.ndarray, " R"]:
    """The vertices within a few edges of a chain."""
    ring = chain
    for _ in range(steps):
        ring = np.unique(edges[np.isin(edges, ring).any(axis=1)])
    return ring


def _shared_edges(faces: Int[np.ndarray, "F 3"], others: Int[np.ndarray, "O 3"]) -> Int[np.ndarray, "E 2"]:
    """Edges that a face of each set uses."""
    first, second = (
        np.unique(np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1), axis=0)
        for f in (faces, others)
    )
    both, counts = np.unique(np.concatenate([first, second]), axis=0, return_counts=True)
    return both[counts == 2]
