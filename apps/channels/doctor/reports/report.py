"""A report as it is kept, whichever form it came in."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sort(StrEnum):
    DMARC = "dmarc"
    TLS = "tls"


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


def moment(seconds: float) -> dt.datetime:
    """Read seconds since 1970. Raises BadReport."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise BadReport(f"{seconds} is no time.") from error
