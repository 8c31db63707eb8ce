"""aublend: any head's own 32 FACS action units, to drive, animate and solve for."""

from aublend.curves import AUCurves, joined, neutral_apex_neutral
from aublend.emotions import EMOTIONS, emotion_weights
from aublend.head_model import HeadModel, head_model
from aublend.predict import predict_rig
from aublend.rig import AURig
from aublend.rig_files import read_rig, write_rig
from aublend.units import ACTION_UNITS, AU_NAMES

__all__ = [
    "ACTION_UNITS",
    "AU_NAMES",
    "EMOTIONS",
    "AUCurves",
    "AURig",
    "HeadModel",
    "emotion_weights",
    "head_model",
    "joined",
    "neutral_apex_neutral",
    "predict_rig",
    "read_rig",
    "write_rig",
]
