"""A report as it is kept, whichever form it came in."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apps.channels.contract import storable


class Sort(StrEnum):
    DMARC = "dmarc"
    TLS = "tls"


MOST_UNPACKED = 20_000_000  # bytes; the reports of the largest receivers have some 1,000,000
MOST_ELEMENTS = 200_000
MOST_TEXT = 300  # characters of a name


class BadReport(ValueError):
    """A file that looks like a report and can't be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one receiver says of one domain over some hours.

    `rows` of DMARC: {"ip", "count", "dkim", "spf", "done"}. `dkim` and `spf` are true where the
    check passed and spoke for the domain in From, `done` is what became of the mails. `rows` of
    TLS: {"result", "count", "host"}, one for each kind of failure.
    """

    sort: Sort
    domain: str
    organization: str
    name: str  # the receiver's own id for it
    begin: dt.datetime
    end: dt.datetime
    passed: int
    failed: int
    rows: list[dict[str, Any]]


class Budget:
    """What all the reports of one mail may cost together."""

    def __init__(self) -> None:
        self._bytes = MOST_UNPACKED
        self._elements = MOST_ELEMENTS

    def unpack(self, size: int) -> None:
        """Take so many bytes. Raises BadReport."""
        self._bytes -= size
        if self._bytes < 0:
            raise BadReport("It unpacks to more than any report is.")

    def read(self, elements: int = 1) -> None:
        """Take so many elements of XML or JSON. Raises BadReport."""
        self._elements -= elements
        if self._elements < 0:
            raise BadReport("It has more elements than any report has.")


def words(value: object, most: int = MOST_TEXT) -> str:
    """Make a text that can be stored of what somebody sent."""
    return storable(str(value))[:most]


def moment(seconds: float) -> dt.datetime:
    """Read seconds since 1970. Raises BadReport."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise BadReport(f"{seconds} is no time.") from error
