"""How much a new sender may send on a day."""

import datetime as dt

import pytest

from apps.notifications.limits.warmup import warmup_cap


@pytest.mark.parametrize(
    ("day", "cap"),
    [(-3, 100), (0, 100), (1, 150), (2, 225), (3, 337), (9, 3844), (10, 5000), (20_000, 5000)],
)
def test_a_new_sender_warms_up_day_by_day(day: int, cap: int) -> None:
    start = dt.date(2026, 5, 1)
    today = start + dt.timedelta(days=day)
    assert warmup_cap(today=today, daily=5000, start=start, first=100, growth=1.5) == cap


def test_without_a_ramp_only_the_daily_volume_counts() -> None:
    today = dt.date(2026, 5, 1)
    assert warmup_cap(today=today, daily=None, start=None, first=None, growth=1.5) is None
    assert warmup_cap(today=today, daily=7, start=None, first=100, growth=1.5) == 7
    far = today + dt.timedelta(days=400)
    assert warmup_cap(today=far, daily=None, start=today, first=100, growth=1.5) is None, (
        "the ramp is over"
    )
    assert warmup_cap(today=far, daily=None, start=today, first=100, growth=1.0) == 100, (
        "one that does not grow is not"
    )
