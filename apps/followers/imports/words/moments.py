"""Moments as other programs write them into their exports."""

import datetime as dt
import re

from django.utils.translation import gettext

_SECONDS = re.compile(r"\d{9,10}")
_MILLISECONDS = re.compile(r"\d{12,13}")
_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?")
_FIRST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


def moment(text: str, *, now: dt.datetime, first: str = "") -> dt.datetime:
    """Read a moment: ISO 8601, day and month in figures, or seconds since 1970; UTC without zone.

    `first` says what stands first of day and month, "day" or "month". Raises ValueError for what is
    none, for the future, and where without it day and month can't be told apart.
    """
    value = _read(text.strip(), first)
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    if not _FIRST <= value <= now:
        raise ValueError(gettext("It must lie between 1990 and now."))
    return value


def _read(text: str, first: str) -> dt.datetime:
    if _SECONDS.fullmatch(text):
        return dt.datetime.fromtimestamp(int(text), dt.UTC)
    if _MILLISECONDS.fullmatch(text):
        return dt.datetime.fromtimestamp(int(text) // 1000, dt.UTC)
    if parts := _DAY.fullmatch(text):
        day, month = _day_and_month(int(parts[1]), parts[2], int(parts[3]), first)
        hour, minute, second = (int(figures or 0) for figures in parts.groups()[4:])
        return dt.datetime(int(parts[4]), month, day, hour, minute, second, tzinfo=dt.UTC)
    return dt.datetime.fromisoformat(text.removesuffix(" UTC"))


def _day_and_month(one: int, sign: str, other: int, first: str) -> tuple[int, int]:
    """Tell the day from the month; dots have the day first, other signs need a day above 12."""
    if sign == "." or one == other or one > 12:
        return one, other
    if other > 12 or first == "month":
        return other, one
    if first == "day":
        return one, other
    raise ValueError(gettext("Day and month can't be told apart."))
