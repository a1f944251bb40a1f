"""What each step of a call of POST /notify costs: `python -m bench.steps KEY PERSON CALLS` makes
calls of the WSGI application in its own process, and prints a line of JSON for each step.

Steps are functions of the product. The processor time of the thread is read at their borders, and
that of the database's process, which works for nobody else; what a step calls that is a step of
its own counts there. The database is read in calls of its own, because to ask the kernel for it
takes as long as a small step.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

SERVER = "server, middleware, routing"
# Functions by step; where several are one step, their costs are added.
STEPS = (
    ("the API key", "apps.api.auth", "ApiKeyAuthentication.authenticate"),
    ("the allowance", "apps.api.limits", "PerCaller.allow_request"),
    ("the view around it", "apps.api.endpoint", "Endpoint.dispatch"),
    ("the body, read", "apps.api.parsing", "PlainJson.parse"),
    ("the body, checked", "apps.api.endpoint", "Endpoint.body"),
    ("the Idempotency-Key", "apps.api.idempotency", "once"),
    ("the act's own", "apps.api.v1.send.notifications", "Notify.post"),
    ("type and template", "apps.api.v1.send.notifications", "type_of"),
    ("type and template", "apps.api.v1.send.notifications", "_version"),
    ("the person", "apps.api.v1.send.notifications", "NamedPeople.__init__"),
    ("the person", "apps.api.v1.send.notifications", "NamedPeople.write"),
    ("the intent, checked", "apps.notifications.notify", "_check_data"),
    ("the intent, checked", "apps.notifications.notify", "_drafted"),
    ("the notification, written", "apps.notifications.notify", "_store"),
    ("the fact, written", "apps.notifications.notify", "tell"),
    ("the delivery, judged and written", "apps.notifications.notify", "plan_named"),
    ("its tally", "apps.notifications.books.tallies", "shift"),
    ("the announcement", "apps.notifications.plan", "announce_senders"),
    ("the commit", "django.db.backends.base.base", "BaseDatabaseWrapper.commit"),
    ("the bell, rung", "apps.lib.queue.bell", "_ring"),
    ("the answer", "apps.api.endpoint", "Endpoint.finalize_response"),
    ("the answer", "rest_framework.response", "Response.render"),
)


@dataclass
class Watch:
    """What the steps have cost until now, and which of them are open."""

    read: Callable[[], float]
    cost: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    statements: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    open: list[str] = field(default_factory=lambda: [SERVER])
    since: float = 0.0

    def turn(self) -> None:
        """Charge the step that is open with what was used since the last border."""
        now = self.read()
        self.cost[self.open[-1]] += now - self.since
        self.since = self.read()

    def around(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.turn()
            self.open.append(step)
            try:
                return function(*args, **kwargs)
            finally:
                self.turn()
                self.open.pop()

        return watched


# The database's process, also while no thread has the connection to it.
_backend: list[int] = []


def database_time() -> float:
    """Seconds of processor that the process at the other end of our connection has used."""
    from django.db import connection

    if connection.connection is not None:
        _backend[:] = [connection.connection.info.backend_pid]
    if not _backend:
        return 0.0
    [pid] = _backend
    nanoseconds = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1e9


def _wrap(watch: Watch) -> None:
    for step, module, path in STEPS:
        holder: Any = import_module(module)
        *classes, name = path.split(".")
        for each in classes:
            holder = getattr(holder, each)
        setattr(holder, name, watch.around(step, getattr(holder, name)))
    _count_statements(watch)


def _count_statements(watch: Watch) -> None:
    import psycopg

    from apps.lib.sql import prepared

    def counted(function: Callable[..., Any], many: Callable[..., int]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            watch.statements[watch.open[-1]] += many(*args)
            return function(*args, **kwargs)

        return call

    execute = psycopg.Cursor.execute
    psycopg.Cursor.execute = counted(execute, lambda *_: 1)  # type: ignore[method-assign]
    prepared._rows = counted(prepared._rows, lambda *_: 1)
    prepared._rows_of_all = counted(
        prepared._rows_of_all, lambda driver, statements: len(statements)
    )


def _call(application: Any, key: str, person: str, number: int) -> None:
    asked = {
        "type": "transactional",
        "template": "bench-code",
        "channels": ["email"],
        "recipients": [{"email": person}],
        "data": {"code": str(number)},
    }
    body = json.dumps(asked).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/notify",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "HTTP_IDEMPOTENCY_KEY": f"step-{os.getpid()}-{number}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
    }
    statuses: list[str] = []
    answer = application(environ, lambda status, headers: statuses.append(status))
    said = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    if not statuses[0].startswith("202"):
        raise SystemExit(f"{statuses[0]}: {said.decode()}")


def main() -> None:
    key, person, calls = sys.argv[1:]
    application = import_module("notifications_project.wsgi").application
    watch = Watch(time.thread_time)
    _wrap(watch)
    count = int(calls)
    for number in range(50):
        _call(application, key, person, number)
    app = _measured(watch, time.thread_time, application, key, person, range(50, 51 + count))
    statements = dict(watch.statements)
    database = _measured(
        watch, database_time, application, key, person, range(51 + count, 52 + 2 * count)
    )
    steps = dict.fromkeys([SERVER, *(step for step, _, _ in STEPS)])
    for step in steps:
        row = {
            "step": step,
            "app": app[step] / count,
            "database": database[step] / count,
            "statements": statements.get(step, 0) / count,
        }
        print(json.dumps(row))


def _measured(
    watch: Watch, read: Callable[[], float], application: Any, key: str, person: str, numbers: range
) -> dict[str, float]:
    watch.read = read
    _call(application, key, person, numbers.start)  # the database's process is known
    watch.cost.clear()
    watch.statements.clear()
    watch.since = read()
    for number in numbers[1:]:
        _call(application, key, person, number)
    watch.turn()
    return defaultdict(float, watch.cost)


if __name__ == "__main__":
    main()
