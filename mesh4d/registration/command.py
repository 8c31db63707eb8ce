"""The command `mesh4d register`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from mesh4d.io import read_mesh, read_sequence, write_mesh, write_sequence
from mesh4d.io.atomic import atomic_write
from mesh4d.io.frame_folder import FrameFolder
from mesh4d.io.landmark_files import read_landmarks


@dataclass(frozen=True)
class RegisterCommand:
    """Bring a template head into a target's shape and write it in the target's coordinates.

    The target is a head, bust, body or face mask in any unit and pose; or a sequence: a folder with a mesh for each
    frame (topologies may differ), or a file that holds frames. Ends with code 2 and the reason when there is no face.
    """

    template: Positional[Path]
    """Any head mesh; its vertices and faces are what is fitted."""
    target: Positional[Path]
    output: Annotated[Path, arg(aliases=["-o"])] = Path("registered.obj")
    """Where the fitted template goes; for a sequence a .zarr or .npz, or what else holds frames."""
    landmarks: Path | None = None
    """Points on the target named as the template's own (or as the 68 points): they pull the fit softly."""
    correspondence: Path | None = None
    """Also write who lies where, both ways, as .npz: triangle ids, barycentric weights, signed distances."""
    sequence: bool = False
    """Treat the target as a sequence even if it is a single file."""
    smooth_s: float = 0.0
    """For a sequence: window of a final smoothing over time, in seconds; 0 for none."""

    def run(self) -> dict[str, object]:
        if self.target.is_dir() or self.sequence:
            return self._run_sequence()
        from mesh4d.registration import register  # compiled parts load only when the command runs

        landmarks = None if self.landmarks is None else read_landmarks(self.landmarks)
        found = register(read_mesh(self.template), read_mesh(self.target), landmarks)
        write_mesh(found.fitted, self.output)
        result: dict[str, object] = {
            "mesh": str(self.output),
            "median_mm": round(found.quality.median_mm, 3),
            "coverage": round(found.quality.coverage, 3),
            "strangeness": round(found.quality.strangeness, 2),
            "expression": {name: round(value, 2) for name, value in found.expression.items() if value > 0.1},
            "warnings": list(found.warnings),
        }
        if self.correspondence is not None:
            ways = {"target_on_template": found.target_on_template, "template_on_target": found.template_on_target}
            arrays = {
                f"{way}_{field}": getattr(places, field)
                for way, places in ways.items()
                for field in ("triangles", "barycentric", "signed_distance")
            }
            with atomic_write(self.correspondence) as file:
                np.savez_compressed(file, **arrays)
            result["correspondence"] = str(self.correspondence)
        return result

    def _run_sequence(self) -> dict[str, object]:
        from mesh4d.registration import register_sequence

        frames = (
            FrameFolder.open(self.target)
            if self.target.is_dir() and self.target.suffix != ".zarr"
            else read_sequence(self.target)
        )
        found = register_sequence(read_mesh(self.template), frames, smooth_s=self.smooth_s)
        write_sequence(found.sequence, self.output)
        return {
            "sequence": str(self.output),
            "frames": len(found.sequence),
            "median_mm": round(float(np.median(found.residual_mm)), 3),
            "jitter_mm": round(found.jitter_mm, 3),
        }
