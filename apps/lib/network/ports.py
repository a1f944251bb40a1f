"""Ports of this machine's loopback that are taken before anybody is told of them."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

HERE = "127.0.0.1"
TRIED = 100  # ports, from the wanted one up


class NoPort(OSError):
    """Every port that was tried is in use."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A TCP port that is promised to us until `close`, though nobody listens on it yet.

    What is held is the UDP port of the same number. Web servers share a TCP port with whoever asks
    (SO_REUSEPORT), so that a held TCP port would keep nobody else's out; and after a stop it can't
    be bound for a minute.
    """

    port: int
    _twin: socket.socket

    def fileno(self) -> int:
        return self._twin.fileno()

    def close(self) -> None:
        self._twin.close()


def listen(first: int) -> socket.socket:
    """Listen on `first`, or on the next port up that is free.

    Whoever inherits the socket accepts what came meanwhile. Raises NoPort.
    """
    for port in _from(first):
        listener = socket.socket()
        # else the last connections of the run before would keep it for a minute
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HERE, port))
            listener.listen()
        except OSError:
            listener.close()
        else:
            return listener
    raise NoPort(f"No free port from {first} to {first + TRIED - 1}.")


def reserve(port: int) -> Reserved | None:
    """Take exactly this port; None when somebody uses it, or has reserved it."""
    twin = socket.socket(type=socket.SOCK_DGRAM)
    try:
        twin.bind((HERE, port))
    except OSError:
        twin.close()
        return None
    if not _nobody_listens(port):
        twin.close()
        return None
    return Reserved(port, twin)


def reserve_from(first: int) -> Reserved:
    """Take `first`, or the next port up that is free. Raises NoPort."""
    for port in _from(first):
        if reserved := reserve(port):
            return reserved
    raise NoPort(f"No free port from {first} to {first + TRIED - 1}.")


def _from(first: int) -> Iterator[int]:
    yield from range(first, min(first + TRIED, 65536))


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
            probe.listen()
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((HERE, port)) == 0
