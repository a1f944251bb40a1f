"""How long tests wait for what must happen. A wait that succeeds early costs nothing, so its end is far away.

No test may depend on how fast the machine is. It waits for a state (`until`, or an event with PATIENCE), passes the
time in, or counts rounds. What must last longer than something else is held by an event, never by a pause.
"""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 300.0  # seconds; the whole suite shares a third of a core now and then
FOREVER = 3600  # seconds, for what must not end by itself while a test looks


def until(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`. Raises AssertionError when it stays false."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"Not within {PATIENCE:g} s: {what}")


class Clock:
    """Stands in for the module `time`: `monotonic` goes on as usual, and jumps by what a test adds to `ahead`."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
