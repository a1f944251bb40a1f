"""The line between the one thread that has the database and those that talk to servers: rows go
in, outcomes come out.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection

from apps.channels.contract import Flow, Outcome, Result, Session
from apps.content.problems import RenderError
from apps.notifications.messages.message import Unaddressed
from apps.notifications.messages.row import Ended, Row
from apps.notifications.sending import outcomes
from apps.notifications.sending.held import release
from apps.notifications.sending.journal import Journal, NotWritten

log = logging.getLogger("carillon.send")

FLUSH_ROWS = 250  # results that wake the thread with the database
# Where a server takes a mail in less than QUICK seconds, MADE_AT_ONCE are made one after the other:
# what the processor needs for making is still at hand then. A person's pause waits for those.
MADE_AT_ONCE = 8
QUICK = 0.005
FAULTS = (Result.ACCOUNT, Result.THROTTLED)  # the next message would fare no better
# what says nothing about the message or the provider
OUR_OWN = (DatabaseError, MemoryError, NotWritten)


class Line:
    """The rows that wait for a connection, and the results that wait for the database."""

    def __init__(
        self,
        *,
        account: int,
        journal: Journal,
        make: Callable[[Row], Any],
        local: bool,
        news: threading.Event | None = None,
    ) -> None:
        """Open a line with nothing in it, to the account of this primary key.

        `make` turns a row into the provider's message; it asks no database, and raises
        RenderError, Unaddressed. `news` is set when results are worth a transaction or all is done.

        `local`: worked off by the thread with the database itself, so nobody waits for more rows,
        and a hand-over is repeatable, so that doubt can't arise.
        """
        self._account = account
        self.journal = journal
        self.make = make
        self.local = local
        self.fault: str = ""  # the provider has a bug
        self.error: BaseException | None = None  # this process can't go on
        self._lock = threading.Lock()
        self._rows_came = threading.Condition(self._lock)
        self._news = news or threading.Event()
        self._ready: deque[Row] = deque()
        self._ended: list[Ended] = []
        self._in_hand = 0
        self.open = True
        self._left_alone = False
        self._hands: list[Hand] = []  # connections at work
        self.crowded = False  # the server did not want one of them

    # ---- the side of the database
    def put(self, rows: list[Row], *, first: bool = False) -> None:
        """Add rows, at the end or at the beginning."""
        with self._lock:
            if first:
                self._ready.extendleft(reversed(rows))
            else:
                self._ready.extend(rows)
            self._rows_came.notify_all()

    def withdraw(self, notifications: set[int] | None = None) -> list[Row]:
        """Take out what no session has taken yet: all, or what belongs to these notifications."""
        with self._lock:
            made = [row for hand in self._hands for row in hand.unmake(notifications)]
            self._in_hand -= len(made)
            rows = self._ready
            self._ready = deque()
            taken: list[Row] = made
            for row in rows:
                if notifications is None or row.notification.pk in notifications:
                    taken.append(row)
                else:
                    self._ready.append(row)
        return taken

    def results(self, *, last: bool = False) -> list[Ended]:
        """Take what has ended since the last time.

        After `last`, every connection books what it still has in hand by itself.
        """
        with self._lock:
            self._left_alone = last
            results = self._ended
            self._ended = []
        return results

    def waiting(self) -> int:
        """How many rows no connection has taken yet."""
        return len(self._ready)

    def notifications(self) -> set[int]:
        """The notifications of the rows that no session has taken yet."""
        with self._lock:
            made = {row.notification.pk for hand in self._hands for row, _ in hand.made}
            return made | {row.notification.pk for row in self._ready}

    def quiet(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        with self._lock:
            return not self._ready and not self._in_hand

    def booked(self) -> bool:
        """Whether each result was taken; what they make due is looked for afterwards."""
        return not self._ended

    def connections(self) -> int:
        """How many connections took part, but for those that the server did not want."""
        return len(self._hands)

    def full(self) -> bool:
        """Whether there are enough results for a transaction."""
        return len(self._ended) >= FLUSH_ROWS

    def close(self) -> None:
        """Give no more; messages in hand still end."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.open = False
        self._rows_came.notify_all()
        self._news.set()

    # ---- the side of a connection
    def next(self, *, wait: bool) -> Row | None:
        """The next row, now in this connection's hand; None when there is none, or the line is
        closed.
        """
        with self._lock:
            while wait and not self.local and self.open and not self._ready:
                # a hand that waits for an answer keeps nothing from one that is free
                for hand in self._hands:
                    self._ready.extend(hand.unmake())
                self._in_hand -= len(self._ready)
                if not self._ready:
                    self._rows_came.wait()
            if not self.open or not self._ready:
                return None
            self._in_hand += 1
            return self._ready.popleft()

    def share(self) -> int:
        """How many a hand may make at once without another one going short."""
        return len(self._ready) // (2 * max(len(self._hands), 1))

    def back(self, row: Row) -> None:
        """Give a row back that was not handed over."""
        with self._lock:
            self._in_hand -= 1
            alone = self._left_alone
            if not alone:
                self._ready.appendleft(row)
                self._rows_came.notify()
        if alone:
            release(self.journal.owner, [row])

    def ended(self, row: Row, outcome: Outcome) -> None:
        """Hear how a hand-over ended. A fault closes the line."""
        row.account_id = self._account
        with self._lock:
            self._in_hand -= 1
            alone = self._left_alone
            if not alone:
                self._ended.append((row, outcome))
                if outcome.result in FAULTS:
                    self._close()
                elif len(self._ended) == FLUSH_ROWS or not (self._ready or self._in_hand):
                    self._news.set()
        if alone:
            outcomes.record(self.journal.owner, [(row, outcome)])

    def join(self, hand: "Hand") -> None:
        """Let a connection take part."""
        with self._lock:
            self._hands.append(hand)

    def keep(self, hand: "Hand", fresh: list[tuple[Row, Any]]) -> None:
        """Keep what this hand has just made; another thread may be taking back what it made
        before.
        """
        with self._lock:
            hand.made.extend(fresh)

    def made(self, hand: "Hand") -> Any:
        """The message that this hand made first; None where nothing is left."""
        with self._lock:
            if hand.made:
                return hand.made.popleft()[1]
            return None

    def others_go_on(self, hand: "Hand") -> bool:
        """Let a connection leave because others are at work; False for the last one, which has to
        stay.
        """
        with self._lock:
            if self.local or len(self._hands) < 2:  # hands of a local line come one after the other
                return False
            self._hands.remove(hand)
            self.crowded = True
            return True

    def broke(self, error: BaseException) -> None:
        """Close the line: the process can't go on, or the provider has a bug and can't be trusted
        with the next message.
        """
        with self._lock:
            if isinstance(error, OUR_OWN):
                self.error = self.error or error
            else:
                self.fault = f"{type(error).__name__}: {error}"
            self._close()


