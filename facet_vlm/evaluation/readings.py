"""The readings of a mesh that recognition starts from: pictures for the model, and what its peers look at.

Pictures are aligned frame by frame: in raw 4D data people turn their heads, and a picture of a turned head is another
picture. Where the motion is smaller than what alignment errs by (micro-expressions: a clip of less than half a second
in which the head is still), all frames of a clip go by its first one ("onset"): then nothing moves but the face.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from mesh4d.geometry.rigid import Similarity, similarity_align
from mesh4d.mesh import Mesh

Alignment = Literal["frame", "onset"]


@dataclass(frozen=True)
class ViewReading:
    """The network's input: views of the aligned head as bytes."""

    rig: str
    size_px: int
    align: Alignment = "frame"
    inputs: str = "geometry"
    """What the pictures hold; `facet_vlm.faces.inputs.BANDS`."""
    name: str = "views"
    layout: str = "uF****"

    @property
    def settings(self) -> Mapping[str, Any]:
        from facet_vlm.faces import views

        framing = [*views.FACE_CENTRE_MM.tolist(), views.FACE_RADIUS_MM, views.EYE_DISTANCE_MM]
        return {
            "reading": self.name, "rig": self.rig, "size_px": self.size_px, "align": self.align,
            "inputs": self.inputs, "framing_mm": framing, "version": version("facet4d"),
        }  # fmt: skip

    def of_clip(self, is_sequence: bool) -> Callable[[Mesh], np.ndarray]:
        from facet_vlm.faces.views import aligned_face_images, face_images, in_face_frame

        if self.align == "frame" or not is_sequence:
            return lambda mesh: face_images(mesh, self.rig, self.size_px, inputs=self.inputs)
        to_face: list[Similarity] = []

        def images(mesh: Mesh) -> np.ndarray:
            if not to_face:
                to_face.append(similarity_align(mesh.vertices, in_face_frame(mesh).vertices))
            upright = mesh.with_vertices(to_face[0].apply(mesh.vertices))
            return aligned_face_images(upright, self.rig, self.size_px, self.inputs)

        return images


@dataclass(frozen=True)
class LandmarkReading:
    """68 landmarks by `mesh4d.detect_landmarks` in the face frame: one definition for all data sets, no annotation."""

    name: str = "landmarks"
    layout: str = "fF**"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"reading": self.name, "version": version("facet4d")}

    def of_clip(self, is_sequence: bool) -> Callable[[Mesh], np.ndarray]:
        return _landmarks


@dataclass(frozen=True)
class UnitReading:
    """The weights of the 32 action units, halves apart: registration, a rig for the neutral it finds, `rig.solve`."""

    name: str = "units"
    layout: str = "fF**"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"reading": self.name, "version": version("facet4d")}

    def of_clip(self, is_sequence: bool) -> Callable[[Mesh], np.ndarray]:
        return _unit_weights


def _landmarks(mesh: Mesh) -> np.ndarray:
    from mesh4d.landmarks import detect_landmarks
    from mesh4d.render.face_framing import face_frame

    found = detect_landmarks(mesh)
    return face_frame(found).inverse().apply(found.points).astype(np.float32)


def _unit_weights(mesh: Mesh) -> np.ndarray:
    from aublend.head_model import head_model
    from aublend.predict import predict_rig
    from aublend.registration import fit_head

    fit = fit_head(mesh)
    topology = head_model().topology
    rig = predict_rig(topology.with_vertices(fit.template_vertices))
    solved = rig.solve(topology.with_vertices(fit.shown_vertices))
    return solved.halves()[0].astype(np.float32)
