"""The receiver's log, read as it grows: who got what how often,
and which transactions were cut off.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail that was taken.

    `of`: the notification's uid; `leave`: the one-click address it carried.
    """

    at: float
    port: int
    recipient: str
    id: str
    of: str
    leave: str


@dataclass(frozen=True, slots=True)
class End:
    """A connection that is over; `open` if a transaction was cut off by the sender's side."""

    at: float
    port: int
    open: bool


class Log:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.kept: list[Kept] = []
        self.ends: list[End] = []
        self.faults: list[tuple[str, str]] = []  # (fault, recipient)

    def read(self) -> "Log":
        """Take in what was added since."""
        if not self._path.exists():
            return self
        with self._path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._offset += len(line)
            said = json.loads(line)
            match said.pop("what"):
                case "kept":
                    self.kept.append(Kept(**said))
                case "end":
                    self.ends.append(End(said["at"], said["port"], said["open"]))
                case "fault":
                    self.faults.append((said["fault"], said["recipient"]))
        return self

    def of(self, notification: object) -> list[Kept]:
        return [each for each in self.kept if each.of == str(notification)]

    def copies(self, notification: object) -> Counter[str]:
        return Counter(each.recipient for each in self.of(notification))

    def cut_off(self, since: float = 0.0) -> int:
        """Transactions that were open when their sender's process died."""
        return sum(end.open for end in self.ends if end.at >= since)

    def was_open(self, ports: set[int], at: float) -> int:
        """How many of the connections from these ports ended in mid-transaction,
        first after that moment.
        """
        first: dict[int, End] = {}
        for end in self.ends:
            if end.port in ports and end.at >= at - 0.05:
                first.setdefault(end.port, end)
        return sum(end.open for end in first.values())
