"""Writes that are whole or absent: a reader never sees half a file."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: str | PathLike[str], *, text: bool = False) -> Iterator[IO]:
    """Open a file for writing that takes the name `path` only when the block ends without an error.

    The bytes go to a temporary name in the same folder (a rename is atomic only within one file
    system). After an error the temporary file is gone and an older file called `path` is untouched.

    Args:
        path: the final name; its folder must exist.
        text: open for str in UTF-8 with plain line feeds, rather than for bytes.

    Raises:
        FileNotFoundError: when the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} in")
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") if text else temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | PathLike[str]) -> Iterator[Path]:
    """A new empty folder that takes the name `path` only when the block ends without an error.

    An older folder of that name is put aside first and deleted last: at no time does `path` name a mixture. After an
    error the new folder is gone and the older one is in its place.

    Args:
        path: the final name; the folder that it stands in must exist.

    Raises:
        FileNotFoundError: when there is no folder to put it in.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} in")
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    older = temporary.with_suffix(".old")
    try:
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.rename(older)
        temporary.rename(path)
    finally:
        if older.exists() and not path.exists():
            older.rename(path)
        for leftover in (temporary, older):
            shutil.rmtree(leftover, ignore_errors=True)
