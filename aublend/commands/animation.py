"""What commands share: sequences to curves, and curves to animations."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aublend import AUCurves, AURig


def solved(rig: "AURig", observed: Path) -> "AUCurves":
    """The curves behind a sequence, or behind a mesh where the file holds no animation."""
    from aublend.solve_halves import solve_halves
    from mesh4d import MeshFormatError, read_mesh, read_sequence

    try:
        return solve_halves(rig, read_sequence(observed))
    except MeshFormatError:
        return solve_halves(rig, read_mesh(observed))


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
