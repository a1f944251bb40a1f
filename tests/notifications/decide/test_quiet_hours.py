"""Quiet hours and digests by the wall clock, over the transitions of 2026. No database."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.wallclock import instant
from apps.notifications.decide.quiet_hours import LONGEST_QUIET, Habits, digest_time, quiet_until

param = pytest.param
# a moment just before each change of 2026; Apia has none, and is a day ahead of everybody
TRANSITIONS = {
    "Australia/Lord_Howe": ["2026-04-04T14:30Z", "2026-10-03T15:00Z"],  # by half an hour
    "America/St_Johns": ["2026-03-08T05:00Z", "2026-11-01T04:00Z"],  # half an hour off
    "Africa/Casablanca": ["2026-02-15T01:30Z", "2026-03-22T01:30Z"],  # summer time but for Ramadan
    "America/New_York": ["2026-03-08T06:30Z", "2026-11-01T05:30Z"],
    "Pacific/Apia": ["2026-04-04T12:00Z"],
}
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"
CASABLANCA = "Africa/Casablanca"


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def habits(zone: str, **fields: object) -> Habits:
    return Habits(zone=ZoneInfo(zone), **fields)  # type: ignore[arg-type]


def quiet(zone: str, start: str, end: str) -> Habits:
    span = dt.time.fromisoformat(start), dt.time.fromisoformat(end)
    return habits(zone, quiet=dict.fromkeys(range(7), span))


@pytest.mark.parametrize(
    ("zone", "start", "end", "now", "until"),
    [
        param(
            "UTC", "22:00", "07:00", "2026-05-04T21:59:59Z", None, id="a second before it begins"
        ),
        param("UTC", "22:00", "07:00", "2026-05-04T22:00Z", "2026-05-05T07:00Z", id="as it begins"),
        param("UTC", "22:00", "07:00", "2026-05-05T07:00Z", None, id="as it ends"),
        param(
            "UTC", "12:00", "13:00", "2026-05-04T12:30Z", "2026-05-04T13:00Z", id="within one day"
        ),
        param("UTC", "00:00", "00:00", "2026-05-04T12:30Z", None, id="no length is off"),
        # New York, 8 March: 02:00 to 03:00 is skipped
        param(
            NEW_YORK, "22:00", "02:30", "2026-03-08T06:59Z", "2026-03-08T07:00Z", id="end skipped"
        ),
        param(NEW_YORK, "02:30", "05:00", "2026-03-08T06:59Z", None, id="before a skipped start"),
        param(
            NEW_YORK, "02:30", "05:00", "2026-03-08T07:00Z", "2026-03-08T09:00Z", id="start skipped"
        ),
        param(NEW_YORK, "02:10", "02:50", "2026-03-08T07:00Z", None, id="skipped as a whole"),
        # New York, 1 November: 01:00 to 02:00 comes twice, at 05:00Z and 06:00Z
        param(
            NEW_YORK, "22:00", "01:30", "2026-11-01T05:45Z", "2026-11-01T06:30Z", id="end repeated"
        ),
        param(
            NEW_YORK,
            "01:30",
            "05:00",
            "2026-11-01T05:30Z",
            "2026-11-01T10:00Z",
            id="start repeated",
        ),
        param(
            NEW_YORK,
            "01:30",
            "05:00",
            "2026-11-01T06:15Z",
            "2026-11-01T10:00Z",
            id="no second start",
        ),
        # Lord Howe, 5 April: half an hour before 02:00 comes twice, at 14:30Z and 15:00Z
        param(
            LORD_HOWE, "22:00", "01:45", "2026-04-04T14:50Z", "2026-04-04T15:15Z", id="half an hour"
        ),
        param(
            "America/St_Johns",
            "22:00",
            "02:30",
            "2026-03-08T05:29Z",
            "2026-03-08T05:30Z",
            id="St John's",
        ),
        param(
            CASABLANCA,
            "22:00",
            "02:30",
            "2026-02-15T02:00Z",
            "2026-02-15T02:30Z",
            id="Casablanca back",
        ),
        param(CASABLANCA, "22:00", "02:30", "2026-03-22T01:59Z", "2026-03-22T02:00Z", id="and on"),
        param(
            "Pacific/Apia", "22:00", "07:00", "2026-05-04T09:00Z", "2026-05-04T18:00Z", id="Apia"
        ),
    ],
)
def test_quiet_hours_begin_with_the_first_and_end_with_the_last_of_what_the_clock_shows(
    zone: str, start: str, end: str, now: str, until: str | None
) -> None:
    expected = None
    if until:
        expected = at(until)
    assert quiet_until(quiet(zone, start, end), at(now)) == expected


def test_each_weekday_has_its_own_quiet_hours_and_those_that_adjoin_are_one() -> None:
    week = habits(
        "UTC",
        quiet={
            4: (dt.time(20), dt.time(0)),
            5: (dt.time(0), dt.time(23)),
            6: (dt.time(23), dt.time(9)),
        },
    )
    assert quiet_until(week, at("2026-05-08T21:00Z")) == at("2026-05-09T23:00Z"), (
        "Friday's lasts on"
    )
    assert quiet_until(week, at("2026-05-10T22:00Z")) is None
    assert quiet_until(week, at("2026-05-10T23:30Z")) == at("2026-05-11T09:00Z"), (
        "Sunday's end on Monday"
    )
    assert quiet_until(week, at("2026-05-11T23:30Z")) is None, "Monday has none"


def test_nobody_is_silent_for_ever() -> None:
    always = {day: (dt.time(12 - day), dt.time(11 - day, 59)) for day in range(7)}
    until = quiet_until(habits("UTC", quiet=always), at("2026-05-04T12:00Z"))
    assert until is not None
    assert until - at("2026-05-04T12:00Z") <= LONGEST_QUIET


@pytest.mark.parametrize(
    ("zone", "moment"), [(zone, each) for zone, all_ in TRANSITIONS.items() for each in all_]
)
@pytest.mark.parametrize(
    "span", [("22:00", "02:15"), ("01:45", "07:00"), ("02:00", "03:00"), ("00:00", "23:59")]
)
def test_no_window_is_entered_twice_around_a_change_of_the_clocks(
    zone: str, moment: str, span: tuple[str, str]
) -> None:
    person = quiet(zone, *span)
    start = at(moment) - dt.timedelta(hours=12)
    states = [
        quiet_until(person, start + dt.timedelta(minutes=minute))
        for minute in range(0, 24 * 60, 15)
    ]
    entered = sum(was is None and now is not None for was, now in pairwise(states))
    assert entered <= 1
    for minute, until in zip(range(0, 24 * 60, 15), states, strict=True):
        now = start + dt.timedelta(minutes=minute)
        if until:
            assert until > now
            assert quiet_until(person, until) is None, "at the end it is over"
            assert quiet_until(person, now + (until - now) / 2) == until, "the end does not move"


# ------------------------------------------------------------------ digests
@pytest.mark.parametrize(
    ("zone", "fields", "since", "boundary"),
    [
        param(
            "UTC",
            {"cadence": "hourly"},
            "2026-05-04T10:00Z",
            "2026-05-04T11:00Z",
            id="strictly after",
        ),
        param(
            "America/St_Johns",
            {"cadence": "hourly"},
            "2026-05-04T10:10Z",
            "2026-05-04T10:30Z",
            id="local hour",
        ),
        # 01:30 to 02:00 comes twice, so an hour lasts an hour and a half
        param(
            LORD_HOWE,
            {"cadence": "hourly"},
            "2026-04-04T14:40Z",
            "2026-04-04T15:30Z",
            id="long hour",
        ),
        param("UTC", {"cadence": "daily"}, "2026-05-04T07:59Z", "2026-05-04T08:00Z", id="today"),
        param("UTC", {"cadence": "daily"}, "2026-05-04T08:00Z", "2026-05-05T08:00Z", id="tomorrow"),
        param(
            "Pacific/Apia",
            {"cadence": "daily"},
            "2026-05-04T18:30Z",
            "2026-05-04T19:00Z",
            id="Apia's morning",
        ),
        param(
            NEW_YORK,
            {"cadence": "daily"},
            "2026-03-07T14:00Z",
            "2026-03-08T12:00Z",
            id="summer comes",
        ),
        param(
            NEW_YORK,
            {"cadence": "daily", "digest_at": dt.time(2, 30)},
            "2026-03-08T06:00Z",
            "2026-03-08T07:00Z",
            id="skipped: the moment after",
        ),
        param(
            NEW_YORK,
            {"cadence": "daily", "digest_at": dt.time(1, 30)},
            "2026-11-01T05:00Z",
            "2026-11-01T05:30Z",
            id="repeated: the first",
        ),
        param(
            NEW_YORK,
            {"cadence": "daily", "digest_at": dt.time(1, 30)},
            "2026-11-01T05:30Z",
            "2026-11-02T06:30Z",
            id="repeated: once",
        ),
        param(
            CASABLANCA,
            {"cadence": "weekly", "digest_weekday": 6},
            "2026-02-14T12:00Z",
            "2026-02-15T08:00Z",
            id="weekly, in Ramadan's time",
        ),
        param(
            "UTC",
            {"cadence": "weekly", "digest_weekday": 0},
            "2026-05-04T08:00Z",
            "2026-05-11T08:00Z",
            id="a week",
        ),
    ],
)
def test_a_digest_is_made_at_the_next_boundary_of_the_followers_own_clock(
    zone: str, fields: dict[str, object], since: str, boundary: str
) -> None:
    assert digest_time(habits(zone, **fields), at(since)) == at(boundary)


@given(
    zone=st.sampled_from(sorted(TRANSITIONS)),
    wall=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 12, 31)).map(
        lambda w: w.replace(microsecond=0)
    ),
)
def test_a_wall_time_is_never_read_as_a_moment_that_shows_an_earlier_one(
    zone: str, wall: dt.datetime
) -> None:
    tz = ZoneInfo(zone)
    first = instant(wall, tz)
    last = instant(wall, tz, last=True)
    shown = first.astimezone(tz).replace(tzinfo=None)
    assert first <= last
    assert shown >= wall, "the time itself, or the first that exists after it"
    before = (first - dt.timedelta(seconds=1)).astimezone(tz).replace(tzinfo=None)
    assert shown == wall or before < wall, "no later than it has to be"
