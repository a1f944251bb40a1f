"""Requests take turns, and a line that is too long is told so."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from apps.lib.network.turns import (
    Crowded,
    Ground,
    LineAhead,
    Ruling,
    Turns,
    Urgency,
    judge,
)
from tests.patience import FOREVER, PATIENCE, until


class Hands:
    """A clock that shows what a test says."""

    def __init__(self) -> None:
        self.shows = 0.0

    def __call__(self) -> float:
        return self.shows


def standing(**values: Any) -> LineAhead:
    usual = {"ahead": 0, "waiting": 0, "room": 48, "places": 4, "takes": 0.04}
    return LineAhead(**{**usual, **values})


@pytest.mark.parametrize(
    ("values", "why", "seconds"),
    [
        ({"ahead": 0}, Ground.WAITS, 0.01),  # the first place that comes free
        ({"ahead": 47, "waiting": 47}, Ground.WAITS, 0.48),
        ({"ahead": 48, "waiting": 48}, Ground.NO_ROOM, 0.49),
        ({"ahead": 9, "waiting": 48}, Ground.NO_ROOM, 0.1),
        ({"ahead": 9, "takes": 0.4}, Ground.WAITS, 1.0),
        ({"ahead": 10, "takes": 0.4}, Ground.LONG_LINE, 1.1),
        ({"ahead": 60, "takes": 0.4, "waiting": 48}, Ground.LONG_LINE, 6.1),
        ({"ahead": 9, "takes": 0.0}, Ground.WAITS, 0.0),  # nothing was measured yet
        ({"ahead": 9, "places": 1, "takes": 0.2}, Ground.LONG_LINE, 2.0),
        ({"room": 0}, Ground.NO_ROOM, 0.01),
    ],
)
def test_who_would_wait_for_more_than_a_second_is_refused(
    values: dict[str, Any], why: Ground, seconds: float
) -> None:
    ruling = judge(standing(**values))
    assert ruling.why is why
    assert ruling.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(("seconds", "after"), [(0.0, 1), (0.49, 1), (1.0, 1), (1.1, 2), (6.1, 7)])
def test_a_refusal_names_the_seconds_that_the_line_takes(seconds: float, after: int) -> None:
    assert Ruling(Ground.LONG_LINE, seconds).retry_after == after


class Queue:
    """Threads that want a place, and what became of each."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.got: list[str] = []
        self.refused: dict[str, Ruling] = {}
        self.threads: list[threading.Thread] = []

    def stand(self, name: str, urgency: Urgency) -> None:
        """Let somebody come who has to wait, and return when they stand in the line."""
        before = self._come()

        def wait() -> None:
            try:
                place = self.turns.place_in_turn(urgency)
            except Crowded as error:
                self.refused[name] = error.ruling
                return
            self.got.append(name)
            self.turns.give_back(place, counts=False)

        self.threads.append(threading.Thread(target=wait))
        self.threads[-1].start()
        until(lambda: self._come() > before, f"{name} has come")

    def _come(self) -> int:
        return self.turns.waiting + len(self.refused)

    def end(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.fixture
def queue() -> Callable[..., Queue]:
    def make(**values: Any) -> Queue:
        return Queue(Turns(**{"places": 1, "room": 48, "longest": FOREVER, **values}))

    return make


def test_nobody_waits_while_a_place_is_free(queue) -> None:
    turns = queue(places=2).turns
    first = turns.free_place()
    second = turns.free_place()
    assert first is not None
    assert second is not None
    assert turns.free_place() is None
    turns.give_back(first, counts=True)
    assert turns.free_place() is first


def test_who_is_more_urgent_goes_first_and_else_who_came_first(queue) -> None:
    line = queue()
    held = line.turns.free_place()
    line.stand("low", Urgency.LOW)
    line.stand("usual", Urgency.USUAL)
    line.stand("usual later", Urgency.USUAL)
    line.stand("code", Urgency.CRITICAL)
    line.stand("page", Urgency.UNREFUSED)
    line.turns.give_back(held, counts=True)
    line.end()
    assert line.got == ["page", "code", "usual", "usual later", "low"]


def test_where_there_is_no_room_the_least_urgent_goes_and_the_newcomer_else(queue) -> None:
    line = queue(room=2)
    held = line.turns.free_place()
    line.stand("low", Urgency.LOW)
    line.stand("usual", Urgency.USUAL)
    line.stand("low, too", Urgency.LOW)
    assert line.refused.keys() == {"low, too"}
    line.stand("code", Urgency.CRITICAL)
    until(lambda: "low" in line.refused, "the least urgent one is sent away")
    line.stand("usual, too", Urgency.USUAL)
    assert line.refused["usual, too"].why is Ground.NO_ROOM
    line.stand("page", Urgency.UNREFUSED)
    line.turns.give_back(held, counts=True)
    line.end()
    assert line.got == ["page", "code", "usual"]


def test_a_line_that_takes_too_long_refuses_calls_and_no_page(queue) -> None:
    clock = Hands()
    line = queue(clock=clock)
    for _ in range(5):
        slow = line.turns.free_place()
        clock.shows += 3.0
        line.turns.give_back(slow, counts=True)
    held = line.turns.free_place()
    line.stand("call", Urgency.CRITICAL)
    assert line.refused["call"] == Ruling(Ground.LONG_LINE, 3.0)
    line.stand("page", Urgency.UNREFUSED)
    line.turns.give_back(held, counts=False)
    line.end()
    assert line.got == ["page"]


def test_one_call_that_took_long_alone_refuses_nobody(queue) -> None:
    clock = Hands()
    line = queue(clock=clock)
    for took in (30.0, 30.0, 0.01, 0.01, 0.01):
        call = line.turns.free_place()
        clock.shows += took
        line.turns.give_back(call, counts=True)
    held = line.turns.free_place()
    line.stand("call", Urgency.USUAL)
    line.turns.give_back(held, counts=False)
    line.end()
    assert line.got == ["call"]


def test_what_takes_long_and_counts_not_refuses_nobody(queue) -> None:
    clock = Hands()
    line = queue(clock=clock)
    for _ in range(5):
        page = line.turns.free_place()
        clock.shows += 30.0
        line.turns.give_back(page, counts=False)
    held = line.turns.free_place()
    line.stand("call", Urgency.USUAL)
    line.turns.give_back(held, counts=False)
    line.end()
    assert line.got == ["call"]


def test_a_call_that_waited_too_long_after_all_is_refused_and_leaves_the_line(queue) -> None:
    line = queue(longest=0.01)
    held = line.turns.free_place()
    line.stand("page", Urgency.UNREFUSED)
    line.stand("call", Urgency.USUAL)
    until(lambda: "call" in line.refused, "its patience is at an end")
    assert line.refused["call"].seconds == 0.01
    assert line.turns.waiting == 1
    line.turns.give_back(held, counts=False)
    line.end()
    assert line.got == ["page"]
