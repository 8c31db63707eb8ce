"""Landmarks: the 68-point set on any head mesh or scan, found by multiview regression on geometry alone."""

from mesh4d.landmarks.face_pose import FacePose, face_pose, in_face_frame
from mesh4d.landmarks.face_reading import FaceReading, detect_landmarks, read_face
from mesh4d.landmarks.points68 import interocular_distance, landmark_names, landmark_regions

__all__ = [
    "FacePose",
    "FaceReading",
    "detect_landmarks",
    "face_pose",
    "in_face_frame",
    "interocular_distance",
    "landmark_names",
    "landmark_regions",
    "read_face",
]
