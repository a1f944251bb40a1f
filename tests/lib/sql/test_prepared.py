"""Statements that PostgreSQL keeps planned go on after a migration."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import NotSupportedError, close_old_connections, connection

from apps.lib.sql.prepared import run_prepared


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite keeps no plans")
def test_a_plan_that_a_migration_outdated_is_forgotten_with_its_connection() -> None:
    def outdate() -> list[tuple[object, ...]]:
        migrating = connection.copy()
        with migrating.cursor() as other:
            other.execute("CREATE TABLE planned (word varchar(5))")
            try:
                run_prepared("SELECT word FROM planned WHERE word = %s", ["a"])
                other.execute("ALTER TABLE planned ALTER word TYPE varchar(50)")
                with pytest.raises(NotSupportedError):
                    run_prepared("SELECT word FROM planned WHERE word = %s", ["a"])
                close_old_connections()  # as between two calls, and two tasks
                return run_prepared("SELECT word FROM planned WHERE word = %s", ["a"])
            finally:
                connection.close()
                other.execute("DROP TABLE planned")
                migrating.close()

    with ThreadPoolExecutor(1) as thread:  # whose connection is in no transaction
        assert thread.submit(outdate).result() == []
