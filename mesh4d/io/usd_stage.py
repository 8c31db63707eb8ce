"""USD stages: the optional library, opening a stranger's file on its own, and saving a stage atomically."""

import tempfile
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import existing_file, write_bytes

SUFFIXES = (".usda", ".usdc", ".usd")


class MissingUsdError(MeshError, ImportError):
    """USD files need a library that is not installed."""


def usd_library() -> Any:
    """The modules Gf, Sdf, Tf, Usd, UsdGeom, UsdShade, UsdSkel and Vt of usd-core.

    Raises:
        MissingUsdError: when usd-core is not installed; it says how to install it.
    """
    try:
        from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdShade, UsdSkel, Vt
    except ImportError as error:
        raise MissingUsdError(
            "USD files need the package usd-core: pip install 'facet4d[usd]' (or pip install usd-core)"
        ) from error
    modules = {"Gf": Gf, "Sdf": Sdf, "Tf": Tf, "Usd": Usd, "UsdGeom": UsdGeom, "UsdShade": UsdShade}
    return SimpleNamespace(**modules, UsdSkel=UsdSkel, Vt=Vt)


def open_stage(path: str | PathLike[str]) -> Any:
    """The stage of one file that stands alone: nothing that it refers to is opened.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: no USD file, or one that is put together from other files.
    """
    usd, path = usd_library(), existing_file(path)
    try:
        layer = usd.Sdf.Layer.OpenAsAnonymous(str(path))  # never a copy that was opened earlier
    except usd.Tf.ErrorException as error:
        said = " ".join(str(part.commentary) for part in error.args)
        raise MeshFormatError(path, "file", "a USD layer", said.strip()[:200]) from error
    if layer is None:
        raise MeshFormatError(path, "file", "a USD layer", "none")
    others = layer.GetCompositionAssetDependencies()
    if others:
        expected = "a file that stands alone (usdcat --flatten makes one)"
        raise MeshFormatError(path, "references", expected, ", ".join(map(str, others))[:120])
    stage = usd.Usd.Stage.Open(layer)
    for prim in stage.TraverseAll():
        if prim.HasMetadata("clips"):
            raise MeshFormatError(path, str(prim.GetPath()), "values in this file", "value clips")
    return stage


def save_stage(stage: Any, path: str | PathLike[str]) -> None:
    """Write the stage's own layer as text (.usda) or binary (.usdc, .usd); whole or not at all."""
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix="mesh4d-") as folder:
        part = Path(folder) / f"stage{'.usda' if path.suffix.lower() == '.usda' else '.usdc'}"
        if not stage.GetRootLayer().Export(str(part)):
            raise MeshError(f"{path}: USD could not write the stage")
        write_bytes(path, part.read_bytes())
