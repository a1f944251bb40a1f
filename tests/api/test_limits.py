"""Allowances: spent at once, earned back evenly, counted in the database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.api import limits
from apps.api.limits import spend
from apps.api.models import Allowance

pytestmark = pytest.mark.django_db


def take(now: float, *, calls: int = 1, caller: str = "key:a"):
    return spend(caller, calls=calls, limit=6, now=now)


def test_the_whole_allowance_may_be_used_at_once_and_then_comes_back_evenly() -> None:
    assert [take(1000).remaining for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    refused = take(1000)
    assert refused.wait == pytest.approx(10)
    assert refused.remaining == 0
    assert take(1009).wait == pytest.approx(1)
    assert take(1010).wait == 0
    assert take(1010).wait == pytest.approx(10)
    assert take(1100).remaining == 5


def test_a_refused_call_costs_nothing() -> None:
    for _ in range(20):
        take(1000)
    assert take(1010).wait == 0


def test_a_dear_call_takes_several() -> None:
    assert take(1000, calls=4).remaining == 2
    assert take(1000, calls=4).wait == pytest.approx(20)
    assert take(1000, calls=2).remaining == 0


def test_a_call_dearer_than_the_allowance_is_possible_when_it_is_full() -> None:
    assert take(1000, calls=99).remaining == 0
    assert take(1030, calls=99).wait == pytest.approx(30)
    assert take(1060, calls=99).wait == 0


def test_callers_do_not_share() -> None:
    for _ in range(7):
        take(1000)
    assert take(1000, caller="key:b").remaining == 5


def test_the_count_is_in_the_database_where_every_process_sees_it() -> None:
    take(1000)
    assert Allowance.objects.get(caller="key:a").spent_until == pytest.approx(1010)


def test_answers_say_what_is_left_and_a_refusal_how_long_to_wait(api, settings, problem) -> None:
    settings.API_CALLS_PER_MINUTE = 2
    first, second, third = (api.get("/api/v1/tags") for _ in range(3))
    assert [a.headers["RateLimit-Remaining"] for a in (first, second, third)] == ["1", "0", "0"]
    assert first.headers["RateLimit-Limit"] == "2"
    assert first.headers["RateLimit-Policy"] == "2;w=60"
    assert 29 <= int(first.headers["RateLimit-Reset"]) <= 30
    problem(third, 429)
    assert 29 <= int(third.headers["Retry-After"]) <= 30


def test_who_is_refused_because_another_took_the_last_call_meanwhile_is_told_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(5):
        take(1000)
    tried: list[float | None] = []

    def beaten(caller: str, cost: float, now: float) -> float | None:
        if not tried:  # the first look fails for another reason; then somebody takes the last call
            tried.append(None)
            return None
        take_one(caller, cost, now)
        return take_one(caller, cost, now)

    take_one = limits._take
    monkeypatch.setattr(limits, "_take", beaten)
    assert take(1000).wait == pytest.approx(10)


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_do_not_both_get_the_last_call() -> None:
    def call(_: int) -> bool:
        try:
            return take(1000).wait == 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(call, range(12))) == 6
