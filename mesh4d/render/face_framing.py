"""The face frame that 68 landmarks give: how a head lies in its file. So pictures depend on neither pose nor unit."""

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.rigid import Similarity, rotation_from_axis_angle, similarity_align
from mesh4d.mesh import Landmarks
from mesh4d.render.cameras import Framing
from mesh4d.specs import load_toml

COUNT = 68
HALF_TRUST = 0.1
"""Confidence at which a landmark's place says half as much of what is particular to a face."""
MOST_MISFIT = 0.12
"""Root mean square distance from an average face, as a share of the distance between the eyes' outer corners."""


def face_frame(landmarks: Landmarks) -> Similarity:
    """The similarity from the face frame (mm on an average face) to the landmarks' own frame and unit.

    It is fitted to the corners of the eyes and the nose, which expressions hardly move; the frames of a sequence
    share that of its onset. Heads of one size and pose have wide or narrow eyes and long or short noses: how a face
    differs from the average tells how its eyeballs and skull lie, linearly (data_specs/views.toml).

    Args:
        landmarks: the 68 points in the order of iBUG 300-W and dlib. Confidences, where there are any, are weights.

    Raises:
        MeshError: another number of points, or points that are not finite.
        NoFaceError: points that lie as on no face, mirrored ones among them.
    """
    if len(landmarks.points) != COUNT:
        raise MeshError(f"a face frame needs the {COUNT} points of iBUG 300-W, found {len(landmarks.points)}")
    spec = load_toml("views")["face_frame"]
    average = np.array(spec["points_mm"], np.float64)
    points = np.asarray(landmarks.points, np.float64)[spec["indices"]]
    if not np.isfinite(points).all():
        bad = spec["indices"][int(np.argmin(np.isfinite(points).all(axis=1)))]
        raise MeshError(f"a face frame needs finite landmarks; point {bad} is not")
    weights = None if landmarks.confidence is None else np.maximum(landmarks.confidence[spec["indices"]], 1e-3)
    if not np.linalg.norm(points - points.mean(axis=0)) > 0:
        raise NoFaceError("the landmarks of the eyes and the nose all lie at one place")
    fit = similarity_align(average, points, weights)
    misfit = np.sqrt(np.mean(np.sum((fit.apply(average) - points) ** 2, axis=1)))
    eyes = fit.scale * np.linalg.norm(average[3] - average[0])
    if not misfit <= MOST_MISFIT * eyes:
        raise NoFaceError(
            f"the landmarks of the eyes and the nose lie {misfit / eyes:.0%} of the distance between the eyes away "
            f"from those of an average face; expected at most {MOST_MISFIT:.0%}"
        )
    trust = np.ones(len(points)) if weights is None else weights / (weights + HALF_TRUST) * (1 + HALF_TRUST)
    particular = trust[:, None] * (fit.inverse().apply(points) - average)
    return fit.compose(_correction(particular, spec["correction"]).inverse())


def _correction(particular: Float[np.ndarray, "P 3"], table: dict[str, list]) -> Similarity:
    """From the frame fitted to a face's landmarks to the one that its eyeballs and its skull have."""
    flat = particular.ravel()
    scale = float(np.exp(np.array(table["log_scale"]) @ flat))
    rotation = rotation_from_axis_angle(np.array(table["rotation_rad"]) @ flat)
    return Similarity(scale, rotation, np.array(table["translation_mm"]) @ flat)


def face_framing(landmarks: Landmarks) -> Framing:
    """What to show of a face: from the hair line to below the chin, upright, and as large on every head.

    Raises:
        MeshError: as `face_frame`.
    """
    frame = face_frame(landmarks)
    spec = load_toml("views")["face_frame"]
    centre = frame.apply(np.array(spec["centre_mm"], np.float64))
    return Framing(centre, float(frame.scale * spec["radius_mm"]), np.ascontiguousarray(frame.rotation.T))
