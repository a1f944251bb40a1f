"""Requests take turns: a web process works on a few at once, and the others stand in a line of
which we know how long it is.

Without it they wait in the web server, where nobody can tell for how long, and a program that
calls too often is answered after seconds instead of being told to come later. What may be refused
is, as soon as it would wait for about a second; what may not stands before all that may.

Each place has a database connection, which the thread that has the place uses meanwhile: a web
process has as many connections as places, however many threads its requests wait in.
"""

import heapq
import itertools
import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

PATIENCE = 1.0  # seconds: who would wait longer is told to come later
LONGEST = 2.0  # seconds after which somebody who waits is told so after all
_LATELY = 15  # requests by which the next ones are judged; one that took long alone says nothing
_ENOUGH = 5  # of them; the first ones of a process load what the others find


class Urgency(IntEnum):
    """Who goes first."""

    UNREFUSED = 0  # pages, and all that may not be refused
    CRITICAL = 1
    USUAL = 2
    LOW = 3


class Ground(Enum):
    """How a request stands that finds all places taken."""

    WAITS = "its turn comes soon enough"
    LONG_LINE = "those before it take too long"
    NO_ROOM = "no thread is left to wait in"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAhead:
    """The line, as a request finds it that may be refused.

    `ahead`: how many wait and go before it. `waiting`: how many wait that may be refused. `room`:
    for how many of these there is room. `places`: how many are worked on at once. `takes`: seconds
    that one of them took lately.
    """

    ahead: int
    waiting: int
    room: int
    places: int
    takes: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a request, and the seconds that it would wait."""

    why: Ground
    seconds: float

    @property
    def retry_after(self) -> int:
        """Whole seconds after which those who wait now have had their turn."""
        return max(math.ceil(self.seconds), 1)


def judge(standing: LineAhead) -> Ruling:
    """Say whether a request that finds all places taken waits for one or is refused."""
    turns = standing.ahead + 1
    seconds = turns * standing.takes / standing.places
    if seconds > PATIENCE:
        return Ruling(Ground.LONG_LINE, seconds)
    if standing.waiting >= standing.room:
        return Ruling(Ground.NO_ROOM, seconds)
    return Ruling(Ground.WAITS, seconds)


class Crowded(Exception):
    """A request is refused because too many others wait."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__(ruling.why.value)
        self.ruling = ruling


@dataclass(eq=False, slots=True)
class Seat:
    """A place at which one request is worked on.

    `connection`: Django's, None before its first request.
    """

    connection: Any = None
    since: float = 0.0


@dataclass(eq=False, slots=True)
class _Waiter:
    """One request in the line; its thread sleeps until `called` is released."""

    urgency: Urgency
    called: Any = field(default_factory=threading.Lock)
    place: Seat | None = None
    ruling: Ruling | None = None  # it was sent away for the sake of a more urgent one

    def call(self) -> None:
        self.called.release()


class Turns:
    """The places and the line of one process."""

    def __init__(
        self,
        *,
        places: int,
        room: int,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how many are worked on at once, and how many that may be refused can wait."""
        self._places = places
        self._room = room
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._free = [Seat() for _ in range(places)]
        self._line: list[tuple[Urgency, int, _Waiter]] = []
        self._number = itertools.count()
        self._took: deque[float] = deque(maxlen=_LATELY)
        self.aside = Seat()  # for a look into the database on behalf of who waits
        self.aside_lock = threading.Lock()

    def free_place(self) -> Seat | None:
        """Give a place at once, where nobody has to wait for it."""
        with self._lock:
            if self._line or not self._free:
                return None
            return self._begun(self._free.pop())

    def place_in_turn(self, urgency: Urgency) -> Seat:
        """Wait for a place. Raises Crowded, but never where `urgency` is UNREFUSED."""
        with self._lock:
            if self._free and not self._line:
                return self._begun(self._free.pop())
            if urgency is not Urgency.UNREFUSED:
                self._make_room(urgency)
            waiter = _Waiter(urgency)
            waiter.called.acquire()
            heapq.heappush(self._line, (urgency, next(self._number), waiter))
        patience = -1.0  # as long as it takes
        if urgency is not Urgency.UNREFUSED:
            patience = self._longest
        if not waiter.called.acquire(timeout=patience):
            self._leave(waiter)
        if waiter.place is None:
            raise Crowded(waiter.ruling or Ruling(Ground.LONG_LINE, self._longest))
        return waiter.place

    def give_back(self, place: Seat, *, counts: bool) -> None:
        """Let the next one have the place. `counts`: by what this one took others are judged."""
        with self._lock:
            if counts:
                self._took.append(self._clock() - place.since)
            if not self._line:
                self._free.append(place)
                return
            *_, waiter = heapq.heappop(self._line)
            waiter.place = self._begun(place)
            waiter.call()

    @property
    def waiting(self) -> int:
        """How many wait, whoever they are."""
        return len(self._line)

    def _begun(self, place: Seat) -> Seat:
        place.since = self._clock()
        return place

    def _make_room(self, urgency: Urgency) -> None:
        """Raise Crowded, unless the newcomer may wait; one that is less urgent goes for it where
        there is no room for both.
        """
        refusable = [each for each in self._line if each[0] is not Urgency.UNREFUSED]
        standing = LineAhead(
            ahead=sum(each[0] <= urgency for each in self._line),
            waiting=len(refusable),
            room=self._room,
            places=self._places,
            takes=self._takes(),
        )
        ruling = judge(standing)
        if ruling.why is Ground.LONG_LINE:
            raise Crowded(ruling)
        if ruling.why is Ground.NO_ROOM:
            last = max(refusable, default=None)
            if last is None or last[0] <= urgency:
                raise Crowded(ruling)
            self._line.remove(last)
            heapq.heapify(self._line)
            last[2].ruling = ruling
            last[2].call()

    def _takes(self) -> float:
        if len(self._took) < _ENOUGH:
            return 0.0
        return statistics.median(self._took)

    def _leave(self, waiter: _Waiter) -> None:
        """Take who waited too long out of the line, unless its turn came this moment."""
        with self._lock:
            self._line = [each for each in self._line if each[2] is not waiter]
            heapq.heapify(self._line)
