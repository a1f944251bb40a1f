"""Send what is due: claim a slice, look again whether each may go, hand over outside any transaction, record.

Read it from `send_lane` down. One thread, this one, has the database; others (hand_over.py) talk to the servers.
Who claims owns the rows until its lease runs out (claim.py); the journal knows what it did.
"""

import datetime as dt
import logging
import time
from collections import Counter
from typing import Any

from django.db import connection as database
from django.utils import timezone

from apps.channels.contract import BadSettings, Result, Session
from apps.channels.registry import UnknownProvider, provider
from apps.lib.crypto import Undecryptable
from apps.lib.queue.announce import announce, answer_all, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications import accounts_out, books, claim, key_refusals, limits, outcomes
from apps.notifications.hand_over import Connection, Line, work
from apps.notifications.journal import Journal
from apps.notifications.message import message_of
from apps.notifications.models import Notification, NotificationState

log = logging.getLogger("carillon.send")

SEND_TASK = "apps.notifications.send.send_lane"
WORK_SECONDS = 8.0  # a task works that long, then announces the next
PATIENCE = 3.0  # and waits that long for answers; whoever waits longer books its answer alone
FIRST_CLAIM, LARGEST_CLAIM = 100, 1000  # rows; then what goes out in AHEAD_SECONDS. A claim of 100 costs 49 µs a row
AHEAD_SECONDS = 1.0
STATE_SECONDS = 0.1  # pause and cancel are looked for this often
FRESH_SECONDS = 2.0  # consent of those who wait in this process, too
FLUSH_SECONDS = 0.5
WIDEN_SECONDS = 0.25  # more connections are opened this often, while this process mostly waits for answers
MOSTLY_WAITING = 0.6  # of one core's time
# A killed sender doubles a message for each of its connections. A site on SQLite is small and gives up some pace for
# less of that: with four, 10 kills doubled 12 mails.
MOST_CONNECTIONS = 2 if database.vendor == "sqlite" else 1000


def announce_senders(lane: Lane) -> None:
    """Wake the lane's senders: one call each for up to two of them; they keep themselves going."""
    for _ in range(2 if lane is Lane.BULK else 1):
        announce(SEND_TASK, lane=lane, name=lane.value)


