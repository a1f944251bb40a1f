"""How long tests wait for what must happen.

A wait that succeeds early costs nothing, so its end is far away.

No test may depend on how fast the machine is. It waits for a state (`until`, or an event with
PATIENCE), passes the time in, or counts rounds. What must last longer than something else is held
by an event, never by a pause.
"""

import json
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 300.0  # seconds; the whole suite shares a third of a core now and then
FOREVER = 3600  # seconds, for what must not end by itself while a test looks


def until(
    condition: Callable[[], Any], what: str, *, progress: Callable[[], Any] = lambda: None
) -> Any:
    """Give the first true value of `condition`. Raises AssertionError when it stays false.

    While `progress` gives other answers than before, something moves, and the patience begins anew.
    """
    moved = progress()
    began = time.monotonic()
    deadline = began + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        if (now := progress()) != moved:
            moved = now
            deadline = time.monotonic() + PATIENCE
        waited = time.monotonic() - began
        time.sleep(min(max(waited / 20, 0.01), 0.2))  # what takes long is asked for less often
    raise AssertionError(f"Not within {PATIENCE:g} s: {what}")


# ---- how fast the machine is, where a time has to run out or a cost is bounded
WORK_TAKES = 0.02  # seconds, on the machine on which the bounds were chosen


def _work() -> None:
    for number in range(1300):
        json.loads(json.dumps({str(n): [n] for n in range(number % 50)}))


def shortly() -> float:
    """Give seconds in which nothing should happen, but whatever is on its way arrives:
    a second, here and now.

    For time-outs that have to run out. Measured at each call,
    because others may use the machine too.
    """
    began = time.monotonic()
    _work()
    return max(1.0, (time.monotonic() - began) / WORK_TAKES)


def a_second() -> float:
    """Give seconds of processor time for what takes a second where the bounds were chosen."""
    began = time.thread_time()
    _work()
    return max(1.0, (time.thread_time() - began) / WORK_TAKES)


class Clock:
    """Stands in for the module `time`: `monotonic` goes on as usual,
    and jumps by what a test adds to `ahead`.
    """

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
