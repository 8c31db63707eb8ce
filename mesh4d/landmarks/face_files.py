"""Files of heads into the face frame, on all cores and in order; a file that holds no face stops nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from mesh4d.errors import MeshError
from mesh4d.io import read_mesh
from mesh4d.landmarks.face_pose import FacePose, face_pose
from mesh4d.mesh import Mesh
from mesh4d.threads import in_order


@dataclass(frozen=True)
class AlignedFile:
    """One file: a mesh with its pose, or what is wrong with it."""

    path: Path
    mesh: Mesh | None
    """In the face frame, mm."""
    pose: FacePose | None
    error: str | None


def aligned_files(paths: Iterable[str | PathLike[str]], workers: int | None = None) -> Iterator[AlignedFile]:
    """Read meshes and bring each upright at standard size by its `face_pose`.

    Args:
        paths: files that `read_mesh` reads; results come in their order, and only a few are in memory.
        workers: threads; by default one per core.
    """
    return in_order(_aligned, map(Path, paths), workers, one_torch_thread)


def one_torch_thread() -> None:
    """Let networks compute on the calling thread alone: workers share the cores already."""
    import torch

    torch.set_num_threads(1)


def _aligned(path: Path) -> AlignedFile:
    try:
        mesh = read_mesh(path)
        pose = face_pose(mesh)
    except (MeshError, OSError) as error:
        return AlignedFile(path, None, None, str(error))
    return AlignedFile(path, mesh.with_vertices(pose.to_face.apply(mesh.vertices)), pose, None)
