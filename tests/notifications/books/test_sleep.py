"""What waits for its hour is not looked at until then, and nothing is late for it."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.followers.models import Follower, NotificationType
from apps.lib.queue.lanes import Lane
from apps.notifications import control, replay
from apps.notifications.books import sleep, transitions
from apps.notifications.decide import fallback
from apps.notifications.digests import flush
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    ProviderAccount,
)
from apps.notifications.sending import claim, sender
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, places_explained, stands, tell
from tests.patience import PATIENCE

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def kind(db: None) -> Iterator[NotificationType]:
    ProviderAccount.objects.create(
        enabled=True, name="Email", provider="smtp", channel="email", created_at=timezone.now()
    )
    return make_type("orders", category="informational")


def told(
    kind: NotificationType, *people: Follower, wait: dt.timedelta = 8 * HOUR, **fields: Any
) -> Notification:
    version = fields.pop("version", None) or make_version()
    return tell(kind, list(people), version=version, send_at=timezone.now() + wait, **fields)


def asleep(*notifications: Notification) -> bool:
    found = {
        each.wakes_at is not None
        for each in Notification.objects.filter(pk__in=[n.pk for n in notifications])
    }
    assert len(found) == 1
    return found.pop()


def put_to_sleep(*notifications: Notification) -> None:
    sleep.fall_asleep(now=timezone.now())
    assert asleep(*notifications)


def taken() -> list[int]:
    batch = claim.claim(Lane.TRANSACTIONAL, owner="me", size=10)
    if batch:
        return [row.pk for row in batch.rows]
    return []


def test_a_sleeper_is_not_looked_at_and_wakes_on_time(
    kind: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    notification = told(kind, anna)
    (row,) = notification.deliveries.all()
    put_to_sleep(notification)
    notification.refresh_from_db()
    assert notification.wakes_at == row.due_at
    monkeypatch.setattr(claim, "database_now", lambda: row.due_at)
    assert taken() == []
    sleep.wake_up(now=row.due_at - dt.timedelta(seconds=5))
    assert asleep(notification)
    sleep.wake_up(now=row.due_at)
    assert not asleep(notification)
    assert taken() == [row.pk]


def test_all_of_many_fall_asleep_and_wake(
    kind: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleep, "CHUNK", 2)
    version = make_version()
    many = [told(kind, anna, version=version) for _ in range(5)]
    put_to_sleep(*many)
    sleep.wake_up(now=timezone.now() + 9 * HOUR)
    assert not asleep(*many)


def test_who_has_something_to_do_stays_awake(
    kind: NotificationType, anna: Follower, chen: Follower
) -> None:
    version = make_version()
    people = [anna, make_follower(email="p@example.com")]
    sending = told(kind, *people, version=version, wait=-HOUR)
    later = sending.deliveries.exclude(pk=taken_one()).get()
    Delivery.objects.filter(pk=later.pk).update(due_at=timezone.now() + HOUR)
    due = told(kind, *people, version=version, wait=-HOUR)
    Delivery.objects.filter(pk=due.deliveries.all()[0].pk).update(due_at=timezone.now() + HOUR)
    soon = told(kind, anna, version=version, wait=dt.timedelta(seconds=30))
    paused = told(kind, anna, version=version)
    control.pause(notification=paused, by=TESTER, now=timezone.now())
    nothing = told(kind, chen, version=version)  # no address
    sleep.fall_asleep(now=timezone.now())
    assert not asleep(sending, due, soon, paused, nothing)


def taken_one() -> int:
    batch = claim.claim(Lane.TRANSACTIONAL, owner="me", size=1)
    assert batch
    return batch.rows[0].pk


# ------------------------------------------------------------------ woken before
def test_one_that_was_held_for_a_digest_and_is_alone_wakes_to_be_sent(
    anna: Follower, kind: NotificationType
) -> None:
    notification = told(kind, anna)
    row = notification.deliveries.get()
    transitions.move(notification.deliveries.all(), DeliveryStatus.HELD, due_at=row.due_at)
    put_to_sleep(notification)
    assert flush.flush(now=row.due_at)
    assert stands(notification) == {"pending": 1}
    assert not asleep(notification)


@pytest.fixture
def chained(kind: NotificationType, anna: Follower) -> Notification:
    """The inbox has failed or arrived, the mail's turn is in ten minutes; it sleeps until then."""
    both = ["in_app", "email"]
    type_ = make_type(
        "code",
        category="informational",
        channels=both,
        default_channels=both,
        fallback=both,
        fallback_after=600,
    )
    notification = told(type_, anna, wait=dt.timedelta(0), channels=both)
    transitions.move(notification.deliveries.filter(channel="in_app"), DeliveryStatus.SENT)
    put_to_sleep(notification)
    return notification


def test_the_next_of_a_chain_wakes_when_the_one_before_is_lost(chained: Notification) -> None:
    first = chained.deliveries.get(channel="in_app")
    Delivery.objects.filter(pk=first.pk).update(status="failed")
    fallback.advance(deliveries=[first.pk], now=timezone.now())
    assert not asleep(chained)
    assert taken() == [chained.deliveries.get(channel="email").pk]


