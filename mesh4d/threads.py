"""Work on several threads: how many there may be, all items at once, and many items with few in memory.

Threads, not processes: compiled kernels, networks and file readers release the interpreter while they compute, nothing
is copied between workers, and there is no interpreter to start. For hours of work on many machines see `scale_out`.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mesh4d.errors import MeshError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2
"""Items per worker that are under way or wait to be taken; no more are begun."""
_here = threading.local()


def thread_count() -> int:
    """Threads that work begun here may use.

    One inside a worker of `in_order`, which share the cores already; else NUMBA_NUM_THREADS or OMP_NUM_THREADS, which
    task schedulers set to 1 in their workers; else the cores that this process may use.
    """
    if getattr(_here, "is_worker", False):
        return 1
    for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return available_cores()


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def at_once(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """The results of all items, in order. A pool per call (0.1 ms) survives fork; a compiled thread team would not."""
    if workers == 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(work, items))


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    initialise: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """`map(work, items)` on several threads, results one after another in the items' order.

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

    def begin() -> None:
        _here.is_worker = True
        if initialise is not None:
            initialise()

    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count, initializer=begin)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
