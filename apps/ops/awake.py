"""What the processes of a program did: they ran, waited for a processor or a disk, or slept."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from apps.lib.processes.thread_times import Times, by_thread

WAITS_FOR_DISK = "D"


@dataclass(frozen=True, slots=True)
class Look:
    """A program at one moment; without threads when it is gone."""

    threads: Mapping[int, Times]
    on_disk: bool = False  # one of them waits for a disk just now


def look_at(main: int) -> Look:
    """Look at the process `main` and all below it.

    Where threads are not known one by one, the time that a process ran is that of its only one.
    """
    threads: dict[int, Times] = {}
    on_disk = False
    for process in _family(main):
        with suppress(psutil.Error):
            threads |= by_thread(process.pid) or {process.pid: _ran(process)}
            on_disk = on_disk or _waits_for_disk(process.pid)
    return Look(threads, on_disk)


def grown(before: Look, after: Look) -> Times:
    """What the busiest thread did between two looks.

    The busiest one, not the sum: work goes through a lane from process to process, and many that
    wake up for an instant to find nothing are not at work.
    """
    none = Times(0.0, 0.0)
    found = [
        Times(times.ran - then.ran, times.waited - then.waited)
        for thread, times in after.threads.items()
        for then in [before.threads.get(thread, none)]
    ]
    return max(found, key=lambda times: times.awake, default=none)


def _family(main: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        process = psutil.Process(main)
        yield from [process, *process.children(recursive=True)]


def _ran(process: psutil.Process) -> Times:
    user, system, *_ = process.cpu_times()
    return Times(user + system, 0.0)


def _waits_for_disk(pid: int) -> bool:
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError, IndexError):
            # the name before it is in brackets, and may have brackets of its own
            state = path.read_text().rpartition(")")[2].split()[0]
            if state == WAITS_FOR_DISK:
                return True
    return False
