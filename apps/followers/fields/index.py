"""The index of each field that a search looks at, on PostgreSQL: trigrams of the folded text.

Made and dropped without a lock that others wait for (CONCURRENTLY), and so in no transaction: a
task compares what is defined with what there is. Without the extension pg_trgm, and on SQLite, a
search reads the values from end to end, and finds the same.
"""

import datetime as dt

from django.db import connection
from django.db.models import Value
from django.db.models.fields.json import KeyTextTransform
from psycopg import sql

from apps.followers.models import CustomField, Follower
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.sql.folding import FoundBy
from apps.lib.sql.raw import run

_PREFIX = "follower_field_"
_THERE = (
    "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = %s::regclass AND starts_with(relname, %s)"
)
_TRIGRAMS = "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"
_LOCK = 7413  # key of an advisory lock: two that build at once would wait for each other


def text_of(key: str) -> FoundBy:
    """The value under a key as a search compares it, the expression of its index."""
    return FoundBy(KeyTextTransform(key, "metadata"), Value(""))


def announce_index() -> None:
    """Have the indexes brought up to date, once this transaction is committed."""
    if connection.vendor == "postgresql":
        announce("apps.followers.fields.index.bring_up_to_date", lane=Lane.BULK)


def announce_missing(*, now: dt.datetime) -> None:
    """Schedule: an index may be missing after a crash, or after the extension was added."""
    if connection.vendor != "postgresql":
        return
    wanted = _wanted()
    if dict.fromkeys(wanted, True) != _there():
        announce_index()


def bring_up_to_date() -> None:
    """Task: make and drop indexes until they are those of the fields, unless another one does."""
    if not run("SELECT pg_try_advisory_lock(%s)", [_LOCK])[0][0]:
        return
    try:
        while statement := _next():
            with connection.cursor() as cursor:
                cursor.execute(statement)
    finally:
        run("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _next() -> sql.Composed | None:
    """Say what is to be done first; None when nothing is."""
    wanted = _wanted()
    there = _there()
    for name, valid in there.items():
        if name not in wanted or not valid:  # half made, when a process died
            return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name))
    for name, key in wanted.items():
        if name not in there:
            made = sql.SQL(
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {}"
                " USING gin (carillon_found_by(metadata ->> {}, '') gin_trgm_ops)"
            )
            table = sql.Identifier(Follower._meta.db_table)
            return made.format(sql.Identifier(name), table, sql.Literal(key))
    return None


def _wanted() -> dict[str, str]:
    """Names of indexes, each with the key it is of; none where there are no trigrams."""
    rows = CustomField.objects.filter(searchable=True).values_list("pk", "key")
    wanted = {f"{_PREFIX}{pk}": key for pk, key in rows}
    if wanted and not run(_TRIGRAMS, []):
        return {}
    return wanted


def _there() -> dict[str, bool]:
    """Names of indexes, each with whether it is whole."""
    return dict(run(_THERE, [Follower._meta.db_table, _PREFIX]))
