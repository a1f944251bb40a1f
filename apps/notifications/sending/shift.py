"""One account at work: its rows are handed over by its connections, and booked."""

import logging
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, NamedTuple

from django.db import connection as database

from apps.channels.contract import Result
from apps.channels.registry import provider
from apps.lib import steady_clock
from apps.lib.processes import thread_times
from apps.notifications.accounts import health, routing
from apps.notifications.books import tallies
from apps.notifications.limits import domains, grant
from apps.notifications.messages.message import message_of
from apps.notifications.messages.row import Row
from apps.notifications.models import ProviderAccount
from apps.notifications.safety import brake
from apps.notifications.sending import held, key_refusals, outcomes
from apps.notifications.sending.journal import Journal
from apps.notifications.sending.line import Connection, Line, work

log = logging.getLogger("carillon.send")
# how long the end waits for answers; a connection that waits longer books its answer alone
PATIENCE = 3.0
# rows of a first claim; later ones take what goes out in AHEAD_SECONDS
FIRST_CLAIM = 100
LARGEST_CLAIM = 1000
AHEAD_SECONDS = 1.0
FRESH_SECONDS = 2.0  # then consent of those who wait in this process is asked again
FLUSH_SECONDS = 0.5
# what a message says of the time may be so old: to judge the clock for each takes a twentieth of
# its making
CLOCK_SECONDS = 0.1
# more connections are opened this often, while this process mostly waits for answers
WIDEN_SECONDS = 0.25
MOSTLY_WAITING = 0.6  # of one core's time, at work or in wait for the core
# A killed sender doubles a message for each of its connections. A site on SQLite is small and gives
# up some pace for less of that.
if database.vendor == "sqlite":
    MOST_CONNECTIONS = 2
else:
    MOST_CONNECTIONS = 1000


class LastShift(NamedTuple):
    """What the next shift of an account begins by. A task takes some seconds, and a server that was
    far away then still is.
    """

    # half of them are opened at once, so that those which a near server does not need are soon gone
    connections: int = 0
    pace: float = 0.0  # messages a second


last_shifts: dict[int, LastShift] = {}  # in this process, by the account's primary key


