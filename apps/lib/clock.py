"""The database's clock: the one that all machines share. Leases and limits of several machines are reckoned by it."""

import datetime as dt

from django.db import connection

# In expressions `django.db.models.functions.Now` is the same clock: the start of the statement on PostgreSQL, too.
_SECONDS = {
    "postgresql": "extract(epoch from clock_timestamp())",  # now() would be the start of the transaction
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",  # milliseconds
}


def database_now() -> dt.datetime:
    """One statement of about 0.1 ms."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SECONDS[connection.vendor]}")
        return dt.datetime.fromtimestamp(float(cursor.fetchone()[0]), dt.UTC)
