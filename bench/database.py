"""A PostgreSQL for one run of the bench: default configuration,
so fsync is on and a commit waits for the disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.processes import DidNotWork
from tests import postgres


@dataclass(frozen=True, slots=True)
class Database:
    folder: Path
    pid: int  # of the postmaster: its tree is PostgreSQL's share of the work
    version: str

    def make(self, name: str) -> str:
        """An empty database of that name (the old one is dropped), as a URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgres://carillon@/{name}?host={self.folder}"


@contextmanager
def started(folder: Path) -> Iterator[Database]:
    """Raises DidNotWork."""
    folder.mkdir(mode=0o755)
    try:
        # it listens on a socket in the folder and nowhere else;
        # all other options are PostgreSQL's own
        server = postgres.Server(folder)
        try:
            server.start()
            with psycopg.connect(server.url) as connection:
                durable = [
                    connection.execute(f"SHOW {name}").fetchone()
                    for name in ("fsync", "synchronous_commit")
                ]
            if durable != [("on",), ("on",)]:
                raise DidNotWork(f"This PostgreSQL does not keep what it commits: {durable}.")
            pid = int((server.data / "postmaster.pid").read_text().split()[0])
            yield Database(folder, pid, postgres.version(server.url))
        finally:
            server.stop()
    except postgres.NoPostgres as error:
        raise DidNotWork(str(error)) from error
