"""The database's clock: the one that all machines share.

Leases and limits of several machines are reckoned by it (lib/steady_clock.py).
"""

import datetime as dt

from django.db import connection

# In expressions `django.db.models.functions.Now` is the same clock:
# the start of the statement on PostgreSQL, too.


def wall_of_database() -> dt.datetime | None:
    """What the database's clock says, in one statement of about 0.1 ms.

    None on SQLite, which runs on this machine and says it up to a millisecond late: what was told
    just now would not be due yet.
    """
    if connection.vendor == "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch from clock_timestamp())"
        )  # now() would be the start of the transaction
        return dt.datetime.fromtimestamp(float(cursor.fetchone()[0]), dt.UTC)
