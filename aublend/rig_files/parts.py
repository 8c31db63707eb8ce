"""Rigid parts of a rig as JSON, and the checks that parts from any file must pass."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aublend.rigid_parts import RigidPart
from aublend.units import AU_INDEX, AU_NAMES, N_UNITS


def part_json(part: RigidPart) -> dict[str, object]:
    """What a file says of a part: its turns by the names of the units."""
    turning = np.flatnonzero(np.abs(part.rotation_vectors).max(axis=1))
    return {
        "name": part.name,
        "side": part.side,
        "pivot": part.pivot.tolist(),
        "vertex_ids": part.vertex_ids.tolist(),
        "rotation_vectors": {AU_NAMES[row]: part.rotation_vectors[row].tolist() for row in turning},
    }


def part_from_json(part: dict[str, Any], n_vertices: int) -> RigidPart:
    """The part behind `part_json`'s answer.

    Raises:
        KeyError, TypeError, ValueError, IndexError: when it is none.
    """
    vectors = np.zeros((N_UNITS, 3))
    for name, vector in part["rotation_vectors"].items():
        vectors[AU_INDEX[name]] = np.asarray(vector, np.float64).reshape(3)
    ids = np.asarray(part["vertex_ids"], np.int64)
    pivot = np.asarray(part["pivot"], np.float64).reshape(3)
    return checked_part(str(part["name"]), str(part["side"]), ids, pivot, vectors, n_vertices)


def checked_part(
    name: str,
    side: str,
    vertex_ids: Int[np.ndarray, " M"],
    pivot: Float[np.ndarray, "3"],
    rotation_vectors: Float[np.ndarray, "A 3"],
    n_vertices: int,
) -> RigidPart:
    """A rigid part whose vertices exist and whose numbers are finite."""
    if vertex_ids.ndim != 1 or (len(vertex_ids) and not (vertex_ids.min() >= 0 and vertex_ids.max() < n_vertices)):
        raise ValueError(f"vertices of {name!r} must lie in 0..{n_vertices - 1}")
    if not (np.isfinite(pivot).all() and np.isfinite(rotation_vectors).all()):
        raise ValueError(f"pivot and rotations of {name!r} must be finite")
    return RigidPart(name, "left" if side == "left" else "right", vertex_ids, pivot, rotation_vectors)
