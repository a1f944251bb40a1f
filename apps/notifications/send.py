"""Send what is due: claim a slice, look again whether each may go, hand over outside any transaction, record.

Read it from `send_lane` down. One thread, this one, has the database; others (hand_over.py) talk to the servers.
Who claims owns the rows until its lease runs out (claim.py); the journal knows what it did.
"""

import datetime as dt
import logging
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from django.db import connection as database
from django.utils import timezone

from apps.channels.contract import BadSettings, Result
from apps.channels.registry import UnknownProvider, provider
from apps.lib.crypto import Undecryptable
from apps.lib.queue.announce import announce, answer_all, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications import accounts_out, books, claim, key_refusals, limits, outcomes
from apps.notifications.hand_over import Connection, Line, work
from apps.notifications.journal import Journal
from apps.notifications.message import message_of
from apps.notifications.models import Notification, NotificationState, ProviderAccount

log = logging.getLogger("carillon.send")

SEND_TASK = "apps.notifications.send.send_lane"
WORK_SECONDS = 8.0  # a task works that long, then announces the next
PATIENCE = 3.0  # and waits that long for answers; whoever waits longer books its answer alone
FIRST_CLAIM, LARGEST_CLAIM = 100, 1000  # rows; then what goes out in AHEAD_SECONDS. A claim of 100 costs 49 µs a row
AHEAD_SECONDS = 1.0
STATE_SECONDS = 0.1  # pause and cancel are looked for this often, and so is work where all that was due is in hand
OTHERS_SECONDS = 0.5  # while there is more than enough for the accounts at work: how often the others are thought of
# Where messages come one by one, a sender that has found some again and again stays for the next ones: another task
# and another connection for each would cost more than they do.
LINGER_SECONDS = 0.3
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
    for lane in Lane:
        reach = accounts_out.reach(now=now, lane=lane.value)
        if claim.places(lane, reach, now=now, most=1) and waiting(lane) == 0:
            announce_senders(lane)
    live = Notification.objects.filter(state=NotificationState.SENDING, wakes_at=None)
    through = live.alias(left=books.standing(*books.WAITING)).filter(left=0)
    books.finish_all_done(list(through.values_list("pk", flat=True)[:400]), now=now)


def send_lane(*, name: str, **_: object) -> None:
    """Task: send what is due in the lane for a few seconds; finding nothing is normal."""
    lane = Lane(name)
    if lane is not Lane.BULK:  # there two are called, and both shall come
        answer_all(SEND_TASK, lane=lane)
    with Journal() as journal:
        through = _Sender(lane, journal).run()
    if not through and waiting(lane) == 0:  # a call that waits already goes on; more would keep other tasks waiting
        announce(SEND_TASK, lane=lane, name=name)


