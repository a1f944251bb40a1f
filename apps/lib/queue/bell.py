"""A bell for each lane: whoever waits there for calls hears at once that there is one.

PostgreSQL carries it (NOTIFY). It is rung after the commit, by a statement of its own: inside the
transaction all commits that ring would wait for each other. SQLite has none, and a ring may be lost
with a connection, so who waits looks again by itself after a moment.
"""

import select
import time

from django.db import connection, transaction

from apps.lib.queue.lanes import Lane
from apps.lib.sql.prepared import NO_WAIT, run_prepared

# Seconds between two looks, with a bell and without.
PATIENCE = 1.0
WITHOUT_BELL = 0.2
# A ring that a crash of the server swallows is none to wait for the disk for.
_RING = f"SELECT pg_notify(%s, ''){NO_WAIT}"


def _name(lane: str) -> str:
    return f"carillon_{Lane(lane)}"  # one of three, so that it can stand in a statement


def ring(lane: Lane) -> None:
    """Ring when this transaction is committed, or now if there is none. A ring that fails is logged
    and no error of the caller's, whose work is done.
    """
    if connection.vendor == "postgresql":
        transaction.on_commit(lambda: _ring(lane), robust=True)


def _ring(lane: Lane) -> None:
    run_prepared(_RING, [_name(lane)])


class Ear:
    """One lane's bell, heard by one process."""

    def __init__(self, lane: str) -> None:
        self._lane = lane
        self._listening: object = None  # the driver's connection that does

    def prick_up(self) -> None:
        """Listen from now on. Call it before looking for calls, or one that comes between the look
        and the wait is heard late.
        """
        connection.ensure_connection()
        driver = connection.connection
        if connection.vendor == "postgresql" and driver is not self._listening:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {_name(self._lane)}")
            self._listening = driver

    def wait(self) -> None:
        """Return when it rings, or after a moment. Raises the driver's error where the connection
        is lost.
        """
        if self._listening is None:
            time.sleep(WITHOUT_BELL)
            return
        driver = connection.connection
        rung, _, _ = select.select([driver], [], [], PATIENCE)  # the driver's own wait asks often
        if rung:
            list(driver.notifies(timeout=0))
