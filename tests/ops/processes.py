"""Our programs as real processes on the test's own database."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from django.conf import settings
from django.db import connection

from tests.patience import until


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a program that works on the database of this test and keeps its files in `folder`."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        if database["PORT"]:
            place = f"{database['HOST']}:{database['PORT']}"
        else:
            place = database["HOST"]
        if database["PASSWORD"]:
            person = f"{database['USER']}:{quote(database['PASSWORD'], safe='')}"
        else:
            person = database["USER"]
        host = database["OPTIONS"].get("host", "")
        url = f"postgres://{person}@{place}/{database['NAME']}" + (f"?host={host}" if host else "")
    return {
        **os.environ,
        "CARILLON_MODE": "test",
        "VAR_DIR": str(folder),
        "DATABASE_URL": url,
        **more,
    }


@contextmanager
def program(folder: Path, *words: str, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`manage.py <words>` in a session of its own;
    at the end it and all its descendants are gone.
    """
    log = (folder / "program.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        left = [process.pid, *(each.pid for each in family(process.pid))]
        for pid in left:
            with suppress(psutil.Error):
                psutil.Process(pid).kill()
        process.wait()
        log.close()
        until(lambda: not alive(left), "all processes of the test are gone")


@contextmanager
def web_server(folder: Path, port: int, *, workers: int = 2, **more: str) -> Iterator[None]:
    """The web server as docs/operate.md starts it, on the test's database, listening; `more` is set
    in its environment.
    """
    words = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--workers", str(workers), "--blocking-threads", "64", "--log-level", "error"]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", *words, "notifications_project.wsgi:application"],
            cwd=settings.BASE_DIR,
            env=environment(folder, **{"API_CALLS_PER_MINUTE": "100000", **more}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: _listens(port), "the web server listens")
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def titled(word: str, group: int) -> list[int]:
    """Pids of the descendants of `group` whose title ends with `word` (idle, courier)."""
    found = []
    for process in family(group):
        try:
            if " ".join(process.cmdline()).rstrip("\0 ").endswith(f" {word}"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found
