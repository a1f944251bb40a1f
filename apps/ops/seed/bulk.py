"""Rows of a table by one statement; on PostgreSQL its indexes are built when the rows are there.

A row that is written into eleven indexes costs ten times as much as one that is sorted into them
later, and a million foreign keys are checked by one join.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import Model

# An index is sorted in so much memory; more is written to the disk.
_MEMORY = "256MB"


def insert(model: type[Model], source: str, /, **columns: str) -> int:
    """Insert what `source` (FROM and all that follows) gives; returns how many rows.

    Each of `columns` is an SQL expression; columns that are not named get the model's default.
    """
    quote = connection.ops.quote_name
    named: dict[str, str] = {name: sql.replace("%", "%%") for name, sql in columns.items()}
    defaults = []
    for field in model._meta.concrete_fields:
        column = field.get_attname_column()[1]
        if column is None or column in named or field.primary_key or field.generated:
            continue
        named[column] = "%s"
        defaults.append(field.get_db_prep_save(field.get_default(), connection))
    names = ", ".join(map(quote, named))
    values = ", ".join(named.values())
    table = quote(model._meta.db_table)
    rows = source.replace("%", "%%")
    # names and expressions of ours
    statement = f"INSERT INTO {table} ({names}) SELECT {values} {rows}"
    with connection.cursor() as cursor:
        cursor.execute(statement, defaults)
        return int(cursor.rowcount)


def highest(model: type[Model]) -> int:
    """The highest primary key, 0 where there is no row."""
    return model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0


def count_on(model: type[Model]) -> None:
    """Let the sequence of primary keys go on behind those that were given."""
    if connection.vendor != "postgresql":
        return
    table = model._meta.db_table
    with connection.cursor() as cursor:
        statement = "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)"
        cursor.execute(statement, [table, highest(model) or 1])


@contextmanager
def indexed_afterwards(models: Sequence[type[Model]]) -> Iterator[None]:
    """Take indexes, unique constraints and foreign keys off the tables, and put them on again.

    PostgreSQL only, inside a transaction. The tables are locked meanwhile, so they should be empty
    ones. Primary keys stay, and so do checks.
    """
    if connection.vendor != "postgresql":
        yield
        return
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"SET LOCAL maintenance_work_mem = '{_MEMORY}'")
        taken = _constraints(cursor, tables) + _indexes(cursor, tables)
        for off, _on in taken:
            cursor.execute(off)
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for _off, on in reversed(taken):
            cursor.execute(on)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _constraints(cursor: Any, tables: list[str]) -> list[tuple[str, str]]:
    """Statements that drop and add each foreign key and unique constraint."""
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype IN ('f', 'u') AND conrelid = ANY(%s::regclass[]) ORDER BY contype, conname",
        [tables],
    )
    quote = connection.ops.quote_name
    found = []
    for table, name, definition in cursor.fetchall():
        altered = f"ALTER TABLE {table}"
        off = f"{altered} DROP CONSTRAINT {quote(name)}"
        on = f"{altered} ADD CONSTRAINT {quote(name)} {definition}"
        found.append((off, on))
    return found


def _indexes(cursor: Any, tables: list[str]) -> list[tuple[str, str]]:
    """Statements that drop and create each index that is no constraint's."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT 1 FROM pg_constraint"
        " WHERE conindid = indexrelid) ORDER BY indexrelid",
        [tables],
    )
    return [(f"DROP INDEX {name}", definition) for name, definition in cursor.fetchall()]
