"""Registration: any head in correspondence with a template."""

from mesh4d.registration.closest import SurfacePoints
from mesh4d.registration.face_template import FaceTemplate, face_template
from mesh4d.registration.pose import estimate_pose
from mesh4d.registration.quality import FitQuality
from mesh4d.registration.register import Registration, register

__all__ = [
    "FaceTemplate",
    "FitQuality",
    "Registration",
    "SurfacePoints",
    "estimate_pose",
    "face_template",
    "register",
]