class Hand(Flow[Any]):
    """One connection's share of a line: what it has taken and not yet ended."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._taken: dict[UUID, Row] = {}
        self._left: set[UUID] = set()
        self._over = False
        self._making: UUID | None = None
        # what the session has not taken yet; under the line's lock
        self.made: deque[tuple[Row, Any]] = deque()
        # the last time some were made, and how many have ended since
        self._began = time.monotonic()
        self._since = 0
        line.join(self)

    def take(self, *, wait: bool) -> Any:
        """The next message for the session; None when it shall end."""
        while not self._over and self._line.open:
            if (message := self._line.made(self)) is not None:
                return message
            if not self._make(wait=wait):
                break
        self.put_back()
        return None

    def _make(self, *, wait: bool) -> bool:
        """Make the next message, and some more where they go quickly; False when there is none."""
        line = self._line
        now = time.monotonic()
        quick = now - self._began < self._since * QUICK
        self._began = now
        self._since = 0
        wanted = 1
        if quick and not line.local:
            wanted = min(MADE_AT_ONCE, max(1, line.share()))
        fresh: list[tuple[Row, Any]] = []
        while not self._over and len(fresh) < wanted:
            row = line.next(wait=wait and not fresh)
            if row is None:
                break
            self._taken[row.uid] = row
            line.journal.preparing(row.pk)
            try:
                self._making = row.uid
                message = line.make(row)
                self._making = None
            except (RenderError, Unaddressed) as error:
                self._end(row.uid, unmade(str(error)))
            except OUR_OWN:
                raise
            except Exception as error:  # a bug costs this message, not the slice
                log.exception("The message of delivery %s could not be made.", row.uid)
                self._end(row.uid, unmade(f"{type(error).__name__}: {error}"))
            else:
                if wanted > 1:
                    # a crash in the making of the next one is not the fault of this one
                    line.journal.given_back(row.pk)
                fresh.append((row, message))
        line.keep(self, fresh)
        return bool(fresh)

    def put_back(self) -> None:
        """Give back what was made and will not be sent here."""
        while (message := self._line.made(self)) is not None:
            self.give_back(message)

    def unmake(self, notifications: set[int] | None = None) -> list[Row]:
        """Take out what was made and not taken by the session. Called by the line, which holds
        its lock.
        """
        gone: dict[UUID, Row] = {}
        for row, _ in self.made:
            if notifications is None or row.notification.pk in notifications:
                gone[row.uid] = row
        self.made = deque(each for each in self.made if each[0].uid not in gone)
        for uid in gone:
            del self._taken[uid]
        return list(gone.values())

    def leaving(self, message: Any) -> None:
        """Hear from the session that the message leaves now."""
        if not self._line.local:
            self._line.journal.handing_over(self._taken[message.delivery].pk)
            self._left.add(message.delivery)

    def ended(self, message: Any, outcome: Outcome) -> None:
        """Hear from the session how the hand-over ended."""
        crowd = outcome.result is Result.ACCOUNT and not outcome.charged
        if crowd and self._line.others_go_on(self):
            # servers allow only so many connections, and say so only to the one too many, before
            # it names a recipient
            self._over = True
            self.give_back(message)
            return
        self._end(message.delivery, outcome)

    def give_back(self, message: Any) -> None:
        """Give back a message that was not handed over."""
        row = self._taken[message.delivery]
        self._line.journal.given_back(row.pk)
        del self._taken[message.delivery]
        self._left.discard(message.delivery)
        self._line.back(row)

    def _end(self, uid: UUID, outcome: Outcome) -> None:
        self._since += 1
        row = self._taken.pop(uid)
        self._left.discard(uid)
        try:
            # first: from here on a kill or a database that is away makes no doubt of it
            self._line.journal.ended(row.pk, outcome)
        finally:
            # the books shall know it even where the journal's disk is full
            self._line.ended(row, outcome)

    def broke(self, error: BaseException) -> None:
        """Hear that the session raised. What may have left is in doubt."""
        log.error("A connection broke.", exc_info=error)
        # where the journal fails nothing leaves any more, and the line has to hear of the error
        with suppress(NotWritten):
            self.put_back()
        said = f"{type(error).__name__}: {error}"
        for uid, row in self._taken.items():
            if uid in self._left:
                self._line.ended(row, Outcome(Result.IN_DOUBT, said))
            elif uid == self._making and isinstance(error, MemoryError):
                # the row stays held and noted: for the recovery it is a crash, and the third one
                # sets it aside
                continue
            elif isinstance(error, OUR_OWN):
                self._line.back(row)
            else:
                self._line.ended(row, Outcome(Result.TRANSIENT, said))
        self._line.broke(error)


def unmade(why: str) -> Outcome:
    """The outcome of a message that could not be made. It is uncharged: the provider was not asked,
    so it says nothing about the account (breaker.concerns).
    """
    return Outcome(Result.PERMANENT_CONTENT, why, charged=False)


def work(line: Line, session: Session[Any]) -> None:
    """Let the session work the line off. Never raises: the line knows what went wrong."""
    hand = Hand(line)
    try:
        session.work(hand)
        hand.put_back()
    except BaseException as error:  # noqa: BLE001  # whatever it is, the line hears of it
        hand.broke(error)


class Connection(threading.Thread):
    """One session at work in a thread of its own."""

    def __init__(self, line: Line, session: Session[Any]) -> None:
        # a daemon thread: a stopping process does not wait ten minutes for the answer to a dot
        super().__init__(name="connection", daemon=True)
        self._line = line
        self._session = session
        line.journal.share()
        try:
            self.start()
        except RuntimeError:  # no more threads
            line.journal.leave(clean=True)
            raise

    def run(self) -> None:
        clean = False
        try:
            with self._session:
                work(self._line, self._session)
            # the line's own thread may be gone and not hear of an error
            clean = not (self._line.error or self._line.fault)
        finally:
            self._line.journal.leave(clean=clean)
            # a connection that was left alone has booked its last result itself
            connection.close()
