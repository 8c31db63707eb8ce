"""A Zarr store of pictures of a whole data set: one item per record, each whole or not there.

    views.zarr/zarr.json                  attributes: format, how the pictures were taken
    views.zarr/items/NAME/zarr.json       attributes: the record (labels, subject, files), framing, bands
    views.zarr/items/NAME/images/c/...    (N,H,W,C) float32, one Zstandard chunk per frame: all its views

NAME is the record's name with what a file name cannot hold as %XX. An item is written under another name and renamed
when it is complete, so that one that is there is done.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_folder
from mesh4d.io.sources import MissingFileError
from mesh4d.render.cameras import CameraRig, Framing
from mesh4d.render.multiview import Views

if TYPE_CHECKING:
    import zarr

STORE_FORMAT = "mesh4d.ViewStore 1"
ITEMS, IMAGES, METADATA = "items", "images", "zarr.json"
MAX_METADATA = 1 << 24
"""Bytes of one metadata file."""
PLAIN_BYTES, MOST_RATIO = 1 << 30, 4096
"""An item may claim this many bytes of pictures, or this many times the bytes of its files."""
Attributes = dict[str, Any]


@dataclass(frozen=True)
class ViewItem:
    """One record's pictures on disk; they are read when asked for."""

    name: str
    path: Path
    attributes: Attributes
    """`record` (name, subject, expression, au_labels, ...), `framing`, `rig`, `bands`."""
    rig: CameraRig
    framing: Framing
    _images: "zarr.Array"

    @property
    def record(self) -> Attributes:
        """The record's fields: name, subject, expression, au_labels, frames, ..."""
        return self.attributes.get("record", {})

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Bands along the last axis."""
        return tuple(self.attributes["bands"])

    def __len__(self) -> int:
        """T: frames."""
        return self._images.shape[0] // len(self.rig)

    def views(self, start: int = 0, stop: int | None = None) -> Views:
        """The pictures of frames `start` to `stop` - 1, or of all.

        Raises:
            MeshFormatError: a chunk that cannot be decoded.
        """
        first, end, _ = slice(start, stop).indices(len(self))
        count = len(self.rig)
        try:
            images = np.asarray(self._images[first * count : max(first, end) * count])
        except (ValueError, RuntimeError, OSError, TypeError) as error:
            raise MeshFormatError(self.path, f"frames {first} to {end - 1}", "Zstandard chunks", str(error)) from error
        return Views(images, self.channel_names, self.rig, self.framing)


@dataclass(frozen=True)
class ViewStore:
    """Pictures of a data set. Item names are those of its records."""

    path: Path
    attributes: Attributes
    names: tuple[str, ...]
    """Sorted."""

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[ViewItem]:
        return (self[name] for name in self.names)

    def __getitem__(self, name: str) -> ViewItem:
        """The item of that name.

        Raises:
            MeshError: there is none.
            MeshFormatError: another layout than `write_item` makes.
        """
        if name not in self.names:
            raise MeshError(f"{self.path}: no item called {name!r}; it has {len(self)}, such as {self.names[:3]}")
        return _open_item(item_folder(self.path, name), name)


def open_views(path: str | PathLike[str]) -> ViewStore:
    """Open a store that `mesh4d render` wrote; no picture is read yet.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: another layout.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path}: no such folder")
    attributes = _attributes(path)
    if attributes.get("format") != STORE_FORMAT:
        raise MeshFormatError(path, "format", repr(STORE_FORMAT), repr(attributes.get("format"))[:80])
    names = [_attributes(folder).get("name") for folder in done_items(path)]
    if not all(isinstance(name, str) for name in names):
        raise MeshFormatError(path, ITEMS, "items with a name", "one without")
    return ViewStore(path, attributes, tuple(sorted(map(str, names))))


def create_store(path: Path, attributes: Attributes) -> None:
    """Make an empty store, or go on with one that was made in the same way.

    Raises:
        MeshError: something else has that name, or the store holds pictures taken otherwise.
    """
    wanted = json.loads(json.dumps({"format": STORE_FORMAT, **attributes}))
    if path.exists():
        if not (path / METADATA).is_file():
            raise MeshError(f"{path}: something that is no view store has this name, and is left as it is")
        found = _attributes(path)
        if found != wanted:
            differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
            raise MeshError(
                f"{path}: holds pictures taken otherwise ({', '.join(differing)}); give another output, or the options "
                "that it was made with"
            )
        return
    with atomic_folder(path) as folder:
        _write_group(folder, wanted)
        _write_group(folder / ITEMS, {})


def item_folder(store: Path, name: str) -> Path:
    """Where an item lies."""
    key = quote(name, safe=" +,=@()").replace(".", "%2E") or "%"
    if len(key) > 180:
        raise MeshError(f"an item's name may have 180 characters as a file name, found {name[:60]!r}...")
    return store / ITEMS / key


def done_items(store: Path) -> list[Path]:
    """The folders of the items that are complete, sorted."""
    folder = store / ITEMS
    if not folder.is_dir():
        raise MeshFormatError(store, ITEMS, "a folder", "none")
    return sorted(item for item in folder.iterdir() if not item.name.startswith(".") and (item / METADATA).is_file())