def test_a_chain_that_got_through_is_finished_though_it_slept(chained: Notification) -> None:
    fallback.read(deliveries=[chained.deliveries.get(channel="in_app").uid], now=timezone.now())
    sender.announce_due(now=timezone.now())
    assert stands(chained) == {"delivered": 1, "skipped": 1}
    chained.refresh_from_db()
    assert chained.state == "done"


def test_what_waits_by_somebodys_rhythm_wakes_when_it_changes(
    kind: NotificationType, anna: Follower
) -> None:
    version = make_version()
    hers = told(kind, anna, version=version)
    other = told(kind, make_follower(email="p@example.com"), version=version)
    for row in Delivery.objects.all():
        DeliveryEvent.objects.create(
            delivery=row, at=timezone.now(), kind=EventKind.WAITS, detail={}
        )
    put_to_sleep(hers, other)
    now = timezone.now()
    set_rhythm(
        follower=anna,
        values=Wishes(paused_until=now + HOUR),
        proof=Proof(source="test", by=TESTER, now=now),
    )
    assert not asleep(hers)
    assert asleep(other)


# ------------------------------------------------------------------ what people do to a sleeper
def test_a_sleeper_is_paused_and_goes_on(kind: NotificationType, anna: Follower) -> None:
    notification = told(kind, anna)
    put_to_sleep(notification)
    control.pause(notification=notification, by=TESTER, now=timezone.now())
    notification.deliveries.update(due_at=timezone.now())
    control.resume(notification=notification, by=TESTER, now=timezone.now())
    assert taken() == [notification.deliveries.get().pk]


@pytest.mark.parametrize("act", [control.cancel, control.retract])
def test_a_sleeper_is_cancelled_and_retracted(
    kind: NotificationType, anna: Follower, act: Any
) -> None:
    notification = told(kind, anna)
    put_to_sleep(notification)
    assert act(notification=notification, by=TESTER, now=timezone.now())["cancelled"] == 1
    assert stands(notification) == {"cancelled": 1}
    assert not asleep(notification)


def test_what_failed_is_sent_again_though_the_rest_sleeps(
    kind: NotificationType, anna: Follower
) -> None:
    notification = told(kind, anna, make_follower(email="p@example.com"))
    failed = notification.deliveries.all()[0]
    transitions.move(
        Delivery.objects.filter(pk=failed.pk), DeliveryStatus.FAILED, finished_at=timezone.now()
    )
    put_to_sleep(notification)
    replay.retry_failed(notification=notification, by=TESTER, now=timezone.now())
    assert taken() == [failed.pk]


def test_a_sleeper_expires(kind: NotificationType, anna: Follower) -> None:
    notification = told(kind, anna, expires_at=timezone.now() + 9 * HOUR)
    put_to_sleep(notification)
    control.close_leftovers(now=timezone.now() + 8 * HOUR)
    assert stands(notification) == {"pending": 1}
    control.close_leftovers(now=timezone.now() + 10 * HOUR)
    assert stands(notification) == {"skipped": 1}
    notification.refresh_from_db()
    assert (notification.state, notification.wakes_at) == ("done", None)


# ------------------------------------------------------------------ the net
def test_whom_everybody_forgot_to_wake_is_woken_all_the_same(
    kind: NotificationType, anna: Follower
) -> None:
    version = make_version()
    forgotten = told(kind, anna, version=version)
    other = told(kind, anna, version=version)
    put_to_sleep(forgotten, other)
    forgotten.deliveries.update(due_at=timezone.now())
    sleep.wake_up(now=timezone.now())
    assert asleep(forgotten)
    sleep.wake_overslept(now=timezone.now())
    assert not asleep(forgotten)
    assert asleep(other)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_whoever_wakes_does_not_wait_for_a_notification_that_is_locked(
    kind: NotificationType, anna: Follower
) -> None:
    version = make_version()
    locked, free = told(kind, anna, version=version), told(kind, anna, version=version)
    put_to_sleep(locked, free)

    def wake() -> int:
        try:
            return sleep.wake([locked.pk, free.pk])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        Notification.objects.select_for_update(no_key=True).get(pk=locked.pk)
        assert other.submit(wake).result(timeout=PATIENCE) == 1
    assert asleep(locked)
    assert not asleep(free)


# ------------------------------------------------------------------ what it costs
def test_a_claim_reads_none_of_many_sleepers(kind: NotificationType, anna: Follower) -> None:
    sleeper = told(kind, anna)
    put_to_sleep(sleeper)
    due = told(kind, anna, version=sleeper.version, wait=-HOUR)
    sleeper.refresh_from_db()
    Notification.objects.bulk_create(_copy(sleeper) for _ in range(500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_notification")
    found, steps = places_explained(Lane.TRANSACTIONAL, "email")
    assert found == [due.pk]
    read = [step for step in steps if step.get("Index Name") == "notification_awake"]
    if connection.vendor == "postgresql":
        assert [(step["Actual Rows"], step.get("Rows Removed by Filter", 0)) for step in read] == [
            (1, 0)
        ]
    else:
        assert read


def _copy(notification: Notification) -> Notification:
    own = {"id", "uid", "dedup_key"}
    columns = [
        field.attname for field in Notification._meta.concrete_fields if field.name not in own
    ]
    return Notification(**{name: getattr(notification, name) for name in columns})
