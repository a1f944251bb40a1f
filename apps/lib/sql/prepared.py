"""Statements that PostgreSQL keeps planned in each connection: of a small one,
the plan is most of the work.

Only for what goes by unique keys to a row or two, whatever the values: a plan that is kept does not
know them, and does not learn that a table has grown by a million rows until PostgreSQL has counted
anew (a minute at most). All others are planned for the values they have, as Django does it.

They go to libpq at once, with the driver's own conversion of values: its cursors would take longer
than PostgreSQL does to answer.
"""

import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus

from apps.lib.processes.slow_statements import watched
from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import wrapped_errors

# In what a statement of its own transaction gives back, on PostgreSQL: its commit does not wait for
# the disk. A crash of the server may take it back, if nothing was committed since that did wait.
NO_WAIT = ", set_config('synchronous_commit', 'off', true)"
MOST = 1_000  # of one connection; in a process there are some dozens
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_Plans = dict[tuple[str, tuple[int, ...]], bytes]  # statement and types of its parameters: name
_plans: WeakKeyDictionary[Any, _Plans] = WeakKeyDictionary()
Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Statement:
    """One that is to be run; `then` hears of its rows."""

    sql: str
    params: Sequence[Any]
    then: Callable[[Rows], None] | None = None


class _Gathered(threading.local):
    """Statements of this thread that wait to be sent with the next one; None: they don't wait."""

    waiting: list[Statement] | None = None


_gathered = _Gathered()


def run_prepared(sql: str, params: Sequence[Any]) -> Rows:
    """The rows of the statement; its marks are `%s`, and a percent sign is `%%`.

    As any other statement where the connection's `prepare_threshold` is unset, and on SQLite.
    """
    if _gathered.waiting:
        return _run_with(Statement(sql, params))
    driver = _driver()
    if driver is None:
        return run(sql, params)
    with _errors(), watched(sql):
        return _rows(driver, sql, params)


def run_together(statements: Sequence[Statement]) -> list[Rows]:
    """The rows of each statement, in one round trip where PostgreSQL plans ahead."""
    driver = _driver()
    if driver is None or _gathered.waiting:
        return [run_prepared(each.sql, each.params) for each in statements]
    with _errors(), watched(statements[0].sql):
        return _rows_of_all(driver, statements)


def run_soon(statement: Statement) -> None:
    """Run the statement with the next one, or at the end of `gathering`; outside of that, now."""
    if _gathered.waiting is not None:
        _gathered.waiting.append(statement)
        return
    rows = run_prepared(statement.sql, statement.params)
    if statement.then:
        statement.then(rows)


@contextmanager
def gathering() -> Iterator[None]:
    """Send statements that were given to `run_soon` inside together with the next one that
    anybody runs, in one round trip: PostgreSQL's pipeline. They are run in their order.

    Inside a transaction. Where one fails, its error is raised by whoever ran the next one.
    """
    if _driver() is None or _gathered.waiting is not None:
        yield
        return
    _gathered.waiting = []
    try:
        with connection.execute_wrapper(_after_what_waits):
            yield
        run_gathered()
    finally:
        _gathered.waiting = None


def run_gathered() -> None:
    """Run what waits, for somebody who needs what it gives."""
    if _gathered.waiting:
        _run_with()


def _after_what_waits(execute: Any, *statement: Any) -> Any:
    """Let a statement of Django's be run after what was gathered before."""
    run_gathered()
    return execute(*statement)


def _run_with(last: Statement | None = None) -> Rows:
    """Run what waits, and the last statement; the rows of that."""
    statements = _gathered.waiting or []
    _gathered.waiting = []
    if last:
        statements.append(last)
    with _errors(), watched(statements[-1].sql):
        found = _rows_of_all(_driver(), statements)
    for statement, rows in zip(statements, found, strict=True):
        if statement.then:
            statement.then(rows)
    return found[-1]


