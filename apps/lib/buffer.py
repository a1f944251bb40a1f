"""Small things that may come by the thousand a second,
gathered in memory and written together by a thread.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connection

Item = TypeVar("Item")
log = logging.getLogger("carillon.buffer")


class Buffer(Generic[Item]):
    """Whatever `add` took reaches `write` within about `every` seconds, in order.

    A kill loses what waits here.

    Bounded: while the database is away the newest `most` are kept. `write` runs in a thread with a
    database connection of its own, which exist while there is something to write: an idle process
    holds neither.
    """

    def __init__(
        self,
        write: Callable[[list[Item]], None],
        *,
        most: int = 50_000,
        at_once: int = 1000,
        every: float = 0.3,
    ) -> None:
        self._write = write
        self._at_once = at_once
        self._every = every
        self._waiting: deque[Item] = deque(maxlen=most)
        self._begin()
        # a forked process has a copy of what waits, and the parent writes it;
        # the thread was not copied
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._waiting.clear()
        self._batch: list[
            Item
        ] = []  # being written, or not written yet because the database is away
        self._dropped = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._end: Finalize | None = None

    def add(self, item: Item) -> None:
        with self._lock:
            self._dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(item)
            if self._end is None:
                # granian's workers are forks of multiprocessing,
                # which end without atexit before Python 3.13
                self._end = Finalize(None, self.close, exitpriority=0)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="buffer", daemon=True)
                self._thread.start()

    def close(self, within: float = 5.0) -> None:
        """Write what waits, now; returns when that is done or has failed.

        At exit, and for tests.
        """
        self._closing.set()
        if thread := self._thread:
            thread.join(within)

    def _work(self) -> None:
        try:
            while True:
                self._closing.wait(self._every)
                written = self._write_all()
                with self._lock:
                    if (written and not self._waiting) or (not written and self._closing.is_set()):
                        self._thread = None
                        return
        finally:
            connection.close()

    def _write_all(self) -> bool:
        """False when the database is away: the batch in hand is tried again."""
        while batch := self._next():
            try:
                self._write(batch)
            except (OperationalError, InterfaceError) as error:
                log.warning(
                    "%d events wait for the database: %s", len(batch) + len(self._waiting), error
                )
                connection.close()
                return False
            except Exception:  # it would fail again for ever, and keep the others out
                log.exception("%d events could not be stored and are dropped.", len(batch))
            self._batch = []
        return True

    def _next(self) -> list[Item]:
        with self._lock:
            if self._dropped:
                log.error(
                    "%d events were dropped: more came than the database took.", self._dropped
                )
                self._dropped = 0
            while self._waiting and len(self._batch) < self._at_once:
                self._batch.append(self._waiting.popleft())
            return self._batch
