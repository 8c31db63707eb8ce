"""Bytes from files that strangers made: present, of bounded size, and never outside their own folder."""

import gzip
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_write


class MissingFileError(MeshError, FileNotFoundError):
    """There is no file of that name."""


def expansion_limit(size: int) -> int:
    """Bytes that `size` bytes of file may grow to in memory; honest files stay far below, bombs far above."""
    return 64 * size + (64 << 20)


def existing_file(path: str | PathLike[str]) -> Path:
    """The path, when a file is there.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: a folder or a device is there.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path}: no such file")
    if not path.is_file():
        raise MeshFormatError(path, "path", "a file", "a folder" if path.is_dir() else "something else")
    return path


def read_bytes(path: str | PathLike[str]) -> bytes:
    """The content of a file; of a file called *.gz, what it decompresses to.

    Raises:
        MissingFileError: nothing is there.
        MeshFormatError: a broken gzip stream, or one that grows past `expansion_limit`.
    """
    path = existing_file(path)
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    limit = expansion_limit(path.stat().st_size)
    try:
        with gzip.open(path) as file:
            content = file.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MeshFormatError(path, "gzip stream", "valid compressed data", str(error)) from error
    if len(content) > limit:
        raise MeshFormatError(path, "gzip stream", f"at most {limit} bytes when decompressed", "more")
    return content


def read_buffer(path: str | PathLike[str]) -> memoryview:
    """As `read_bytes`, for binary files that are viewed as arrays: large ones are read several times faster.

    The bytes lie in an array of numpy, which asks the system for large pages; `bytes` get small ones, and most of
    the time of reading a large file goes into handing those out.
    """
    path = existing_file(path)
    if path.suffix.lower() == ".gz":
        return memoryview(read_bytes(path))
    with path.open("rb", buffering=0) as file:
        content = np.empty(path.stat().st_size, np.uint8)
        filled = 0
        while filled < len(content) and (count := file.readinto(content[filled:].data)):
            filled += count
    return content[:filled].data


def write_bytes(path: str | PathLike[str], content: bytes) -> None:
    """Write a file atomically; a file called *.gz is compressed (without a time stamp: same content, same bytes)."""
    path = Path(path)
    with atomic_write(path) as file:
        file.write(gzip.compress(content, 6, mtime=0) if path.suffix.lower() == ".gz" else content)


def bare_name(path: Path) -> str:
    """The file's name without its format suffix and without .gz: the stem of files written beside it."""
    return path.with_suffix("").stem if path.suffix.lower() == ".gz" else path.stem


def file_inside(folder: Path, name: str) -> Path | None:
    """The file that a mesh file in `folder` refers to as `name`, or None.

    A name that leaves the folder (absolute, `..`, a link outwards) never opens what it points at. As such
    names mostly come from the author's own disk, a file of the same last name in the folder stands in.
    """
    if "\0" in name:
        return None
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    for candidate in ("/".join(parts), parts[-1] if parts else ""):
        try:
            root = folder.resolve()
            target = (root / candidate).resolve()
            if candidate and target.is_relative_to(root) and target.is_file():
                return target
        except OSError:  # a name too long for the file system, a loop of links
            continue
    return None
