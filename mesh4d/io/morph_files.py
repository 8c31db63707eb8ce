"""Morph meshes by the suffix of their file: glTF or USD."""

from os import PathLike

from mesh4d.errors import MeshFormatError
from mesh4d.io import gltf
from mesh4d.io.gltf_material import RGBA
from mesh4d.io.morph_mesh import MorphMesh
from mesh4d.io.registry import format_suffix
from mesh4d.io.usd import read_usd_morph_mesh, write_usd_morph_mesh
from mesh4d.io.usd_stage import SUFFIXES as USD_SUFFIXES

GLTF_SUFFIXES = (".glb", ".gltf")
MORPH_SUFFIXES = (*GLTF_SUFFIXES, *USD_SUFFIXES)
"""Files that hold named morph targets and an animation of their weights."""


def read_morph_mesh(path: str | PathLike[str]) -> MorphMesh:
    """Read .glb, .gltf (see `mesh4d.io.gltf.read_morph_mesh`), .usda, .usdc or .usd (see `read_usd_morph_mesh`).

    Raises:
        MeshFormatError: another suffix, or a file that is not what its format says.
        MissingUsdError: a USD file, and usd-core is not installed.
    """
    if format_suffix(path) in USD_SUFFIXES:
        return read_usd_morph_mesh(path)
    return gltf.read_morph_mesh(path)


def write_morph_mesh(morph: MorphMesh, path: str | PathLike[str], *, colors: dict[str, RGBA] | None = None) -> None:
    """Write in the format of the suffix; vertex order, targets, their names and the animation stay.

    Args:
        morph: what to write.
        path: ends in .glb, .gltf, .usda, .usdc or .usd.
        colors: glTF only: part -> linear RGBA of its material.

    Raises:
        MeshFormatError: another suffix.
        MeshError: what the format cannot hold.
        MissingUsdError: a USD file, and usd-core is not installed.
    """
    suffix = format_suffix(path)
    if suffix not in MORPH_SUFFIXES:
        raise MeshFormatError(path, "suffix", f"one of {', '.join(MORPH_SUFFIXES)}", repr(suffix))
    if suffix in USD_SUFFIXES:
        write_usd_morph_mesh(morph, path)
    else:
        gltf.write_morph_mesh(morph, path, colors=colors)
