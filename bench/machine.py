"""On what it was measured: a number without its machine says nothing."""

import datetime as dt
import os
import platform
import re
import subprocess
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from bench import yardsticks
from bench.mailservers import postfix
from bench.processes import ROOT, median

PACKAGES = ("Django", "psycopg", "django-q2", "python-liquid", "cryptography", "django-post-office")

# of CPython's configure: profile-guided and link-time optimisation
OPTIMISED = ("--enable-optimizations", "--with-lto")


def facts(folder: Path, database: str) -> list[str]:
    memory = psutil.virtual_memory().total / 2**30
    return [
        (
            f"{os.cpu_count()} × {_processor()}, {memory:.0f} GiB, {platform.system()}"
            f" {platform.release()}"
        ),
        (
            "PostgreSQL, receiver and all else on these cores; load of the minute before:"
            f" {os.getloadavg()[0]:.1f}"
        ),
        (
            f"{database} with its default configuration (fsync on); a write that waits for this"
            f" disk takes {_sync(folder):.2f} ms"
        ),
        f"Python {platform.python_version()} ({_build()}), "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        f"smtp-sink and smtp-source of Postfix {_postfix()}; all on 127.0.0.1",
        f"an RSA-2048 signature takes {yardsticks.rsa_2048() * 1e6:.0f} µs",
    ]


def commit() -> str:
    """The short name of what is measured, with a + when files differ from it."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    dirty = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    )
    return (name.stdout.strip() or "no commit") + ("+" if dirty.stdout.strip() else "")


def stamp() -> str:
    return f"{dt.datetime.now(dt.UTC):%d %B %Y %H:%M} UTC at {commit()}"


def _build() -> str:
    """Whether this Python was optimised for what it runs, as far as its configuration tells."""
    given = sysconfig.get_config_var("CONFIG_ARGS") or ""
    told = []
    for option in OPTIMISED:
        word = "without"
        if option in given:
            word = "with"
        told.append(f"{word} {option}")
    return f"configured {', '.join(told)}"


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    if found:
        return found[1].strip()
    return platform.machine()


def _sync(folder: Path) -> float:
    """Milliseconds of one small append with fdatasync: what each commit waits for."""
    path = folder / "sync"
    times = []
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(50):
            began = time.perf_counter()
            os.write(file, b"x" * 500)
            os.fdatasync(file)
            times.append(time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
    return median(times) * 1000


def _postfix() -> str:
    configuration = Path(postfix("smtp-sink")).with_name("postconf")
    done = subprocess.run(
        [configuration, "-d", "-h", "mail_version"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "(unknown version)"
