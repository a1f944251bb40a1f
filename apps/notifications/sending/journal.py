"""A sender's own notes of each hand-over, on local disk: what its successor reads after a crash.

A line for each step of each message. Lines are stored in a file that is mapped into memory, so that
a step asks nothing of the kernel; it has what was stored, also when the process is killed. The rows
in the database are then updated many at a time. The file is locked for as long as its owner lives,
so an unlocked one belongs to the dead.

A journal begins with HEAD and, in eight bytes, where its last whole line ends. Behind that lies at
most the line that was being stored, and room that is taken from the disk before it is needed. A
line is its sum (CRC-32, in hexadecimal digits), a mark, the delivery's number and what else the
mark says:

    adb46cf6 P 12       being prepared
    b794a814 B 12       given back
    fd24b0b5 H 12       leaving
    … E 12 ["accepted", "250 ok", …]    ended like this

Before there were sums, a journal had no head and nothing behind its last line.
"""

import errno
import fcntl
import json
import logging
import mmap
import os
import re
import secrets
import stat
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from django.conf import settings

from apps.channels.contract import Outcome, Remedy, Result

log = logging.getLogger("carillon.journal")

# The database may commit a dead sender's last claim after the first look at its journal:
# so long it is looked at again.
SETTLED = 10.0
HEAD = b"Carillon"
_END = struct.Struct("Q")  # in the machine's own way: one that is stored at once
LINES = len(HEAD) + _END.size  # where the first line begins
# Most senders have a few messages and need no more than the first room: that is written, as to map
# it would cost more than it saves.
FIRST_ROOM = 4 * 1024
MORE_ROOM = 32 * 1024
# So much, or half of the room, is free before a message is begun: those that are on their way get
# their lines in although the disk is full.
SPARE = 16 * 1024
# What a successor reads. What stands behind the number is the mark's own; a line without its blank
# may have lost a part of the number.
_LINE = re.compile(rb"(?:([0-9a-f]{8}) )?(([A-Z]) ([0-9]{1,19}) (.*))")
# of an outcome, as `ended` writes it
_USUAL_REST = (None, True, "", None)
_USUAL = ("", "", "", *_USUAL_REST)
_FINAL = (Result.ACCEPTED, Result.PERMANENT_RECIPIENT, Result.PERMANENT_CONTENT)
_quoted = json.encoder.encode_basestring_ascii  # a tenth of what json.dumps takes


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

    def hear(self, line: bytes, *, summed: bool = True) -> None:
        """Take in the next line, without its end. `summed`: it has to have its sum."""
        found = _parsed(line, summed=summed)
        if found is None:
            self.lose()
            return
        mark = found[3].decode()
        delivery_id = int(found[4])
        self._named.add(delivery_id)
        match mark:
            case "P":
                self.of[delivery_id] = Note()
            case "B":
                self.of.pop(delivery_id, None)
            case "E":
                outcome = _outcome(found[5])
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
        """Open a journal with room for the first lines. Raises NotWritten."""
        self._lock = threading.Lock()
        self._users = 1
        self._clean = True
        self._map: mmap.mmap | None = None
        self._mappable = True
        self._room = 0  # bytes that the file has
        self._end = LINES  # of the last line
        self.owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._path = Path(settings.JOURNAL_DIR) / f"{self.owner}.journal"
        # unseen until it is locked: the recovery would take it for a dead one's
        unseen = self._path.with_suffix(".new")
        try:
            unseen.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(unseen, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._not_written(error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._grow(FIRST_ROOM)
            self._put(0, HEAD + _END.pack(self._end))
            unseen.rename(self._path)
        except BaseException:
            unseen.unlink(missing_ok=True)
            os.close(self._fd)
            raise

    def preparing(self, delivery_id: int) -> None:
        """Note that the message is being made."""
        self._write(b"P", delivery_id, spare=min(SPARE, self._room // 2))

    def given_back(self, delivery_id: int) -> None:
        """Note that the delivery goes on as if it had never been taken."""
        self._write(b"B", delivery_id)

    def handing_over(self, delivery_id: int) -> None:
        """Note that the message leaves now."""
        self._write(b"H", delivery_id)

    def ended(self, delivery_id: int, outcome: Outcome) -> None:
        """Note how the hand-over ended."""
        result = f'"{outcome.result}"'
        said = f"[{result}, {_quoted(outcome.detail)}, {_quoted(outcome.provider_id)}"
        rest = (outcome.retry_after, outcome.charged, outcome.remedy, outcome.gone_since)
        if rest != _USUAL_REST:
            said += ", " + json.dumps(rest)[1:-1]
        self._write(b"E", delivery_id, f"{said}]".encode())

    def _write(self, mark: bytes, delivery_id: int, rest: bytes = b"", *, spare: int = 0) -> None:
        """Store a line, with so many bytes free behind it. Raises NotWritten."""
        words = b"%b %d %b" % (mark, delivery_id, rest)
        line = b"%08x %b\n" % (crc32(words), words)
        with self._lock:
            end = self._end + len(line)
            if end + spare > self._room:
                self._grow(end + spare)
            # the end comes last: a process may be killed in the middle of a line
            if self._map is not None:
                self._map[self._end : end] = line
                _END.pack_into(self._map, len(HEAD), end)
            else:
                self._put(self._end, line)
                self._put(len(HEAD), _END.pack(end))
            self._end = end

    def _put(self, at: int, said: bytes) -> None:
        try:
            os.pwrite(self._fd, said, at)
        except OSError as error:
            raise self._not_written(error) from error

    def _grow(self, least: int) -> None:
        """Take room from the disk: a store into room that it can't give kills the process."""
        more = max(least - self._room, MORE_ROOM)
        if not self._room:
            more = least
        try:
            taken = os.pwrite(self._fd, bytes(more), self._room)
            if taken < more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._not_written(error) from error
        if self._room and self._mappable:
            self._remap(self._room + more)
        self._room += more

    def _remap(self, size: int) -> None:
        try:
            self._map = mmap.mmap(self._fd, size)
        except OSError as error:
            self._map = None
            self._mappable = False
            log.warning(
                "The disk of JOURNAL_DIR can't be mapped into memory (%s): each line is written, "
                "which takes senders more time.",
                error.strerror,
            )

    def _not_written(self, error: OSError) -> NotWritten:
        return NotWritten(f"The journal {self._path} can't be written: {error.strerror}.")

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
                if self._map is not None:
                    self._map.close()  # it holds the lock, too
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

    A journal is removed when that went well SETTLED seconds after the first look. What can't be
    booked is kept, and keeps no other waiting: what was raised first is raised in the end.
    """
    failed: Exception | None = None
    for path in sorted(Path(settings.JOURNAL_DIR).glob("*.journal")):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with open(fd, "rb") as file:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its owner lives, or another process is recovering it
            try:
                # the open file is read: its owner may have put its name away meanwhile
                take_over(path.stem, _read(file.read()))
                if time.time() - _first_look(fd) > SETTLED:
                    path.unlink(missing_ok=True)
            except Exception as error:  # noqa: BLE001  (raised in the end)
                failed = failed or error
    if failed:
        raise failed


def _first_look(fd: int) -> float:
    """When a dead owner's journal was first looked at (seconds of the epoch), which may be now.

    Whoever looks first takes the right to write away and leaves the time: that of the last store
    into a mapped file is not known.
    """
    found = os.fstat(fd)
    if found.st_mode & stat.S_IWUSR:
        os.utime(fd)
        os.fchmod(fd, stat.S_IRUSR)
        return time.time()
    return found.st_mtime


def _read(said: bytes) -> Notes:
    """Hear all lines of a journal, of this version or of one before it."""
    notes = Notes()
    if not said.startswith(HEAD):
        if not said:  # lost; or its owner is of before there were heads, and had not begun
            notes.lose()
        _hear_all(notes, said, summed=False)
        return notes
    [end] = _END.unpack_from(said.ljust(LINES, b"\0"), len(HEAD))
    behind = said[end:].rstrip(b"\0")
    if behind.count(b"\n") > 1:  # more than the line that was being stored: it can't be the end
        end = len(said.rstrip(b"\0"))
        behind = b""
    _hear_all(notes, said[LINES:end], summed=True)
    if not LINES <= end <= len(said):
        notes.lose()
    being_stored = behind.removesuffix(b"\n")
    if _parsed(being_stored, summed=True):
        notes.hear(being_stored)
    return notes


def _hear_all(notes: Notes, lines: bytes, *, summed: bool) -> None:
    if not lines:
        return
    for line in lines.removesuffix(b"\n").split(b"\n"):
        # what a disk has lost reads as NULs, and the next line begins behind them
        _, lost, rest = line.rpartition(b"\0")
        if lost:
            notes.lose()
        if rest or not lost:
            notes.hear(rest, summed=summed)


def _parsed(line: bytes, *, summed: bool) -> re.Match[bytes] | None:
    """The parts of a line; None where it is not as it was stored.

    `summed`: it has to have its sum.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    true = not summed
    if found[1] is not None:
        true = crc32(found[2]) == int(found[1], 16)
    if true:
        return found
    return None


def _outcome(said: bytes) -> Outcome | None:
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
