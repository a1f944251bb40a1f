"""`python -m bench.open_pages ROUNDS [NAME ...]`: open every page and call of tests/site_pages.py
on the database of the environment, or those whose name begins so. Writes what each took as JSON:
milliseconds of each round, by the clock and of the processors.

In this process, without a web server: what is measured is Carillon and its database.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.processes import percentile

OVER_TLS = {"x-forwarded-proto": "https"}  # in production all else is sent to https first
WARM = 1  # rounds that don't count: templates are compiled, plans and pages are read


class Watch:
    """Counts the statements of a page and keeps the slowest."""

    def __init__(self) -> None:
        self.queries = 0
        self.slowest = (0.0, "", ())  # seconds, statement, parameters

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.perf_counter() - began
            self.queries += 1
            if took > self.slowest[0] and not many:
                self.slowest = (took, sql, params)


def main(rounds: int, names: Sequence[str] = ("",)) -> dict[str, Any]:
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment

    from tests.site_pages import site_pages

    setup_test_environment()
    client, pages = site_pages()
    found: dict[str, Any] = {"count": yardstick(), "pages": {}}
    for page in pages:
        if not page.name.startswith(tuple(names)):
            continue
        took = []
        worked = []
        for turn in range(WARM + rounds):
            watch = Watch()
            began = time.perf_counter()
            before = _worked()
            with ExitStack() as stack:
                stack.enter_context(connection.execute_wrapper(watch))
                answer = client.get(page.url, headers={**page.headers, **OVER_TLS}, secure=True)
            if answer.status_code != 200:
                raise SystemExit(f"{page.name} {page.url}: {answer.status_code}")
            if turn >= WARM:
                took.append((time.perf_counter() - began) * 1000)
                worked.append((_worked() - before) * 1000)
        found["pages"][page.name] = {
            "took": took,
            "worked": worked,
            "queries": watch.queries,
            "slowest": watch.slowest[0] * 1000,
            "statement": watch.slowest[1],
            "plan": _plan(watch.slowest[1], watch.slowest[2]),
        }
    return found


def yardstick() -> float:
    """Milliseconds in which the database counts its followers, the middle of five times."""
    from apps.followers.models import Follower

    took = []
    for _ in range(5):
        began = time.perf_counter()
        Follower.objects.count()
        took.append((time.perf_counter() - began) * 1000)
    return percentile(took, 0.5)


def _worked() -> float:
    """Seconds of a processor that this process and its PostgreSQL on this machine have used; the
    helpers of a parallel plan are not among them.
    """
    from django.db import connection

    beside = 0
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
        if backend.exists():
            beside = int(backend.read_text().split()[0])
    return time.process_time() + beside / 1e9


def _plan(sql: str, params: Any) -> list[str]:
    """How PostgreSQL goes about a question, with what it read."""
    from django.db import connection

    if connection.vendor != "postgresql" or not sql.startswith(("SELECT", "WITH")):
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
        return [line for (line,) in cursor.fetchall()]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
    json.dump(main(int(sys.argv[1]), sys.argv[2:] or ("",)), sys.stdout)
