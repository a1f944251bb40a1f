"""What the threads of a process did: they ran, waited for a processor, or slept.

Linux counts both (/proc/<pid>/task/<id>/schedstat); elsewhere nothing is known of single threads.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NANOSECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: of a thread since it began, or between two looks."""

    ran: float
    waited: float  # for a processor

    @property
    def awake(self) -> float:
        return self.ran + self.waited


def by_thread(pid: int) -> dict[int, Times]:
    """The times of each thread of the process, by its id; none where they are not known."""
    found: dict[int, Times] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):
            ran, waited, _ = path.read_text().split()
            times = Times(int(ran) * NANOSECONDS, int(waited) * NANOSECONDS)
            found[int(path.parent.name)] = times
    return found


def awake_here() -> float:
    """Seconds that this process ran and that its threads waited for a processor: what is not among
    them it slept.
    """
    waited = sum(times.waited for times in by_thread(os.getpid()).values())
    return time.process_time() + waited
