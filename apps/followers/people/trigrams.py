"""The indexes of a search by a piece of text: trigrams of PostgreSQL's extension pg_trgm.

Without the extension a search reads what it looks at from end to end, and finds the same.
"""

from typing import Any

from django.db import DatabaseError, connection, transaction

from apps.followers.models import Address, Follower
from apps.followers.models.channels import EVERYWHERE

_EXTENSION = "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"


def ensure_trigrams() -> bool:
    """Make the extension and the indexes, where that is allowed; True when they are there.

    Safe to call again. Only the owner of a database, or a superuser, may add an extension.
    """
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(_EXTENSION)
        if not cursor.fetchone() and not _extended(cursor):
            return False
        for statement in _indexes():
            cursor.execute(statement)
    return True


def _extended(cursor: Any) -> bool:
    try:
        with transaction.atomic():
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError:  # not allowed, or not on this server
        return False
    return True


def _indexes() -> list[str]:
    digests = ", ".join(f"'{channel.value}'" for channel in sorted(EVERYWHERE))
    return [
        f"CREATE INDEX IF NOT EXISTS follower_trigrams ON {Follower._meta.db_table}"
        " USING gin (folded gin_trgm_ops)",
        f"CREATE INDEX IF NOT EXISTS address_trigrams ON {Address._meta.db_table}"
        f" USING gin (key gin_trgm_ops) WHERE NOT (channel IN ({digests}))",
    ]
