"""Cadences keep their wall time over changed clocks: nobody is left out on a day,
and nobody is written to twice.
"""

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.recurring import recurrence
from apps.campaigns.recurring.recurrence import BadCadence
from apps.lib import wallclock

UTC = dt.UTC
NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=UTC)
# half an hour; none any more; an hour at half past three from UTC; back for Ramadan; the usual
ZONES = [
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
    "Africa/Casablanca",
    "America/New_York",
]
TIMES = st.times(min_value=dt.time(0, 0), max_value=dt.time(23, 59)).map(
    lambda time: f"{time:%H:%M}"
)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}Z")


def daily(*times: str) -> recurrence.Cadence:
    return recurrence.parse({"kind": "daily", "times": list(times)})


def cron(line: str) -> recurrence.Cadence:
    return recurrence.parse({"kind": "cron", "cron": line})


def year(cadence: recurrence.Cadence, zone: str) -> list[dt.datetime]:
    """All of 2026, as the zone counts it."""
    begin, end = (
        dt.datetime(each, 1, 1, tzinfo=wallclock.zone(zone)).astimezone(UTC)
        for each in (2026, 2027)
    )
    found = []
    for moment in recurrence.occurrences(
        cadence, zone=zone, after=begin - dt.timedelta(microseconds=1)
    ):
        if moment >= end:
            break
        found.append(moment)
    return found


# ------------------------------------------------------------------ the changes of 2026
@pytest.mark.parametrize(
    ("zone", "time", "day", "instant"),
    [
        ("America/New_York", "02:30", "2026-03-08", "2026-03-08T07:00"),  # skipped: 03:00 EDT
        ("America/New_York", "01:30", "2026-11-01", "2026-11-01T05:30"),  # twice: the first, EDT
        ("America/New_York", "09:00", "2026-03-09", "2026-03-09T13:00"),
        ("America/St_Johns", "02:15", "2026-03-08", "2026-03-08T05:30"),  # 03:00 at -02:30
        ("America/St_Johns", "01:30", "2026-11-01", "2026-11-01T04:00"),
        (
            "Australia/Lord_Howe",
            "02:10",
            "2026-10-04",
            "2026-10-03T15:30",
        ),  # 02:30 at +11, half an hour skipped
        (
            "Australia/Lord_Howe",
            "01:45",
            "2026-04-05",
            "2026-04-04T14:45",
        ),  # twice: the first, at +11
        ("Africa/Casablanca", "02:30", "2026-02-15", "2026-02-15T01:30"),  # Ramadan: twice
        ("Africa/Casablanca", "02:30", "2026-03-22", "2026-03-22T02:00"),  # after it: skipped
        ("Pacific/Apia", "03:30", "2026-09-27", "2026-09-26T14:30"),  # no summer time since 2021
    ],
)
def test_a_skipped_time_comes_right_after_the_gap_and_a_repeated_one_first(
    zone: str, time: str, day: str, instant: str
) -> None:
    found = [
        moment
        for moment in year(daily(time), zone)
        if str(moment.astimezone(wallclock.zone(zone)).date()) == day
    ]
    assert found == [at(instant)]
    hour, minute = time.split(":")
    assert [m for m in year(cron(f"{minute} {hour} * * *"), zone) if m in found] == found


@given(time=TIMES, zone=st.sampled_from(ZONES))
def test_every_local_day_has_one_occurrence_and_no_day_has_two(time: str, zone: str) -> None:
    found = year(daily(time), zone)
    days = [moment.astimezone(wallclock.zone(zone)).date() for moment in found]
    assert days == [dt.date(2026, 1, 1) + dt.timedelta(days=number) for number in range(365)]
    assert all(before < after for before, after in pairwise(found))


@given(
    times=st.lists(TIMES, min_size=1, max_size=4),
    days=st.lists(st.integers(1, 31), min_size=1, max_size=4),
    zone=st.sampled_from(ZONES),
    minute=st.integers(24 * 60, 365 * 24 * 60),  # the new year has begun everywhere
)
def test_what_comes_next_is_the_same_wherever_one_starts_to_reckon(
    times: list[str], days: list[int], zone: str, minute: int
) -> None:
    cadence = recurrence.parse({"kind": "monthly", "times": times, "days": days})
    whole = year(cadence, zone)
    start = NEW_YEAR + dt.timedelta(minutes=minute)
    later = [moment for moment in whole if moment > start]
    assert recurrence.coming(cadence, zone=zone, after=start, count=len(later)) == later
    assert len({moment.astimezone(wallclock.zone(zone)).month for moment in whole}) == 12


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", ["*/30 1-3 * * *", "0 */3 * * *"])
def test_a_cron_line_with_a_star_runs_whenever_the_clocks_show_it(zone: str, line: str) -> None:
    tz = wallclock.zone(zone)
    shown = [
        (NEW_YEAR + dt.timedelta(minutes=30 * number)).astimezone(tz)
        for number in range(30, 364 * 48)
    ]
    if line == "0 */3 * * *":
        wanted = [wall for wall in shown if wall.hour % 3 == 0 and wall.minute == 0]
    else:
        wanted = [wall for wall in shown if 1 <= wall.hour <= 3]
    instants = [
        wall.astimezone(UTC) for wall in wanted
    ]  # of two zones, a repeated hour equals nothing (PEP 495)
    assert (
        recurrence.coming(cron(line), zone=zone, after=instants[0], count=len(wanted) - 1)
        == instants[1:]
    )


