"""Statements that end when nobody wants their answer any more, or after a time.

`Background` runs work in a thread with a connection of its own, so that whoever started it may
look up in between: a web server tells a view that its reader has left only when the view writes.
`at_most` bounds the statements of this thread.

PostgreSQL ends a statement by a request beside it, SQLite by an interrupt of the connection.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import psycopg
from django.db import OperationalError, connection, transaction

T = TypeVar("T")
# With the 4 MB that PostgreSQL begins with, it does not keep 100,000 people of a tag in a hash and
# looks each follower up instead.
MEMORY = "64MB"
# What a row costs that one process hands to another, a tenth of what PostgreSQL takes it for: else
# it joins a million people on one core.
HANDED_ON = "0.01"
CANCEL_WITHIN = 5.0  # seconds for the request to arrive
_STEPS = 20_000  # of SQLite's machine between two looks at the clock: about a millisecond


class TookTooLong(Exception):
    """A statement had not ended after the time that was given to it."""


class Cancelled(Exception):
    """Nobody wants the answer any more."""


class Background(Generic[T]):
    """Work in a thread of its own, begun by `start`."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._raw: Any = None
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it is done, at the latest after some seconds."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """Give what it made, once it is done. Raises what it raised, or Cancelled."""
        if self._error is not None:
            raise self._error
        return self._result[0]

    def cancel(self) -> None:
        """End it soon, whatever statement it is at."""
        self._cancelled.set()
        raw = self._raw
        if raw is None or self._done.is_set():
            return
        if isinstance(raw, psycopg.Connection):
            with suppress(psycopg.Error):
                raw.cancel_safe(timeout=CANCEL_WITHIN)
        else:
            raw.interrupt()

    def _run(self) -> None:
        try:
            connection.ensure_connection()
            self._raw = connection.connection
            with connection.execute_wrapper(self._unless_cancelled):
                self._result.append(self._work())
        except OperationalError as error:
            self._error = error
            if self._cancelled.is_set():
                self._error = Cancelled()
        except BaseException as error:  # noqa: BLE001  # whoever waits for it is told
            self._error = error
        finally:
            self._raw = None
            connection.close()
            self._done.set()

    def _unless_cancelled(self, execute: Any, *asked: Any) -> Any:
        if self._cancelled.is_set():
            raise Cancelled
        return execute(*asked)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Bound the statements inside, which only read: PostgreSQL each of them, SQLite all together.

    They may be large: PostgreSQL gets MEMORY for each of their hashes and sorts. Raises
    TookTooLong.
    """
    if connection.vendor == "postgresql":
        bounded = _on_postgresql(seconds)
    else:
        bounded = _on_sqlite(seconds)
    with bounded:
        yield


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    try:
        with transaction.atomic():
            before = [
                _set("statement_timeout", str(max(1, round(seconds * 1000)))),
                _set("work_mem", MEMORY),
                _set("parallel_tuple_cost", HANDED_ON),
            ]
            yield
            for name, value in before:
                _set(name, value)
    except OperationalError as error:
        # its message, which says by whom, is in the server's language
        was_ended = isinstance(error.__cause__, psycopg.errors.QueryCanceled)
        if was_ended and time.monotonic() - began >= seconds:
            raise TookTooLong from error
        raise


def _set(name: str, value: str) -> tuple[str, str]:
    """Set it for the rest of the transaction; its name and what it was before."""
    sql = "SELECT current_setting(%s), set_config(%s, %s, true)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [name, name, value])
        return name, cursor.fetchone()[0]


@contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    raw: Any = connection.connection
    ends = time.monotonic() + seconds

    def is_over() -> bool:
        return time.monotonic() > ends

    raw.set_progress_handler(is_over, _STEPS)
    try:
        yield
    except OperationalError as error:
        if is_over() and "interrupted" in str(error):
            raise TookTooLong from error
        raise
    finally:
        raw.set_progress_handler(None, _STEPS)
