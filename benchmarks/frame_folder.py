"""A folder of 100 VRML frames read ahead by one thread and by one per core, beside a plain loop.

One hundred different files, each as large as a frame of a 4D scan. The ideal is the time of the faster single thread
divided by the threads; the note says how much of it is reached, and how much hashing (which never waits for Python)
reaches in as many threads at the same time: on a machine with other work the cores are not all free.
"""

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.read_meshes import grid_head
from benchmarks.timing import Timing, best_of, table
from mesh4d.io import FrameFolder, read_mesh, write_frames

FRAMES = 100
BLOCK = bytes(16 << 20)


def write_folder(folder: Path) -> FrameFolder:
    """The frames: one head that breathes."""
    head = grid_head()
    steps = [1 + 0.0001 * number for number in range(FRAMES)]
    return write_frames([head.with_vertices((head.vertices * step).round(6)) for step in steps], folder, suffix=".wrl")


def hashing_gain(workers: int) -> float:
    """How much faster `workers` threads hash than one."""

    def work(threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: hashlib.sha256(BLOCK).digest(), range(2 * workers)))

    one, many = (best_of("", lambda threads=threads: work(threads), repeats=3).seconds for threads in (1, workers))
    return one / many


def main() -> None:
    """Print the table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        frames = write_folder(Path(name))
        loop = best_of("loop", lambda: [read_mesh(path).n_faces for path in frames.paths], repeats=5)
        rows = [loop]
        for workers in sorted({1, 2, cores}):
            work = best_of(
                "", lambda workers=workers: [mesh.n_faces for mesh in frames.prefetch(workers, 2 * workers)], repeats=5
            )
            single = min(row.seconds for row in rows[:2]) if workers > 1 else loop.seconds
            gain = single / work.seconds
            free = hashing_gain(workers)
            note = f"{gain:.2f} x faster (hashing {free:.2f} x), {gain / min(workers, cores):.2f} of the ideal"
            rows.append(Timing(f"prefetch, {workers} thread{'s' * (workers > 1)}", work.seconds, note))
    print(table(f"{FRAMES} frames .wrl, {cores} cores", rows, "loop"))


if __name__ == "__main__":
    main()
