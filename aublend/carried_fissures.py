"""The embedded head's fissures on any head in correspondence with it, so that its own lids and lips meet."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from aublend.anatomy import eye_centre
from aublend.carrying import largest_piece
from aublend.eyelids import Eyeball, lid_guard
from aublend.fissures import Fissures, NeutralFissures
from aublend.head_model import head_model
from aublend.lashes import LashRide, lash_ride
from aublend.registration import HeadFit
from aublend.seams import Seam, seam_of_fields
from mesh4d.registration.visibility import outward_faces, vertex_components

LASH_MM = 14.0
"""No vertex of a lash is farther from the lids' skin."""
ROOTED_WEIGHT, FEWEST_ROOTS = 0.5, 40
NEAR_MM = (2.0, 5.0)
"""Vertices nearer to the fitted skin than the first follow its seams in full, those beyond the second not at all."""


def fissures_of_fit(fit: HeadFit) -> NeutralFissures:
    """Mouth and eyes of a registered head, in the face frame, mm.

    Where along a fissure a vertex lies and how much it follows its margin is taken from its place on the fitted
    template; which side it is on, from the registration's labels.
    """
    model = head_model()
    vertices = fit.to_mesh.inverse().apply(fit.mesh.vertices)
    eyeballs = (
        _eyeball(vertices, fit.left_eye, fit.shown_vertices[model.parts.left_eye]),
        _eyeball(vertices, fit.right_eye, fit.shown_vertices[model.parts.right_eye]),
    )
    if fit.registration is None:
        return NeutralFissures(model.shapes.fissures, vertices, eyeballs)
    registration = fit.registration
    faces = outward_faces(fit.mesh.vertices, fit.mesh.faces)
    distance = np.abs(registration.target_on_template.signed_distance) / registration.pose.scale
    near = np.clip((NEAR_MM[1] - distance) / (NEAR_MM[1] - NEAR_MM[0]), 0, 1)
    near[np.concatenate([fit.left_eye, fit.right_eye])] = 0.0
    near[_loose(fit)] = 0.0

    def carried(seam: Seam, side: Int[np.ndarray, " U"]) -> Seam:
        weight, across = registration.carried(np.stack([seam.weight, seam.across], axis=1)).T
        return seam_of_fields(seam.kind, side, weight * near, across, faces)

    left_half = vertices[:, 0] > 0
    fissures = model.shapes.fissures
    lids = [
        carried(seam, np.where(half, registration.lid_side, 0))
        for seam, half in zip(fissures.lids, (left_half, ~left_half), strict=True)
    ]
    skin = np.flatnonzero(near > 0)
    guards = [lid_guard(vertices, eyeball, skin) for eyeball in eyeballs]
    mouth = carried(fissures.mouth, registration.lip_side)
    return NeutralFissures(Fissures(mouth, (lids[0], lids[1]), (guards[0], guards[1])), vertices, eyeballs)


def lashes_of_fit(fit: HeadFit, rest: NeutralFissures) -> LashRide | None:
    """The loose pieces that lie all along a lid, lashes above all, and the lids they ride on; None without any."""
    if fit.registration is None:
        return head_model().shapes.lashes
    lids = [np.flatnonzero((seam.side != 0) & (seam.weight > ROOTED_WEIGHT)) for seam in rest.fissures.lids]
    if min(map(len, lids)) < FEWEST_ROOTS:
        return None
    loose = np.setdiff1d(_loose(fit), np.concatenate([fit.left_eye, fit.right_eye]))
    piece = vertex_components(fit.mesh.vertices, fit.mesh.faces)[loose]
    distance = KDTree(rest.vertices[np.concatenate(lids)]).query(rest.vertices[loose])[0]
    farthest = np.zeros(int(piece.max(initial=0)) + 1)
    np.maximum.at(farthest, piece, distance)
    lashes = loose[farthest[piece] < LASH_MM]
    return lash_ride(rest.vertices, lashes, rest.fissures.lids) if len(lashes) else None


def _loose(fit: HeadFit) -> Int[np.ndarray, " loose"]:
    """Vertices of all pieces but the one with the most triangles."""
    piece = vertex_components(fit.mesh.vertices, fit.mesh.faces)
    return np.flatnonzero(piece != largest_piece(piece, fit.mesh.faces))


def _eyeball(
    vertices: Float[np.ndarray, "U 3"], own: Int[np.ndarray, " own"], template_eye: Float[np.ndarray, "M 3"]
) -> Eyeball:
    """The head's own eyeball, or the template's where it has none."""
    centre = eye_centre(template_eye, np.arange(len(template_eye)))
    return Eyeball(centre, vertices[own] if len(own) else template_eye)
