"""Captions of faces for training the language model: those of `aublend.captions`."""

from aublend.captions import MIRRORED_UNITS, REGIONS, face_caption, mirrored_halves, region_caption, region_rows

__all__ = ["MIRRORED_UNITS", "REGIONS", "face_caption", "mirrored_halves", "region_caption", "region_rows"]
