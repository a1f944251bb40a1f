"""A migrated database at the begin of a run: SQLite's is made once, and copied from then on.

The migrations take longer than the tests of most files, so what they made is kept in
`.ready_database`, under a name that changes with all that it is made of. On PostgreSQL they run
each time.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.db import connection
from django.test.utils import setup_databases

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".ready_database"
# Nothing else of ours is imported by a migration.
MADE_OF = ("apps/*/migrations/*.py", "apps/lib/**/*.py", "notifications_project/*.py", "*.txt")


def make() -> Any:
    """Make the test's database ready; gives what Django's `teardown_databases` wants."""
    if connection.vendor != "sqlite":
        return setup_databases(verbosity=0, interactive=False)
    try:
        FOLDER.mkdir(exist_ok=True)
    except OSError:  # a checkout in which nobody may write
        return setup_databases(verbosity=0, interactive=False)
    with _alone():
        return _make_or_copy(FOLDER / f"{fingerprint()}.sqlite3")


def _make_or_copy(kept: Path) -> Any:
    if not kept.exists():
        made = setup_databases(verbosity=0, interactive=False)
        _keep(kept)
        return made
    name = Path(connection.settings_dict["TEST"]["NAME"])
    for end in ("", "-wal", "-shm"):
        name.with_name(name.name + end).unlink(missing_ok=True)
    shutil.copy(kept, name)
    connection.settings_dict["TEST"]["MIGRATE"] = False
    return setup_databases(verbosity=0, interactive=False, keepdb=True)


def _keep(kept: Path) -> None:
    """Put a copy of the database where the next run looks; those of before are of no use."""
    for old in FOLDER.glob("*.sqlite3"):
        old.unlink()
    unfinished = kept.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(unfinished)])
    unfinished.rename(kept)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time make or copy: whoever comes meanwhile copies."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """Name all that a migrated database is made of."""
    told = hashlib.sha256()
    told.update(f"{django.VERSION} {sqlite3.sqlite_version} {os.environ.get('TIME_ZONE')}".encode())
    for pattern in MADE_OF:
        for path in sorted(ROOT.glob(pattern)):
            told.update(f"{path.relative_to(ROOT)}\n".encode())
            told.update(path.read_bytes())
    return told.hexdigest()[:20]
