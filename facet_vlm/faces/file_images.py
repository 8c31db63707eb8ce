"""Files of heads to network input: read, aligned and drawn on all cores, in order; a bad file stops nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from facet_vlm.faces.views import face_images
from mesh4d.errors import MeshError
from mesh4d.io import read_mesh
from mesh4d.landmarks.face_files import one_torch_thread
from mesh4d.threads import in_order


@dataclass(frozen=True)
class FileImages:
    """What the network sees of one file's head, or what is wrong with the file."""

    path: Path
    images: UInt8[np.ndarray, "N 3 H W"] | None
    error: str | None


def file_images(
    paths: Iterable[str | PathLike[str]],
    rig: str = "fer7",
    size_px: int = 96,
    workers: int | None = None,
    inputs: str = "geometry",
) -> Iterator[FileImages]:
    """The network input of each file, in the files' order; only a few meshes are in memory.

    Args:
        workers: threads; by default one per core.
        inputs: what the pictures hold; `facet_vlm.faces.inputs.BANDS`.
    """
    return in_order(
        partial(_images, rig=rig, size_px=size_px, inputs=inputs), map(Path, paths), workers, one_torch_thread
    )


def _images(path: Path, rig: str, size_px: int, inputs: str) -> FileImages:
    try:
        return FileImages(path, face_images(read_mesh(path), rig, size_px, inputs=inputs), None)
    except (MeshError, OSError) as error:
        return FileImages(path, None, str(error))
