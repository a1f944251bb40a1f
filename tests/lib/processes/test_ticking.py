"""Jobs at their own pace: none stops the others, and a lasting fault is told, not shouted."""

import datetime as dt
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from apps.accounts.models import User
from apps.lib.processes.ticking import TELL_AGAIN_AFTER, Job, loop, only_with
from tests.make import make_staff

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


class Clock:
    """Time that passes only while the loop waits."""

    def __init__(self, end: float) -> None:
        self.now = 0.0
        self.end = end

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)

    def over(self) -> bool:
        return self.now >= self.end


def test_each_job_runs_at_once_and_then_at_its_own_pace() -> None:
    clock = Clock(end=10.5)
    calls = []
    jobs = [
        Job("fast", lambda now: calls.append("fast"), 1),
        Job("slow", lambda now: calls.append("slow"), 5),
    ]
    loop(jobs, stopped=clock.over, wait=clock.wait, clock=clock)
    assert calls[:2] == ["fast", "slow"]
    assert 10 <= calls.count("fast") <= 11
    assert calls.count("slow") == 3


def test_a_broken_job_does_not_stop_the_one_beside_it(caplog: Any) -> None:
    clock = Clock(end=3)
    calls = []

    def broken(*, now: dt.datetime) -> None:
        raise ValueError("no such table of mine")

    loop(
        [Job("broken", broken, 1), Job("good", lambda now: calls.append(now), 1)],
        stopped=clock.over,
        wait=clock.wait,
        clock=clock,
    )
    assert len(calls) == 3
    assert calls[0].tzinfo is not None
    assert "'broken' failed: ValueError: no such table of mine" in caplog.text


def test_the_same_complaint_is_logged_once_a_minute_and_a_new_one_at_once(
    caplog: Any, monkeypatch: Any
) -> None:
    words = ["first", "first", "second", "", "second"]

    def broken(*, now: dt.datetime) -> None:
        if word := words.pop(0):
            raise ValueError(word)

    caplog.set_level(logging.WARNING, logger="carillon")
    job = Job("broken", broken, 1)
    for _ in range(5):
        job.run(NOW)
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "'broken' failed: ValueError: first",
        "'broken' failed: ValueError: second",
        "'broken' works again.",
        "'broken' failed: ValueError: second",
    ]
    caplog.clear()
    words[:] = ["second", "second"]
    job.run(NOW)
    job.complained -= TELL_AGAIN_AFTER
    job.run(NOW)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("error", "closes"), [(OperationalError("server went away"), True), (ValueError("ours"), False)]
)
def test_a_lost_database_closes_the_connection_so_that_the_next_try_makes_a_new_one(
    monkeypatch: Any, error: Exception, closes: bool
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr("apps.lib.processes.ticking.close_old_connections", lambda: None)
    monkeypatch.setattr(
        "apps.lib.processes.ticking.connection", SimpleNamespace(close=lambda: closed.append(True))
    )

    def fail(*, now: dt.datetime) -> None:
        raise error

    Job("fails", fail, 1).run(NOW)
    assert bool(closed) is closes


def test_the_time_of_day_is_asked_for_once_a_round() -> None:
    clock = Clock(end=2.5)
    asked = []
    heard: list[dt.datetime] = []

    def moment() -> dt.datetime:
        asked.append(clock.now)
        return NOW + dt.timedelta(seconds=clock.now)

    jobs = [Job(name, lambda now: heard.append(now), 1) for name in ("one", "two")]
    loop(jobs, stopped=clock.over, wait=clock.wait, clock=clock, moment=moment)
    assert len(heard) == 2 * len(asked)
    assert heard[0] == heard[1] == NOW


@pytest.mark.django_db(transaction=True)
def test_a_schedule_without_rows_is_not_called_and_all_are_asked_for_at_once(
    django_assert_num_queries: Any,
) -> None:
    calls = []

    @only_with(lambda now: User.objects.filter(date_joined__lte=now))
    def greet(*, now: dt.datetime) -> None:
        calls.append("greet")

    @only_with(lambda now: User.objects.filter(username="boss"))
    def obey(*, now: dt.datetime) -> None:
        calls.append("obey")

    def one_round() -> None:
        clock = Clock(end=0.5)
        jobs = [Job("greet", greet, 1), Job("obey", obey, 1)]
        with django_assert_num_queries(1):
            loop(jobs, stopped=clock.over, wait=clock.wait, clock=clock, moment=lambda: NOW)

    one_round()
    assert calls == []
    make_staff("ada", role="viewer")
    User.objects.update(date_joined=NOW)
    one_round()
    assert calls == ["greet"]


def test_where_the_database_does_not_answer_each_schedule_meets_that_itself(
    monkeypatch: Any, caplog: Any
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("server went away")

    monkeypatch.setattr("apps.lib.processes.ticking.close_old_connections", away)
    job = Job("greet", only_with(lambda now: User.objects.all())(lambda now: None), 1)
    clock = Clock(end=0.5)
    loop([job], stopped=clock.over, wait=clock.wait, clock=clock, moment=lambda: NOW)
    assert "'greet' failed: OperationalError: server went away" in caplog.text
