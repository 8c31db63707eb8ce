"""Detection: the 68 landmarks of a head of any topology, in any pose, at any scale, from its shape alone.

Search proposes faces, the reader looks at each from a few sides, the views' rays meet, and a shape model says whether
what they agree on is a face. Then the best is read again from more sides.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, NoFaceError
from mesh4d.geometry.rigid import Similarity
from mesh4d.landmarks.consensus import Consensus, intersect
from mesh4d.landmarks.face_reading import FaceReading
from mesh4d.landmarks.on_surface import nearest_places
from mesh4d.landmarks.pictures import Surface, surface_of
from mesh4d.landmarks.points68 import interocular_distance, landmark_names
from mesh4d.landmarks.reading import Reading, read_twice
from mesh4d.landmarks.search import Candidate, candidates
from mesh4d.landmarks.weights import LandmarkModel
from mesh4d.landmarks.windows import face_window, view_rotation
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.render.cameras import frame_of

GLANCE = ((0.0, 0.0), (-32.0, 5.0), (32.0, 5.0))
"""Yaw and pitch (deg) of the views that judge a candidate."""
LOOK = (
    (0.0, 0.0), (-18.0, -8.0), (18.0, -8.0), (-36.0, 6.0), (36.0, 6.0),
    (-54.0, -4.0), (54.0, -4.0), (0.0, 22.0), (0.0, -20.0),
)  # fmt: skip
"""Views that the landmarks are read from."""
CANDIDATES = 4
TOLERANCE = 0.02
"""Distance at which a ray counts half, over the half side of the face's window."""
SPREAD_MM = 2.0
"""Error of a landmark that the views agree on, in the shape model's millimetres."""
OFF_SURFACE = 0.06
"""Distance from the surface, over the interocular distance, from which a landmark is left where the rays put it."""
LEAST_FACE, LEAST_SUPPORT, MOST_MISFIT_MM, MOST_ODDITY = 0.5, 0.3, 4.5, 3.0
"""What a face must reach: probability, median support, median misfit to the shape model, rms coefficient."""


def find_face(mesh: Mesh, model: LandmarkModel) -> FaceReading:
    """Find the face on a mesh.

    Raises:
        NoFaceError: when the surface holds nothing that looks like a face; it says why.
        MeshError: when it has no surface at all.
    """
    if mesh.n_faces == 0:
        raise MeshError("landmarks need a surface; this mesh has no faces")
    framing = frame_of(mesh)
    surface = _normalised(surface_of(mesh), framing.centre, framing.radius)
    proposals = candidates(model.finder, model.shapes, surface, CANDIDATES)
    if not proposals:
        raise NoFaceError("no face found: nothing on this surface looks like one from any side")
    judged = sorted((_Look.at(model, surface, proposal) for proposal in proposals), key=lambda look: -look.quality)
    best = judged[0].again(model, surface, GLANCE).again(model, surface, LOOK).again(model, surface, LOOK)
    best.check()
    return best.on_mesh(mesh, Similarity(framing.radius, np.eye(3), framing.centre))


def _normalised(surface: Surface, centre: np.ndarray, radius: float) -> Surface:
    vertices = np.ascontiguousarray((surface.vertices - centre) / radius)
    return Surface(vertices, surface.faces, surface.normals)


@dataclass(frozen=True)
class _Look:
    """One face, read from several sides."""

    reading: Reading
    consensus: Consensus
    plausible: Float[np.ndarray, "68 3"]
    misfit_mm: Float[np.ndarray, "68"]
    oddity: float
    pose: Similarity

    @classmethod
    def at(cls, model: LandmarkModel, surface: Surface, candidate: Candidate) -> "_Look":
        """A first glance at a candidate."""
        points = candidate.pose.apply(model.shapes.mean)
        return cls._from(model, surface, candidate.pose, points, GLANCE)

    def again(self, model: LandmarkModel, surface: Surface, views: tuple[tuple[float, float], ...]) -> "_Look":
        """Another look, from where this one says the face is."""
        return self._from(model, surface, self.pose, self.plausible, views)

    @classmethod
    def _from(
        cls, model: LandmarkModel, surface: Surface, pose: Similarity, points: np.ndarray, views: tuple
    ) -> "_Look":
        rotations = [view_rotation(yaw, pitch) @ pose.rotation.T for yaw, pitch in views]
        windows = [face_window(points, rotation) for rotation in rotations]
        reading = read_twice(model.reader, windows, surface)
        consensus = intersect(reading, TOLERANCE * windows[0].half)
        plausible, misfit, oddity = model.shapes.plausible(consensus.points, consensus.support, SPREAD_MM)
        return cls(
            reading, consensus, plausible, misfit, oddity, model.shapes.aligned(plausible, consensus.support + 0.05)
        )

    @property
    def face(self) -> float:
        """Probability of a face: the mean over the views."""
        return float(self.reading.face.mean())

    @property
    def quality(self) -> float:
        """How much this looks like a face, 0 to 1."""
        support = float(np.median(self.consensus.support))
        misfit = float(np.median(self.misfit_mm))
        return self.face * support / (1 + (misfit / MOST_MISFIT_MM) ** 2)

    def check(self) -> None:
        """Raise a NoFaceError unless this is a face."""
        support, misfit = float(np.median(self.consensus.support)), float(np.median(self.misfit_mm))
        facts = (
            (self.face >= LEAST_FACE, f"the best place looks like a face with probability {self.face:.2f} only"),
            (support >= LEAST_SUPPORT, f"views agree on too few landmarks (median support {support:.2f})"),
            (misfit <= MOST_MISFIT_MM, f"the landmarks do not lie as on a face (median misfit {misfit:.1f} mm)"),
            (self.oddity <= MOST_ODDITY, f"the landmarks' layout is too odd ({self.oddity:.1f} standard deviations)"),
        )
        for passed, reason in facts:
            if not passed:
                raise NoFaceError(f"no face found: {reason}")

    def on_mesh(self, mesh: Mesh, to_mesh: Similarity) -> FaceReading:
        """The landmarks on the mesh, weak ones drawn to where the shape model expects them."""
        support = self.consensus.support
        firm = support / (1 + (self.misfit_mm / (4 * SPREAD_MM)) ** 2)
        share = (firm / (firm + 0.08))[:, None]
        points = to_mesh.apply(share * self.consensus.points + (1 - share) * self.plausible)
        triangles, barycentric, nearest = nearest_places(mesh, points)
        distance = np.linalg.norm(nearest - points, axis=1)
        unit = interocular_distance(points)
        attached = distance < OFF_SURFACE * unit
        points = np.where(attached[:, None], nearest, points)
        blur = self.consensus.disagreement * to_mesh.scale / unit
        confidence = firm / (1 + (blur / 0.04) ** 2) / (1 + (distance / (OFF_SURFACE * unit)) ** 2)
        landmarks = Landmarks(landmark_names(), points, np.clip(confidence, 0, 1))
        left = np.where(attached, 0.0, distance)
        return FaceReading(landmarks, triangles, barycentric, left, to_mesh.compose(self.pose), self.quality)
