"""A sender's own append-only notes of each hand-over, on local disk:
what its successor reads after a crash.

One `write` per line costs about 1 µs and survives `kill -9` (the kernel has it); the rows in the
database are then updated many at a time. The file is locked for as long as its owner lives, so an
unlocked one belongs to the dead.
"""

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from apps.channels.contract import Outcome, Remedy, Result

# The database may commit a dead sender's last claim after the first look at its journal:
# so long it is looked at again.
SETTLED = 10.0


@dataclass(slots=True)
class Note:
    """What the journal says about one delivery: being prepared, being handed over,
    or how that ended.
    """

    handing_over: bool = False
    outcome: Outcome | None = None


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
        if self._torn:
            raise NotWritten(
                f"The journal {self._path} has a torn line; "
                "what stands behind it would not be read."
            )
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise NotWritten(
                f"The journal {self._path} can't be written: {error.strerror}."
            ) from error
        if written != len(line):
            self._torn = True
            raise NotWritten(
                f"The journal {self._path} could not be written whole; is the disk full?"
            )

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


def of_the_dead(take_over: Callable[[str, dict[int, Note]], None]) -> None:
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


def _read(lines: Iterable[str]) -> dict[int, Note]:
    notes: dict[int, Note] = {}
    for line in lines:
        try:
            mark, number, rest = line.split(" ", 2)
            delivery_id = int(number)
            ended = None
            if mark == "E":
                ended = json.loads(rest)
        except ValueError:
            break  # the end, or cut off by a full disk: the mark before it stands
        if mark == "B":
            notes.pop(delivery_id, None)
            continue
        note = notes.setdefault(delivery_id, Note())
        note.handing_over = mark != "P"
        note.outcome = None
        if ended:
            result, detail, provider_id, retry_after, charged, *more = ended
            # a line written before there were remedies ends here
            remedy, gone_since = more or ("", None)
            note.outcome = Outcome(
                Result(result),
                detail,
                provider_id,
                retry_after,
                charged,
                Remedy(remedy),
                gone_since,
            )
    return notes
