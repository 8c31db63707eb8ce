"""Best-of-n timing and a plain table, shared by all benchmarks."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """One row: what was timed, and the best time of several."""

    name: str
    seconds: float
    note: str = ""


def best_of(
    name: str, work: Callable[[], object], repeats: int = 7, note: Callable[[object], str] = lambda _: ""
) -> Timing:
    """Run once to warm caches and compilers, then `repeats` times; keep the fastest.

    The fastest is what the code needs; everything above it is what else the machine did.
    """
    result = work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return Timing(name, min(times), note(result))


def table(title: str, rows: list[Timing], ours: str) -> str:
    """A Markdown table; the third column is the time of the row called `ours` as a part of each row's time."""
    base = next(row.seconds for row in rows if row.name == ours)
    lines = [f"\n### {title}\n", f"| what | ms | {ours} / this | |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.name} | {1e3 * row.seconds:.1f} | {base / row.seconds:.2f} | {row.note} |" for row in rows]
    return "\n".join(lines)
