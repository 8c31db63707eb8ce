"""Reads data_specs: the facts about action units, labels, cameras, prompts and splits that all layers share."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from mesh4d.errors import SpecError


def specs_folder() -> Path:
    """The folder data_specs: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "data_specs", here.parent / "data_specs"):
        if folder.is_dir():
            return folder
    raise SpecError(f"data_specs not found beside {here}; reinstall facet4d")


@cache
def load_toml(name: str) -> dict[str, Any]:
    """The table in data_specs/NAME.toml."""
    path = specs_folder() / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such specification") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: {error}") from error


@cache
def load_split(name: str) -> dict[str, tuple[int | str, ...]]:
    """The split data_specs/splits/NAME.json as part -> subject ids, after proving that no subject stands twice.

    Raises:
        SplitError: when a subject is in two parts.
    """
    from mesh4d.datasets.splits import prove_disjoint

    path = specs_folder() / "splits" / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such split") from error
    parts = {part: tuple(subjects) for part, subjects in content["parts"].items()}
    prove_disjoint(parts)
    return parts
