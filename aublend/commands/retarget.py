"""`aublend retarget`: one head's performance on another head."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from aublend.commands.animation import solved, write_animation


@dataclass(frozen=True)
class Retarget:
    """Solve a sequence on its own rig and play the same action units on another rig."""

    source: Positional[Path]
    """The rig of the head in the sequence."""
    sequence: Positional[Path]
    """A mesh or sequence with that rig's vertices; or a folder of raw scans, one for each frame, of any topology."""
    target: Positional[Path]
    """The rig to animate, of any topology."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("retargeted.glb")
    """.glb (morph targets and weights) or another sequence format."""
    curves: Path | None = None
    """Where to write the action unit curves as well (.csv)."""

    def run(self) -> dict[str, object]:
        from aublend import read_rig, write_curves

        curves = solved(read_rig(self.source), self.sequence)
        write_animation(read_rig(self.target), curves, self.output)
        if self.curves is not None:
            write_curves(curves, self.curves)
        return {"animation": str(self.output), "frames": len(curves), "fps": curves.fps}
