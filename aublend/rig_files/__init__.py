"""Rigs on disk: .npz for researchers, .glb and USD with named morph targets for animators."""

from os import PathLike
from pathlib import Path

from aublend.curves import AUCurves
from aublend.rig import AURig
from aublend.rig_files.archive import read_npz_rig, write_npz_rig
from aublend.rig_files.morph_targets import morph_mesh, rig_from_morph_mesh, split_halves, with_pair_targets
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io import read_morph_mesh, write_morph_mesh
from mesh4d.io.morph_files import MORPH_SUFFIXES
from mesh4d.io.registry import format_suffix

__all__ = ["MORPH_SUFFIXES", "morph_mesh", "read_rig", "split_halves", "with_pair_targets", "write_rig"]


def write_rig(rig: AURig, path: str | PathLike[str], curves: AUCurves | None = None, *, arkit: bool = False) -> None:
    """Write a rig, with an animation where the format has room for one.

    .npz keeps everything exactly. .glb and USD hold float32 positions, 32 morph targets named AU1 ... AU64, and with
    `curves` a weights animation; units that the curves drive one-sidedly get further targets such as AU12L, and pairs
    of units that act together theirs (AU6+AU45: its weight is the product of both). All pairs are kept in the extras
    besides, for `read_rig`.

    Args:
        arkit: add ARKit's 52 shapes, derived from the units (see `aublend.arkit_shapes`), as further targets.

    Raises:
        MeshError: for another suffix, or curves or ARKit shapes with .npz.
    """
    path = Path(path)
    suffix = format_suffix(path)
    if suffix in MORPH_SUFFIXES:
        write_morph_mesh(morph_mesh(rig, curves, arkit=arkit), path)
    elif suffix == ".npz" and curves is None and not arkit:
        write_npz_rig(rig, path)
    else:
        known = ", ".join(MORPH_SUFFIXES)
        raise MeshError(f"{path}: expected {known}, or .npz without curves and ARKit shapes, found {suffix!r}")


def read_rig(path: str | PathLike[str]) -> AURig:
    """Read a rig: .npz, or morph targets named after all 32 units or after ARKit's 52 shapes.

    From ARKit's shapes the units are put together as `aublend.arkit_from_au` says; AU11, for which ARKit has no shape,
    stands still. That is logged.

    Raises:
        MeshFormatError: when the file is something else; it names the missing units.
    """
    path = Path(path)
    suffix = format_suffix(path)
    if suffix == ".npz":
        return read_npz_rig(path)
    if suffix in MORPH_SUFFIXES:
        return rig_from_morph_mesh(path, read_morph_mesh(path))
    raise MeshFormatError(path, "suffix", f".npz, {', '.join(MORPH_SUFFIXES)}", repr(suffix))
