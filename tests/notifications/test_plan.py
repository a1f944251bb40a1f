"""Freezing the recipients: everyone exactly once, each with the reason."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery, Notification, Source
from apps.notifications.notify import Intent, notify, open_notification
from apps.notifications.plan import finish_planning, freeze_slice
from apps.notifications.reports.balance import balance
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, places_explained, stands
from tests.patience import PATIENCE


def opened(**fields: Any) -> Notification:
    values: dict[str, Any] = {"channels": ["email"], "source": "test"}
    intent = Intent(notification_type=make_type(), version=make_version(), **(values | fields))
    return open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=timezone.now())


def plan_all(notification: Notification, size: int = 3) -> int:
    slices = 1
    while freeze_slice(
        notification=notification, followers=Follower.objects.all(), now=timezone.now(), size=size
    ):
        notification.refresh_from_db()
        slices += 1
    finish_planning(notification=notification, now=timezone.now())
    notification.refresh_from_db()
    return slices


def test_each_person_gets_one_row_with_the_reason(
    anna: Follower, boris: Follower, chen: Follower, dana: Follower
) -> None:
    notification = opened(channels=["email", "in_app"])
    plan_all(notification)
    rows = Delivery.objects.values_list("follower__name", "channel", "status", "reason")
    assert set(rows) == {
        ("Anna Weber", "email", "pending", "default_on"),
        ("Anna Weber", "in_app", "pending", "default_on"),
        ("Борис Иванов", "email", "skipped", "unsubscribed"),
        ("Борис Иванов", "in_app", "skipped", "unsubscribed"),
        ("Chen Li", "email", "skipped", "no_address"),
        ("Chen Li", "in_app", "pending", "default_on"),
        ("Dana Null", "email", "skipped", "no_address"),
        ("Dana Null", "in_app", "pending", "default_on"),
    }
    assert stands(notification) == {"pending": 4, "skipped": 4}
    assert notification.state == "sending"


def test_who_has_a_message_already_gets_no_second_one_and_the_others_of_the_slice_get_theirs(
    db: None,
) -> None:
    people = [make_follower(email=f"p{number}@example.com") for number in range(3)]
    notification = opened()
    freeze_slice(
        notification=notification,
        followers=Follower.objects.filter(pk=people[1].pk),
        now=timezone.now(),
    )
    Notification.objects.update(planned_through=0)
    plan_all(notification)
    assert sorted(Delivery.objects.values_list("follower", flat=True)) == [
        person.pk for person in people
    ]
    assert stands(notification) == {"pending": 3}


def test_slices_resume_after_the_last_one_and_two_planners_make_no_second_copy(db: None) -> None:
    for number in range(10):
        make_follower(email=f"p{number}@example.com")
    notification = opened()
    stale = Notification.objects.get(pk=notification.pk)
    freeze_slice(
        notification=notification, followers=Follower.objects.all(), now=timezone.now(), size=4
    )
    freeze_slice(notification=stale, followers=Follower.objects.all(), now=timezone.now(), size=4)
    assert Delivery.objects.count() == 8, "the second planner goes on where the first stopped"
    assert plan_all(notification) == 1
    assert stands(notification) == {"pending": 10}
    uids = list(Delivery.objects.order_by("id").values_list("uid", flat=True))
    assert len(set(uids)) == 10
    assert {uid.version for uid in uids} == {7}


def test_planning_a_paused_notification_goes_on_and_a_cancelled_one_stops(db: None) -> None:
    for number in range(6):
        make_follower(email=f"p{number}@example.com")
    paused = opened()
    cancelled = open_notification_again()
    Notification.objects.filter(pk=paused.pk).update(state="paused")
    Notification.objects.filter(pk=cancelled.pk).update(state="cancelled")
    plan_all(paused)
    plan_all(cancelled)
    assert (paused.state, stands(paused)) == ("paused", {"pending": 6})
    assert (cancelled.state, stands(cancelled)) == ("cancelled", {})


def open_notification_again() -> Notification:
    first = Notification.objects.get()
    intent = Intent(
        notification_type=first.notification_type,
        version=first.version,
        channels=["email"],
        source="test",
    )
    return open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=timezone.now())


def test_an_audience_of_nobody_is_done_at_once(db: None) -> None:
    notification = opened()
    plan_all(notification)
    assert notification.state == "done"


def test_a_later_moment_is_kept_on_every_row(anna: Follower) -> None:
    later = timezone.now() + dt.timedelta(hours=3)
    notification = opened(send_at=later)
    plan_all(notification)
    assert Delivery.objects.get().due_at == later


@pytest.mark.parametrize("size", [1, 100])
def test_the_slice_size_does_not_change_the_result(db: None, size: int) -> None:
    for number in range(5):
        make_follower(email=f"p{number}@example.com")
    notification = opened()
    plan_all(notification, size=size)
    assert stands(notification) == {"pending": 5}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_who_opts_out_does_not_wait_for_a_planner() -> None:
    anna, notification = make_follower(email="anna@example.com"), opened()

    def opt_out() -> None:
        now = timezone.now()
        cells = {("news", "in_app"): False}
        acts.set_preferences(
            follower=anna, cells=cells, mutes={}, proof=Proof(source="test", by=TESTER, now=now)
        )
        acts.unsubscribe(follower=anna, proof=Proof(source="test", by=TESTER, now=now))
        connection.close()

    leaving = threading.Thread(target=opt_out)
    with transaction.atomic():
        freeze_slice(
            notification=notification, followers=Follower.objects.all(), now=timezone.now()
        )
        leaving.start()
        leaving.join(PATIENCE)
        waits = leaving.is_alive()
    leaving.join()
    assert not waits
    anna.refresh_from_db()
    assert not anna.subscribed


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite always goes by the index")
def test_looking_for_due_work_reads_one_row_of_a_notification_however_many_wait(
    anna: Follower,
) -> None:
    notification = opened(channels=["in_app"])
    plan_all(notification)
    own = ("id", "uid", "follower_id")
    names = ", ".join(
        field.column
        for field in Delivery._meta.concrete_fields
        if field.column not in own and not field.generated
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO notifications_delivery (uid, {names}) "  # noqa: S608  # names of columns
            f"SELECT gen_random_uuid(), {names} "
            "FROM notifications_delivery, generate_series(1, 20000)"
        )
        cursor.execute("ANALYZE notifications_delivery")
    found, steps = places_explained(Lane.BULK, "in_app")
    assert found == [notification.pk]
    assert [
        step["Actual Rows"]
        for step in steps
        if step.get("Relation Name") == "notifications_delivery"
    ] == [1]


@pytest.mark.reported
def test_a_channel_that_nobody_named_makes_no_row_for_who_has_no_address_on_it(
    anna: Follower, boris: Follower, chen: Follower, dana: Follower
) -> None:
    sms = {"sms": {"body": "Hello"}}
    kind = make_type("orders", category="informational", channels=["email", "sms", "in_app"])
    version = make_version(also=sms)
    intent = Intent(notification_type=kind, version=version, source=Source.API)
    notification = open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=timezone.now())
    plan_all(notification)
    rows = Delivery.objects.values_list("follower__name", "channel", "reason")
    assert set(rows) == {
        ("Anna Weber", "email", "default_on"),
        ("Anna Weber", "in_app", "default_on"),
        ("Борис Иванов", "email", "default_on"),
        ("Борис Иванов", "in_app", "default_on"),
        ("Chen Li", "sms", "default_off"),
        ("Chen Li", "in_app", "default_on"),
        ("Dana Null", "in_app", "default_on"),
    }
    assert balance(notification).total == 7


@pytest.mark.reported
@pytest.mark.parametrize("alone", [True, False])
def test_who_has_no_address_at_all_is_skipped_once_with_the_reason(
    anna: Follower, dana: Follower, alone: bool
) -> None:
    kind = make_type("orders", category="informational", channels=["sms", "email"])
    version = make_version(also={"sms": {"body": "Hello"}})
    intent = Intent(notification_type=kind, version=version, source=Source.API)
    people = [dana]
    if not alone:
        people = [anna, dana]
    now = timezone.now()
    notification = notify(intent=intent, recipients=people, by=TESTER, now=now)
    rows = Delivery.objects.filter(follower=dana).values_list("channel", "status", "reason")
    assert list(rows) == [("sms", "skipped", "no_address")]
    assert balance(notification).skipped == {"no_address": 1}
    assert balance(notification).total == len(people)
    notification.refresh_from_db()
    assert notification.state == ("done" if alone else "sending")


@pytest.mark.reported
def test_a_chain_begins_with_the_first_channel_on_which_there_is_an_address(
    chen: Follower,
) -> None:
    kind = make_type(
        "orders",
        category="informational",
        channels=["email", "sms"],
        default_channels=["email", "sms"],
        fallback=["email", "sms"],
    )
    version = make_version(also={"sms": {"body": "Hello"}})
    intent = Intent(notification_type=kind, version=version, source=Source.API)
    now = timezone.now()
    notify(intent=intent, recipients=[chen], by=TESTER, now=now)
    [row] = Delivery.objects.all()
    assert (row.channel, row.status, row.due_at) == ("sms", "pending", now)
