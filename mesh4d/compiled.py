"""Compiled kernels: numba with a cache on disk where there is a place for one."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As `numba.njit(nogil=True, cache=True, **options)`, without the cache where numba finds no folder to write to.

    Numba refuses to define a cached function when neither the package's folder nor the user's cache can be written,
    as in a read-only container; compiling in every process then costs seconds, failing to import costs everything.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(function, nogil=True, cache=True, **options)
        except RuntimeError:
            return numba.njit(function, nogil=True, **options)

    return decorate
