"""The command `mesh4d landmarks`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float
from tyro.conf import Positional, arg

from mesh4d.errors import MeshError
from mesh4d.io import read_mesh
from mesh4d.io.atomic import atomic_write
from mesh4d.io.landmark_files import write_lm3, write_points
from mesh4d.landmarks.face_reading import FaceReading, read_face

UNCERTAIN = 0.3
"""Confidence below which the command names a landmark."""


@dataclass(frozen=True)
class LandmarksCommand:
    """Find the 68 landmarks (iBUG 300-W order) on a head mesh or scan in any pose and unit.

    Writes them as .json (names, points, confidence, triangle and barycentric weights), .lm3 or .txt (x y z a line).
    Ends with code 2 and the reason when there is no face.
    """

    mesh: Positional[Path]
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Where to write; by default the mesh's name with .landmarks.json."""

    def run(self) -> dict[str, object]:
        output = self.mesh.with_suffix(".landmarks.json") if self.output is None else self.output
        if output.suffix not in (".json", ".lm3", ".txt"):
            raise MeshError(f"{output}: expected a name that ends in .json, .lm3 or .txt")
        face = read_face(read_mesh(self.mesh))
        if output.suffix == ".json":
            _write_json(face, output)
        else:
            (write_lm3 if output.suffix == ".lm3" else write_points)(face.landmarks, output)
        rows = zip(face.landmarks.names, _confidence(face), strict=True)
        uncertain = [name for name, confidence in rows if confidence < UNCERTAIN]
        return {"landmarks": str(output), "quality": round(face.quality, 3), "uncertain": uncertain}


def _confidence(face: FaceReading) -> Float[np.ndarray, " L"]:
    found = face.landmarks.confidence
    return np.zeros(len(face.landmarks.names)) if found is None else found


def _write_json(face: FaceReading, path: Path) -> None:
    marks = face.landmarks
    content = {
        "convention": "iBUG 300-W, 68 points; coordinates of the mesh file; left and right are the subject's",
        "names": list(marks.names),
        "points": marks.points.tolist(),
        "confidence": _confidence(face).round(4).tolist(),
        "triangles": face.triangles.tolist(),
        "barycentric": face.barycentric.tolist(),
        "off_surface": face.distance.tolist(),
        "quality": face.quality,
    }
    with atomic_write(path, text=True) as file:
        json.dump(content, file, indent=1)
        file.write("\n")
