"""Pictures of one mesh or sequence as files: a contact sheet, a folder of PNGs, or the numbers as .npz."""

import json
from os import PathLike
from pathlib import Path

import numpy as np

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_write
from mesh4d.io.npz import read_arrays
from mesh4d.render.contact_sheet import as_pictures, contact_sheet, to_bytes
from mesh4d.render.multiview import Views
from mesh4d.render.view_store import create_store, framing_json, read_rig_and_framing, rig_json, write_item

VIEWS_FORMAT = "mesh4d.Views 1"
SHAPES = {"format": "U", "images": "f****", "triangle_ids": "i***", "attributes": "U"}
OUTPUTS = "NAME.png (a contact sheet), NAME.npz, NAME.zarr or a folder (a name without a suffix)"


def output_kind(path: str | PathLike[str]) -> str:
    """What an output's name asks for: ".png", ".npz", ".zarr" or "" (a folder).

    Raises:
        MeshError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ("", ".png", ".npz", ".zarr") and not Path(path).is_dir():
        raise MeshError(f"{path}: expected {OUTPUTS}, found the suffix {suffix!r}")
    return suffix if suffix in (".png", ".npz", ".zarr") else ""


def write_views(views: Views, path: str | PathLike[str], frame: int = 0) -> None:
    """Write pictures as a contact sheet (.png), as .npz, as a store of one item called "views" (.zarr), or as a folder
    of PNGs, one per frame, view and channel.

    Args:
        views: what to write.
        path: its suffix says how.
        frame: which one a contact sheet shows.

    Raises:
        MeshError: another suffix, or a .zarr that holds something else.
    """
    kind = output_kind(path)
    attributes = {"rig": rig_json(views.rig), "framing": framing_json(views.framing), "bands": views.channel_names}
    if kind == ".png":
        contact_sheet(views, path, frame)
    elif kind == ".npz":
        arrays = {
            "format": np.array(VIEWS_FORMAT),
            "images": views.images,
            "attributes": np.array(json.dumps(attributes)),
        }
        if views.triangle_ids is not None:
            arrays["triangle_ids"] = views.triangle_ids
        with atomic_write(path) as file:
            np.savez(file, allow_pickle=False, **arrays)
    elif kind == ".zarr":
        create_store(Path(path), {"dataset": "file"})
        write_item(Path(path), "views", attributes, views.images.shape, views.by_frame())
    else:
        _write_folder(views, Path(path))


def read_views(path: str | PathLike[str]) -> Views:
    """Read pictures that `write_views` wrote as .npz.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: another file.
    """
    arrays = read_arrays(path, SHAPES)
    if str(arrays.get("format", "")) != VIEWS_FORMAT or "images" not in arrays or "attributes" not in arrays:
        raise MeshFormatError(path, "format", repr(VIEWS_FORMAT), repr(str(arrays.get("format", "nothing")))[:80])
    try:
        attributes = json.loads(str(arrays["attributes"]))
        rig, framing = read_rig_and_framing(Path(path), attributes)
        bands = tuple(str(band) for band in attributes["bands"])
        return Views(arrays["images"], bands, rig, framing, arrays.get("triangle_ids"))
    except MeshFormatError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise MeshFormatError(path, "attributes", "those of a render", str(error)[:120]) from error


def _write_folder(views: Views, folder: Path) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for channel in views.channels:
        pictures = as_pictures(channel, views.channel(channel))
        for number, picture in enumerate(pictures):
            frame, view = divmod(number, len(views.rig))
            name = f"{frame:04d}_" if views.n_frames > 1 else ""
            angle = views.rig.view_names[view].replace(" ", "").replace(",", "_")
            with atomic_write(folder / f"{name}{view:02d}_{angle}_{channel}.png") as file:
                Image.fromarray(to_bytes(picture)).save(file, format="PNG")
