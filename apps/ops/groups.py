"""One supervised program: a process group that is started, asked to end, and killed as a whole."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
from django.conf import settings

from apps.lib.processes.parent import end_with_parent
from apps.ops.forks import Closable, Fork, fork

# What our programs are called in the process list; django-q2 renames its processes to "qcluster …".
OUR_TITLES = ("manage.py", "qcluster")


@dataclass(slots=True)
class Group:
    """A program in a session of its own.

    It is either a `command` that is started anew, or `work` that a fork of this process does.

    `notes` is where it is written down for a later supervisor (or None).

    If this process is killed, the kernel sends `death_signal` to the program's main process.
    `works_below`: all its work is done by child processes.
    `drops`: files and sockets that are open here, and that a fork closes.
    """

    name: str
    command: Sequence[str] = ()
    title: str = ""  # in the list of processes; the name, if there is none
    work: Callable[[], object] | None = None
    notes: Path | None = None
    death_signal: int = signal.SIGKILL
    works_below: bool = False
    drops: Sequence[Closable] = ()
    process: "Fork | subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    _note: Path | None = None

    def start(self) -> None:
        if self.work:
            self.process = fork(
                self.work,
                title=f"manage.py {self.title or self.name}",
                death_signal=self.death_signal,
                drops=self.drops,
            )
        else:
            self.process = self._begin_anew()
        self.started = time.monotonic()
        if self.notes:
            self._note = self.notes / f"{self.name}-{self.process.pid}.json"
            _write_note(self._note, self.process.pid)

    def _begin_anew(self) -> "subprocess.Popen[bytes]":
        me = os.getpid()
        return subprocess.Popen(
            self.command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # safe: this process has one thread, and the function only makes system calls
            preexec_fn=lambda: end_with_parent(me, self.death_signal),
        )

    def exit_code(self) -> int | None:
        """None while the main process lives."""
        if self.process:
            return self.process.poll()
        return None

    def over(self) -> bool:
        """Nothing of it works any more.

        A main process that hears two SIGTERMs at once may hang with nobody left below it (django-q2
        waits for a lock that it holds itself): 25 s of a stop were spent on that.
        """
        if self.process is None or self.exit_code() is not None:
            return True
        return self.works_below and not _children(self.process.pid)

    def ask_to_end(self) -> None:
        """SIGTERM to the main process only: django-q2's workers would die in mid-task from it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End every process of the group, helpers included, and forget it."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if self._note:
                self._note.unlink(missing_ok=True)
            self.process = None


def _children(pid: int) -> list[psutil.Process]:
    try:
        below = psutil.Process(pid).children()
        return [each for each in below if each.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def end_all(groups: Sequence[Group], *, within: float, hurry: "Hurry") -> None:
    """Ask all to end, wait at most `within` seconds (or until `hurry()`),
    then kill what is left of them.
    """
    for group in groups:
        group.ask_to_end()
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and not hurry() and not all(group.over() for group in groups):
        time.sleep(0.05)
    for group in groups:
        group.kill()


class Hurry:
    """SIGTERM, SIGINT and SIGHUP ask to stop; a second one asks not to wait."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: object) -> None:
        self.count += 1

    def stopping(self) -> bool:
        return self.count > 0

    def __call__(self) -> bool:
        return self.count > 1


@dataclass(slots=True)
class Restarts:
    """Starts of one program that did not hold, and the pause before the next (seconds)."""

    LONGEST_PAUSE: ClassVar[float] = 60
    STEADY_AFTER: ClassVar[float] = 10

    failures: int = 0  # starts in a row that did not hold
    pause: float = 0.0  # before its last start
    not_before: float = 0.0  # monotonic

    def failed(self, moment: float) -> None:
        """Choose the pause before the next start: none, 1, 2, 4 and so on."""
        self.pause = pause_before_start(self.failures, longest=self.LONGEST_PAUSE)
        self.not_before = moment + self.pause
        self.failures += 1

    def notice_hold(self, lived: float) -> int:
        """Forget the failures of what has lived long enough; how many they were.

        Whoever dies soon after it began, again and again, is to be left in peace for a while: a
        start has held that lived so long, and as long as the pause before it.
        """
        forgotten = 0
        if self.failures and lived > self.STEADY_AFTER + self.pause:
            forgotten = self.failures
            self.failures = 0
        return forgotten


def pause_before_start(failures: int, *, longest: float) -> float:
    """Seconds to wait after so many starts in a row that did not hold: none, 1, 2,
    4 and so on up to `longest`.
    """
    if failures:
        return min(longest, 2.0 ** min(failures - 1, 30))
    return 0.0


# ------------------------------------------------------------ what a killed supervisor left behind
def _write_note(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    me = psutil.Process()
    part.write_text(
        json.dumps(
            {
                "pid": pid,
                "created": psutil.Process(pid).create_time(),
                "supervisor": me.pid,
                "supervisor_created": me.create_time(),
            }
        )
    )
    part.replace(path)


def end_leftovers(notes: Path) -> list[int]:
    """Kill the groups whose supervisor is dead, and only those; the pids that were killed."""
    killed: list[int] = []
    for path in sorted(notes.glob("*.json")):
        try:
            note = json.loads(path.read_text())
            pid = int(note["pid"])
            created = float(note["created"])
            supervisor = int(note["supervisor"])
            its_start = float(note["supervisor_created"])
        except (OSError, ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)  # half-written by a killed supervisor, or already gone
            continue
        if _is(supervisor, its_start):
            continue  # another supervisor on this machine looks after it
        for process in _members(pid, created):
            with suppress(psutil.Error):
                process.kill()
                killed.append(process.pid)
        path.unlink(missing_ok=True)
    return killed


def _is(pid: int, created: float) -> bool:
    try:
        return bool(abs(psutil.Process(pid).create_time() - created) < 1)
    except psutil.Error:
        return False


def _members(group: int, created: float) -> Iterator[psutil.Process]:
    """Processes of the session `group`, if it is still the one of that time and runs our
    programs.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == group and process.create_time() >= created - 1:
                title = " ".join(process.cmdline())
                if any(word in title for word in OUR_TITLES):
                    yield process
