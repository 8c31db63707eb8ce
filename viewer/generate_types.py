"""Writes client/src/messages.ts from the dataclasses in messages.py: `python -m viewer.generate_types`."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path

from viewer.messages import MESSAGES

TYPES_FILE = Path(__file__).parent / "client" / "src" / "messages.ts"
_HEADER = "// Generated from viewer/messages.py by `python -m viewer.generate_types`; do not edit.\n"
_SCALARS = {str: "string", float: "number", int: "number", bool: "boolean", types.NoneType: "null"}


def typescript() -> str:
    """The content of messages.ts: one interface per dataclass, all members read-only."""
    return _HEADER + "".join(f"\n{_interface(message)}" for message in MESSAGES)


def _interface(message: type) -> str:
    lines = [f"/** {_summary(message)} */", f"export interface {message.__name__} {{"]
    hints = typing.get_type_hints(message)
    lines += [f"  readonly {item.name}: {_type_name(hints[item.name])};" for item in dataclasses.fields(message)]
    return "\n".join([*lines, "}", ""])


def _summary(message: type) -> str:
    return (inspect.getdoc(message) or "").partition("\n")[0]


def _type_name(hint: object) -> str:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint.__name__
    if isinstance(hint, type) and hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        inner = _type_name(arguments[0])
        return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
    if origin is Mapping and arguments[0] is str:
        return f"Readonly<Record<string, {_type_name(arguments[1])}>>"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type_name(argument) for argument in arguments)
    if origin is typing.Literal:
        return " | ".join(f'"{argument}"' for argument in arguments)
    raise TypeError(f"no TypeScript counterpart for {hint!r}; extend viewer/generate_types.py")


def main() -> None:
    """Write the file in place."""
    TYPES_FILE.write_text(typescript(), encoding="utf-8")


if __name__ == "__main__":
    main()
