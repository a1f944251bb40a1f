"""Ports: whoever is told of one has it, and nobody else gets it meanwhile."""

import socket
from threading import Barrier, Thread

import pytest

from apps.lib.network.ports import HERE, NoPort, answers, listen, reserve, reserve_from


def unused() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_port_that_is_listened_on_is_not_given_away_again() -> None:
    first = unused()
    with listen(first) as one, listen(first) as two:
        assert one.getsockname() == (HERE, first)
        assert two.getsockname()[1] > first
        assert answers(first)


def test_many_who_want_the_same_port_at_once_get_one_each() -> None:
    first = unused()
    start = Barrier(20)
    found: list[socket.socket] = []

    def want() -> None:
        start.wait()
        found.append(listen(first))

    threads = [Thread(target=want) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.getsockname()[1] for each in found}) == 20
    for each in found:
        each.close()


def test_a_reserved_port_is_kept_though_nobody_listens_on_it_yet() -> None:
    reserved = reserve_from(unused())
    assert not answers(reserved.port)
    assert reserve(reserved.port) is None
    other = reserve_from(reserved.port)
    assert other.port > reserved.port
    reserved.close()
    again = reserve(other.port - 1)
    assert again or other.port - 1 != reserved.port
    for each in (again, other):
        if each:
            each.close()


def test_a_reserved_port_can_be_listened_on_by_its_program() -> None:
    reserved = reserve_from(unused())
    with socket.socket() as program:
        program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        program.bind((HERE, reserved.port))
        program.listen()
        assert answers(reserved.port)
    reserved.close()


def test_a_port_that_another_program_shares_with_whoever_asks_is_taken_all_the_same() -> None:
    with socket.socket() as web:
        web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        web.bind((HERE, 0))
        web.listen()
        assert reserve(web.getsockname()[1]) is None


def test_at_the_end_of_the_ports_it_is_said_that_none_is_free() -> None:
    with pytest.raises(NoPort, match="No free port from 65536 to 65635"):
        listen(65536)
    with pytest.raises(NoPort, match="No free port"):
        reserve_from(65536)
