"""The 68 points of iBUG 300-W and dlib: names, regions and mirror partners, from data_specs/landmarks68.toml."""

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

N_POINTS = 68
OUTER_EYE_CORNERS = (36, 45)


@cache
def landmark_names() -> tuple[str, ...]:
    """One name per point; left and right are the subject's own."""
    return tuple(point["name"] for point in _points())


@cache
def landmark_regions() -> tuple[str, ...]:
    """The region of each point: jaw, brow, nose, eye or mouth."""
    return tuple(point["region"] for point in _points())


@cache
def mirror_order() -> Int[np.ndarray, "68"]:
    """The point on the other side of the face for each point; its own index on the middle line."""
    return np.array([point["mirror"] for point in _points()])


@cache
def base_mesh_places() -> tuple[Int[np.ndarray, "68 3"], Float[np.ndarray, "68 3"]]:
    """Triangles of MakeHuman's base mesh (vertex ids) and barycentric weights of the points on it."""
    points = _points()
    weights = np.array([point["weights"] for point in points], np.float64)
    return np.array([point["vertices"] for point in points]), weights / weights.sum(axis=1, keepdims=True)


def interocular_distance(points: Float[np.ndarray, "68 3"]) -> float:
    """Distance of the outer corners of the eyes: the unit that errors are given in."""
    right, left = points[list(OUTER_EYE_CORNERS)]
    return float(np.linalg.norm(left - right))


def _points() -> list[dict]:
    points = load_toml("landmarks68")["points"]
    if [point["index"] for point in points] != list(range(N_POINTS)):
        raise SpecError("data_specs/landmarks68.toml: expected points 0 to 67 in order")
    return points
