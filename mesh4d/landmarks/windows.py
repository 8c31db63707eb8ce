"""Windows: which square of space, from which side, the networks look at."""

import numpy as np
from jaxtyping import Float

from mesh4d.landmarks.pictures import Window

HALF_OVER_SPREAD = 2.1
"""Half side of the window of a face over the root mean square distance of its landmarks from their middle."""


def view_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0) -> Float[np.ndarray, "3 3"]:
    """Rows: right, up and towards-viewer axes, in the frame of the face, of a camera at that side of it.

    Convention: yaw > 0 moves the camera to the subject's left, pitch > 0 up; roll > 0 turns it counter-clockwise.
    """
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    up = np.cross(back, right)
    return np.stack([np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right, back])


def face_window(points: Float[np.ndarray, "68 3"], rotation: Float[np.ndarray, "3 3"]) -> Window:
    """The window that shows the face of these landmarks, seen with a rotation."""
    centre = points.mean(axis=0)
    spread = float(np.sqrt(np.mean(np.sum((points - centre) ** 2, axis=1))))
    return Window(rotation, centre, HALF_OVER_SPREAD * spread)
