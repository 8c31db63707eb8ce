"""Items of work run once each, in one process or several, and go on after an interruption."""

import functools
import os
from pathlib import Path

import pytest

from mesh4d.errors import MeshError
from mesh4d.scale_out import run_items


def write(folder: Path, item: int) -> None:
    if item == 13:
        raise MeshError("item 13 cannot be made")
    (folder / str(item)).write_text(f"{item} by {os.getpid()}")


def runner(folder: Path, items: range, workers: int = 1) -> int:
    done = lambda item: (folder / str(item)).exists()  # noqa: E731
    return run_items(functools.partial(write, folder), items, is_done=done, workers=workers)


def test_items_run_once_and_only_those_that_are_open(tmp_path):
    assert runner(tmp_path, range(4)) == 4
    assert runner(tmp_path, range(6)) == 2
    assert runner(tmp_path, range(6)) == 0


def test_workers_are_other_processes(tmp_path):
    assert runner(tmp_path, range(5), workers=2) == 5
    pids = {path.read_text().split()[-1] for path in tmp_path.iterdir()}
    assert str(os.getpid()) not in pids and 1 <= len(pids) <= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_an_item_is_the_callers(tmp_path, workers):
    with pytest.raises(MeshError, match="item 13"):
        runner(tmp_path, range(12, 15), workers)
    assert not (tmp_path / "13").exists()


def test_impossible_numbers_of_workers_are_refused(tmp_path):
    with pytest.raises(MeshError, match="workers"):
        runner(tmp_path, range(3), 0)


def test_a_running_scheduler_is_used(tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="") as cluster:
        work = functools.partial(write, tmp_path)
        assert run_items(work, range(3), scheduler=cluster.scheduler_address) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
