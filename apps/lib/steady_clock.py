"""The time of day, held against what has passed since it was last asked for.

A wall clock may jump: a wrong time server, a machine that was moved, a hand that slipped. What
counts how long the machine has been on does not. Where the wall clock is suddenly ahead, the time
is what it was and what has passed since, so that nothing is due early and no lease reaches into
tomorrow. Where it stays ahead it is believed after a while; where it goes back, at once.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import Error as DatabaseError

from apps.lib.sql.database_clock import wall_of_database

log = logging.getLogger("carillon.clock")

TOLERANCE = 5.0  # seconds; a time server moves a clock by less at once
BELIEVED_AFTER = 60.0  # seconds that a clock has to stay ahead


def _uptime() -> float:
    """Seconds since the machine started, those in which it slept included, where it counts them."""
    with suppress(AttributeError):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()  # pragma: no cover  (not on Linux)


class SteadyClock:
    """One wall clock, judged."""

    def __init__(self, name: str, *, passed: Callable[[], float] = _uptime) -> None:
        self._name = name
        self._passed = passed
        self._last: tuple[float, float] | None = None  # (its moment, passed), both believed
        self._ahead_since: float | None = None

    @property
    def jumped(self) -> bool:
        """Whether the clock is ahead just now of what can be."""
        return self._ahead_since is not None

    def judge(self, moment: dt.datetime) -> dt.datetime:
        """The time, where the clock says `moment`."""
        said = moment.timestamp()
        passed = self._passed()
        if self._last is None:
            self._last = (said, passed)
            return moment
        expected = self._last[0] + passed - self._last[1]
        ahead = said - expected
        if ahead > TOLERANCE and not self._believed(ahead, passed):
            return dt.datetime.fromtimestamp(expected, dt.UTC)
        if self._ahead_since is not None:
            self._ahead_since = None
            log.warning("The clock of %s is believed again: %s.", self._name, moment)
        self._last = (said, passed)
        return moment

    def _believed(self, ahead: float, passed: float) -> bool:
        if self._ahead_since is None:
            self._ahead_since = passed
            log.error(
                "The clock of %s jumped ahead by %.0f s. Until it comes back, or stays there for"
                " %.0f s, what is due is judged by the time that passes. Look at its time server.",
                self._name,
                ahead,
                BELIEVED_AFTER,
            )
        return passed - self._ahead_since >= BELIEVED_AFTER


_own = SteadyClock("this machine")
_databases = SteadyClock("the database")


def now() -> dt.datetime:
    """The time by this machine's clock, judged."""
    return _own.judge(dt.datetime.now(dt.UTC))


def database_now() -> dt.datetime:
    """The time by the database's clock, judged: the one that all machines share. One statement of
    about 0.1 ms; on SQLite this machine's.
    """
    moment = wall_of_database()
    if moment is None:
        return now()
    return _databases.judge(moment)


def shared_now() -> dt.datetime:
    """The earlier of both: what is due by one clock alone is not due yet. By this machine's where
    the database does not answer.
    """
    own = now()
    try:
        return min(own, database_now())
    except DatabaseError:
        return own
