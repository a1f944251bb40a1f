"""When a recurring notification is due: wall-clock cadences in a zone. Pure reckoning.

A time that the clocks skip means the first moment after the gap, one that happens twice the first
of both. A month without the chosen day means its last day. Of cron lines Debian's rules hold
(cron(8)): fixed times as above, while those whose minute or hour begins with * run at what the
clocks really show, also twice or not at all.
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from apps.lib import wallclock
from apps.lib.refusals import NOT_FOUND, Refused

KINDS = ("daily", "weekly", "monthly", "cron")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# as "every Monday" has them
_EACH = (
    pgettext_lazy("every", "Monday"),
    pgettext_lazy("every", "Tuesday"),
    pgettext_lazy("every", "Wednesday"),
    pgettext_lazy("every", "Thursday"),
    pgettext_lazy("every", "Friday"),
    pgettext_lazy("every", "Saturday"),
    pgettext_lazy("every", "Sunday"),
)
MOST_TIMES = 24
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_ANY_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_NOTHING: tuple[Any, ...] = ([], "", None)
_NEEDS = {
    "daily": {"times"},
    "weekly": {"times", "weekdays"},
    "monthly": {"times", "days"},
    "cron": {"cron"},
}


class BadCadence(Refused):
    """A cadence that can't be meant like this; the text says what to change."""

    field = "cadence"


@dataclass(frozen=True, slots=True)
class Cadence:
    """A cadence, checked.

    `weekdays` are 0 to 6 from Monday, `days` of the month 1 to 31, `times` in order; `cron` has
    five fields.
    """

    kind: str
    times: tuple[dt.time, ...] = ()
    weekdays: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    cron: str = ""


# ------------------------------------------------------------------ reading and telling
def parse(data: Any) -> Cadence:
    """Read {"kind": "daily", "times": ["09:00"]}.

    Weekly has "weekdays": ["monday"] as well, monthly "days": [1, 31]; cron is
    {"kind": "cron", "cron": "0 9 * * 1-5"}. Raises BadCadence.
    """
    if not isinstance(data, dict) or data.get("kind") not in KINDS:
        known = ", ".join(KINDS)
        raise BadCadence(_("A cadence has a kind: {known}.").format(known=known))
    kind = data["kind"]
    given = {name for name in data if name != "kind" and data[name] not in _NOTHING}
    if extra := given - _NEEDS[kind]:
        names = ", ".join(sorted(map(str, extra)))
        said = _("A {kind} cadence takes no {names}.")
        raise BadCadence(said.format(kind=kind, names=names))
    if missing := _NEEDS[kind] - given:
        names = ", ".join(sorted(missing))
        raise BadCadence(_("A {kind} cadence needs {names}.").format(kind=kind, names=names))
    if kind == "cron":
        return Cadence(kind, cron=_cron_text(data["cron"]))
    return Cadence(
        kind,
        times=tuple(sorted({_time(text) for text in _list(data, "times")})),
        weekdays=frozenset(_weekday(name) for name in _list(data, "weekdays")),
        days=frozenset(_day(day) for day in _list(data, "days")),
    )


def _list(data: dict[str, Any], name: str) -> list[Any]:
    values = data.get(name)
    if values in _NOTHING:
        return []
    most = 31
    if name == "times":
        most = MOST_TIMES
    if not isinstance(values, list) or len(values) > most:
        said = _("“{name}” must be a list of at most {most}.")
        raise BadCadence(said.format(name=name, most=most))
    return values


def _time(text: Any) -> dt.time:
    if not isinstance(text, str) or not (found := _TIME.fullmatch(text)):
        said = _("{text!r} is not a time of the day. Write it as 09:00.")
        raise BadCadence(said.format(text=text))
    return dt.time(int(found[1]), int(found[2]))


def _weekday(name: Any) -> int:
    if not isinstance(name, str) or name.lower() not in WEEKDAYS:
        said = _("{name!r} is not a weekday. Use: {known}.")
        raise BadCadence(said.format(name=name, known=", ".join(WEEKDAYS)))
    return WEEKDAYS.index(name.lower())


def _day(day: Any) -> int:
    if not isinstance(day, int) or isinstance(day, bool) or not 1 <= day <= 31:
        said = _("{day!r} is not a day of the month. Use 1 to 31; 31 is always the last.")
        raise BadCadence(said.format(day=day))
    return day


def _cron_text(text: Any) -> str:
    if not isinstance(text, str) or len(text) > 100 or len(text.split()) != 5:
        raise BadCadence(
            _(
                "Cron takes five fields: minute, hour, day of the month, month, weekday; "
                "such as 0 9 * * 1-5."
            )
        )
    line = " ".join(text.split())
    try:
        next(CronSim(line, _ANY_DAY))
    except (CronSimError, ValueError) as error:
        said = _("Cron does not understand “{line}”: {problem}.")
        raise BadCadence(said.format(line=line, problem=error), cause=NOT_FOUND) from error
    except StopIteration:
        said = _("“{line}” never comes: there is no such day.")
        raise BadCadence(said.format(line=line), cause=NOT_FOUND) from None
    return line


def as_data(cadence: Cadence) -> dict[str, Any]:
    """Reverse `parse`, in one fixed form."""
    if cadence.kind == "cron":
        return {"kind": "cron", "cron": cadence.cron}
    data: dict[str, Any] = {
        "kind": cadence.kind,
        "times": [f"{time:%H:%M}" for time in cadence.times],
    }
    if cadence.weekdays:
        data["weekdays"] = [WEEKDAYS[day] for day in sorted(cadence.weekdays)]
    if cadence.days:
        data["days"] = sorted(cadence.days)
    return data


