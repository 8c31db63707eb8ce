"""aublend: any head's own 32 FACS action units, to drive, animate and solve for."""

from aublend.arkit import ARKIT_NAMES, ArkitCurves, arkit_from_au, au_from_arkit
from aublend.curve_files import read_curves, write_curves
from aublend.curves import AUCurves, joined, neutral_apex_neutral
from aublend.emotion_pad import pad_curves, pad_weights
from aublend.emotions import EMOTIONS, emotion_weights
from aublend.face_regions import face_regions
from aublend.head_model import HeadModel, head_model
from aublend.predict import predict_rig
from aublend.rig import AURig
from aublend.rig_files import read_rig, write_rig
from aublend.speech.speak import SpokenCurves, speak
from aublend.target_pack import load_target_pack, rig_with_shapes
from aublend.units import ACTION_UNITS, AU_NAMES

__all__ = [
    "ACTION_UNITS",
    "ARKIT_NAMES",
    "AU_NAMES",
    "EMOTIONS",
    "AUCurves",
    "AURig",
    "ArkitCurves",
    "HeadModel",
    "SpokenCurves",
    "arkit_from_au",
    "au_from_arkit",
    "emotion_weights",
    "face_regions",
    "head_model",
    "joined",
    "load_target_pack",
    "neutral_apex_neutral",
    "pad_curves",
    "pad_weights",
    "predict_rig",
    "read_curves",
    "read_rig",
    "rig_with_shapes",
    "speak",
    "write_curves",
    "write_rig",
]
