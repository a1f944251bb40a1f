"""The database's clock: the one that all machines share.

Leases and limits of several machines are reckoned by it.
"""

import datetime as dt

from django.db import connection

# In expressions `django.db.models.functions.Now` is the same clock:
# the start of the statement on PostgreSQL, too.


def database_now() -> dt.datetime:
    """One statement of about 0.1 ms; none on SQLite, which runs on this machine and says it up to a
    millisecond late: what was told just now would not be due yet.
    """
    if connection.vendor == "sqlite":
        return dt.datetime.now(dt.UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch from clock_timestamp())"
        )  # now() would be the start of the transaction
        return dt.datetime.fromtimestamp(float(cursor.fetchone()[0]), dt.UTC)
