"""Detection: the 68 landmarks of a head of any topology, in any pose, at any scale, from its shape alone.

Search proposes faces, the reader looks at each from a few sides, the views' rays meet, and a shape model says whether
what they agree on is a face. Then the best is read again from more sides.
"""

import numpy as np

from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.rigid import Similarity
from mesh4d.landmarks.face_reading import FaceReading
from mesh4d.landmarks.look import GLANCE, LOOK, Look
from mesh4d.landmarks.on_surface import nearest_places
from mesh4d.landmarks.pictures import Surface, surface_of
from mesh4d.landmarks.points68 import interocular_distance, landmark_names
from mesh4d.landmarks.search import candidates
from mesh4d.landmarks.weights import LandmarkModel
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.render.cameras import Framing, frame_of

CANDIDATES = 4
OFF_SURFACE = 0.06
"""Distance from the surface, over the interocular distance, from which a landmark is left where the rays put it."""


def find_face(mesh: Mesh, model: LandmarkModel) -> FaceReading:
    """Find the face on a mesh.

    Raises:
        NoFaceError: when the surface holds nothing that looks like a face; it says why.
        MeshError: when it has no surface at all.
    """
    framing, surface = normalised_surface(mesh)
    proposals = candidates(model.finder, model.shapes, surface, CANDIDATES)
    if not proposals:
        raise NoFaceError("no face found: nothing on this surface looks like one from any side")
    judged = sorted((Look.at(model, surface, proposal) for proposal in proposals), key=lambda look: -look.quality)
    best = judged[0].again(model, surface, GLANCE).again(model, surface, LOOK).again(model, surface, LOOK)
    best.check()
    return _on_mesh(best, mesh, Similarity(framing.radius, np.eye(3), framing.centre))


def normalised_surface(mesh: Mesh) -> tuple[Framing, Surface]:
    """Where a mesh lies, and its surface centred and of radius 1.

    Raises:
        MeshError: when it has no surface at all.
    """
    if mesh.n_faces == 0:
        raise MeshError("landmarks need a surface; this mesh has no faces")
    framing, surface = frame_of(mesh), surface_of(mesh)
    vertices = np.ascontiguousarray((surface.vertices - framing.centre) / framing.radius)
    return framing, Surface(vertices, surface.faces, surface.normals)


def _on_mesh(look: Look, mesh: Mesh, to_mesh: Similarity) -> FaceReading:
    """The landmarks on the mesh."""
    points = to_mesh.apply(look.points())
    triangles, barycentric, nearest = nearest_places(mesh, points)
    distance = np.linalg.norm(nearest - points, axis=1)
    unit = interocular_distance(points)
    attached = distance < OFF_SURFACE * unit
    points = np.where(attached[:, None], nearest, points)
    blur = look.consensus.disagreement * to_mesh.scale / unit
    confidence = look.firmness() / (1 + (blur / 0.04) ** 2) / (1 + (distance / (OFF_SURFACE * unit)) ** 2)
    landmarks = Landmarks(landmark_names(), points, np.clip(confidence, 0, 1))
    left = np.where(attached, 0.0, distance)
    return FaceReading(landmarks, triangles, barycentric, left, to_mesh.compose(look.pose), look.quality)
