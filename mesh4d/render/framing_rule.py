"""How the framing of each item of a data set is found: from its whole surface, from its face, or the same for all."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mesh4d.errors import MeshError
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.render.cameras import Framing, frame_of
from mesh4d.render.face_framing import COUNT, face_framing


@dataclass(frozen=True)
class FramingRule:
    """Applied to the onset of each item; all frames share what it gives."""

    kind: Literal["whole", "face", "fixed"] = "whole"
    """`whole`: the surface but for outliers, in the file's own axes. `face`: the face frame of the 68 landmarks that
    the mesh brings, or that are detected. `fixed`: `sphere`, for heads that are in the face frame already."""
    sphere: tuple[float, float, float, float] | None = None
    """x, y, z of the centre and radius, in the meshes' unit."""

    @classmethod
    def parse(cls, text: str) -> "FramingRule":
        """A rule from "whole", "face" or "X,Y,Z,RADIUS".

        Raises:
            MeshError: other text.
        """
        if text in ("whole", "face"):
            return cls("whole" if text == "whole" else "face")
        try:
            x, y, z, radius = (float(part) for part in text.split(","))
        except ValueError as error:
            raise MeshError(f"framing must be whole, face or X,Y,Z,RADIUS, found {text!r}") from error
        Framing(np.array([x, y, z]), radius)
        return cls("fixed", (x, y, z, radius))

    def of(self, mesh: Mesh) -> Framing:
        """The framing for an item whose onset is `mesh`.

        Raises:
            MeshError: no surface, or no face where one is asked for.
        """
        if self.kind == "fixed" and self.sphere is not None:
            return Framing(np.array(self.sphere[:3]), self.sphere[3])
        return face_framing(landmarks_of(mesh)) if self.kind == "face" else frame_of(mesh)


def landmarks_of(mesh: Mesh) -> Landmarks:
    """The 68 landmarks that a mesh brings, else those that are detected on it.

    Raises:
        MeshError: none can be found.
    """
    if mesh.landmarks is not None and len(mesh.landmarks.points) == COUNT:
        return mesh.landmarks
    try:
        from mesh4d.landmarks import detect_landmarks
    except ImportError as error:
        raise MeshError(f"framing 'face': the mesh brings no {COUNT} landmarks, and detection is missing") from error
    return detect_landmarks(mesh)
