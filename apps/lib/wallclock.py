"""Wall-clock time in a named zone to an instant,
with the hours that daylight saving skips or repeats.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.utils.translation import gettext as _

from apps.lib.refusals import Refused
from apps.lib.written import written

# Names in the tables of zones that mean another zone on each machine, or none.
_NO_PLACE = frozenset(["localtime", "posixrules", "Factory", "Etc/Unknown"])
_OTHER_TABLES = ("posix/", "right/")  # the same zones again, some of them with leap seconds


class UnknownZone(Refused):
    """No IANA zone name such as Europe/Berlin."""

    field = "time_zone"


class MissingTime(Refused):
    """The clocks jump over this time; `after` is the first wall time that exists again."""

    def __init__(self, wall: dt.datetime, zone: str, after: dt.datetime) -> None:
        self.after = after
        super().__init__(
            _(
                "{time} does not exist in {zone}: the clocks go forward then. "
                "Choose {after} or later."
            ).format(time=written(wall, "dd MMMM y HH:mm"), zone=zone, after=f"{after:%H:%M}")
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """Wall time as an `instant` in UTC; `repeated` says that it happens twice and the first one
    was taken.
    """

    instant: dt.datetime
    repeated: bool


@cache
def zone_names() -> tuple[str, ...]:
    """List the zones that this machine knows, in order. To find them, hundreds of files are read:
    once in a process, and not for each page that offers them.
    """
    return tuple(sorted(available_timezones()))


def zone(name: str) -> ZoneInfo:
    """Raises UnknownZone. Offsets such as +03:00 are refused: they don't know daylight saving."""
    try:
        if name in _NO_PLACE or name.startswith(_OTHER_TABLES):
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(
            _("{name} is not a time zone. Use a name such as Europe/Berlin.").format(
                name=repr(name)
            )
        ) from error


def to_instant(wall: dt.datetime, zone_name: str) -> Moment:
    """The UTC instant of a naive wall time. A time that happens twice means the first.

    Raises MissingTime for a time that the clocks skip, UnknownZone.
    """
    tz = zone(zone_name)
    wall = wall.replace(tzinfo=None, fold=0)
    first = wall.replace(tzinfo=tz).astimezone(dt.UTC)
    second = wall.replace(tzinfo=tz, fold=1).astimezone(dt.UTC)
    if (
        first > second
    ):  # in a gap fold=0 reads with the offset before it, fold=1 with the one after (PEP 495)
        after = wall
        while not _exists(after, tz):  # at most one day (Apia, 2011), in minutes
            after += dt.timedelta(minutes=1)
        raise MissingTime(wall, zone_name, after)
    return Moment(first, repeated=first != second)


def _exists(wall: dt.datetime, tz: ZoneInfo) -> bool:
    return wall.replace(tzinfo=tz).astimezone(dt.UTC).astimezone(tz).replace(tzinfo=None) == wall


def instant(wall: dt.datetime, tz: ZoneInfo, *, last: bool = False) -> dt.datetime:
    """The UTC instant of a naive wall time, whatever the clocks do; for what recurs,
    where nobody can be asked.

    A time that is skipped means the first moment after the gap,
    one that happens twice the first, or with `last` the second.
    """
    first = wall.replace(tzinfo=tz, fold=0).astimezone(dt.UTC)
    second = wall.replace(tzinfo=tz, fold=1).astimezone(dt.UTC)
    if first <= second:
        if last:
            return second
        return first
    # the gap's end is between the two (PEP 495)
    before = second
    after = first
    offset = before.astimezone(tz).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(tz).utcoffset() == offset:
            before = middle
            after = after
        else:
            before = before
            after = middle
    return after
