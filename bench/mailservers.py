"""The other side of each measurement: Postfix's smtp-sink and smtp-source, a slow line,
and a receiver with a watch.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import HERE, DidNotWork, Program, free_port, python, running

NOBODY = 9  # a port for accounts through which nothing is sent (RFC 863)
MISSING = (
    "smtp-source and smtp-sink are missing. They come with Postfix (Debian: apt-get install"
    " postfix; don't start it)."
)


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    program: Program


def postfix(name: str) -> str:
    """Raises DidNotWork."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin")
    if found is None:
        raise DidNotWork(MISSING)
    return found


@contextmanager
def sink(folder: Path) -> Iterator[Server]:
    """Takes everything and throws it away: the C server that is not what we wait for."""
    port = free_port()
    user = []
    if os.geteuid() == 0:
        user = ["-u", "nobody"]
    command = [postfix("smtp-sink"), *user, f"{HERE}:{port}", "1000"]
    with running(command, log=folder / "sink.log", port=port) as program:
        yield Server(port, program)


def source(port: int, *, messages: int, size: int, sessions: int = 5) -> float:
    """Messages a second of smtp-source, on connections that are kept: C to C,
    nothing rendered and nothing booked.
    """
    command = [
        postfix("smtp-source"),
        "-d",
        "-s",
        str(sessions),
        "-m",
        str(messages),
        "-l",
        str(size),
    ]
    command += ["-f", "news@news.example.org", "-t", "reader@mail.example.net", f"{HERE}:{port}"]
    began = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise DidNotWork(f"smtp-source failed: {done.stderr.strip()}")
    return messages / (time.perf_counter() - began)


@contextmanager
def slow_line(to: int, folder: Path, *, round_trip: float) -> Iterator[int]:
    """A port that leads to `to` over a line with that round trip (seconds)."""
    port = free_port()
    command = python("-m", "bench.slow_line", str(port), str(to), str(round_trip / 2))
    with running(command, log=folder / "slow_line.log", port=port):
        yield port


@contextmanager
def receiver(folder: Path, *, domain: str = "") -> Iterator[tuple[Server, Path]]:
    """A receiver that writes down when mails to addresses in the domain (all, without one) were
    complete; the file says `address time`.
    """
    port = free_port()
    times = folder / "received.txt"
    times.unlink(missing_ok=True)
    command = python("-m", "bench.receiver", str(port), str(times), domain)
    with running(command, log=folder / "receiver.log", port=port) as run:
        yield Server(port, run), times
