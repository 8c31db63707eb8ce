"""Pairs' shapes inside a file's extras: for our own readers, out of the way of an animator's list of shape keys."""

import base64
import binascii
import zlib
from typing import Any

import numpy as np
from jaxtyping import Float

STEPS = 32767
"""Displacements are kept to this part of a pair's largest coordinate, a third of a micrometre on a head."""


def packed_pair(delta: Float[np.ndarray, "V 3"]) -> dict[str, object]:
    """The vertices that a pair moves and how, quantised and compressed."""
    moving = np.flatnonzero(np.any(delta != 0.0, axis=1))
    largest = float(np.abs(delta).max(initial=0.0))
    steps = np.round(delta[moving] / max(largest, 1e-30) * STEPS).astype("<i2")
    return {"largest": largest, "vertices": _packed(moving.astype("<u4")), "steps": _packed(steps)}


def unpacked_pair(packed: Any, n_vertices: int) -> Float[np.ndarray, "V 3"]:
    """The shape behind `packed_pair`'s answer.

    Raises:
        KeyError, TypeError, ValueError: when it is none for a mesh of so many vertices.
    """
    largest = float(packed["largest"])
    vertices = np.frombuffer(_unpacked(packed["vertices"], 4 * n_vertices), "<u4").astype(np.int64)
    steps = np.frombuffer(_unpacked(packed["steps"], 6 * n_vertices), "<i2").reshape(len(vertices), 3)
    if not np.isfinite(largest) or (len(vertices) and vertices.max() >= n_vertices):
        raise ValueError(f"pairs need vertices below {n_vertices} and finite sizes")
    delta = np.zeros((n_vertices, 3), np.float32)
    delta[vertices] = steps * np.float32(largest / STEPS)
    return delta


def _packed(rows: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(rows.tobytes(), 6)).decode()


def _unpacked(text: Any, most_bytes: int) -> bytes:
    """Decompressed bytes, never more than the mesh allows."""
    if not isinstance(text, str):
        raise TypeError("expected base64 text")
    try:
        engine = zlib.decompressobj()
        content = engine.decompress(base64.b64decode(text, validate=True), most_bytes)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"damaged pairs: {error}") from error
    if engine.unconsumed_tail or not engine.eof:
        raise ValueError(f"expected at most {most_bytes} bytes, found more or a cut stream")
    return content
