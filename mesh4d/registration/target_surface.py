"""TargetSurface: a stranger's mesh made ready to be searched."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.errors import NoFaceError
from mesh4d.geometry.normals import face_areas, face_normals, vertex_normals
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Mesh
from mesh4d.registration.closest import TriangleTree, triangle_tree
from mesh4d.registration.visibility import boundary_vertices, outer_faces, outward_faces

LEAST_FACES = 60
"""No face is told by fewer triangles."""
RIM_WEIGHT = 0.98
"""A nearest point that owes more than this to rim vertices lies on the rim of a hole: the true match is missing."""


@dataclass(frozen=True)
class Matches:
    """Nearest points on a target that face the same way as the points they were asked for."""

    points: Float[np.ndarray, "P 3"]
    normals: Float[np.ndarray, "P 3"]
    """Smooth unit normals there."""
    good: Bool[np.ndarray, " P"]
    """Which can be trusted."""


@dataclass(frozen=True)
class TargetSurface:
    """The outer layer of a target mesh, wound counter-clockwise from outside."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    face_ids: Int[np.ndarray, " O"]
    """Faces of the outer layer."""
    normals: Float[np.ndarray, "V 3"]
    """From the outer faces; zero on inner vertices."""
    rim: Bool[np.ndarray, " V"]
    tree: TriangleTree

    def moved(self, transform: Similarity) -> "TargetSurface":
        """The same surface in another frame."""
        vertices = transform.apply(self.vertices)
        return TargetSurface(
            vertices,
            self.faces,
            self.face_ids,
            self.normals @ transform.rotation.T,
            self.rim,
            triangle_tree(vertices, self.faces, self.face_ids),
        )

    def with_sides(self, side: Int[np.ndarray, " V"]) -> "TargetSurface":
        """The same surface knowing what lies above (+1) and below (-1) mouth and eyes, vertex by vertex."""
        face_side = np.sign(side[self.faces].sum(axis=1)).astype(np.int64)
        return dataclasses.replace(self, tree=triangle_tree(self.vertices, self.faces, self.face_ids, face_side))

    def with_vertices(self, vertices: Float[np.ndarray, "V 3"]) -> "TargetSurface":
        """The same faces in another shape: a later frame of a sequence."""
        return dataclasses.replace(
            self,
            vertices=vertices,
            normals=vertex_normals(vertices, self.faces[self.face_ids]),
            tree=triangle_tree(vertices, self.faces, self.face_ids),
        )

    def matches(
        self,
        points: Float[np.ndarray, "P 3"],
        normals: Float[np.ndarray, "P 3"],
        least_cosine: float,
        reach: float,
        sides: Int[np.ndarray, " P"] | None = None,
    ) -> Matches:
        """Nearest points whose normals have at least this cosine with `normals`, up to `reach` away.

        Args:
            sides: of each point, where the surface knows its own (`with_sides`): the other side does not match.
        """
        places = self.tree.query(points, normals, least_cosine, sides, max_distance=reach)
        nearest = places.interpolate(self.vertices, self.faces)
        rim_share = places.interpolate(self.rim[:, None].astype(float), self.faces)[:, 0]
        direction = places.interpolate(self.normals, self.faces)
        length = np.linalg.norm(direction, axis=1)
        good = places.found & (rim_share < RIM_WEIGHT) & (length > 1e-6)
        return Matches(nearest, direction / np.maximum(length, 1e-6)[:, None], good)

    def beyond_rim(self, points: Float[np.ndarray, "P 3"]) -> Bool[np.ndarray, " P"]:
        """Points whose nearest place is on the rim of a hole or cut: the target says nothing about them."""
        places = self.tree.query(points)
        return places.interpolate(self.rim[:, None].astype(float), self.faces)[:, 0] >= RIM_WEIGHT

    def samples(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points spread evenly over the outer layer, with the normals of their faces."""
        return surface_samples(self.vertices, self.faces[self.face_ids], count, rng)


def target_surface(mesh: Mesh) -> TargetSurface:
    """The outer layer of a mesh.

    Raises:
        NoFaceError: when there is no surface to search.
    """
    if mesh.n_faces < LEAST_FACES:
        raise NoFaceError(f"a face needs a surface: expected at least {LEAST_FACES} triangles, found {mesh.n_faces}")
    area = face_areas(mesh.vertices, mesh.faces).sum()
    size = float(np.linalg.norm(np.ptp(mesh.vertices[mesh.faces].reshape(-1, 3), axis=0)))
    if not (size > 0 and area > 1e-6 * size * size):
        raise NoFaceError(f"the mesh has no surface: its area is {area:.3g} at a size of {size:.3g}")
    faces = outward_faces(mesh.vertices, mesh.faces)
    face_ids = outer_faces(Mesh(mesh.vertices, faces))
    if len(face_ids) < LEAST_FACES:
        raise NoFaceError(f"nothing but {len(face_ids)} triangles can be seen from outside")
    used = np.unique(mesh.faces)
    rim = np.zeros(mesh.n_vertices, bool)
    rim[used] = boundary_vertices(mesh.vertices, mesh.faces)[used]
    return TargetSurface(
        mesh.vertices,
        faces,
        face_ids,
        vertex_normals(mesh.vertices, faces[face_ids]),
        rim,
        triangle_tree(mesh.vertices, faces, face_ids),
    )


def surface_samples(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    count: int,
    rng: np.random.Generator,
    density: Float[np.ndarray, " F"] | None = None,
) -> tuple[Float[np.ndarray, "P 3"], Float[np.ndarray, "P 3"]]:
    """Random points on a surface with their face normals, in proportion to area (times `density`)."""
    chance = face_areas(vertices, faces) * (1.0 if density is None else density)
    # Stratified: one point in each of `count` equal shares of the area, so that small counts still cover evenly.
    place = (np.arange(count) + rng.random(count)) / count * chance.sum()
    face = np.minimum(np.searchsorted(np.cumsum(chance), place), len(faces) - 1)
    first, second = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - first, first * (1 - second), first * second], axis=1)
    points = np.einsum("pk,pkc->pc", bary, vertices[faces[face]])
    return points, face_normals(vertices, faces)[face]
