"""Where landmarks and regions lie on a head, for the page: on the head's own vertices, so that they move with it."""

import base64

import numpy as np

from aublend.face_regions import REGION_NAMES, face_regions
from aublend.head_model import head_model
from aublend.registration import HeadFit, fit_head, with_landmarks68
from mesh4d.io import read_mesh
from mesh4d.landmarks import landmark_names
from mesh4d.landmarks.points68 import base_mesh_places
from mesh4d.mesh import Mesh
from mesh4d.registration.closest import triangle_tree
from viewer.messages import HeadMap


def head_map(mesh: Mesh) -> HeadMap:
    """The map of a neutral head.

    Raises:
        NoFaceError: when the mesh holds no face.
    """
    return map_of_fit(fit_head(mesh))


def map_of_glb(glb_bytes: bytes) -> HeadMap:
    """The map of the head in a GLB.

    Raises:
        NoFaceError: when it holds no face.
    """
    return head_map(read_mesh(glb_bytes, ".glb"))


def map_of_fit(fit: HeadFit) -> HeadMap:
    """The map of a head that is already in correspondence."""
    corners, shares = _landmark_places(fit)
    masks = face_regions(fit)
    rows = np.stack([masks[name] for name in REGION_NAMES])
    regions = np.rint(255 * np.clip(rows, 0, 1)).astype(np.uint8)
    return HeadMap(
        landmark_names=tuple(landmark_names()),
        landmark_vertices=tuple(corners.ravel().tolist()),
        landmark_shares=tuple(np.round(shares, 6).ravel().tolist()),
        region_names=REGION_NAMES,
        regions=base64.b64encode(regions.tobytes()).decode(),
    )


def _landmark_places(fit: HeadFit) -> tuple[np.ndarray, np.ndarray]:
    """For each landmark the corners of its triangle on the head's own surface, and how much of each."""
    model = head_model()
    if fit.registration is None:
        corners, shares = base_mesh_places()
        return np.searchsorted(model.base_vertex_ids, corners), shares
    marked = with_landmarks68(model.topology.with_vertices(fit.shown_vertices)).landmarks
    if marked is None:
        raise RuntimeError("the embedded topology lost its landmarks")
    places = triangle_tree(fit.mesh.vertices, fit.mesh.faces).query(fit.to_mesh.apply(marked.points))
    return fit.mesh.faces[places.triangles], places.barycentric
