"""How long a connection to a mail server waits where the kernel looks to the time."""

import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from apps.channels.mail.smtp_wire import CutShort, Wire, _interval
from tests.patience import FOREVER

A_MOMENT = 0.05  # of silence


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A connection that waits a moment for each answer, and the server's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire("127.0.0.1", server.getsockname()[1], timeout=A_MOMENT)
        end, _ = server.accept()
        with end:
            yield wire, end
        wire.close()


def test_silence_ends_with_the_patience(ends: tuple[Wire, socket.socket]) -> None:
    wire, _ = ends
    for patience in (None, A_MOMENT / 2, 3 * A_MOMENT):
        with pytest.raises(TimeoutError):
            wire.answer(patience)


def test_longer_patience_is_several_waits(
    ends: tuple[Wire, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, end = ends
    end.sendall(b"250 o")
    read = wire._receive

    def piece(until: float) -> bytes:
        """Say the rest when a whole wait was in vain."""
        if wire._unread:
            with pytest.raises(TimeoutError):
                read(time.monotonic() + 2 * A_MOMENT)
            end.sendall(b"k\r\n")
        return read(until)

    monkeypatch.setattr(wire, "_receive", piece)
    assert wire.answer(FOREVER) == (250, b"ok\r")


def test_a_server_that_answers_a_byte_at_a_time_gets_no_more_time_by_that(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, end = ends
    over = threading.Event()

    def drip() -> None:
        while not over.wait(A_MOMENT / 5):
            end.sendall(b"2")

    server = threading.Thread(target=drip)
    server.start()
    with pytest.raises(TimeoutError):
        wire.answer(4 * A_MOMENT)
    over.set()
    server.join()


def test_the_end_of_the_connection_is_heard_and_still_there_for_who_reads_the_answer(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, end = ends
    assert not wire.speaks_within(0.0)
    end.sendall(b"250 ")
    assert wire.speaks_within(FOREVER)
    end.sendall(b"ok\r\n")
    assert wire.answer(FOREVER) == (250, b"ok\r")
    end.close()
    assert wire.speaks_within(FOREVER)
    with pytest.raises(ConnectionError):
        wire.answer(FOREVER)


def test_a_write_that_nobody_takes_says_how_much_was_taken(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, _ = ends
    content = bytes(64 * 1024 * 1024)
    with pytest.raises(CutShort, match="timed out") as cut:
        wire.write(content)
    assert 0 < cut.value.taken < len(content)


@pytest.mark.parametrize(
    ("seconds", "interval"), [(60, (60, 1)), (1.5, (1, 500_000)), (0.0, (0, 1))]
)
def test_no_interval_is_without_end(seconds: float, interval: tuple[int, int]) -> None:
    assert _interval(seconds) == b"".join(part.to_bytes(8, sys.byteorder) for part in interval)
