"""Raw scans for the solver: a rig, and frames of any topology, brought to the embedded topology."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from aublend.head_model import head_model
from aublend.registration import fit_head, prior_template
from aublend.rig import AURig
from mesh4d.geometry.rigid import similarity_align
from mesh4d.mesh import Mesh
from mesh4d.registration import register_sequence
from mesh4d.registration.closest import triangle_tree
from mesh4d.sequence import MeshSequence

SAME_UNIT = 0.05
"""Scans whose scale is nearer to the rig's than this have the rig's unit; the rest is registration error."""


def registered_frames(
    rig: AURig, scans: MeshSequence | Sequence[Mesh], fps: float
) -> tuple[AURig, Float[np.ndarray, "T V 3"], Bool[np.ndarray, " V"]]:
    """The rig on the embedded topology, the scans on it, and which vertices were registered to something seen.

    Expects scans of the person whose rig it is, each showing a face, in one unit. Both sides are registered in the
    same way, so that what registration gets wrong on the face at rest cancels. A face takes seconds.

    Raises:
        NoFaceError: when the rig's neutral or a scan holds no face.
    """
    template = prior_template()
    own = on_embedded_topology(rig)
    face = np.zeros(own.neutral.n_vertices, bool)
    face[template.face] = True
    frames = np.array(register_sequence(template, scans, fps).sequence.frames)
    scale = np.median([similarity_align(own.neutral.vertices[face], frame[face]).scale for frame in frames])
    if abs(scale - 1) > SAME_UNIT:
        frames /= scale
    return own, frames, face


def on_embedded_topology(rig: AURig) -> AURig:
    """The rig sampled at the embedded topology's vertices, in the face frame, mm; without its eyeballs."""
    fit = fit_head(rig.neutral)
    local = rig.moved(fit.to_mesh.inverse())
    deltas, correctives = local.deltas, local.correctives
    if fit.registration is not None:
        places = triangle_tree(local.neutral.vertices, local.neutral.faces).query(fit.shown_vertices)
        deltas, correctives = (places.interpolate(shapes, local.neutral.faces) for shapes in (deltas, correctives))
    return AURig(
        neutral=head_model().topology.with_vertices(fit.shown_vertices),
        deltas=deltas.astype(np.float32),
        au_names=rig.au_names,
        mid_plane=local.mid_plane,
        pairs=rig.pairs,
        pair_deltas=correctives.astype(np.float32) if rig.pairs else None,
    )
