"""From morph target weights to frames, for every format that has both."""

from os import PathLike

import numpy as np

from mesh4d.errors import MeshFormatError
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

MAX_BAKED_BYTES = 4 << 30
DEFAULT_FPS = 30.0


def baked_sequence(morph: MorphMesh, path: str | PathLike[str]) -> MeshSequence:
    """The frames of an animation of morph weights.

    Evenly spaced keys are the frames; others are sampled at 30 frames a second.

    Args:
        path: the file, for messages.

    Raises:
        MeshFormatError: no weights animation, or one whose frames do not fit into 4 GiB.
    """
    if morph.weights is None or morph.times_s is None:
        raise MeshFormatError(path, "animations", "an animation of morph weights", "none (read_mesh reads it)")
    steps = np.diff(morph.times_s)
    times, weights, fps = morph.times_s, morph.weights, DEFAULT_FPS
    if len(steps) and np.abs(steps - steps.mean()).max() < 0.01 * steps.mean():
        fps = round(1.0 / float(steps.mean()), 3) or 1.0 / float(steps.mean())  # float32 times leave 29.99998
    elif len(steps):
        duration = float(times[-1] - times[0])
        _fits(path, duration * DEFAULT_FPS, morph)
        times = times[0] + np.arange(int(duration * DEFAULT_FPS) + 1) / DEFAULT_FPS
        weights = np.stack([np.interp(times, morph.times_s, column) for column in weights.T], axis=1)
    _fits(path, float(len(times)), morph)
    offsets = weights @ morph.deltas.astype(np.float64).reshape(len(morph.deltas), -1)
    frames = offsets.reshape(-1, *morph.mesh.vertices.shape)
    frames += morph.mesh.vertices
    return MeshSequence(morph.mesh, frames, fps)


def _fits(path: str | PathLike[str], frames: float, morph: MorphMesh) -> None:
    if frames * morph.mesh.vertices.nbytes > MAX_BAKED_BYTES:
        expected = f"frames of at most {MAX_BAKED_BYTES >> 30} GiB (read_morph_mesh reads it unbaked)"
        raise MeshFormatError(path, "animations", expected, f"{frames:.0f} frames")


def assumed_unit_m(mesh: Mesh) -> float:
    """Metres per unit of a mesh that does not say: millimetres, as all heads made here; metres below a size of 10."""
    size = float(np.ptp(mesh.vertices, axis=0).max()) if mesh.n_vertices else 0.0
    return 1.0 if size < 10.0 else 0.001
