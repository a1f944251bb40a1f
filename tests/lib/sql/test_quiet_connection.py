"""A connection that was used a moment ago is not asked whether it is there, and one that is lost is
replaced all the same.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.signals import request_finished, request_started
from django.db import connection

from apps.lib.sql import quiet_connection

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's can't be lost"),
]


@pytest.fixture(autouse=True)
def in_order() -> None:
    """Hear a request after Django does, as in a process that serves: its test client puts Django's
    receivers behind all others.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(dispatch_uid="carillon-quiet-connection")
    quiet_connection.spare_questions()


def pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    return found


def between_requests(happens: Callable[[int], None]) -> tuple[int, bool, int]:
    """The server's process of a request; whether the next one trusts that it is there; and its."""

    def run() -> tuple[int, bool, int]:
        try:
            request_started.send(sender=None)
            first = pid()
            request_finished.send(sender=None)
            happens(first)
            request_started.send(sender=None)
            trusts = connection.health_check_done
            return first, trusts, pid()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:  # whose connection is in no transaction
        return thread.submit(run).result()


def test_a_connection_that_was_used_a_moment_ago_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quiet_connection, "TRUSTED", 3600.0)
    first, trusts, second = between_requests(lambda first: None)
    assert trusts
    assert first == second


def test_one_that_rested_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_connection, "TRUSTED", 0.0)
    first, trusts, second = between_requests(lambda first: None)
    assert not trusts
    assert first == second


def test_one_that_the_server_has_closed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_connection, "TRUSTED", 3600.0)

    def end(first: int) -> None:
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 300000)", [first])  # waits for its end
        other.close()

    first, trusts, second = between_requests(end)
    assert not trusts
    assert first != second
