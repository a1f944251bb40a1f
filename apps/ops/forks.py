"""Programs that go on from where this process is: forks, which share what it has loaded.

Modules and what they hold are some 90 MB. A program that starts anew has them for itself; a fork
shares what neither side writes to, and needs no second to import them.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from django.apps import apps
from django.core.management import ManagementUtility
from django.db import connections
from django.urls import get_resolver
from setproctitle import setproctitle

from apps.channels.registry import providers
from apps.lib.processes.before_fork import prepare_to_fork
from apps.lib.processes.parent import end_with_parent
from apps.notifications.sending import sender  # noqa: F401  # loaded before forks, as below

ASKED_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Closable(Protocol):
    """A file or a socket."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Fork:
    """A process that was forked from this one; asked in the words of `subprocess.Popen`."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Give the exit code, below 0 the signal that killed it; None while it lives."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self) -> int:
        """Wait for its end, and give the exit code."""
        if self.returncode is None:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def load() -> None:
    """Load, before the forks, what they need later.

    A mail's links need the addresses of all pages, and those 320 modules: each sender took 0.7 s to
    load them while its first mail waited. What the ORM finds out about models when it is first
    asked, each fork would have for itself.
    """
    providers()
    get_resolver().reverse_dict  # noqa: B018  # asked for what it loads
    for model in apps.get_models():
        model._meta.get_fields()


def fork(
    work: Callable[[], object],
    *,
    title: str,
    death_signal: int = signal.SIGKILL,
    drops: Sequence[Closable] = (),
) -> Fork:
    """Do the work in a process and session of its own, which ends with it.

    If this process is killed, the kernel sends it `death_signal`. `drops`: what is open here and
    is none of its business. This process must have one thread only, and gives up its connections to
    the database: two processes can't share one.
    """
    connections.close_all()
    prepare_to_fork()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    parent = os.getpid()
    here, there = os.pipe()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no end can be waited for
    # What it is sent before it is ready to hear waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED_TO_END)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(there)
        os.read(here, 1)  # until it has its session, by which it can be killed as a whole
        os.close(here)
        return Fork(pid)

    def become() -> None:
        os.setsid()
        os.close(here)
        os.close(there)
        for number in ASKED_TO_END:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        end_with_parent(parent, death_signal)
        _read_nothing()
        for each in drops:
            each.close()
        setproctitle(title)
        work()

    os._exit(_code_of(become))


def manage(*words: str) -> None:
    """Be `manage.py <words>` from here on, with a Django that is set up. Raises SystemExit."""
    sys.argv = ["manage.py", *words]
    ManagementUtility(sys.argv).fetch_command(words[0]).run_from_argv(sys.argv)


def _read_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _code_of(work: Callable[[], object]) -> int:
    """Do it, and give the exit code that Python would end with."""
    code = 0
    try:
        work()
    except SystemExit as end:
        code = _said(end)
    except BaseException:  # noqa: BLE001  # the last thing that this process does is to tell it
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return code


def _said(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    print(end.code, file=sys.stderr)
    return 1