def _driver() -> Any:
    """The driver's connection; None where it plans nothing ahead."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    if wrapper.vendor != "postgresql":
        return None
    wrapper.close_if_health_check_failed()
    wrapper.ensure_connection()
    driver = wrapper.connection
    if driver.prepare_threshold is None:
        return None
    return driver


@contextmanager
def _errors() -> Iterator[None]:
    """Make the driver's errors Django's."""
    with wrapped_errors():
        try:
            yield
        except psycopg.errors.FeatureNotSupported:
            # a migration has changed a column's type since it was planned: the next call or task
            # begins with a connection that has no plans
            connection.close_at = 0.0
            raise


def _rows(driver: Any, sql: str, params: Sequence[Any]) -> Rows:
    values = Transformer(driver)
    given = values.dump_sequence(params, _formats(len(params)))
    server = driver.pgconn
    if _begins(driver):
        _checked(server.exec_(b"BEGIN"))
    name = _planned(driver, sql, values)
    result = _checked(server.exec_prepared(name, given, values.formats))
    return _loaded(values, result)


def _rows_of_all(driver: Any, statements: Sequence[Statement]) -> list[Rows]:
    """The rows of each statement, asked for in one round trip."""
    ready = []
    for statement in statements:
        values = Transformer(driver)
        given = values.dump_sequence(statement.params, _formats(len(statement.params)))
        ready.append((values, _planned(driver, statement.sql, values), given))
    server = driver.pgconn
    begins = _begins(driver)
    server.enter_pipeline_mode()
    try:
        if begins:
            server.send_query_params(b"BEGIN", None)
        for values, name, given in ready:
            server.send_query_prepared(name, given, values.formats)
        server.pipeline_sync()
        results = _received(server, begins + len(ready))
    finally:
        server.exit_pipeline_mode()
    for result in results:
        _checked(result)
    answers = results[begins:]
    return [_loaded(values, each) for (values, _, _), each in zip(ready, answers, strict=True)]


def _received(server: Any, count: int) -> list[Any]:
    """The results of so many statements, after which the pipeline is empty."""
    poll = select.poll()
    results = []
    synced = False
    while not synced:
        events = select.POLLIN
        if server.flush():
            events |= select.POLLOUT
        poll.register(server.socket, events)
        poll.poll()
        server.consume_input()
        while not synced and not server.is_busy():
            result = server.get_result()
            if result is None:
                continue  # the end of one statement
            if result.status == ExecStatus.PIPELINE_SYNC:
                synced = True
            else:
                results.append(result)
    assert len(results) == count  # noqa: S101  # one each, refused or not reached ones as well
    return results


def _begins(driver: Any) -> bool:
    """Whether the next statement begins a transaction, as the driver does it by itself."""
    idle = driver.pgconn.transaction_status == TransactionStatus.IDLE
    return idle and not driver.autocommit


def _planned(driver: Any, sql: str, values: Any) -> bytes:
    """The name under which the server keeps the statement for parameters of these types."""
    plans = _plans.setdefault(driver, {})
    types = values.types or ()
    name = plans.get((sql, types))
    if name is None:
        server = driver.pgconn
        if len(plans) >= MOST:
            _checked(server.exec_(b"DEALLOCATE ALL"))
            plans.clear()
        name = b"kept_%d" % len(plans)
        _checked(server.prepare(name, _numbered(sql), types))
        plans[sql, types] = name
    return name


def _loaded(values: Any, result: Any) -> Rows:
    if not result.nfields:
        return []
    values.set_pgresult(result)
    rows: Rows = values.load_rows(0, result.ntuples, tuple)
    return rows


def _checked(result: Any) -> Any:
    """Give the result. Raises the driver's error where the server refused the statement."""
    if result.status in _GOOD:
        return result
    state = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
    said = result.get_error_message()
    if not state:  # libpq's own word: the connection is lost
        raise psycopg.OperationalError(said)
    raise _error_of(state)(said, info=result)


def _error_of(state: str) -> type[psycopg.Error]:
    try:
        return psycopg.errors.lookup(state)
    except KeyError:
        return psycopg.DatabaseError


@cache
def _formats(number: int) -> list[PyFormat]:
    return [PyFormat.AUTO] * number


@lru_cache(maxsize=MOST)
def _numbered(sql: str) -> bytes:
    """The statement with marks as PostgreSQL has them: $1, $2."""
    first, *rest = sql.split("%s")
    parts = [first]
    for number, part in enumerate(rest, start=1):
        parts += [f"${number}", part]
    return "".join(parts).replace("%%", "%").encode()
