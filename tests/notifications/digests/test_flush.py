"""What was held for somebody's hour goes out together: nothing lost, nothing twice,
no word of consent forgotten.
"""

import datetime as dt
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ

from apps.campaigns import lifecycle
from apps.content.drafts import published_version
from apps.content.models import Template
from apps.content.render import compiled
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType, Rhythm
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.books.transitions import move
from apps.notifications.digests import flush, items
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, Notification
from tests.make import TESTER, make_follower, make_template, make_type, nested
from tests.notifications.world import drain, stands, tell
from tests.patience import until
from tests.receiver import Receiver

WORDS = {
    "en": {
        "email": {
            "subject": "Order {{ number }}",
            "text": "It is on its way to {{ follower.first_name }}.",
        },
        "in_app": {
            "title": "Order {{ number }}",
            "body": "On its way",
            "link": "https://example.com/{{ number }}",
        },
    },
    "ru": {
        "email": {"subject": "Заказ {{ number }}", "text": "Уже в пути."},
        "in_app": {"title": "Заказ {{ number }}", "body": "Уже в пути"},
    },
}
NUMBER = {"name": "number", "type": "number", "example": 7}


@pytest.fixture
def orders(db: None) -> NotificationType:
    make_template("order", translations=WORDS, variables=[NUMBER])
    return make_type("orders", category="informational", digest=True)


def hold(
    kind: NotificationType, people: list[Follower], number: object, *, only: str = "", **fields: Any
) -> Notification:
    """Told, and held for an hour that has come, as the claim does it."""
    version = published_version(Template.objects.get(key="order"))
    notification = tell(kind, people, version=version, **{"data": {"number": number}} | fields)
    rows = Delivery.objects.filter(notification=notification, status="pending")
    if only:
        rows = rows.filter(channel=only)
    move(rows, DeliveryStatus.HELD, due_at=timezone.now())
    return notification


def flush_all(**fields: Any) -> None:
    while flush.flush(now=timezone.now(), **fields):
        pass


def made() -> Delivery:
    return Delivery.objects.get(notification__source="digest")


def shown(row: Delivery | None = None) -> dict[str, Any]:
    """What the one digest, or this one, was made of."""
    data = (row or made()).data
    assert data
    return data  # type: ignore[no-any-return]  # a JSON column


