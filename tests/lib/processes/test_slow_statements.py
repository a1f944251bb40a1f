"""Statements that take long are told, with who asked them."""

import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.lib.processes import slow_statements as slow
from apps.lib.sql.prepared import run_prepared


@pytest.fixture
def watched(settings: Any, caplog: pytest.LogCaptureFixture) -> Any:
    """All statements take too long."""
    settings.SLOW_STATEMENT_MS = 1e-9
    settings.MIDDLEWARE = ["apps.lib.processes.slow_statements.NameRequests", *settings.MIDDLEWARE]
    caplog.set_level(logging.WARNING, "carillon.slow")
    slow.watch(connection)
    yield caplog
    connection.execute_wrappers.clear()


def test_a_slow_statement_names_its_page_and_no_value(
    watched: pytest.LogCaptureFixture, client: Client, admin: Any
) -> None:
    client.force_login(admin)
    watched.clear()
    assert client.get("/followers/?q=anna@example.com").status_code == 200
    told = watched.text
    assert "asked by GET /followers/: SELECT" in told
    assert "anna@example.com" not in told


def test_a_slow_statement_of_a_task_names_the_task(
    watched: pytest.LogCaptureFixture, db: None
) -> None:
    slow.now_asks("task apps.some.task")
    try:
        run_prepared("SELECT 1", [])
    finally:
        slow.now_asks("")
    assert "ms, asked by task apps.some.task: SELECT 1" in watched.text


def test_nothing_looks_at_the_clock_unless_it_is_asked_to(settings: Any, db: None) -> None:
    assert settings.SLOW_STATEMENT_MS == 0
    slow.watch(connection)
    assert not connection.execute_wrappers
