"""Moments as other programs write them into their exports."""

import datetime as dt
import re

from django.utils.translation import gettext

_SECONDS = re.compile(r"\d{9,10}")
_MILLISECONDS = re.compile(r"\d{12,13}")
_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?")
_FIRST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


def moment(text: str, *, now: dt.datetime) -> dt.datetime:
    """Read a moment: ISO 8601, day and month in figures, or seconds since 1970; UTC without zone.

    Raises ValueError for what is none, for the future, and where day and month can't be told apart.
    """
    value = _read(text.strip())
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    if not _FIRST <= value <= now:
        raise ValueError(gettext("It must lie between 1990 and now."))
    return value


def _read(text: str) -> dt.datetime:
    if _SECONDS.fullmatch(text):
        return dt.datetime.fromtimestamp(int(text), dt.UTC)
    if _MILLISECONDS.fullmatch(text):
        return dt.datetime.fromtimestamp(int(text) // 1000, dt.UTC)
    if parts := _DAY.fullmatch(text):
        day, month = _day_and_month(int(parts[1]), parts[2], int(parts[3]))
        hour, minute, second = (int(figures or 0) for figures in parts.groups()[4:])
        return dt.datetime(int(parts[4]), month, day, hour, minute, second, tzinfo=dt.UTC)
    return dt.datetime.fromisoformat(text.removesuffix(" UTC"))


def _day_and_month(first: int, sign: str, second: int) -> tuple[int, int]:
    """Tell the day from the month; dots have the day first, other signs need a day above 12."""
    if sign == "." or first == second or first > 12:
        return first, second
    if second > 12:
        return second, first
    raise ValueError(gettext("Day and month can't be told apart."))
