"""Decide from which moment on data is too old."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class LimitedBy(StrEnum):
    """The reason of a limit."""

    FOR_EVER = "for_ever"  # nobody has set one
    DAYS = "days"  # as was said
    STILL_READ = "still_read"  # something else looks back farther, and needs it


@dataclass(frozen=True, slots=True)
class Limit:
    """What is from before `before` goes; None = nothing does."""

    before: dt.datetime | None
    why: LimitedBy


def limit(*, days: int, read_for: int, now: dt.datetime) -> Limit:
    """Decide by the days that data is kept (0 = for ever) and those for which others read it."""
    if not days:
        return Limit(None, LimitedBy.FOR_EVER)
    if read_for > days:
        return Limit(now - dt.timedelta(days=read_for), LimitedBy.STILL_READ)
    return Limit(now - dt.timedelta(days=days), LimitedBy.DAYS)
