"""Work on many items at once, results one after another in the items' order, few in memory.

Threads, not processes: compiled kernels, networks and file readers release the interpreter while they compute, nothing
is copied between workers, and there is no interpreter to start. For hours of work on many machines see `scale_out`.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mesh4d.errors import MeshError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2
"""Items per worker that are under way or wait to be taken; no more are begun."""


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    initialise: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """`map(work, items)` on several threads.

    Args:
        work: what it raises ends the iteration; let it return what is wrong with one item.
        items: taken only a few at a time, so an endless or lazy source is fine.
        workers: by default one per core that this process may use.
        initialise: called once in each thread.

    Raises:
        MeshError: fewer than one worker.
    """
    count = available_cores() if workers is None else workers
    if count < 1:
        raise MeshError(f"workers must be at least 1, found {count}")
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count, initializer=initialise)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
