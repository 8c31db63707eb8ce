"""Look: one face read from several sides, and whether what the views agree on is a face."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import NoFaceError
from mesh4d.geometry.rigid import Similarity
from mesh4d.landmarks.consensus import Consensus, intersect
from mesh4d.landmarks.pictures import Surface
from mesh4d.landmarks.points68 import landmark_names
from mesh4d.landmarks.reading import Reading, read_once, read_twice
from mesh4d.landmarks.search import Candidate
from mesh4d.landmarks.weights import LandmarkModel
from mesh4d.landmarks.windows import face_window, view_rotation
from mesh4d.mesh import Landmarks

Sides = tuple[tuple[float, float], ...]
"""Yaw and pitch (deg) of views."""

FRONT: Sides = ((0.0, 0.0),)
GLANCE: Sides = ((0.0, 0.0), (-32.0, 5.0), (32.0, 5.0))
"""Views that judge a candidate."""
LOOK: Sides = (
    (0.0, 0.0), (-18.0, -8.0), (18.0, -8.0), (-36.0, 6.0), (36.0, 6.0),
    (-54.0, -4.0), (54.0, -4.0), (0.0, 22.0), (0.0, -20.0),
)  # fmt: skip
"""Views that the landmarks are read from."""
TOLERANCE = 0.02
"""Distance at which a ray counts half, over the half side of the face's window."""
SPREAD_MM = 2.0
"""Error of a landmark that the views agree on, in the shape model's millimetres."""
LEAST_FACE, LEAST_SUPPORT, MOST_MISFIT_MM, MOST_ODDITY = 0.5, 0.3, 4.5, 3.0
"""What a face must reach: probability, median support, median misfit to the shape model, rms coefficient."""


@dataclass(frozen=True)
class Look:
    """One face, read from several sides."""

    reading: Reading
    consensus: Consensus
    plausible: Float[np.ndarray, "68 3"]
    misfit_mm: Float[np.ndarray, "68"]
    oddity: float
    pose: Similarity
    """Landmark model (mm, face frame) -> surface."""

    @classmethod
    def at(
        cls, model: LandmarkModel, surface: Surface, candidate: Candidate, sides: Sides = GLANCE, twice: bool = True
    ) -> "Look":
        """A first look at a candidate; `twice` shows each picture mirrored too."""
        points = candidate.pose.apply(model.shapes.mean)
        return cls._from(model, surface, candidate.pose, points, sides, twice)

    def again(self, model: LandmarkModel, surface: Surface, sides: Sides, twice: bool = True) -> "Look":
        """Another look, from where this one says the face is."""
        return self._from(model, surface, self.pose, self.plausible, sides, twice)

    @classmethod
    def _from(
        cls, model: LandmarkModel, surface: Surface, pose: Similarity, points: np.ndarray, sides: Sides, twice: bool
    ) -> "Look":
        rotations = [view_rotation(yaw, pitch) @ pose.rotation.T for yaw, pitch in sides]
        windows = [face_window(points, rotation) for rotation in rotations]
        reading = (read_twice if twice else read_once)(model.reader, windows, surface)
        consensus = intersect(reading, TOLERANCE * windows[0].half)
        plausible, misfit, oddity = model.shapes.plausible(consensus.points, consensus.support, SPREAD_MM)
        pose = model.shapes.aligned(plausible, consensus.support + 0.05)
        return cls(reading, consensus, plausible, misfit, oddity, pose)

    @property
    def face(self) -> float:
        """Probability of a face: the mean over the views."""
        return float(self.reading.face.mean())

    @property
    def support(self) -> float:
        """Median support of the landmarks."""
        return float(np.median(self.consensus.support))

    @property
    def quality(self) -> float:
        """How much this looks like a face, 0 to 1."""
        return self.face * self.support / (1 + (float(np.median(self.misfit_mm)) / MOST_MISFIT_MM) ** 2)

    def check(self) -> None:
        """Raise a NoFaceError unless this is a face."""
        misfit = float(np.median(self.misfit_mm))
        facts = (
            (self.face >= LEAST_FACE, f"the best place looks like a face with probability {self.face:.2f} only"),
            (self.support >= LEAST_SUPPORT, f"views agree on too few landmarks (median support {self.support:.2f})"),
            (misfit <= MOST_MISFIT_MM, f"the landmarks do not lie as on a face (median misfit {misfit:.1f} mm)"),
            (self.oddity <= MOST_ODDITY, f"the landmarks' layout is too odd ({self.oddity:.1f} standard deviations)"),
        )
        for passed, reason in facts:
            if not passed:
                raise NoFaceError(f"no face found: {reason}")

    def firmness(self) -> Float[np.ndarray, "68"]:
        """Support of each landmark, less where it lies off the shape model."""
        return self.consensus.support / (1 + (self.misfit_mm / (4 * SPREAD_MM)) ** 2)

    def points(self) -> Float[np.ndarray, "68 3"]:
        """The landmarks, weak ones drawn to where the shape model expects them."""
        firm = self.firmness()
        share = (firm / (firm + 0.08))[:, None]
        return share * self.consensus.points + (1 - share) * self.plausible

    def landmarks(self, to_mesh: Similarity) -> Landmarks:
        """The landmarks where the views put them, in the mesh's frame; their confidence is the views' agreement."""
        return Landmarks(landmark_names(), to_mesh.apply(self.points()), np.clip(self.firmness(), 0, 1))