def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake lanes that have due work and no call waiting, and close notifications that are through."""
    channels = accounts_out.open_channels(now=now)
    for lane in Lane:
        live = Notification.objects.filter(lane=lane.value, state=NotificationState.SENDING, wakes_at=None)
        if any(live.filter(claim.has_due(channel, now)).exists() for channel in channels) and waiting(lane) == 0:
            announce_senders(lane)
        through = live.alias(left=books.standing(*books.WAITING)).filter(left=0)
        books.finish_all_done(list(through.values_list("pk", flat=True)[:100]), now=now)


def send_lane(*, name: str, **_: object) -> None:
    """Task: send what is due in the lane for a few seconds; finding nothing is normal."""
    lane = Lane(name)
    until = time.monotonic() + WORK_SECONDS
    if lane is not Lane.BULK:  # there two are called, and both shall come
        answer_all(SEND_TASK, lane=lane)
    with Journal() as journal:
        while time.monotonic() < until:
            batch = claim.claim(lane, owner=journal.owner, size=FIRST_CLAIM)
            if batch is None:
                if limits.sleep_until_turn(until):
                    continue
                return
            _Shift(lane, batch, journal, until).run()
    if waiting(lane) == 0:  # a call that waits already goes on; more calls than work would keep other tasks waiting
        announce(SEND_TASK, lane=lane, name=name)


class _Shift:
    """One account at work: its rows are claimed ahead, handed over by its connections, and booked."""

    def __init__(self, lane: Lane, batch: claim.Batch, journal: Journal, until: float) -> None:
        """`until`: monotonic seconds; a slow server must not keep a task at work until the queue kills it."""
        self._lane, self._account, self._owner, self._until = lane, batch.account, journal.owner, until
        self._left = batch.rows
        self._settings: dict[str, Any] = {}
        self._line = Line(journal=journal, make=self._message, local=False)
        self._connections: list[Connection] = []
        self._most = 1
        self._began = self._flushed = self._looked = self._fresh = self._widened = self._claimed = time.monotonic()
        self._used = time.process_time()
        self._done = 0

    def _message(self, row: claim.Row) -> Any:
        row.account_id = self._account.pk
        return message_of(row, account=self._settings, now=timezone.now())

    def run(self) -> None:
        try:
            kind, self._settings = provider(self._account.provider), accounts_out.settings_in_use(self._account)
            self._line.local, self._most = kind.local, min(kind.connections(self._settings), MOST_CONNECTIONS)
            first = kind.open(self._settings)
        except Exception as error:  # a bug, too: it costs its account a pause, else the lane would end here each time
            told = isinstance(error, (BadSettings, UnknownProvider, Undecryptable))
            if not told:
                log.exception("%s can't be opened.", self._account)
            self._give_back(self._left)
            detail = str(error) if told else f"{type(error).__name__}: {error}"
            accounts_out.pause(self._account, detail=detail, now=timezone.now())
            return
        try:
            self._line.put(self._left)
            if kind.local:
                with first:
                    self._work_here(first)
            else:
                self._connections.append(Connection(self._line, first))
                self._work_apart()
        finally:
            self._line.close()
            self._wait_for_answers()
            self._book(last=True)
            self._give_back(self._line.withdraw())
        if self._line.fault:
            accounts_out.pause(self._account, detail=self._line.fault, now=timezone.now())
        if self._line.error:
            raise self._line.error

    def _work_here(self, session: Session[Any]) -> None:
        """Local hand-overs are transactions of our own: this thread makes them."""
        work(self._line, session)
        while self._line.open and time.monotonic() < self._until:
            self._book()
            if not self._claim_ahead():
                break
            work(self._line, session)

    def _work_apart(self) -> None:
        """Keep the line filled and the books true while the connections hand over."""
        while self._line.open and time.monotonic() < self._until:
            short = self._line.waiting() < self._ahead() // 2
            found = short and time.monotonic() >= self._claimed and self._claim_ahead()
            quiet = self._line.quiet()
            if quiet or time.monotonic() - self._flushed > FLUSH_SECONDS or self._line.full():
                self._book()
            if quiet and not found and not limits.sleep_until_turn(self._until):
                break
            self._look_again()
            self._widen()
            self._line.wait(STATE_SECONDS)

    def _ahead(self) -> int:
        """How many rows go out in AHEAD_SECONDS at the pace so far."""
        pace = self._done / max(time.monotonic() - self._began, 0.1)
        return int(min(max(pace * AHEAD_SECONDS, FIRST_CLAIM), LARGEST_CLAIM))

    def _claim_ahead(self) -> bool:
        batch = claim.claim(self._lane, owner=self._owner, size=self._ahead(), account=self._account)
        if batch is None:
            self._claimed = time.monotonic() + STATE_SECONDS  # the next one may be on its way: ask again, not at once
            return False
        self._line.put(batch.rows)
        return True

    def _look_again(self) -> None:
        """Are the notifications still on, and may those who wait here still be written to?"""
        now = time.monotonic()
        if now - self._looked > STATE_SECONDS:
            self._looked = now
            if stopped := claim.stopped(self._line.notifications()):
                self._give_back(self._line.withdraw(stopped))
        if now - self._fresh > FRESH_SECONDS:
            waiting = self._line.withdraw()
            wanted = claim.still_wanted(self._owner, waiting, now=timezone.now())
            self._line.put(wanted, first=True)
            kept = {row.pk for row in wanted}
            self._give_back_tokens([row for row in waiting if row.pk not in kept])
            self._fresh = time.monotonic()

    def _widen(self) -> None:
        """More connections while rows wait and this process mostly waits for answers."""
        now, used = time.monotonic(), time.process_time()
        if now - self._widened < WIDEN_SECONDS:
            return
        share = (used - self._used) / (now - self._widened)
        self._widened, self._used = now, used
        if share < MOSTLY_WAITING and self._line.waiting() and not self._line.crowded:
            kind, have = provider(self._account.provider), len(self._connections)
            for _ in range(min(have, self._most - have)):
                self._connections.append(Connection(self._line, kind.open(self._settings)))

    def _wait_for_answers(self) -> None:
        until = time.monotonic() + PATIENCE
        for connection in self._connections:
            connection.join(max(0.0, until - time.monotonic()))

    def _book(self, *, last: bool = False) -> None:
        self._flushed = time.monotonic()
        results = self._line.results(last=last)
        self._done += len(results)
        results = key_refusals.judged(self._account, results, now=timezone.now())
        outcomes.record(self._owner, results)
        if not results:
            return
        now = timezone.now()
        if until := accounts_out.note(self._account, [outcome for _, outcome in results], now=now):
            log.warning("%s is left alone until %s: %s", self._account, until, self._account.last_error)
            self._line.close()
        others = [(row.domain, outcome) for row, outcome in results if outcome.result is not Result.ACCEPTED]
        limits.heard(account=self._account, results=others, now=now)
        books.finish_all_done({row.notification.pk for row, _ in results} - self._line.waiting_of(), now=now)

    def _give_back(self, rows: list[claim.Row]) -> None:
        claim.release(self._owner, rows)
        self._give_back_tokens(rows)

    def _give_back_tokens(self, rows: list[claim.Row]) -> None:
        """Of rates and days, for what did not leave."""
        of = {row.notification.pk: row.notification for row in rows}
        for pk, count in Counter(row.notification.pk for row in rows).items():
            limits.give_back(notification=of[pk], account=self._account, count=count)
