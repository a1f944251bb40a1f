"""Programs that a measurement starts, what they cost (CPU of whole trees, memory),
and their sure end.
"""

import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent


class DidNotWork(RuntimeError):
    """A measurement can't be made, or what it saw was not what it should measure;
    the text says which.
    """


@dataclass(frozen=True, slots=True)
class Program:
    """One we started. `pid` leads a session of its own."""

    pid: int
    log: Path


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    within: float = 30,
) -> Iterator[Program]:
    """Run a program for the length of the block; with `port`, wait until it listens there.

    It ends on SIGTERM.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment if environment is not None else os.environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches the bench, which ends the others in order
        )
    try:
        if port:
            wait_for(lambda: _listens(port), f"{command[0]} on port {port}", within=within)
        yield Program(process.pid, log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(within)
        with suppress(ProcessLookupError):  # its own session, so nobody else's
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def python(*words: str) -> list[str]:
    return [sys.executable, *words]


def said_by(environment: Mapping[str, str], *words: str) -> str:
    """What a Python program of these words prints. Raises DidNotWork where it fails."""
    done = subprocess.run(
        python(*words),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DidNotWork(f"{' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def wait_for(
    condition: Callable[[], object], what: str, *, within: float, every: float = 0.05
) -> None:
    """Raises DidNotWork."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise DidNotWork(f"Waited {within:.0f} s in vain for {what}.")
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((HERE, port), 1).close()
        return True
    return False


# ------------------------------------------------------------------ what they cost
def family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def cpu(pid: int) -> float:
    """User and system seconds of a process and all below it, those that have ended included."""
    total = 0.0
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory(pid: int) -> dict[int, float]:
    """Resident MB of each process of the tree."""
    found = {}
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            found[process.pid] = process.memory_info().rss / 1e6
    return found


def shared_memory(pid: int) -> float:
    """MB that the tree holds together: a page that several have in common counts once."""
    total = 0.0
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss / 1e6
    return total


# ------------------------------------------------------------------ numbers
def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """`1,234 (1,200 to 1,300)`: the median, the least and the most."""
    middle, least, most = (
        f"{value:,.{digits}f}" for value in (median(values), min(values), max(values))
    )
    if len(values) == 1:
        return middle
    return f"{middle} ({least} to {most})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of them don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