class Shift:
    """One account at work: its rows are handed over by its connections, and booked."""

    def __init__(self, account: ProviderAccount, journal: Journal, news: threading.Event) -> None:
        """Open the first connection. Raises BadSettings, UnknownProvider, Undecryptable, and what a
        provider with a bug does.
        """
        self._account = account
        self.edition = (account.pk, account.revision)  # of the settings it works by
        self._owner = journal.owner
        self._kind = provider(account.provider)
        self._settings = routing.settings_in_use(account)
        self._line = Line(
            account=account.pk,
            journal=journal,
            make=self._message,
            local=self._kind.local,
            news=news,
        )
        self._most = min(self._kind.connections(self._settings), MOST_CONNECTIONS)
        last = last_shifts.get(account.pk, LastShift())
        self._at_once = last.connections // 2
        self._pace_before = last.pace
        self._connections: list[Connection] = []
        self._began = self._flushed = self._fresh = self._widened = time.monotonic()
        self._used = thread_times.awake_here()
        self._judged = self._began  # the clock, for what messages say of the time
        self._now = steady_clock.now()
        self._closed: float | None = None
        self._done = 0
        first = self._kind.open(self._settings)
        self._here = ExitStack()
        if self._kind.local:
            self._session = self._here.enter_context(first)
        else:
            self._connections.append(Connection(self._line, first))

    def _message(self, row: Row) -> Any:
        passed = time.monotonic()
        if passed - self._judged > CLOCK_SECONDS:
            self._judged = passed
            self._now = steady_clock.now()
        return message_of(
            row,
            account=self._settings,
            now=self._now,
            lines=self._kind.takes_lines,
        )

    # ---- what waits here
    def room(self) -> int:
        """How many more rows the shift can use: none, or what goes out in AHEAD_SECONDS at the pace
        so far, in the beginning at that of the account's last shift.
        """
        pace = self._pace()
        if time.monotonic() - self._began < AHEAD_SECONDS:
            pace = max(pace, self._pace_before)
        most = LARGEST_CLAIM
        if self._kind.local:
            most = FIRST_CLAIM  # work of this thread keeps all others waiting
        ahead = int(min(max(pace * AHEAD_SECONDS, FIRST_CLAIM), most))
        if self._line.open and self._line.waiting() < ahead // 2:
            return ahead
        return 0

    def _pace(self) -> float:
        return self._done / max(time.monotonic() - self._began, 0.1)

    def put(self, rows: list[Row]) -> None:
        """Add claimed rows."""
        self._line.put(rows)

    def quiet(self) -> bool:
        """Whether nothing is in hand or to be booked, and the connections wait for more."""
        return self._line.open and self._line.quiet() and self._line.booked()

    def notifications(self) -> set[int]:
        """The notifications of the rows that wait here."""
        return self._line.notifications()

    def withdraw(self, notifications: set[int]) -> None:
        """Give back what waits here of these notifications."""
        give_back(self._owner, self._account, self._line.withdraw(notifications))

    # ---- work
    def go_on(self) -> bool:
        """Keep the books true, and the rows fresh, while the connections hand over.

        True where something was booked.
        """
        booked = 0
        if self._kind.local and self._line.waiting():
            work(self._line, self._session)  # transactions of our own: this thread makes them
        late = time.monotonic() - self._flushed > FLUSH_SECONDS
        if late or self._line.quiet() or self._line.full():
            booked = self._book()
        if time.monotonic() - self._fresh > FRESH_SECONDS:
            self._refresh()
        self._widen()
        return booked > 0

    def _refresh(self) -> None:
        """Ask again whether those who wait here may be written to."""
        waiting = self._line.withdraw()
        wanted = held.still_wanted(self._owner, waiting, now=steady_clock.now())
        self._line.put(wanted, first=True)
        kept = {row.pk for row in wanted}
        _return_tokens(self._account, [row for row in waiting if row.pk not in kept])
        self._fresh = time.monotonic()

    def _widen(self) -> None:
        """Open more connections while rows wait and this process mostly waits for answers."""
        now = time.monotonic()
        if waiting := self._at_once and self._line.waiting():
            self._open_more(min(self._at_once - 1, waiting))
            self._at_once = 0
        if now - self._widened < WIDEN_SECONDS:
            return
        # on a busy machine a thread gets the processor late: the server has not kept it waiting
        used = thread_times.awake_here()
        share = (used - self._used) / (now - self._widened)
        self._widened = now
        self._used = used
        line = self._line
        if share >= MOSTLY_WAITING or line.crowded or not (line.open and line.waiting()):
            return
        self._open_more(len(self._connections))

    def _open_more(self, count: int) -> None:
        """Open so many more connections, as far as the account allows them."""
        room = self._most - len(self._connections)
        try:
            for _ in range(min(count, room)):
                session = self._kind.open(self._settings)
                self._connections.append(Connection(self._line, session))
        except Exception:
            # a bug, or no more threads: the other accounts have nothing to do with it
            self._most = len(self._connections)
            log.exception("%s gets no more than %d connections.", self._account, self._most)

    def _book(self, *, last: bool = False) -> int:
        """Book what has ended; how many results there were."""
        self._flushed = time.monotonic()
        results = self._line.results(last=last)
        self._done += len(results)
        results, heard = key_refusals.judged(self._account, results, now=steady_clock.now())
        outcomes.record(self._owner, results)
        if not results:
            return 0
        now = steady_clock.now()
        if until := health.note(self._account, heard, now=now):
            said = self._account.last_error
            log.warning("%s is left alone until %s: %s", self._account, until, said)
            self._line.close()
        others = [each for each in results if each[1].result is not Result.ACCEPTED]
        said_by = ((row.domain, outcome) for row, outcome in others)
        refused = [row for row, outcome in others if outcome.result in brake.REFUSALS]
        brake.look({row.notification.pk for row in refused}, now=now)
        domains.heard(account=self._account, results=said_by, now=now)
        booked = {row.notification.pk for row, _ in results}
        tallies.finish_all_done(booked - self._line.notifications(), now=now)
        return len(results)

    # ---- the end
    def stop(self) -> None:
        """Hand no more over, and give back what waits; what is in hand still ends."""
        self._line.close()
        give_back(self._owner, self._account, self._line.withdraw())

    def close(self) -> None:
        """Hand no more over; what is in hand still ends."""
        self._line.close()

    def over(self) -> bool:
        """Whether the account can't go on and its connections have ended, or had their time to."""
        if self._line.open:
            return False
        self._closed = self._closed or time.monotonic()
        late = time.monotonic() - self._closed > PATIENCE
        return late or not any(connection.is_alive() for connection in self._connections)

    def end(self, *, until: float) -> list[BaseException]:
        """Wait for answers until then (monotonic), book them, and give the rest back. Returns what
        keeps this process from going on.
        """
        self._line.close()
        for connection in self._connections:
            connection.join(max(0.0, until - time.monotonic()))
        self._here.close()
        self._book(last=True)
        give_back(self._owner, self._account, self._line.withdraw())
        last_shifts[self._account.pk] = LastShift(self._line.connections(), self._pace())
        if self._line.fault:
            health.pause(self._account, detail=self._line.fault, now=steady_clock.now())
        if self._line.error:
            return [self._line.error]
        return []


def give_back(owner: str, account: ProviderAccount, rows: list[Row]) -> None:
    """Give back rows that were not handed over, with their tokens."""
    held.release(owner, rows)
    _return_tokens(account, rows)


def _return_tokens(account: ProviderAccount, rows: list[Row]) -> None:
    """Give back the tokens of rates and days for what did not leave."""
    of = {row.notification.pk: row.notification for row in rows}
    for pk, count in Counter(row.notification.pk for row in rows).items():
        grant.give_back(notification=of[pk], account=account, count=count)
