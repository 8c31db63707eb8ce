"""Landmarks as places on their mesh: a triangle and barycentric weights for each."""

import numpy as np
from jaxtyping import Float, Int

from mesh4d.mesh import Mesh


def nearest_places(
    mesh: Mesh, points: Float[np.ndarray, "L 3"]
) -> tuple[Int[np.ndarray, " L"], Float[np.ndarray, "L 3"], Float[np.ndarray, "L 3"]]:
    """The points of the surface nearest to `points`: triangle, barycentric weights, position."""
    # Registration starts from landmarks: importing its package only here keeps the two from importing each other.
    from mesh4d.registration.closest import triangle_tree

    centre = points.mean(axis=0)
    reach = 1.5 * np.linalg.norm(points - centre, axis=1).max()
    near = np.linalg.norm(mesh.vertices - centre, axis=1) < reach
    face_ids = np.flatnonzero(near[mesh.faces].any(axis=1))
    if len(face_ids) < 50:
        face_ids = np.arange(mesh.n_faces)
    found = triangle_tree(mesh.vertices, mesh.faces, face_ids).query(points)
    corners = mesh.vertices[mesh.faces[found.triangles]]
    return found.triangles, found.barycentric, np.einsum("lkc,lk->lc", corners, found.barycentric)
