"""Calling functions again and again, each at its own pace, none able to stop the others."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from apps.lib import steady_clock

log = logging.getLogger("carillon.every")

# A job that fails in the same way each second is told once a minute.
TELL_AGAIN_AFTER = 60.0


@dataclass(slots=True)
class Job:
    """Call of `call(now=...)` every `seconds`; the first time at once."""

    name: str
    call: Callable[..., object]
    seconds: float
    due: float = 0.0
    complaint: str = ""
    complained: float = 0.0

    def run(self, now: dt.datetime) -> None:
        """Call it once. An Exception is logged, a broken connection is closed, and the next time
        is another try.
        """
        try:
            close_old_connections()
            self.call(now=now)
        except Exception as error:  # noqa: BLE001  (one broken job must not stop the others)
            if isinstance(error, DatabaseError):
                connection.close()
            self._complain(error)
        else:
            if self.complaint:
                log.warning("%r works again.", self.name)
            self.complaint = ""

    def _complain(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        moment = time.monotonic()
        if text != self.complaint or moment - self.complained >= TELL_AGAIN_AFTER:
            log.error("%r failed: %s", self.name, text, exc_info=error)
            self.complaint = text
            self.complained = moment


def loop(
    jobs: Sequence[Job],
    *,
    stopped: Callable[[], bool],
    wait: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    moment: Callable[[], dt.datetime] = steady_clock.shared_now,
) -> None:
    """Run what is due until `stopped()`. `moment` gives the time of day, asked for once a round.

    A job that took longer than its pace is next due from its end, not twice.
    """
    while not stopped():
        due = [job for job in jobs if clock() >= job.due]
        now = None
        for job in due:
            if stopped():
                break
            now = now or moment()
            job.run(now)
            job.due = clock() + job.seconds
        if not stopped():
            wait(min(0.2, max(0.0, min(job.due for job in jobs) - clock())))