class _Sender:
    """The thread with the database: it claims for all accounts of a lane, and each has its shift meanwhile.

    Side by side, because a code by SMS must not wait until the e-mails before it are gone.
    """

    def __init__(self, lane: Lane, journal: Journal) -> None:
        self._lane, self._journal = lane, journal
        self._shifts: dict[int, _Shift] = {}  # by account
        self._leaving: list[_Shift] | None = None  # who was at work when the time was over
        self._news = threading.Event()
        self._errors: list[BaseException] = []
        self._looked = self._again = self._others = time.monotonic()
        self._found: float | None = None  # when a claim has last found rows
        self._all_in_hand = self._trickles = False

    def run(self) -> bool:
        """True when nothing was left to do; False when the time is over.

        A slow server must not keep a task at work until the queue kills it.
        """
        until, through = time.monotonic() + WORK_SECONDS, False
        try:
            while not (through or self._errors or self._is_over(until)):
                self._news.clear()
                found = self._claim()
                for shift in self._shifts.values():
                    if shift.go_on():  # the next channel of a chain may be due, or all that waited for a probe
                        self._all_in_hand = False
                self._look_again()
                self._see_off()
                if not found and not self._quiet():
                    self._news.wait(STATE_SECONDS)
                elif not found:
                    through = self._nothing_comes(until)
        finally:
            for shift in self._shifts.values():
                shift.close()
            patience = time.monotonic() + PATIENCE
            for shift in self._shifts.values():
                self._errors += shift.end(until=patience)
        if self._errors:
            raise self._errors[0]
        return through

    def _is_over(self, until: float) -> bool:
        """The time is, and all who were at work then have had theirs to get their answers: meanwhile the others go on,
        as a code must not wait for another account's slow server."""
        if time.monotonic() < until:
            return False
        if self._leaving is None:
            self._leaving = [*self._shifts.values()]
            # most are gone by then, and the next task is for all
            self._again = self._others = time.monotonic() + STATE_SECONDS
            for shift in self._leaving:
                shift.close()
        return not any(shift in self._leaving for shift in self._shifts.values())

    def _quiet(self) -> bool:
        return all(shift.quiet() for shift in self._shifts.values())

    def _claim(self) -> bool:
        """Rows for one shift; False where there are none, or nobody needs any."""
        now, room = time.monotonic(), {account: shift.room() for account, shift in self._shifts.items()}
        if now < (self._again if any(room.values()) or not room else self._others):
            return False
        idle = self._quiet()
        batch = claim.claim(self._lane, owner=self._journal.owner, size=FIRST_CLAIM, room=room)
        now = time.monotonic()
        self._all_in_hand = batch is None and all(room.values())  # the accounts with enough were not asked
        if batch is None:
            self._again, self._others = now + STATE_SECONDS, now + OTHERS_SECONDS
            return False
        self._trickles = self._trickles or (idle and self._found is not None)
        self._found, self._again = now, now + (STATE_SECONDS if batch.last else 0.0)
        self._others = self._again
        if shift := self._shifts.get(batch.account.pk) or self._open(batch):
            shift.put(batch.rows)
        return True

    def _open(self, batch: claim.Batch) -> "_Shift | None":
        account = batch.account
        try:
            shift = self._shifts[account.pk] = _Shift(account, self._journal, self._news)
        except Exception as error:  # a bug, too: it costs its account a pause, else the lane would end here each time
            told = isinstance(error, (BadSettings, UnknownProvider, Undecryptable))
            if not told:
                log.exception("%s can't be opened.", account)
            _give_back(self._journal.owner, account, batch.rows)
            detail = str(error) if told else f"{type(error).__name__}: {error}"
            accounts_out.pause(account, detail=detail, now=timezone.now())
            return None
        return shift

    def _look_again(self) -> None:
        """Are the notifications still on?"""
        now = time.monotonic()
        if now - self._looked > STATE_SECONDS:
            self._looked = now
            held = set().union(*(shift.notifications() for shift in self._shifts.values()))
            if held and (stopped := claim.stopped(held)):
                for shift in self._shifts.values():
                    shift.withdraw(stopped)

    def _see_off(self) -> None:
        """Shifts whose account can't go on end when their connections have; the account may get another one."""
        for account, shift in list(self._shifts.items()):
            if shift.over():
                del self._shifts[account]
                self._errors += shift.end(until=0.0)

    def _nothing_comes(self, until: float) -> bool:
        """Nothing is in hand. True: nothing is due either; else some time has passed."""
        if limits.sleep_until_turn(until) or not (self._trickles or self._all_in_hand):
            self._again = 0.0
        elif self._all_in_hand and not (self._trickles and time.monotonic() - (self._found or 0.0) < LINGER_SECONDS):
            return True
        else:
            time.sleep(max(0.0, self._again - time.monotonic()))
        return False


