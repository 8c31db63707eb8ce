"""What every command of this project does around its work: print the result, or one line that says what is wrong."""

import json
import sys
from collections.abc import Callable, Mapping

from mesh4d.errors import MeshError


def run_command(work: Callable[[], Mapping[str, object]], *, as_json: bool) -> None:
    """Run `work`; print its result for a person or a machine; end with exit code 2 on a user's error.

    A value under the key "table" is printed as it is; one under "details" is for machines alone.
    """
    try:
        result = work()
    except (MeshError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - this is what commands print with
        raise SystemExit(2) from error
    if as_json:
        print(json.dumps(result, default=str))  # noqa: T201
        return
    for name, value in result.items():
        if name == "details":
            continue
        print(value if name == "table" else f"{name}: {value}")  # noqa: T201
