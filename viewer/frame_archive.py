"""Frames that come as one archive, .zip or .tar: unpacked under bounds on what an archive may claim and do.

Nothing is believed that the archive says of itself: sizes are counted as bytes arrive, names are only read for their
last part and their suffix, and whatever is no plain file is passed over or refused.
"""

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from mesh4d.errors import MeshFormatError
from mesh4d.io.registry import FORMATS, format_suffix

ARCHIVE_SUFFIXES = (".zip", ".tar")
MOST_FILES = 20_000
MOST_BYTES = 4 << 30
"""Unpacked, all files together."""
MOST_FILE_BYTES = 512 << 20
BLOCK = 1 << 20


@runtime_checkable
class Stream(Protocol):
    """What an archive gives of a member: bytes, some at a time."""

    def read(self, size: int, /) -> bytes: ...


_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
    """Write the mesh and sequence files of an archive into an empty folder, flat.

    Raises:
        MeshFormatError: for a broken or encrypted archive, links, two files of one name, or more than the bounds.
    """
    budget = most_bytes
    seen = 0
    try:
        for name, stream in _members(archive):
            seen += 1
            if seen > most_files:
                raise MeshFormatError(archive, "archive", f"at most {most_files} files", "more")
            target = folder / _plain_name(name)
            if format_suffix(target) not in FORMATS or target.name.startswith("."):
                continue
            if target.exists():
                raise MeshFormatError(archive, target.name, "one file of this name", "two")
            budget -= _copied(archive, stream, target, min(budget, MOST_FILE_BYTES))
    except _BROKEN as error:
        raise MeshFormatError(archive, "archive", "an intact .zip or .tar without encryption", str(error)) from error


def _members(archive: Path) -> Iterator[tuple[str, "Stream"]]:
    if format_suffix(archive) == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    with packed.open(entry) as stream:
                        yield entry.filename, stream
        return
    with tarfile.open(archive, "r:") as packed:  # uncompressed only: what a page sends
        yield from _files_of(archive, packed)


def _files_of(archive: Path, packed: Iterable[tarfile.TarInfo]) -> Iterator[tuple[str, "Stream"]]:
    for entry in packed:
        if entry.isdir():
            continue
        stream = packed.extractfile(entry) if isinstance(packed, tarfile.TarFile) and entry.isreg() else None
        if stream is None:
            raise MeshFormatError(archive, "archive", "plain files", f"{entry.name[:80]!r}, which is none")
        with stream:
            yield entry.name, stream


def _plain_name(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", last, flags=re.ASCII)[-120:] or "_"


def _copied(archive: Path, stream: "Stream", target: Path, limit: int) -> int:
    size = 0
    with target.open("xb") as file:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > limit:
                with suppress(OSError):
                    target.unlink()
                raise MeshFormatError(archive, target.name, f"at most {limit} bytes left to unpack", "more")
            file.write(block)
    return size
