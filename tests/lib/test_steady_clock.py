"""A clock that jumps ahead makes nothing early; one that stays there, or goes back, is believed."""

import datetime as dt
import logging
from typing import Any

import pytest
from django.db import OperationalError

from apps.lib import steady_clock
from apps.lib.steady_clock import SteadyClock

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


class World:
    """A machine that has been on for so long, and its clock."""

    def __init__(self) -> None:
        self.passed = 1000.0
        self.clock = SteadyClock("test", passed=lambda: self.passed)

    def asked(self, after: float, said: float) -> float:
        """What the time is taken for (seconds from noon), where the clock says that."""
        self.passed = 1000.0 + after
        return (self.clock.judge(at(said)) - NOON).total_seconds()


@pytest.mark.reported
def test_two_hours_ahead_for_two_seconds_is_not_believed(caplog: Any) -> None:
    caplog.set_level(logging.WARNING, "carillon.clock")
    world = World()
    assert world.asked(0, 0) == 0
    assert world.asked(1, 1) == 1
    assert [world.asked(2, 7202), world.asked(3, 7203)] == [2, 3]
    assert world.clock.jumped
    assert world.asked(4, 4) == 4
    assert not world.clock.jumped
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == [logging.ERROR, logging.WARNING]
    assert told[0][1].startswith("The clock of test jumped ahead by 7200 s.")


@pytest.mark.reported
def test_one_that_stays_ahead_is_believed_after_a_minute() -> None:
    world = World()
    world.asked(0, 0)
    assert [world.asked(after, after + 600) for after in (10, 69, 71)] == [10, 69, 671]
    assert world.asked(72, 672) == 672


def test_one_that_goes_back_is_believed_at_once() -> None:
    world = World()
    world.asked(0, 7200)
    assert [world.asked(1, 1), world.asked(2, 2)] == [1, 2]


def test_small_steps_of_a_time_server_are_followed() -> None:
    world = World()
    world.asked(0, 0)
    assert [world.asked(1, 5.5), world.asked(2, 3)] == [5.5, 3]


def test_what_is_due_is_due_by_both_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_clock, "now", lambda: at(10))
    monkeypatch.setattr(steady_clock, "database_now", lambda: at(7))
    assert steady_clock.shared_now() == at(7)
    monkeypatch.setattr(steady_clock, "database_now", lambda: at(7200))
    assert steady_clock.shared_now() == at(10)

    def away() -> dt.datetime:
        raise OperationalError

    monkeypatch.setattr(steady_clock, "database_now", away)
    assert steady_clock.shared_now() == at(10)
