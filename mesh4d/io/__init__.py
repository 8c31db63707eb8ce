"""Files of meshes, rigs, sequences, range images and landmarks: vertex order and count are the file's own."""

from mesh4d.io.atomic import atomic_write
from mesh4d.io.bnt import RangeImage, read_range_image, write_range_image
from mesh4d.io.frame_folder import FrameFolder, write_frames
from mesh4d.io.landmark_files import IndexedLandmarks, PictureLandmarks, read_landmarks
from mesh4d.io.morph_files import read_morph_mesh, write_morph_mesh
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.registry import read_mesh, read_sequence, write_mesh, write_sequence
from mesh4d.io.wrl_write import write_wrl
from mesh4d.io.zarr_store import ZarrSequence, open_zarr_sequence

__all__ = [
    "FrameFolder",
    "IndexedLandmarks",
    "MorphMesh",
    "PictureLandmarks",
    "RangeImage",
    "ZarrSequence",
    "atomic_write",
    "open_zarr_sequence",
    "read_landmarks",
    "read_mesh",
    "read_morph_mesh",
    "read_range_image",
    "read_sequence",
    "write_frames",
    "write_mesh",
    "write_morph_mesh",
    "write_range_image",
    "write_sequence",
    "write_wrl",
]
