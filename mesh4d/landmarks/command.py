"""The command `mesh4d landmarks`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from mesh4d.errors import MeshError

Suffix = Literal[".json", ".lm3", ".txt"]


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
        from mesh4d.io import read_mesh
        from mesh4d.io.landmark_files import write_lm3, write_points
        from mesh4d.landmarks.detect import read_face

        output = self.mesh.with_suffix(".landmarks.json") if self.output is None else self.output
        if output.suffix not in (".json", ".lm3", ".txt"):
            raise MeshError(f"{output}: expected a name that ends in .json, .lm3 or .txt")
        face = read_face(read_mesh(self.mesh))
        if output.suffix == ".json":
            _write_json(face, output)
        else:
            (write_lm3 if output.suffix == ".lm3" else write_points)(face.landmarks, output)
        confidence = face.landmarks.confidence
        low = [] if confidence is None else [n for n, c in zip(face.landmarks.names, confidence, strict=True) if c < 0.3]
        return {"landmarks": str(output), "quality": round(face.quality, 3), "uncertain": low}


def _write_json(face: object, path: Path) -> None:
    import json

    from mesh4d.io.atomic import atomic_write
    from mesh4d.landmarks.detect import FaceReading

    if not isinstance(face, FaceReading):
        raise TypeError(f"expected a FaceReading, found {type(face).__name__}")
    marks = face.landmarks
    confidence = np.zeros(len(marks.names)) if marks.confidence is None else marks.confidence
    content = {
        "convention": "iBUG 300-W, 68 points; coordinates of the mesh file; left and right are the subject's",
        "names": list(marks.names),
        "points": marks.points.tolist(),
        "confidence": confidence.round(4).tolist(),
        "triangles": face.triangles.tolist(),
        "barycentric": face.barycentric.tolist(),
        "off_surface": face.distance.tolist(),
        "quality": face.quality,
    }
    with atomic_write(path, text=True) as file:
        json.dump(content, file, indent=1)
        file.write("\n")