class _Shift:
    """One account at work: its rows are handed over by its connections, and booked."""

    def __init__(self, account: ProviderAccount, journal: Journal, news: threading.Event) -> None:
        """Raises BadSettings, UnknownProvider, Undecryptable, and what a provider with a bug does."""
        self._account, self._owner = account, journal.owner
        self._kind, self._settings = provider(account.provider), accounts_out.settings_in_use(account)
        self._line = Line(journal=journal, make=self._message, local=self._kind.local, news=news)
        self._most = min(self._kind.connections(self._settings), MOST_CONNECTIONS)
        self._connections: list[Connection] = []
        self._began = self._flushed = self._fresh = self._widened = time.monotonic()
        self._used = time.process_time()
        self._closed: float | None = None
        self._done = 0
        first = self._kind.open(self._settings)
        self._here = ExitStack()
        if self._kind.local:
            self._session = self._here.enter_context(first)
        else:
            self._connections.append(Connection(self._line, first))

    def _message(self, row: claim.Row) -> Any:
        row.account_id = self._account.pk
        return message_of(row, account=self._settings, now=timezone.now())

    # ---- what waits here
    def room(self) -> int:
        """How many more rows it can use: none, or what goes out in AHEAD_SECONDS at the pace so far."""
        pace = self._done / max(time.monotonic() - self._began, 0.1)
        most = FIRST_CLAIM if self._kind.local else LARGEST_CLAIM  # this thread's work keeps all others
        ahead = int(min(max(pace * AHEAD_SECONDS, FIRST_CLAIM), most))
        return ahead if self._line.open and self._line.waiting() < ahead // 2 else 0

    def put(self, rows: list[claim.Row]) -> None:
        self._line.put(rows)

    def quiet(self) -> bool:
        """Nothing is in hand, and its connections wait for more."""
        return self._line.open and self._line.quiet()

    def notifications(self) -> set[int]:
        return self._line.notifications()

    def withdraw(self, notifications: set[int]) -> None:
        _give_back(self._owner, self._account, self._line.withdraw(notifications))

    # ---- work
    def go_on(self) -> bool:
        """Keep the books true, and the rows fresh, while the connections hand over. True where something was booked."""
        booked = 0
        if self._kind.local and self._line.waiting():
            work(self._line, self._session)  # transactions of our own: this thread makes them
        if self._line.quiet() or time.monotonic() - self._flushed > FLUSH_SECONDS or self._line.full():
            booked = self._book()
        if time.monotonic() - self._fresh > FRESH_SECONDS:
            self._refresh()
        self._widen()
        return booked > 0

    def _refresh(self) -> None:
        """May those who wait here still be written to?"""
        waiting = self._line.withdraw()
        wanted = claim.still_wanted(self._owner, waiting, now=timezone.now())
        self._line.put(wanted, first=True)
        kept = {row.pk for row in wanted}
        _return_tokens(self._account, [row for row in waiting if row.pk not in kept])
        self._fresh = time.monotonic()

    def _widen(self) -> None:
        """More connections while rows wait and this process mostly waits for answers."""
        now, used = time.monotonic(), time.process_time()
        if now - self._widened < WIDEN_SECONDS:
            return
        share = (used - self._used) / (now - self._widened)
        self._widened, self._used = now, used
        if share < MOSTLY_WAITING and self._line.waiting() and self._line.open and not self._line.crowded:
            have = len(self._connections)
            try:
                for _ in range(min(have, self._most - have)):
                    self._connections.append(Connection(self._line, self._kind.open(self._settings)))
            except Exception:  # a bug, or no more threads: the other accounts have nothing to do with it
                log.exception("%s gets no more than %d connections.", self._account, len(self._connections))
                self._most = len(self._connections)

    def _book(self, *, last: bool = False) -> int:
        """How many results there were."""
        self._flushed = time.monotonic()
        results = self._line.results(last=last)
        self._done += len(results)
        results, heard = key_refusals.judged(self._account, results, now=timezone.now())
        outcomes.record(self._owner, results)
        if not results:
            return 0
        now = timezone.now()
        if until := accounts_out.note(self._account, heard, now=now):
            log.warning("%s is left alone until %s: %s", self._account, until, self._account.last_error)
            self._line.close()
        others = [(row.domain, outcome) for row, outcome in results if outcome.result is not Result.ACCEPTED]
        limits.heard(account=self._account, results=others, now=now)
        books.finish_all_done({row.notification.pk for row, _ in results} - self._line.notifications(), now=now)
        return len(results)

    # ---- the end
    def close(self) -> None:
        self._line.close()

    def over(self) -> bool:
        """It can't go on, and its connections have ended or had their time to."""
        if self._line.open:
            return False
        self._closed = self._closed or time.monotonic()
        late = time.monotonic() - self._closed > PATIENCE
        return late or not any(connection.is_alive() for connection in self._connections)

    def end(self, *, until: float) -> list[BaseException]:
        """Wait for answers until then (monotonic), book them, give the rest back. What keeps this process from going
        on."""
        self._line.close()
        for connection in self._connections:
            connection.join(max(0.0, until - time.monotonic()))
        self._here.close()
        self._book(last=True)
        _give_back(self._owner, self._account, self._line.withdraw())
        if self._line.fault:
            accounts_out.pause(self._account, detail=self._line.fault, now=timezone.now())
        return [self._line.error] if self._line.error else []


def _give_back(owner: str, account: ProviderAccount, rows: list[claim.Row]) -> None:
    claim.release(owner, rows)
    _return_tokens(account, rows)


def _return_tokens(account: ProviderAccount, rows: list[claim.Row]) -> None:
    """Of rates and days, for what did not leave."""
    of = {row.notification.pk: row.notification for row in rows}
    for pk, count in Counter(row.notification.pk for row in rows).items():
        limits.give_back(notification=of[pk], account=account, count=count)
