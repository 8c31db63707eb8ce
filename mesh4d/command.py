"""What every command of this project does around its work: print the result, or one line that says what is wrong."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from mesh4d.errors import MeshError

CLOSED_PIPE = 141
"""Exit code of a program whose reader left, as shells have it: 128 + SIGPIPE."""


def run_command(work: Callable[[], Mapping[str, object]], *, as_json: bool) -> None:
    """Run `work`; print its result for a person or a machine; end with exit code 2 on a user's error.

    A value under the key "table" is printed as it is; one under "details" is for machines alone.
    """
    try:
        result = work()
    except (MeshError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is what commands print with
        raise SystemExit(2) from error
    with reader_may_leave():
        _show(result, as_json=as_json)


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Where what is printed goes to a pipe that closes early (`| head`), end quietly instead of with a traceback."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the interpreter's end
        raise SystemExit(CLOSED_PIPE) from None


def _show(result: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, default=str))  # noqa: T201
        return
    for name, value in result.items():
        if name == "details":
            continue
        print(value if name == "table" else f"{name}: {value}")  # noqa: T201