def write_item(
    store: Path,
    name: str,
    attributes: Attributes,
    shape: tuple[int, ...],
    frames: Iterable[Float[np.ndarray, "K H W C"]],
) -> None:
    """Write one item, frame by frame; it takes its name when all are there.

    Args:
        store: made by `create_store`.
        name: of the item.
        attributes: to keep with it.
        shape: (N,H,W,C) of all pictures.
        frames: each with all views of a frame.
    """
    import zarr
    from zarr.codecs import ZstdCodec
    from zarr.storage import LocalStore

    with atomic_folder(item_folder(store, name)) as folder:
        _write_group(folder, {"name": name, **attributes})
        images = None
        for number, frame in enumerate(frames):
            if images is None:
                images = zarr.create_array(
                    LocalStore(folder), name=IMAGES, shape=shape, chunks=frame.shape, dtype=np.float32,
                    compressors=ZstdCodec(level=1), filters=None, fill_value=0.0, config={"write_empty_chunks": True},
                )  # fmt: skip
            images[number * len(frame) : (number + 1) * len(frame)] = frame


def framing_json(framing: Framing) -> Attributes:
    """A framing as JSON."""
    return {"centre": framing.centre.tolist(), "radius": framing.radius, "rotation": framing.rotation.tolist()}


def rig_json(rig: CameraRig) -> Attributes:
    """A rig as JSON."""
    return {"name": rig.name, "yaws_deg": rig.yaws_deg, "pitches_deg": rig.pitches_deg, "fov_deg": rig.fov_deg}


def read_rig_and_framing(source: Path, attributes: Attributes) -> tuple[CameraRig, Framing]:
    """What `rig_json` and `framing_json` wrote.

    Raises:
        MeshFormatError: something else stands there.
    """
    try:
        rig, framing = attributes["rig"], attributes["framing"]
        yaws, pitches = (tuple(float(angle) for angle in rig[key]) for key in ("yaws_deg", "pitches_deg"))
        cameras = CameraRig(str(rig["name"]), yaws, pitches, None if rig["fov_deg"] is None else float(rig["fov_deg"]))
        centre, rotation = np.array(framing["centre"], float), np.array(framing["rotation"], float)
        return cameras, Framing(centre.reshape(3), float(framing["radius"]), rotation.reshape(3, 3))
    except (KeyError, TypeError, ValueError) as error:
        raise MeshFormatError(source, "rig or framing", "those of a render", str(error)[:120]) from error


def _open_item(folder: Path, name: str) -> ViewItem:
    import zarr
    from zarr.errors import BaseZarrError
    from zarr.storage import LocalStore

    attributes = _attributes(folder)
    rig, framing = read_rig_and_framing(folder, attributes)
    bands = attributes.get("bands")
    _attributes(folder / IMAGES)
    try:
        images = zarr.open_array(LocalStore(folder, read_only=True), path=IMAGES, mode="r", zarr_format=3)
        shape, chunks = images.shape, images.chunks
    except (
        ValueError, TypeError, LookupError, AttributeError, OSError, RuntimeError, ArithmeticError, BaseZarrError,
    ) as error:  # fmt: skip
        raise MeshFormatError(folder, IMAGES, "Zarr 3 metadata", str(error)[:120]) from error
    if len(shape) != 4 or images.dtype != np.float32 or not isinstance(bands, list) or len(bands) != shape[3]:
        raise MeshFormatError(folder, IMAGES, "float32 pictures with a name per band", f"{images.dtype} {shape}")
    if chunks != (len(rig), *shape[1:]) or shape[0] % len(rig) or not shape[0]:
        raise MeshFormatError(folder, IMAGES, f"whole frames of {len(rig)} views", f"{shape} in chunks of {chunks}")
    files = [item for item in (folder / IMAGES).rglob("*") if item.is_file()]
    frames, stored = shape[0] // len(rig), sum(item.stat().st_size for item in files)
    if len(files) != frames + 1:
        raise MeshFormatError(folder, IMAGES, f"{frames} chunks", f"{len(files) - 1}")
    if math.prod(shape) * 4 > max(PLAIN_BYTES, MOST_RATIO * stored):
        raise MeshFormatError(folder, IMAGES, f"pictures that {stored} bytes can hold", f"shape {shape}")
    return ViewItem(name, folder, attributes, rig, framing, images)


def _attributes(folder: Path) -> Attributes:
    """The attributes in a folder's metadata; links and oversized files are refused before they are read."""
    path = folder / METADATA
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        raise MeshFormatError(folder, METADATA, "a file", "none, or a link")
    if path.stat().st_size > MAX_METADATA:
        raise MeshFormatError(folder, METADATA, f"at most {MAX_METADATA} bytes", "more")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MeshFormatError(folder, METADATA, "JSON", str(error)[:120]) from error
    found = content.get("attributes", {}) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise MeshFormatError(folder, METADATA, "a group with attributes", type(content).__name__)
    return found


def _write_group(folder: Path, attributes: Attributes) -> None:
    import zarr
    from zarr.storage import LocalStore

    zarr.create_group(LocalStore(folder), zarr_format=3, attributes=attributes)
