"""Sending again what was not delivered: in chunks, each row once,
with a progress that is true at every moment.
"""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.models import NotificationType
from apps.lib.refusals import WrongState
from apps.notifications import replay
from apps.notifications.models import DeliveryEvent, Notification, Replay
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type()


@pytest.fixture
def failed(receiver: Receiver, news: NotificationType) -> Notification:
    """Five that were refused."""
    receiver.answers["RCPT"] = "550 5.1.0 not to me"
    people = [make_follower(email=f"p{number}@example.com") for number in range(5)]
    notification = tell(news, people, version=make_version())
    drain()
    assert stands(notification) == {"failed": 5}
    return notification


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.notifications.books.transitions.CHUNK", 2)


def test_a_large_order_goes_chunk_by_chunk_and_says_how_far_it_is(
    failed: Notification, small: None
) -> None:
    assert replay.retry_failed(notification=failed, **act()) == 5
    order = Replay.objects.get()
    assert (order.moved, order.finished_at, stands(failed)) == (
        2,
        None,
        {"pending": 2, "failed": 3},
    )
    assert replay.retry_failed(notification=failed, **act()) == 3, (
        "pressed again: the same order, and what is left"
    )
    assert Replay.objects.count() == 1
    replay.replay_rest(replay_id=order.pk)
    order.refresh_from_db()
    assert (order.moved, stands(failed)) == (5, {"pending": 5})
    assert order.finished_at
    assert DeliveryEvent.objects.filter(kind="retried").count() == 5
    assert AuditEntry.objects.get(kind="delivery.retried").data["deliveries"] == 5


def test_one_that_fails_again_meanwhile_is_not_sent_a_third_time(
    failed: Notification, small: None
) -> None:
    replay.retry_failed(notification=failed, **act())
    drain()  # the first two are refused again while three still wait for the order
    assert stands(failed) == {"failed": 5}
    failed.refresh_from_db()
    replay.replay_rest(replay_id=Replay.objects.get().pk)
    failed.refresh_from_db()
    assert (failed.state, stands(failed)) == ("sending", {"pending": 3, "failed": 2})
    assert DeliveryEvent.objects.filter(kind="retried").count() == 5


def test_an_order_whose_task_was_lost_goes_on(
    failed: Notification, small: None, monkeypatch: Any
) -> None:
    monkeypatch.setattr(replay, "waiting", lambda lane: 0)
    announced: list[dict[str, Any]] = []
    monkeypatch.setattr(replay, "announce", lambda task, **ids: announced.append(ids))
    replay.retry_failed(notification=failed, **act())
    replay.resume_replays(now=timezone.now())
    assert len(announced) == 1, "too early: its own call is on its way"
    Replay.objects.update(started_at=timezone.now() - dt.timedelta(seconds=31))
    replay.resume_replays(now=timezone.now())
    assert announced[1]["replay_id"] == Replay.objects.get().pk


def test_a_cancelled_notification_is_not_opened_again(
    failed: Notification, news: NotificationType
) -> None:
    Notification.objects.update(state="cancelled")
    with pytest.raises(WrongState):
        replay.retry_failed(notification=failed, **act())
    assert replay.replay(notification=None, kind=news, status="failed", reason="", **act()) == 0
    assert stands(failed) == {"failed": 5}


def test_all_of_a_kind_are_sent_again_but_not_those_of_campaigns_or_of_other_reasons(
    failed: Notification, receiver: Receiver, news: NotificationType, small: None
) -> None:
    version = failed.version
    second = tell(news, [make_follower(email="anna@example.com")], version=version)
    campaign = tell(
        news, [make_follower(email="boris@example.com")], version=version, source="campaign"
    )
    other = tell(make_type("receipts"), [make_follower(email="chen@example.com")], version=version)
    drain()
    receiver.answers.clear()
    doubtful = {"status": "in_doubt", "reason": ""}
    assert replay.replay(notification=None, kind=news, **doubtful, **act()) == 0, "there are none"
    assert (
        replay.replay(notification=None, kind=news, status="failed", reason="gave_up", **act()) == 0
    )
    assert (
        replay.replay(
            notification=None, kind=news, status="failed", reason="refused_recipient", **act()
        )
        == 6
    )
    replay.replay_rest(replay_id=Replay.objects.get().pk)
    drain()
    assert (stands(failed), stands(second)) == ({"sent": 5}, {"sent": 1})
    assert (stands(campaign), stands(other)) == ({"failed": 1}, {"failed": 1})
    assert Replay.objects.get().moved == 6
