"""The emotion pad: valence and arousal to action unit weights.

Faces are laid out around the origin, where the face is neutral. Between the directions of two neighbouring faces a and
b a point p = alpha a + beta b shows alpha w_a + beta w_b, at most in full (divided by alpha + beta where that exceeds
1). So each face is shown exactly at its own place, in the share of its distance on the way there, and mixed with its
neighbours beside it; the weights are continuous everywhere and never leave 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from aublend.curves import AUCurves
from aublend.emotions import EMOTIONS, emotion
from mesh4d.errors import MeshError, SpecError
from mesh4d.specs import load_toml


@dataclass(frozen=True)
class PadFace:
    """A face and its place on the pad."""

    name: str
    valence: float
    arousal: float
    units: Mapping[str, float]


@cache
def pad_faces() -> tuple[PadFace, ...]:
    """The seven emotions, and faces for the quiet half of the pad, by their angle around the origin.

    Raises:
        SpecError: when a half of the pad has no face, or two lie in one direction.
    """
    faces = [PadFace(name, kind.valence, kind.arousal, kind.units) for name in EMOTIONS for kind in [emotion(name)]]
    quiet = load_toml("emotions")["pad"].items()
    faces += [PadFace(name, row["valence"], row["arousal"], dict(row["units"])) for name, row in quiet]
    faces.sort(key=lambda face: np.arctan2(face.arousal, face.valence))
    angles = np.array([np.arctan2(face.arousal, face.valence) for face in faces])
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    if gaps.min() < 1e-6 or gaps.max() >= np.pi:
        raise SpecError("data_specs/emotions.toml: the pad needs faces in every half, no two in one direction")
    return tuple(faces)


def pad_mixture(valence: float, arousal: float) -> dict[str, float]:
    """The faces that a point of the pad shows, and how much of each; empty at the origin.

    Raises:
        MeshError: a coordinate outside -1 to 1.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not -1 <= value <= 1:
            raise MeshError(f"{name} must be -1 to 1, found {value}")
    faces = pad_faces()
    for one, other in zip(faces, (*faces[1:], faces[0]), strict=True):
        corner = one.valence * other.arousal - one.arousal * other.valence
        alpha = (valence * other.arousal - arousal * other.valence) / corner
        beta = (one.valence * arousal - one.arousal * valence) / corner
        if alpha >= 0 and beta >= 0:
            share = 1 / max(alpha + beta, 1.0)
            return {face.name: part * share for face, part in ((one, alpha), (other, beta)) if part > 0}
    return {}  # unreachable but for rounding: the sectors cover the plane


def pad_weights(valence: float, arousal: float) -> dict[str, float]:
    """Action unit weights at a point of the pad, each coordinate from -1 to 1.

    Raises:
        MeshError: a coordinate outside -1 to 1.
    """
    units = {face.name: face.units for face in pad_faces()}
    weights: dict[str, float] = {}
    for name, share in pad_mixture(valence, arousal).items():
        for unit, weight in units[name].items():
            weights[unit] = weights.get(unit, 0.0) + share * weight
    return weights


def pad_curves(valence: Float[np.ndarray, " T"], arousal: Float[np.ndarray, " T"], fps: float) -> AUCurves:
    """Curves for a point that moves over the pad."""
    rows = [pad_weights(float(v), float(a)) for v, a in zip(valence, arousal, strict=True)]
    names = tuple(dict.fromkeys(unit for face in pad_faces() for unit in face.units))
    return AUCurves(
        names, np.array([[row.get(name, 0.0) for name in names] for row in rows]).reshape(-1, len(names)), fps
    )
