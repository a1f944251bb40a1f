"""Calling functions again and again, each at its own pace, none able to stop the others."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from apps.lib import steady_clock
from apps.lib.sql.any_rows import AnyRows, Rows

Call = TypeVar("Call", bound=Callable[..., object])
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

    @property
    def rows(self) -> Rows | None:
        """Rows without which there is nothing to do, if that was said (`only_with`)."""
        return getattr(self.call, "rows", None)

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


def only_with(rows: Rows) -> Callable[[Call], Call]:
    """Mark a schedule: it need not be called while there are none of the rows that this function
    of the moment gives. The tick asks for those of all schedules in one statement.
    """

    def mark(call: Call) -> Call:
        call.rows = rows  # type: ignore[attr-defined]  # functions take any
        return call

    return mark


def _idle(due: Sequence[Job], questions: AnyRows, now: dt.datetime) -> set[str]:
    """Name the jobs that have nothing to do; none where the database does not answer: each job
    meets that by itself, and says so.
    """
    asked = {job.name for job in due if job.rows}
    try:
        close_old_connections()
        return asked - questions.among(asked, now=now)
    except DatabaseError:
        connection.close()
        return set()


def loop(
    jobs: Sequence[Job],
    *,
    stopped: Callable[[], bool],
    wait: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    moment: Callable[[], dt.datetime] = steady_clock.shared_now,
) -> None:
    """Run what is due until `stopped()`. `moment` gives the time of day, asked for once a round.

    A job is due at the multiples of its pace, so that those of one pace share a round, its time and
    the statement that asks for their rows. One that took longer than its pace is not run twice.
    """
    questions = AnyRows({job.name: job.rows for job in jobs if job.rows})
    while not stopped():
        due = [job for job in jobs if clock() >= job.due]
        if due:
            now = moment()
            idle = _idle(due, questions, now)
        for job in due:
            if stopped():
                break
            if job.name not in idle:
                job.run(now)
            job.due = (clock() // job.seconds + 1) * job.seconds
        if not stopped():
            wait(min(0.2, max(0.0, min(job.due for job in jobs) - clock())))
