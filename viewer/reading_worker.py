"""`python -m viewer.reading_worker`: FACET-VLM in a process that stays warm, and reads one face after the other.

On stdin come requests, a JSON object a line and the bytes that it announces; on stdout goes an answer a line. "surface"
brings a head at rest (vertices float32, triangles uint32), "read" its vertices with an expression.
"""

import base64
import dataclasses
import json
import os
import sys
import time
from typing import IO, TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from mesh4d.errors import MeshError
from mesh4d.io.textures import encode_png
from mesh4d.mesh import Mesh
from viewer.head_worker import bound_resources
from viewer.messages import Reading

if TYPE_CHECKING:
    from aublend.registration import HeadFit
    from facet_vlm import FacetVLM

LAMP = np.array([0.35, 0.45, 0.82])
"""Where the light of the small pictures comes from, in a camera's frame."""


def main() -> None:
    """Answer until stdin ends."""
    bound_resources()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    reader = Reader()
    while line := sys.stdin.buffer.readline():
        answers.write(json.dumps(_answer(reader, json.loads(line), sys.stdin.buffer)) + "\n")
        answers.flush()


def _answer(reader: "Reader", request: dict[str, int], stream: IO[bytes]) -> dict[str, object]:
    vertices = np.frombuffer(stream.read(12 * request["vertices"]), "<f4").reshape(-1, 3).astype(np.float64)
    faces = np.frombuffer(stream.read(12 * request.get("faces", 0)), "<u4").reshape(-1, 3).astype(np.int64)
    try:
        if len(faces):
            reader.meet(Mesh(vertices, faces))
            return {}
        return {"reading": dataclasses.asdict(reader.read(vertices))}
    except MeshError as error:
        return {"error": str(error)}


class Reader:
    """The model, and the head that it looks at."""

    def __init__(self) -> None:
        self._model: FacetVLM | None = None
        self._neutral: Mesh | None = None
        self._fit: HeadFit | None = None

    def meet(self, neutral: Mesh) -> None:
        """Take a head at rest; one that is not on the embedded topology is registered, which takes seconds."""
        from aublend.registration import fit_head

        self._neutral = None
        self._fit = fit_head(neutral)
        self._neutral = neutral

    def read(self, vertices: Float[np.ndarray, "V 3"]) -> Reading:
        """What the model says of the head's face with these vertices.

        Raises:
            MeshError: when no head was met, or the vertices are another head's.
        """
        if self._neutral is None or len(vertices) != self._neutral.n_vertices:
            raise MeshError("this head was not sent")
        if self._model is None:
            import facet_vlm

            self._model = facet_vlm.load()
        mesh = self._neutral.with_vertices(vertices)
        start = time.perf_counter()
        images = self._model.images(mesh, self._fit)
        said = self._model.predict([mesh], fit=self._fit)
        return Reading(
            labels=said.labels,
            probabilities=tuple(np.round(said.probabilities[0], 5).tolist()),
            pictures=tuple(f"data:image/png;base64,{base64.b64encode(_lit(view)).decode()}" for view in images),
            views=_view_names(self._model.card.model.rig),
            view_weights=tuple(np.round(said.view_weights[0], 4).tolist()),
            seconds=round(time.perf_counter() - start, 4),
        )


def _lit(view: UInt8[np.ndarray, "3 H W"]) -> bytes:
    """The model's own picture of a view, normals and depth, with a lamp on: a PNG that is clear around the head."""
    x, y, _ = view.astype(np.float64) / 127.5 - 1.0
    z = np.sqrt(np.clip(1.0 - x * x - y * y, 0.0, 1.0))
    light = 0.18 + 0.82 * np.clip(x * LAMP[0] + y * LAMP[1] + z * LAMP[2], 0.0, 1.0)
    inside = (view[2] < 255).astype(np.float64)
    gray = np.stack([light, light, light, inside], axis=-1)
    return encode_png(np.rint(255 * gray).astype(np.uint8))


def _view_names(rig: str) -> tuple[str, ...]:
    from mesh4d.render import camera_rig

    cameras = camera_rig(rig)
    pairs = zip(cameras.yaws_deg, cameras.pitches_deg, strict=True)
    return tuple(_direction(float(yaw), float(pitch)) for yaw, pitch in pairs)


def _direction(yaw_deg: float, pitch_deg: float) -> str:
    parts = []
    if yaw_deg:
        parts.append(f"{abs(yaw_deg):g} degrees to the subject's {'left' if yaw_deg > 0 else 'right'}")
    if pitch_deg:
        parts.append(f"{abs(pitch_deg):g} degrees {'above' if pitch_deg > 0 else 'below'}")
    return " and ".join(parts) or "the front"


if __name__ == "__main__":
    main()
