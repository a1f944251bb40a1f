"""A lane hears of a call when it is committed, and finds it by itself where no bell rings."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django_q.brokers import get_broker

from apps.lib.queue import bell, broker
from apps.lib.queue.announce import announce
from apps.lib.queue.broker import ListeningBroker
from apps.lib.queue.lanes import Lane
from tests.patience import PATIENCE

CANARY = "apps.ops.heartbeat.canary"

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has no bell; it is asked often"
)


class Taker(threading.Thread):
    """A lane that waits for one call."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(daemon=True)
        self.lane = lane
        self.looked = threading.Event()
        self.found: list[tuple[int, str]] | None = None

    def run(self) -> None:
        taker = get_broker(self.lane.value)
        try:
            assert taker.dequeue() is None
            self.looked.set()
            while not self.found:
                self.found = taker.dequeue()
        finally:
            connection.close()


@pytest.fixture
def taker() -> Iterator[Taker]:
    thread = Taker(Lane.BULK)
    yield thread
    thread.join(PATIENCE)
    assert thread.found


@on_postgresql
def test_who_waits_hears_of_a_call_at_once(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "PATIENCE", 0.01)
    taker.start()
    assert taker.looked.wait(PATIENCE)
    monkeypatch.setattr(bell, "PATIENCE", 10 * PATIENCE)  # only the ring can end the wait
    announce(CANARY, lane=Lane.CRITICAL)  # another lane's: rings elsewhere
    with transaction.atomic():
        announce(CANARY, lane=Lane.BULK)
        assert not taker.found


def test_a_call_that_nobody_rang_for_is_found_all_the_same(
    taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "_ring", lambda lane: None)
    taker.start()
    assert taker.looked.wait(PATIENCE)
    announce(CANARY, lane=Lane.BULK)


def test_a_bell_that_cannot_be_rung_is_no_fault_of_the_caller(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(lane: Lane) -> None:
        raise OSError("no rope")

    monkeypatch.setattr(bell, "_ring", broken)
    with transaction.atomic():
        announce(CANARY, lane=Lane.BULK)
    assert get_broker("bulk").dequeue()


@on_postgresql
def test_a_lost_connection_is_replaced_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bell, broker):
        monkeypatch.setattr(module, "PATIENCE", 0.01)
    waiting = ListeningBroker("bulk")
    assert waiting.dequeue() is None
    connection.connection.close()  # as after a restart of the server
    announced = waiting.dequeue()
    assert announced is None
    announce(CANARY, lane=Lane.BULK)
    assert waiting.dequeue()
