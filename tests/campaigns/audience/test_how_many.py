"""A number in about a second: exact, or reckoned and said to be."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.campaigns.audience import how_many as module
from apps.campaigns.audience.how_many import CountTookTooLong, HowMany, exactly, how_many
from apps.followers.models import Follower
from apps.lib.sql.cancellable import TookTooLong
from tests.campaigns.world import make_world

pytestmark = pytest.mark.django_db


def too_slow(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the first few statements take too long."""
    left = [TookTooLong()] * times

    @contextmanager
    def at_most(seconds: float) -> Iterator[None]:
        if left:
            raise left.pop()
        yield

    monkeypatch.setattr(module, "at_most", at_most)


def test_the_number_is_exact_if_it_is_found_in_time() -> None:
    make_world(150)
    russian = Follower.objects.filter(language="ru")
    assert how_many(russian, sampled=russian) == HowMany(russian.count(), exact=True)
    assert how_many(russian, sampled=russian, exact=True) == HowMany(russian.count(), exact=True)


def test_else_it_is_reckoned_from_some_of_all_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(300)
    russian = Follower.objects.filter(language="ru")
    real = russian.count()
    too_slow(monkeypatch, 1)
    monkeypatch.setattr(module, "SAMPLE", 3000)  # all of them
    monkeypatch.setattr(module, "ENOUGH", 20)
    reckoned = how_many(russian, sampled=russian)
    assert reckoned is not None
    assert not reckoned.exact
    assert abs(reckoned.number - real) <= 2
    everybody = Follower.objects.all()
    too_slow(monkeypatch, 1)
    monkeypatch.setattr(module, "SAMPLE", 150)  # every second one
    reckoned = how_many(everybody, sampled=everybody)
    assert reckoned is not None
    assert 280 <= reckoned.number <= 320


def test_who_wants_the_exact_number_is_told_that_it_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_world(5)
    assert exactly(Follower.objects.all()) == 5
    too_slow(monkeypatch, 1)
    with pytest.raises(CountTookTooLong) as refused:
        exactly(Follower.objects.all())
    said = "Counting this takes more than 30 seconds. Ask for fewer rules at once."
    assert str(refused.value) == said


def test_without_time_for_a_sample_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(5)
    everybody = Follower.objects.all()
    too_slow(monkeypatch, 2)
    assert how_many(everybody, sampled=everybody) is None


def test_a_sample_that_found_a_few_tells_the_most_that_there_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_world(300)
    monkeypatch.setattr(module, "SAMPLE", 300)
    for few, most in ((Follower.objects.none(), 7), (Follower.objects.filter(name="anna"), 90)):
        too_slow(monkeypatch, 1)
        told = how_many(few, sampled=few)
        assert told is not None
        assert told.below
        assert few.count() < told.number <= most


def test_a_part_of_the_sample_tells_something_too(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(300)
    everybody = Follower.objects.all()
    monkeypatch.setattr(module, "SAMPLE", 300)
    monkeypatch.setattr(module, "ENOUGH", 20)
    outcomes = iter([True, False, True])  # the exact number, and two parts

    @contextmanager
    def at_most(seconds: float) -> Iterator[None]:
        if next(outcomes):
            raise TookTooLong
        yield

    monkeypatch.setattr(module, "at_most", at_most)
    assert how_many(everybody, sampled=everybody) == HowMany(300, exact=False)


@pytest.mark.parametrize(
    ("number", "shown"), [(7.4, 7), (999.2, 999), (1234.0, 1230), (160_476.3, 160_000)]
)
def test_only_digits_that_mean_something_are_shown(number: float, shown: int) -> None:
    assert module._rounded(number) == shown


def test_a_bound_is_rounded_up() -> None:
    assert [module._rounded_up(each) for each in (6.2, 99, 151.0, 30_412.5)] == [7, 99, 160, 31_000]
