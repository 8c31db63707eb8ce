"""Labels: where the 68 landmarks lie on the embedded head, in any of its shapes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from aublend.head_model import HeadModel
from mesh4d.errors import SpecError
from mesh4d.landmarks.points68 import base_mesh_places


@dataclass(frozen=True)
class LandmarkPlaces:
    """Barycentric places on a mesh of known topology."""

    triangles: Int[np.ndarray, "L 3"]
    """Vertex ids."""
    weights: Float[np.ndarray, "L 3"]

    def on(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "L 3"]:
        """The points on one shape of the mesh."""
        return np.einsum("lkc,lk->lc", vertices[self.triangles], self.weights)


def landmark_places(model: HeadModel) -> LandmarkPlaces:
    """The 68 points on the embedded head's vertices.

    Raises:
        SpecError: when data_specs/landmarks68.toml names a vertex that the head does not have.
    """
    base_ids, weights = base_mesh_places()
    number = {int(base): row for row, base in enumerate(model.base_vertex_ids)}
    missing = [int(base) for base in base_ids.ravel() if int(base) not in number]
    if missing:
        raise SpecError(f"data_specs/landmarks68.toml: vertices {missing[:5]} are not on the embedded head")
    return LandmarkPlaces(np.array([[number[int(base)] for base in row] for row in base_ids]), weights)