def test_what_waited_for_one_person_becomes_one_message_in_order(
    orders: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    sent = [hold(orders, [anna], number) for number in (1, 2, 3)]
    Notification.objects.filter(pk=sent[2].pk).update(
        created_at=sent[0].created_at - dt.timedelta(minutes=1)
    )
    flush_all()
    one = made()
    assert shown(one)["total"] == 3
    assert shown(one)["omitted"] == 0
    assert [item["title"] for item in shown(one)["items"]] == ["Order 3", "Order 1", "Order 2"], (
        "as it happened"
    )
    assert shown(one)["items"][1] == {
        "title": "Order 1",
        "body": "It is on its way to Anna.",
        "link": "https://example.com/1",
        "at": sent[0].created_at.isoformat(),
        "data": {"number": 1},
    }
    for notification in sent:
        assert stands(notification) == {"skipped": 1}
        row = notification.deliveries.get()
        assert (row.reason, row.events.get().detail) == ("in_digest", {"digest": str(one.uid)})
        notification.refresh_from_db()
        assert notification.state == "done"
    drain()
    (mail,) = [each.mail for each in receiver.arrived]
    assert mail["subject"] == "3 messages for you: Order 3"
    assert "It is on its way to Anna." in mail.get_body(("plain",)).get_content()
    assert stands(one.notification) == {"sent": 1}


def a_day_later() -> None:
    """As if all that was done now had been done yesterday."""
    day = dt.timedelta(days=1)
    Notification.objects.update(send_at=F("send_at") - day, created_at=F("created_at") - day)
    Delivery.objects.filter(status="held").update(due_at=F("due_at") - day)


def test_whoever_wants_it_once_a_day_gets_one_message_a_day(
    orders: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    Rhythm.objects.create(follower=anna, cadence="daily", updated_at=timezone.now())
    version = published_version(Template.objects.get(key="order"))

    def told(*numbers: int) -> list[Notification]:
        sent = [
            tell(orders, [anna], version=version, data={"number": number}) for number in numbers
        ]
        drain()
        assert [stands(each) for each in sent] == [{"held": 1}] * len(sent)
        a_day_later()
        return sent

    told(1, 2)
    flush_all()
    drain()
    assert [each.mail["subject"] for each in receiver.arrived] == ["2 messages for you: Order 1"]
    (alone,) = told(3)
    flush_all()
    drain()
    assert stands(alone) == {"sent": 1}, "its hour has come: it is not held for the next one"
    assert receiver.arrived[1].mail["subject"] == "Order 3"


def test_a_digest_is_sent_where_a_throttle_would_skip_one_message_more(
    orders: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    NotificationType.objects.update(throttle_count=1, throttle_seconds=3600)
    orders.refresh_from_db()
    version = published_version(Template.objects.get(key="order"))
    tell(orders, [anna], version=version, data={"number": 1})
    drain()
    hold(orders, [anna], 2), hold(orders, [anna], 3)
    flush_all()
    drain()
    assert [each.mail["subject"] for each in receiver.arrived] == [
        "Order 1",
        "2 messages for you: Order 2",
    ]


def test_each_reader_gets_the_words_of_the_own_language(
    orders: NotificationType, anna: Follower
) -> None:
    boris = make_follower(email="b@example.com", name="Борис", language="ru")
    for number in (1, 2):
        hold(orders, [anna, boris], number)
    flush_all(people=1)
    titles = {
        row.follower_id: shown(row)["items"][0]["title"]
        for row in Delivery.objects.exclude(data=None)
    }
    assert titles == {anna.pk: "Order 1", boris.pk: "Заказ 1"}


def test_one_that_is_alone_goes_out_as_the_message_it_is(
    orders: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    notification = hold(orders, [anna], 7)
    flush_all()
    assert stands(notification) == {"pending": 1}
    assert not Notification.objects.filter(source="digest").exists()
    drain()
    assert [each.mail["subject"] for each in receiver.arrived] == ["Order 7"]


def test_what_is_not_due_yet_stays_and_types_and_channels_are_not_mixed(
    orders: NotificationType, anna: Follower
) -> None:
    other = make_type("alerts", category="informational", digest=True)
    for kind in (orders, other):
        for number in (1, 2):
            hold(kind, [anna], number, channels=["email", "in_app"])
    later = hold(orders, [anna], 3)
    later.deliveries.update(due_at=timezone.now() + dt.timedelta(hours=1))
    flush_all()
    assert stands(later) == {"held": 1}
    rows = Delivery.objects.filter(notification__source="digest")
    places = {
        (row.notification.notification_type.key, row.channel, shown(row)["total"]) for row in rows
    }
    assert places == {
        (key, channel, 2) for key in ("orders", "alerts") for channel in ("email", "in_app")
    }
    assert len(rows) == 4


def test_consent_and_expiry_are_judged_again(
    orders: NotificationType, anna: Follower, boris: Follower
) -> None:
    first = hold(orders, [anna, boris], 1)
    second = hold(orders, [anna, boris], 2)
    over = hold(orders, [anna], 3)
    Notification.objects.filter(pk=over.pk).update(
        expires_at=timezone.now() - dt.timedelta(seconds=1)
    )
    acts.set_preferences(
        follower=boris,
        cells={("orders", "email"): False},
        mutes={},
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    flush_all()
    assert (made().follower, shown()["total"]) == (anna, 2)
    assert over.deliveries.get().reason == "expired_while_waiting"
    for notification in (first, second):
        assert notification.deliveries.get(follower=boris).reason == "preference_off"
        assert stands(notification) == {"skipped": 2}


def test_a_digest_of_nothing_sends_nothing(orders: NotificationType, anna: Follower) -> None:
    hold(orders, [anna], 1), hold(orders, [anna], 2)
    NotificationType.objects.update(active=False)
    flush_all()
    assert not Notification.objects.filter(source="digest").exists()
    assert set(Delivery.objects.values_list("status", "reason")) == {("skipped", "type_inactive")}


def test_what_is_paused_waits_and_what_is_cancelled_is_out(
    orders: NotificationType, anna: Follower
) -> None:
    paused, cancelled, *_ = (hold(orders, [anna], number) for number in (1, 2, 3, 4))
    control.pause(notification=paused, by=TESTER, now=timezone.now())
    assert control.cancel(notification=cancelled, by=TESTER, now=timezone.now())["cancelled"] == 1
    assert stands(cancelled) == {"cancelled": 1}
    flush_all()
    assert [item["title"] for item in shown()["items"]] == ["Order 3", "Order 4"]
    assert stands(paused) == {"held": 1}
    control.resume(notification=paused, by=TESTER, now=timezone.now())
    flush_all()
    assert stands(paused) == {"pending": 1}


def test_only_so_many_are_shown_and_the_others_are_counted(
    orders: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "RENDERED", 2)
    for number in (1, 2, 3):
        hold(orders, [anna], number)
    flush_all()
    assert (len(shown()["items"]), shown()["total"], shown()["omitted"]) == (2, 3, 1)


def test_where_the_digest_has_no_words_messages_go_one_by_one(
    orders: NotificationType, anna: Follower
) -> None:
    make_template("digest_orders", translations={"en": {"in_app": {"title": "Orders"}}})
    sent = [hold(orders, [anna], number) for number in (1, 2)]
    flush_all()
    assert [stands(each) for each in sent] == [{"pending": 1}] * 2


def test_one_that_can_not_be_rendered_keeps_no_other_back(
    orders: NotificationType, anna: Follower
) -> None:
    make_template("broken", subject="{{ 6 | divided_by: number }}", variables=[NUMBER])
    bad = published_version(Template.objects.get(key="broken"))
    good = [hold(orders, [anna], number) for number in (1, 2)]
    broken = hold(orders, [anna], 3)
    Notification.objects.filter(pk=broken.pk).update(version=bad, data={"number": 0})
    flush_all()
    assert stands(broken) == {"pending": 1}, "its sender says what is wrong with it"
    assert [stands(each) for each in good] == [{"skipped": 1}] * 2


def test_data_that_is_too_deep_for_a_list_is_left_out_of_it_and_its_words_stay(
    orders: NotificationType, anna: Follower
) -> None:
    for data in ({"more": nested(8)}, {"more": nested(9)}):
        hold(orders, [anna], 1, data={"number": 1} | data, channels=["in_app"])
    flush_all()
    assert [(item["title"], "more" in item["data"]) for item in shown()["items"]] == [
        ("Order 1", True),
        ("Order 1", False),
    ]
    version = made().notification.version
    context = shown() | {"follower": {}, "site": {}, "links": {}}
    assert "Order 1" in compiled(version).render("in_app", "en", context).parts["body"]


def test_a_type_may_have_a_digest_of_its_own(orders: NotificationType, anna: Follower) -> None:
    make_template(
        "digest_orders", subject="{{ total }} orders", variables=[NUMBER | {"name": "total"}]
    )
    hold(orders, [anna], 1), hold(orders, [anna], 2)
    flush_all()
    assert made().notification.version.template.key == "digest_orders"


def test_who_opens_a_digest_is_spared_the_fallbacks_of_what_it_gathers(
    orders: NotificationType, anna: Follower
) -> None:
    NotificationType.objects.update(fallback=["email", "in_app"])
    orders.refresh_from_db()
    sent = [
        hold(orders, [anna], number, channels=["email", "in_app"], only="email")
        for number in (1, 2)
    ]
    flush_all()
    assert [stands(each) for each in sent] == [{"skipped": 1, "pending": 1}] * 2
    store.store([store.Event(made().uid, 0, timezone.now(), "a mail program")])
    for notification in sent:
        assert notification.deliveries.get(channel="in_app").reason == "reached_elsewhere"
        assert stands(notification) == {"skipped": 2}


def test_a_campaign_counts_what_is_held_as_waiting_and_then_as_cancelled(
    orders: NotificationType, anna: Follower
) -> None:
    notification = hold(orders, [anna], 1)
    assert lifecycle.counts(notification)["waiting"] == 1
    control.cancel(notification=notification, by=TESTER, now=timezone.now())
    assert lifecycle.counts(notification)["cancelled"] == 1


def test_rows_of_a_deleted_person_are_left_to_the_claim(
    orders: NotificationType, anna: Follower
) -> None:
    hold(orders, [anna], 1)
    anna.delete()
    flush_all()
    assert Delivery.objects.get().status == "pending"


def test_a_process_that_dies_on_the_way_has_changed_nothing(
    orders: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [hold(orders, [anna], number) for number in (1, 2)]

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("finish_planning", "_open", "_moved"):
        with monkeypatch.context() as patch:
            patch.setattr(flush, step, die)
            with pytest.raises(KeyboardInterrupt):
                flush.flush(now=timezone.now())
        assert [stands(each) for each in sent] == [{"held": 1}, {"held": 1}], step
        assert not Notification.objects.filter(source="digest").exists(), step
    flush_all()
    flush_all()
    assert shown()["total"] == 2


def test_what_expires_while_it_is_held_is_closed_and_says_so(
    orders: NotificationType, anna: Follower
) -> None:
    notification = hold(orders, [anna], 1)
    soon = timezone.now() + dt.timedelta(hours=1)
    Notification.objects.filter(pk=notification.pk).update(expires_at=soon)
    notification.deliveries.update(due_at=soon)
    control.close_leftovers(now=soon)
    assert notification.deliveries.get().reason == "expired_while_waiting"
    assert stands(notification) == {"skipped": 1}


def test_a_digest_is_made_at_the_readers_hour_and_not_within_quiet_hours(
    orders: NotificationType, anna: Follower
) -> None:
    nights = {str(day): ["22:00", "07:00"] for day in range(7)}
    Rhythm.objects.create(
        follower=anna, quiet=nights, cadence="daily", updated_at=timezone.now()
    )  # at 08:00
    Follower.objects.update(time_zone="UTC")
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(
        days=1
    )
    sent = [hold(orders, [anna], number) for number in (1, 2)]
    Notification.objects.update(send_at=midnight - dt.timedelta(hours=1))

    def due_then(moment: dt.datetime) -> set[dt.datetime]:
        Delivery.objects.update(due_at=moment)
        flush.flush(now=moment)
        return set(Delivery.objects.filter(status="held").values_list("due_at", flat=True))

    (morning,) = due_then(midnight)
    assert (
        midnight + dt.timedelta(hours=7) <= morning <= midnight + dt.timedelta(hours=7, minutes=2)
    )
    breakfast = midnight + dt.timedelta(hours=8)
    assert due_then(morning) == {breakfast}
    assert [stands(each) for each in sent] == [{"held": 1}] * 2
    assert sent[0].deliveries.get().events.last().detail == {
        "reason": "digest",
        "until": breakfast.isoformat(),
    }
    assert due_then(breakfast) == set()
    assert shown()["total"] == 2


def test_a_digest_lives_as_long_as_the_last_of_what_it_gathers(
    orders: NotificationType, anna: Follower
) -> None:
    now = timezone.now()
    for hours in (1, 2):
        hold(orders, [anna], hours, expires_at=now + dt.timedelta(hours=hours))
    flush_all()
    assert made().notification.expires_at == now + dt.timedelta(hours=2)
    hold(orders, [anna], 3, expires_at=now + dt.timedelta(hours=1)), hold(orders, [anna], 4)
    flush_all()
    assert Notification.objects.filter(source="digest").latest("pk").expires_at is None, (
        "one has no end"
    )


def test_one_that_has_perhaps_arrived_and_is_sent_again_goes_as_itself(
    orders: NotificationType, anna: Follower
) -> None:
    doubted, *others = (hold(orders, [anna], number) for number in (1, 2, 3))
    DeliveryEvent.objects.create(
        delivery=doubted.deliveries.get(), at=timezone.now(), kind="in_doubt"
    )
    flush_all()
    assert stands(doubted) == {"pending": 1}
    assert [stands(each) for each in others] == [{"skipped": 1}] * 2


def test_a_type_that_is_not_gathered_any_more_goes_one_by_one(
    orders: NotificationType, anna: Follower
) -> None:
    sent = [hold(orders, [anna], number) for number in (1, 2)]
    NotificationType.objects.update(digest=False)
    flush_all()
    assert [stands(each) for each in sent] == [{"pending": 1}] * 2


def test_a_bug_in_the_making_of_one_item_keeps_no_other_back(
    orders: NotificationType, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [hold(orders, [anna], number) for number in (1, 2, 3)]
    item = items._item

    def stumbles(row: Delivery, person: Any) -> Any:
        if row.notification != sent[0]:
            return item(row, person)
        return 1 / 0

    monkeypatch.setattr(items, "_item", stumbles)
    flush_all()
    assert [stands(each) for each in sent] == [{"pending": 1}, {"skipped": 1}, {"skipped": 1}]


def test_a_lane_with_other_calls_waiting_does_not_put_digests_off(
    orders: NotificationType, anna: Follower
) -> None:
    hold(orders, [anna], 1)
    announce("apps.notifications.sending.sender.send_lane", lane=Lane.BULK, name="bulk")
    flush.announce_due(now=timezone.now())
    assert [call.func() for call in OrmQ.objects.order_by("pk")][-1] == flush.FLUSH_TASK
    flush.announce_due(now=timezone.now())
    flush.flush_due()
    assert flush.FLUSH_TASK not in [call.func() for call in OrmQ.objects.all()], (
        "one look answers all calls"
    )


# ------------------------------------------------------------------ two at once
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("act", [control.pause, control.cancel])
def test_what_is_stopped_while_its_digest_is_being_made_is_not_in_it(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, act: Any
) -> None:
    make_template("order", translations=WORDS, variables=[NUMBER])
    orders = make_type("orders", category="informational", digest=True)
    anna = make_follower(name="Anna")
    stopped, other, third = (
        hold(orders, [anna], number, channels=["in_app"]) for number in (1, 2, 3)
    )
    opening = flush._open

    def stop_and_open(*args: Any, **fields: Any) -> Any:
        if not stopper.ident:
            stopper.start()
            while (
                stopper.is_alive() and not it_waits()
            ):  # a pause goes through, a cancel waits for our rows
                time.sleep(0.01)
        return opening(*args, **fields)

    def it_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = ANY(%s)", [pids])
            return cursor.fetchone() is not None

    def stop() -> None:
        try:
            connection.ensure_connection()
            pids.append(connection.connection.info.backend_pid)
            act(notification=stopped, by=TESTER, now=timezone.now())
        except Exception as error:  # noqa: BLE001  (told below)
            errors.append(error)
        finally:
            connection.close()

    errors: list[Exception] = []
    pids: list[int] = []
    stopper = threading.Thread(target=stop)
    monkeypatch.setattr(flush, "_open", stop_and_open)
    flush_all()
    stopper.join()
    assert errors == []
    assert [item["title"] for item in shown()["items"]] == ["Order 2", "Order 3"]
    assert [stands(each) for each in (other, third)] == [{"skipped": 1}] * 2
    if act is control.pause:
        assert stands(stopped) == {"held": 1}
        control.resume(notification=stopped, by=TESTER, now=timezone.now())
        flush_all()
        assert stands(stopped) == {"pending": 1}


FLUSHER = """
import time
import django
django.setup()
from django.utils import timezone
from apps.notifications.digests import flush
print("ready", flush=True)
while True:
    if not flush.flush(now=timezone.now(), people=3):
        time.sleep(0.01)
"""


@pytest.fixture
def flushers(transactional_db: None) -> Iterator[list["subprocess.Popen[str]"]]:
    name = connection.settings_dict["NAME"]
    url = re.sub(r"@([^/]*)/[^?]*", rf"@\1/{name}", os.environ["DATABASE_URL"])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FLUSHER],
            env=os.environ | {"DATABASE_URL": url},
            stdout=-1,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in running:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_two_processes_flush_while_items_arrive_and_each_is_in_one_digest(
    flushers: list["subprocess.Popen[str]"],
) -> None:
    make_template("order", translations=WORDS, variables=[NUMBER])
    orders = make_type("orders", category="informational", digest=True)
    people = [make_follower(name=f"P{number}") for number in range(8)]
    sent = []
    for _ in range(5):
        with transaction.atomic():  # two are seen together, so that there is something to gather
            sent += [hold(orders, people, number, channels=["in_app"]) for number in (1, 2)]
    held = Delivery.objects.filter(status="held")
    until(lambda: not held.exists(), "all that was held is in digests")
    rows = Delivery.objects.filter(notification__in=sent)
    gathered = rows.filter(reason="in_digest")
    assert gathered.exists()
    assert gathered.count() + rows.filter(status="pending").count() == len(people) * len(sent)
    events = DeliveryEvent.objects.filter(kind="in_digest")
    assert sorted(events.values_list("delivery", flat=True)) == sorted(
        gathered.values_list("pk", flat=True)
    )
    digests = Delivery.objects.filter(notification__source="digest")
    for row in digests:
        mine = events.filter(detail__digest=str(row.uid))
        assert mine.count() == shown(row)["total"] == len(shown(row)["items"])
        assert set(mine.values_list("delivery__follower", flat=True)) == {row.follower_id}
    assert sum(shown(row)["total"] for row in digests) == gathered.count()
    for notification in Notification.objects.all():
        stands(notification)
    assert [process.poll() for process in flushers] == [None, None]
