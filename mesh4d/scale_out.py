"""Independent items of work: in this process, on this machine's cores, or on a dask cluster; resumable after a kill.

Each item writes its own files, the one that `is_done` looks for last and atomically, and depends on nothing but the
item: so a run that was cut off goes on where it stood, and however many workers there are, the bytes are the same.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from mesh4d.errors import MeshError

Item = TypeVar("Item")
ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Workers share the cores: each computes with one thread."""


def run_items(
    work: Callable[[Item], object],
    items: Sequence[Item],
    *,
    is_done: Callable[[Item], bool] = lambda item: False,
    workers: int = 1,
    scheduler: str | None = None,
    label: str = "",
) -> int:
    """Call `work` on every item that is not done yet; how many that were.

    Args:
        work: picklable (a module's function, or a partial of one) where there are workers.
        items: each is given to one call; picklable where there are workers.
        is_done: whether an earlier run has finished an item; asked here, not on the workers.
        workers: processes on this machine; 1 works in this process. Scripts that ask for more need
            `if __name__ == "__main__":`.
        scheduler: address of a dask scheduler, such as tcp://host:8786, whose workers see the same folders; `workers`
            is then not looked at.
        label: for the progress bar, which shows on a terminal when the work takes longer than two seconds.

    Raises:
        MeshError: fewer than one worker, or a scheduler that does not answer.
        Exception: what `work` raised first; items that were not reached stay undone.
    """
    if workers < 1:
        raise MeshError(f"workers must be at least 1, found {workers}")
    open_items = [item for item in items if not is_done(item)]
    with tqdm(total=len(items), initial=len(items) - len(open_items), desc=label, delay=2, disable=None) as bar:
        for _ in _finished(work, open_items, workers, scheduler):
            bar.update()
    return len(open_items)


def _finished(
    work: Callable[[Item], object], items: Sequence[Item], workers: int, scheduler: str | None
) -> Iterator[object]:
    """One element each time an item is finished."""
    if scheduler is None and min(workers, len(items)) <= 1:
        yield from map(work, items)
        return
    from distributed import Client, LocalCluster, as_completed

    with contextlib.ExitStack() as stack:
        if scheduler is None:
            size = min(workers, len(items))
            local = LocalCluster(n_workers=size, threads_per_worker=1, dashboard_address="", env=ONE_THREAD)
            address: object = stack.enter_context(local)
        else:
            address = scheduler
        try:
            client = stack.enter_context(Client(address, timeout=20))
        except OSError as error:
            raise MeshError(f"scheduler {scheduler}: expected a dask scheduler there, found none ({error})") from error
        futures: Iterable = client.map(work, items, pure=False)
        for future in as_completed(futures):
            yield future.result()
