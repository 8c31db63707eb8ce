"""Raw scans on a rig's own vertices: what solving and retargeting need of a sequence with topologies of its own."""

import numpy as np

from aublend.rig import AURig
from mesh4d.geometry.topology import same_triangles
from mesh4d.mesh import Mesh
from mesh4d.registration import register_sequence
from mesh4d.registration.sequence import Frames
from mesh4d.sequence import MeshSequence

CALM_SHARE = 0.1
"""Of the frames, those with the least expression: the neutral."""


def on_rig(rig: AURig, frames: Frames, fps: float | None = None, smooth_s: float = 0.0) -> MeshSequence:
    """The motion of a raw sequence on the rig's vertices, in the rig's frame, with the head held still.

    The rig's neutral is registered to every frame. What is kept is how each differs from the calmest ones, which are
    taken to be neutral: so lasting errors of registration cancel, and the rig need not be that person's.

    Args:
        frames: meshes of any topologies, such as a folder of scans.
        fps, smooth_s: see `mesh4d.registration.register_sequence`.

    Raises:
        NoFaceError: when a key frame holds no face.
    """
    found = register_sequence(rig.neutral, frames, fps, smooth_s)
    pairs = zip(found.poses, found.sequence.frames, strict=True)
    local = np.stack([pose.inverse().apply(frame) for pose, frame in pairs])
    by_calm = np.argsort(found.expression.sum(axis=1), kind="stable")
    neutral = local[by_calm[: max(1, round(CALM_SHARE * len(local)))]].mean(axis=0)
    return MeshSequence(rig.neutral, rig.neutral.vertices + (local - neutral), found.sequence.fps)


def shares_topology(rig: AURig, mesh: Mesh) -> bool:
    """Whether a mesh has the rig's vertices and triangles, and needs no registration."""
    return mesh.n_vertices == rig.neutral.n_vertices and same_triangles(mesh.faces, rig.neutral.faces)