@pytest.mark.parametrize("zone", ZONES)
def test_a_cron_line_of_fixed_times_runs_once_on_each_of_its_days(zone: str) -> None:
    walls = [moment.astimezone(wallclock.zone(zone)) for moment in year(cron("15 2 * * 1-5"), zone)]
    assert len({wall.date() for wall in walls}) == len(walls) == 261


def test_a_month_without_that_day_has_its_last_one_and_only_once() -> None:
    cadence = recurrence.parse({"kind": "monthly", "times": ["09:00"], "days": [30, 31]})
    found = [moment.date().isoformat() for moment in year(cadence, "UTC")][:7]
    assert found == [
        "2026-01-30",
        "2026-01-31",
        "2026-02-28",
        "2026-03-30",
        "2026-03-31",
        "2026-04-30",
        "2026-05-30",
    ]


def test_a_week_has_its_days_in_order() -> None:
    cadence = recurrence.parse(
        {"kind": "weekly", "times": ["18:00", "09:00"], "weekdays": ["Friday", "monday"]}
    )
    found = recurrence.coming(cadence, zone="UTC", after=NEW_YEAR, count=4)
    assert found == [
        at(f"2026-01-{text}") for text in ("02T09:00", "02T18:00", "05T09:00", "05T18:00")
    ]
    assert recurrence.sentence(cadence) == "every Monday and Friday at 09:00 and 18:00"


# ------------------------------------------------------------------ late
@pytest.mark.parametrize(
    ("now", "send_missed", "latest", "missed"),
    [
        ("2026-05-04T09:00:30", False, "2026-05-04T09:00", False),  # within the tolerance
        ("2026-05-04T10:00", False, "2026-05-04T09:00", True),
        ("2026-05-04T10:00", True, "2026-05-04T09:00", False),
        (
            "2026-05-07T08:00",
            True,
            "2026-05-06T09:00",
            False,
        ),  # three days away: once, not three times
        ("2026-05-07T09:00:10", False, "2026-05-07T09:00", False),  # back in time for the latest
        ("2029-05-07T08:00", True, "2029-05-06T09:00", False),
    ],
)
def test_of_all_that_were_missed_only_the_latest_counts(
    now: str, send_missed: bool, latest: str, missed: bool
) -> None:
    planned = at("2026-05-04T09:00")
    options = {
        "zone": "UTC",
        "planned": planned,
        "now": at(now),
        "send_missed": send_missed,
        "tolerance": 900,
    }
    assert recurrence.turn(daily("09:00"), **options) == recurrence.DueTime(at(latest), missed)


# ------------------------------------------------------------------ reading
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("daily", "has a kind"),
        ({"kind": "hourly"}, "has a kind"),
        ({"kind": "daily"}, "needs times"),
        ({"kind": "daily", "times": ["9:00"]}, "09:00"),
        ({"kind": "daily", "times": ["24:00"]}, "24:00"),
        ({"kind": "daily", "times": ["09:00"], "days": [1]}, "takes no days"),
        ({"kind": "weekly", "times": ["09:00"], "weekdays": ["funday"]}, "funday"),
        ({"kind": "monthly", "times": ["09:00"], "days": [0]}, "31 is always the last"),
        ({"kind": "cron", "cron": "0 9 * *"}, "five fields"),
        ({"kind": "cron", "cron": "0 25 * * *"}, "does not understand"),
        ({"kind": "cron", "cron": "0 0 30 2 *"}, "“0 0 30 2 *”"),
    ],
)
def test_a_cadence_that_can_not_be_is_refused_with_what_to_write(data: Any, said: str) -> None:
    with pytest.raises(BadCadence, match=said.replace("*", r"\*")):
        recurrence.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "daily", "times": ["09:00", "18:30"]},
        {"kind": "weekly", "times": ["09:00"], "weekdays": ["monday", "friday"]},
        {"kind": "monthly", "times": ["09:00"], "days": [1, 31]},
        {"kind": "cron", "cron": "0 9 * * 1-5"},
    ],
)
def test_a_cadence_is_read_and_written_the_same(data: dict[str, Any]) -> None:
    cadence = recurrence.parse(data)
    assert recurrence.as_data(cadence) == data
    assert recurrence.sentence(cadence)


@pytest.mark.reported
@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("31", "31st"),
        ("21", "21st"),
        ("22", "22nd"),
        ("23", "23rd"),
        ("11", "11th"),
        ("13", "13th"),
    ],
)
def test_a_day_of_a_cron_line_has_its_ending(day: str, said: str) -> None:
    cadence = recurrence.parse({"kind": "cron", "cron": f"0 9 {day} * *"})
    assert f"the {said} day" in recurrence.sentence(cadence)
