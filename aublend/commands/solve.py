"""`aublend solve`: the weights behind a mesh or sequence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from aublend.commands.animation import solved


@dataclass(frozen=True)
class Solve:
    """Find the action unit weights behind a mesh or sequence; write them as CSV.

    On the rig's own topology, or raw scans of the rig's person, which are registered first (seconds a frame).

    Units whose halves differ get two columns, AU12L and AU12R.
    """

    rig: Positional[Path]
    observed: Positional[Path]
    """A mesh or sequence (.npz, .glb with an animation) with the rig's vertices; or a folder of raw scans."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("curves.csv")
    format: Literal["au", "livelink", "openface"] = "au"
    """au: ours. livelink: Live Link Face's 52 ARKit shapes. openface: OpenFace 2's 17 units, without sides."""

    def run(self) -> dict[str, object]:
        from aublend import read_rig, write_curves

        curves = solved(read_rig(self.rig), self.observed)
        write_curves(curves, self.output, self.format)
        return {"curves": str(self.output), "frames": len(curves)}
