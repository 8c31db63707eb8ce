"""Whether two meshes are the same triangles."""

import numpy as np
from jaxtyping import Int


def same_triangles(first: Int[np.ndarray, "F 3"], second: Int[np.ndarray, "G 3"]) -> bool:
    """Whether two face lists hold the same triangles over the same vertex ids, in any order, wound the same way."""
    return first.shape == second.shape and bool(np.array_equal(_canonical(first), _canonical(second)))


def _canonical(faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "F 3"]:
    """Triangles with their smallest corner first (winding kept), sorted."""
    first = faces.argmin(axis=1)
    turned = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
    return turned[np.lexsort(turned.T[::-1])]
