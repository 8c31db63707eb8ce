"""What commands share: sequences to curves, and curves to animations."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aublend import AUCurves, AURig


def solved(rig: "AURig", observed: Path) -> "AUCurves":
    """The curves behind a sequence, or behind a mesh where the file holds no animation.

    A folder of meshes that are not the rig's own is registered frame by frame.
    """
    from aublend.raw_sequences import on_rig, shares_topology
    from aublend.solve import solve
    from mesh4d import MeshFormatError, read_mesh, read_sequence
    from mesh4d.io.frame_folder import FrameFolder

    if observed.is_dir() and observed.suffix != ".zarr":
        frames = FrameFolder.open(observed)
        if not shares_topology(rig, frames[0]):
            return solve(rig, on_rig(rig, frames))
    try:
        return solve(rig, read_sequence(observed))
    except MeshFormatError:
        return solve(rig, read_mesh(observed))


def write_animation(rig: "AURig", curves: "AUCurves", output: Path) -> None:
    """Curves on a rig: as morph target weights in .glb and USD, as frames in any other sequence format.

    An output without a suffix is a folder of numbered OBJ files.
    """
    from aublend import write_rig
    from mesh4d import write_sequence
    from mesh4d.io.morph_files import MORPH_SUFFIXES
    from mesh4d.io.registry import format_suffix

    if format_suffix(output) in MORPH_SUFFIXES:
        write_rig(rig, output, curves)
    else:
        write_sequence(rig.animate(curves), output)
