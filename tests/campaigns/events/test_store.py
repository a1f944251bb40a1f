"""Events: what happened is stored once, and forgotten later."""

import datetime as dt

import pytest

from apps.campaigns.events import run_rules, store
from apps.campaigns.events.store import BadEvent, NewEvent
from apps.campaigns.models import Event
from apps.followers.models import Follower
from apps.lib.queue.announce import waiting
from apps.lib.queue.lanes import Lane
from tests.campaigns.events.world import NOW, happen, make_rule
from tests.make import nested


@pytest.mark.django_db
def test_the_same_event_twice_is_one_and_another_name_is_another(anna: Follower) -> None:
    twice = [
        NewEvent("order.paid", anna, dedup_key="17"),
        NewEvent("order.paid", anna, dedup_key="17"),
    ]
    stored = store.record(events=[*twice, NewEvent("order.sent", anna, dedup_key="17")], now=NOW)
    assert [new for _, new in stored] == [True, False, True]
    assert stored[0][0] == stored[1][0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event", "field"),
    [
        (NewEvent("order..paid"), "name"),
        (NewEvent("order paid"), "name"),
        (NewEvent("x" * 101), "name"),
        (NewEvent("order.paid", data={"x": "y" * store.MAX_DATA}), "data"),
        (NewEvent("order.paid", data=nested(11)), "data"),
        (NewEvent("order.paid", occurred_at=NOW + dt.timedelta(hours=1)), "occurred_at"),
        (NewEvent("order.paid", occurred_at=dt.datetime.min.replace(tzinfo=dt.UTC)), "occurred_at"),
    ],
)
def test_an_event_that_can_not_be_is_refused_beside_its_field(event: NewEvent, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        store.record(events=[event], now=NOW)
    assert refused.value.field == field
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("inbox")
def test_data_as_deep_as_an_event_may_be_reaches_the_template(anna: Follower) -> None:
    make_rule()
    event = happen(follower=anna, data=nested(10))
    run_rules.work_off()
    assert [outcome.result for outcome in event.outcomes.all()] == ["notified"]


@pytest.mark.django_db
def test_old_events_are_forgotten_when_they_were_worked_off(anna: Follower) -> None:
    old, waiting_, young = (happen(follower=anna) for _ in range(3))
    Event.objects.filter(pk__in=[old.pk, waiting_.pk]).update(received_at=NOW)
    Event.objects.filter(pk__in=[old.pk, young.pk]).update(due_at=None)
    Event.objects.filter(pk=young.pk).update(received_at=NOW + dt.timedelta(days=20))
    assert store.forget_old(before=NOW + dt.timedelta(days=1)) == 1
    assert set(Event.objects.all()) == {waiting_, young}


@pytest.mark.django_db
def test_the_tick_does_not_stand_still_while_millions_of_events_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "CHUNK", 2)
    for _ in range(5):
        happen()
    Event.objects.update(received_at=NOW, due_at=None)
    left = []
    for _ in range(4):
        store.forget_old(before=NOW + dt.timedelta(days=1))
        left.append(Event.objects.count())
    assert left == [3, 1, 0, 0]


@pytest.mark.django_db
def test_a_call_that_was_lost_is_made_again() -> None:
    event = happen()
    store.announce_due(now=event.received_at)
    assert waiting(Lane.TRANSACTIONAL) == 1
    store.announce_due(now=event.received_at + dt.timedelta(seconds=3))
    assert waiting(Lane.TRANSACTIONAL) == 2
