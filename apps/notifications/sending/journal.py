"""A sender's own append-only notes of each hand-over, on local disk:
what its successor reads after a crash.

One `write` per line costs about 1 µs and survives `kill -9` (the kernel has it); the rows in the
database are then updated many at a time. The file is locked for as long as its owner lives, so an
unlocked one belongs to the dead.
"""

import fcntl
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from apps.channels.contract import Outcome, Remedy, Result

# The database may commit a dead sender's last claim after the first look at its journal:
# so long it is looked at again.
SETTLED = 10.0
# What a successor reads. What stands behind the number is the mark's own; a line without its blank
# may have lost a part of the number.
_LINE = re.compile(r"([A-Z]) ([0-9]{1,19}) (.*)")
_USUAL: list[Any] = ["", "", "", None, True, "", None]  # of an outcome, as `ended` writes it
_FINAL = (Result.ACCEPTED, Result.PERMANENT_RECIPIENT, Result.PERMANENT_CONTENT)


@dataclass(slots=True)
class Note:
    """What the journal says about one delivery: being prepared, being handed over,
    or how that ended. `guessed`: a line that may have said so can't be read.
    """

    handing_over: bool = False
    outcome: Outcome | None = None
    guessed: bool = False


@dataclass(slots=True)
class Notes:
    """What a journal says of its owner's deliveries.

    A line that nobody can read (a disk lost it, or another version wrote it) may have been about
    any of them: whoever was not named since has perhaps been handed over.
    """

    of: dict[int, Note] = field(default_factory=dict)
    unreadable: int = 0  # lines
    _named: set[int] = field(default_factory=set)  # since the last of those

    def about(self, delivery_id: int) -> Note | None:
        """The last word about a delivery; None where it had not begun."""
        note = self.of.get(delivery_id)
        if not self.unreadable or delivery_id in self._named:
            return note
        if note and note.outcome and note.outcome.result in _FINAL:
            return note
        return Note(handing_over=True, guessed=True)

    def lose(self) -> None:
        """Hear that a line is there which nobody can read."""
        self.unreadable += 1
        self._named.clear()

    def hear(self, line: str) -> None:
        """Take in the next line, without its end."""
        found = _LINE.fullmatch(line)
        if found is None:
            self.lose()
            return
        mark, number, rest = found.groups()
        delivery_id = int(number)
        self._named.add(delivery_id)
        match mark:
            case "P":
                self.of[delivery_id] = Note()
            case "B":
                self.of.pop(delivery_id, None)
            case "E":
                outcome = _outcome(rest)
                self.of[delivery_id] = Note(True, outcome, guessed=outcome is None)
            case _:  # H, and what a version of tomorrow may say
                self.of[delivery_id] = Note(handing_over=True, guessed=mark != "H")


class NotWritten(RuntimeError):
    """The journal could not be written: without it nothing may leave."""


class Journal:
    """Opened by the sending process itself:
    a forked child that inherits the lock would keep a dead owner alive.

    Its threads share it; the last one to leave closes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 1
        self._clean = True
        self._torn = False
        folder = Path(settings.JOURNAL_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._path = folder / f"{self.owner}.journal"
        # unseen until it is locked: the recovery would take it for a dead one's
        unseen = self._path.with_suffix(".new")
        self._fd = os.open(unseen, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unseen.rename(self._path)

    def preparing(self, delivery_id: int) -> None:
        """Note that the message is being made."""
        self._write("P", delivery_id)

    def given_back(self, delivery_id: int) -> None:
        """Note that the delivery goes on as if it had never been taken."""
        self._write("B", delivery_id)

    def handing_over(self, delivery_id: int) -> None:
        """Note that the message leaves now."""
        self._write("H", delivery_id)

    def ended(self, delivery_id: int, outcome: Outcome) -> None:
        """Note how the hand-over ended."""
        said = [
            outcome.result,
            outcome.detail,
            outcome.provider_id,
            outcome.retry_after,
            outcome.charged,
            outcome.remedy,
            outcome.gone_since,
        ]
        self._write("E", delivery_id, json.dumps(said, ensure_ascii=True))

    def _write(self, mark: str, delivery_id: int, rest: str = "") -> None:
        line = f"{mark} {delivery_id} {rest}\n".encode()
        with self._lock:
            if self._torn:
                raise NotWritten(f"The journal {self._path} has had no room for a line.")
            try:
                written = os.write(self._fd, line)
            except OSError as error:
                raise NotWritten(
                    f"The journal {self._path} can't be written: {error.strerror}."
                ) from error
            if written == len(line):
                return
            self._torn = True
            with suppress(OSError):  # half a line would leave doubt of all that its owner holds
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        raise NotWritten(f"The journal {self._path} could not be written whole; is the disk full?")

    def share(self) -> None:
        """Let one more thread write; it leaves by `leave`."""
        with self._lock:
            self._users += 1

    def leave(self, *, clean: bool) -> None:
        """Leave; the last thread to do so closes the file. It is removed if all went well, else it
        stays, unlocked, for the recovery to read.
        """
        with self._lock:
            self._users -= 1
            self._clean &= clean
            if self._users == 0:
                if self._clean:
                    self._path.unlink(missing_ok=True)
                os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave(clean=error is None)


def owners_here() -> set[str]:
    """Owners whose journal lies on this machine, dead or alive."""
    return {path.stem for path in Path(settings.JOURNAL_DIR).glob("*.journal")}


def of_the_dead(take_over: Callable[[str, Notes], None]) -> None:
    """Give (owner, what it noted) of every journal whose owner is gone to `take_over`.

    A journal is removed when that went well and its owner's last words are SETTLED seconds old.
    What can't be booked is kept, and keeps no other waiting: what was raised first is raised in
    the end.
    """
    failed: Exception | None = None
    for path in sorted(Path(settings.JOURNAL_DIR).glob("*.journal")):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with open(fd, encoding="ascii", errors="replace", newline="\n") as file:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its owner lives, or another process is recovering it
            try:
                # the open file is read: its owner may have put its name away meanwhile
                take_over(path.stem, _read(file))
                if time.time() - os.fstat(fd).st_mtime > SETTLED:
                    path.unlink(missing_ok=True)
            except Exception as error:  # noqa: BLE001  (raised in the end)
                failed = failed or error
    if failed:
        raise failed


def _read(lines: Iterable[str]) -> Notes:
    notes = Notes()
    for line in lines:
        # what a disk has lost reads as NULs, and the next line begins behind them
        _, lost, rest = line.rstrip("\n").rpartition("\0")
        if lost:
            notes.lose()
        if rest or not lost:
            notes.hear(rest)
    return notes


def _outcome(said: str) -> Outcome | None:
    """The outcome as `ended` wrote it, by this version or one before or after it: what is missing
    is as usual, what is new is left aside. None where it can't be understood.
    """
    try:
        told: list[Any] = list(json.loads(said))
        told += _USUAL[len(told) :]
        result, detail, provider_id, retry_after, charged, remedy, gone_since, *_ = told
        if remedy not in list(Remedy):
            remedy = Remedy.NONE
        return Outcome(
            Result(result),
            str(detail),
            str(provider_id),
            retry_after,
            bool(charged),
            Remedy(remedy),
            gone_since,
        )
    except (ValueError, TypeError):
        return None
