"""Motion made larger in geometry, so that a movement of half a millimetre can be seen.

What Eulerian magnification does to the brightness of pixels (Wu et al., "Eulerian Video Magnification", SIGGRAPH 2012)
is done here to displacements: on vertices in correspondence they are known exactly, nothing has to be estimated.
The filters and the limit are our own choice.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.sparse.linalg import splu

from mesh4d.errors import MeshError
from mesh4d.geometry.alignment import stabilise
from mesh4d.geometry.operators import cotangent_laplacian
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence
from mesh4d.smoothing import savitzky_golay

LARGEST_SHARE = 0.18
"""Of the size of the head: 13 mm on a head of 71 mm, about as far as lip corners go in a broad smile."""
MOST = 100.0


def magnified(
    sequence: MeshSequence,
    factor: float,
    onset: int = 0,
    weights: Float[np.ndarray, " V"] | None = None,
    smooth_s: float = 0.12,
    smooth_edges: float = 1.0,
    limit: float | None = None,
) -> MeshSequence:
    """The sequence with every displacement from the onset frame made larger, the head held still.

    Frames are aligned rigidly to the onset, displacements smoothed over time and along the surface, so that noise is
    not made larger with them, and then lengthened by `saturated`.

    Convention: the result lies in the onset frame's pose. A factor of 1 aligns and smooths, and changes nothing else.

    Args:
        factor: at least 0 and at most 100; below 1 makes motion smaller.
        onset: the frame that motion starts from.
        weights: how much each vertex says about the pose of the head, at least 0; None trusts all alike and takes
            the say from those that do not follow the rigid motion.
        smooth_s: window in seconds of the smoothing over time; 0 is none. A micro-expression rises in 0.06 s or more.
        smooth_edges: grain of the smoothing along the surface, in mean edge lengths; 0 is none.
        limit: length up to which motion is lengthened, in the sequence's unit; None is a share of the head's size.

    Raises:
        MeshError: a factor, an onset or a smoothing out of range, no frames, or frames that are not finite.
    """
    if not 0 <= factor <= MOST:
        raise MeshError(f"factor must be 0 to {MOST:g}, found {factor}")
    if not 0 <= onset < len(sequence):
        raise MeshError(f"onset must be a frame from 0 to {len(sequence) - 1}, found {onset}")
    if not (smooth_s >= 0 and smooth_edges >= 0 and (limit is None or limit > 0)):
        raise MeshError(f"smoothing must be at least 0 and a limit above 0, found {smooth_s}, {smooth_edges}, {limit}")
    frames = np.asarray(sequence.frames, np.float64)
    if not np.isfinite(frames).all():
        raise MeshError("frames must be finite to be magnified")
    rest = frames[onset]
    say = np.ones(len(rest)) if weights is None else weights
    moved = stabilise(frames, rest, say).frames
    if smooth_s > 0:
        moved = savitzky_golay(moved, sequence.fps, smooth_s)
    still = moved[onset]
    displacements = moved - still
    if smooth_edges > 0:
        displacements = smoothed_along(sequence.topology.with_vertices(rest), displacements, smooth_edges)
    longest = LARGEST_SHARE * head_size(rest) if limit is None else limit
    return MeshSequence(sequence.topology, still + saturated(displacements, factor, longest), sequence.fps)


def saturated(displacements: Float[np.ndarray, "*B C"], factor: float, limit: float) -> Float[np.ndarray, "*B C"]:
    """Displacements lengthened so that small ones grow by `factor` and none beyond `limit`, directions kept.

    A length x becomes x f / (1 + (f - 1) x / limit): f x where x is small, limit where x is the limit; what is longer
    already, such as the lids of a blink, stays as it is. With a factor below 1 all lengths shrink alike.
    """
    if factor <= 1:
        return factor * displacements
    length = np.linalg.norm(displacements, axis=-1, keepdims=True)
    return displacements * np.maximum(1.0, factor / (1.0 + (factor - 1.0) * length / limit))


def smoothed_along(surface: Mesh, values: Float[np.ndarray, "T V C"], grain_edges: float) -> Float[np.ndarray, "T V C"]:
    """Values without their detail finer than a grain: (M + s^2 L) u = M v, an implicit step of diffusion.

    Constants pass unchanged, and so does the integral over the surface (Desbrun et al., "Implicit Fairing of Irregular
    Meshes", SIGGRAPH 1999, section 2.3). Vertices without a triangle keep their values.

    Args:
        grain_edges: s in mean edge lengths.
    """
    laplacian = cotangent_laplacian(surface.vertices, surface.faces)
    lonely = laplacian.mass <= 0
    mass = np.where(lonely, laplacian.mean_edge**2, laplacian.mass)
    system = sp.diags(mass) + (grain_edges * laplacian.mean_edge) ** 2 * laplacian.stiffness
    solver = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    columns = np.moveaxis(values, 1, 0).reshape(len(mass), -1)
    smooth = solver.solve(mass[:, None] * np.ascontiguousarray(columns, np.float64))
    return np.moveaxis(smooth.reshape(len(mass), len(values), -1), 0, 1)


def head_size(vertices: Float[np.ndarray, "V 3"]) -> float:
    """Root mean square distance of the vertices from their mean."""
    return float(np.sqrt(np.square(vertices - vertices.mean(axis=0)).sum(axis=1).mean()))