def sentence(cadence: Cadence) -> str:
    """Say a cadence: `every Monday and Friday at 09:00`."""
    if cadence.kind == "cron":
        said = CronSim(cadence.cron, _ANY_DAY).explain()
        said = re.sub(r"\b(\d{1,2})th\b", _ordinal, said)
        # cronsim speaks English only: a translation leaves its words out
        return _("{said} (cron {line})").format(said=said, line=cadence.cron)
    days = _("every day")
    if cadence.kind == "weekly":
        names = [str(_EACH[day]) for day in sorted(cadence.weekdays)]
        days = _("every {weekdays}").format(weekdays=_and(names))
    elif cadence.kind == "monthly":
        numbers = [str(day) for day in sorted(cadence.days)]
        days = _("every month on day {days}").format(days=_and(numbers))
    times = [f"{time:%H:%M}" for time in cadence.times]
    return _("{days} at {times}").format(days=days, times=_and(times))


def _ordinal(found: re.Match[str]) -> str:
    """Write 21st, 22nd and 23rd for what cronsim calls 21th, 22th and 23th."""
    number = int(found[1])
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _and(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return _("{first} and {last}").format(first=", ".join(words[:-1]), last=words[-1])


# ------------------------------------------------------------------ reckoning
def occurrences(cadence: Cadence, *, zone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """Walk the instants (UTC) after `after`, without end and strictly increasing.

    Raises wallclock.UnknownZone.
    """
    found = _by_wall
    if cadence.kind == "cron":
        found = _by_cron
    last = after
    for instant in found(cadence, zone, after):
        if instant > last:  # two wall times in one gap mean the same moment
            yield instant
            last = instant


def first(cadence: Cadence, *, zone: str, after: dt.datetime) -> dt.datetime | None:
    """Find the next instant; None for a cron line that never comes again."""
    return next(occurrences(cadence, zone=zone, after=after), None)


def coming(cadence: Cadence, *, zone: str, after: dt.datetime, count: int) -> list[dt.datetime]:
    return list(islice(occurrences(cadence, zone=zone, after=after), count))


def _by_wall(cadence: Cadence, zone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    # the day before, too: a time in a gap at midnight may belong to it
    tz = wallclock.zone(zone)
    day = after.astimezone(tz).date() - dt.timedelta(days=1)
    while True:
        if _is_day(cadence, day):
            for time in cadence.times:
                yield wallclock.instant(dt.datetime.combine(day, time), tz)
        day += dt.timedelta(days=1)


def _is_day(cadence: Cadence, day: dt.date) -> bool:
    match cadence.kind:
        case "weekly":
            return day.weekday() in cadence.weekdays
        case "monthly":
            last = calendar.monthrange(day.year, day.month)[1]
            return day.day in cadence.days or (day.day == last and max(cadence.days) > last)
    return True


def _by_cron(cadence: Cadence, zone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """Walk a cron line: cronsim knows the calendar, the clocks are reckoned here.

    By its own reckoning it lost 03:00 on Lord Howe, where clocks move by half an hour.
    """
    tz = wallclock.zone(zone)
    minute, hour = cadence.cron.split()[:2]
    goes_on = minute.startswith("*") or hour.startswith("*")  # through a repeated hour
    day = after.astimezone(tz).date() - dt.timedelta(days=not goes_on)
    walls = CronSim(cadence.cron, dt.datetime.combine(day, dt.time()) - dt.timedelta(minutes=1))
    for _day, of_one_day in groupby(walls, key=dt.datetime.date):
        if goes_on:
            yield from sorted({instant for wall in of_one_day for instant in _all_of(wall, tz)})
        else:
            yield from (wallclock.instant(wall, tz) for wall in of_one_day)


def _all_of(wall: dt.datetime, tz: ZoneInfo) -> Iterator[dt.datetime]:
    """Walk the instants at which clocks show this time: one, two, or none in a gap."""
    for fold in (0, 1):
        instant = wall.replace(tzinfo=tz, fold=fold).astimezone(dt.UTC)
        if instant.astimezone(tz).replace(tzinfo=None, fold=0) == wall:
            yield instant


# ------------------------------------------------------------------ deciding
@dataclass(frozen=True, slots=True)
class DueTime:
    """What to do about a time that has come.

    `at` is the latest one that did; it is sent, or was missed.
    """

    at: dt.datetime
    missed: bool


_LOOKS = tuple(dt.timedelta(days=days) for days in (0.1, 2, 62, 800))


def turn(
    cadence: Cadence,
    *,
    zone: str,
    planned: dt.datetime,
    now: dt.datetime,
    send_missed: bool,
    tolerance: int,
) -> DueTime:
    """Decide about `planned`, which has come.

    Of several times that came meanwhile only the latest counts, so that nobody gets all of them at
    once. Up to `tolerance` seconds late is in time. Later than that it was missed, unless
    `send_missed`.
    """
    latest = planned
    for look in _LOOKS:  # not all minutes of a year one by one
        since = max(planned, now - look)
        found = [at for at in _until(cadence, zone, since, now) if at <= now]
        if found or since == planned:
            latest = planned
            if found:
                latest = found[-1]
            break
    late = (now - latest).total_seconds() > tolerance
    return DueTime(latest, missed=late and not send_missed)


def _until(
    cadence: Cadence, zone: str, since: dt.datetime, now: dt.datetime
) -> Iterator[dt.datetime]:
    for at in occurrences(cadence, zone=zone, after=since):
        if at > now:
            return
        yield at
