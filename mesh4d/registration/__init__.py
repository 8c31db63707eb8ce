"""Registration: any head in correspondence with a template."""

from mesh4d.registration.closest import SurfacePoints
from mesh4d.registration.face_template import FaceTemplate, face_template
from mesh4d.registration.pose import estimate_pose
from mesh4d.registration.quality import FitQuality
from mesh4d.registration.reference import prepared_template
from mesh4d.registration.register import Registration, register
from mesh4d.registration.sequence import SequenceRegistration, register_sequence

__all__ = [
    "FaceTemplate",
    "FitQuality",
    "Registration",
    "SequenceRegistration",
    "SurfacePoints",
    "estimate_pose",
    "face_template",
    "prepared_template",
    "register",
    "register_sequence",
]
