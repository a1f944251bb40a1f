"""Statements that PostgreSQL keeps planned in each connection: of a small one,
the plan is most of the work.

Only for what goes by unique keys to a row or two, whatever the values: a plan that is kept does not
know them, and does not learn that a table has grown by a million rows until PostgreSQL has counted
anew (a minute at most). All others are planned for the values they have, as Django does it.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import wrapped_errors


def run_prepared(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of the statement.

    As any other statement where the connection's `prepare_threshold` is unset, and on SQLite.
    """
    with connection.cursor():  # looks after the connection
        if connection.vendor != "postgresql" or connection.connection.prepare_threshold is None:
            return run(sql, params)
        with wrapped_errors(), psycopg.Cursor(connection.connection) as planned:
            try:
                planned.execute(sql, params, prepare=True)
            except (
                psycopg.errors.FeatureNotSupported
            ):  # a migration has changed a column's type since it was planned
                connection.close_at = (
                    0.0  # the next call or task begins with a connection that has no plans
                )
                raise
            if planned.description:
                return planned.fetchall()
            return []
