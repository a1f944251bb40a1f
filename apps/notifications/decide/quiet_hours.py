"""When a follower's quiet hours end and the next digest is made:
wall-clock wishes turned into instants. Pure.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.followers.consent.rhythm import Zoned, zone_of
from apps.followers.models import DigestCadence, Rhythm
from apps.lib.wallclock import instant

# windows that adjoin are one; nobody is silent for longer by quiet hours alone
LONGEST_QUIET = dt.timedelta(days=8)
RELEASE_SECONDS = 120  # at 08:00 people's messages leave within so long, not all in one second
_QUARTER = dt.timedelta(minutes=15)  # all zones differ from UTC by quarters of an hour


@dataclass(frozen=True, slots=True)
class Habits:
    """A follower's rhythm, as it applies.

    `quiet`: weekday on which it begins (Monday 0) to local start and end.
    """

    zone: ZoneInfo
    quiet: Mapping[int, tuple[dt.time, dt.time]] = field(default_factory=dict)
    cadence: str = DigestCadence.INSTANT.value
    digest_at: dt.time = dt.time(8)
    digest_weekday: int = 0
    paused_until: dt.datetime | None = None
    lag: dt.timedelta = dt.timedelta(0)  # after the end of quiet hours


def habits_of(rhythm: Rhythm, *, person: Zoned, uid: UUID) -> Habits:
    """A stored rhythm in the follower's zone.

    The lag is the follower's own: the same for the preview,
    the sender and for all messages that are gathered.
    """
    quiet = {}
    for day, (start, end) in rhythm.quiet.items():
        quiet[int(day)] = (dt.time.fromisoformat(start), dt.time.fromisoformat(end))
    lag = uid.int % (RELEASE_SECONDS * 1000)
    return Habits(
        zone=zone_of(person),
        quiet=quiet,
        cadence=rhythm.cadence,
        digest_at=rhythm.digest_at,
        digest_weekday=rhythm.digest_weekday,
        paused_until=rhythm.paused_until,
        lag=dt.timedelta(milliseconds=lag),
    )


def quiet_until(habits: Habits, now: dt.datetime) -> dt.datetime | None:
    """When the quiet hours around `now` end, adjoining windows taken as one; None outside of them.

    Compared as instants, never as wall times: on the night when clocks go back 01:30 comes twice,
    and a window that ends then would begin again. It lasts until the second, and one that begins
    then begins with the first.
    """
    today = now.astimezone(habits.zone).date()
    end = now
    for days in range(-2, LONGEST_QUIET.days + 1):
        date = today + dt.timedelta(days=days)
        start, stop = habits.quiet.get(date.weekday(), (dt.time(), dt.time()))
        if start == stop:  # no window; refused where it is stored
            continue
        until = date
        if stop < start:
            until = date + dt.timedelta(days=1)
        if instant(dt.datetime.combine(date, start), habits.zone) > end:
            break
        end = max(end, instant(dt.datetime.combine(until, stop), habits.zone, last=True))
    if end > now:
        return min(end, now + LONGEST_QUIET)
    return None


def digest_time(habits: Habits, since: dt.datetime) -> dt.datetime:
    """The first moment after `since` at which the follower's digest is made;
    `since` itself for who wants all at once.

    Hourly: the next full local hour. Daily and weekly: by the wall clock,
    once on a night that has the hour twice.
    """
    if habits.cadence == DigestCadence.INSTANT:
        return since
    if habits.cadence == DigestCadence.HOURLY:
        quarter = since.minute // 15 * 15
        moment = since.astimezone(dt.UTC).replace(minute=quarter, second=0, microsecond=0)
        moment += _QUARTER
        # up to an hour, and more where half an hour is skipped (Lord Howe)
        while moment.astimezone(habits.zone).minute:
            moment += _QUARTER
        return moment
    local = since.astimezone(habits.zone).date()
    for days in range(-1, 16):
        date = local + dt.timedelta(days=days)
        if habits.cadence == DigestCadence.DAILY or date.weekday() == habits.digest_weekday:
            boundary = instant(dt.datetime.combine(date, habits.digest_at), habits.zone)
            if boundary > since:
                return boundary
    raise AssertionError("Every weekday comes within two weeks.")
