"""How long the processes of a program wanted a processor: they ran, or waited for their turn."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

NANOSECONDS = 1e-9


def seconds_awake(main: int) -> dict[int, float]:
    """Seconds that the process `main` and all below it were awake since they began, by thread.

    Linux counts what a thread ran and what it waited for a processor
    (/proc/<pid>/task/<id>/schedstat). Elsewhere only the time that a process ran is known, and its
    threads are one. Empty where the process is gone.
    """
    found: dict[int, float] = {}
    with suppress(psutil.Error):
        process = psutil.Process(main)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                found |= _by_thread(each.pid) or {each.pid: sum(each.cpu_times()[:2])}
    return found


def longest_awake(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds by which the busiest thread grew between two answers of `seconds_awake`.

    The busiest one, not the sum: work goes through a lane from process to process, and many that
    wake up for an instant to find nothing are not at work.
    """
    return max(
        (seconds - before.get(thread, 0.0) for thread, seconds in after.items()), default=0.0
    )


def _by_thread(pid: int) -> dict[int, float]:
    found: dict[int, float] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):
            ran, waited, _ = path.read_text().split()
            found[int(path.parent.name)] = (int(ran) + int(waited)) * NANOSECONDS
    return found
