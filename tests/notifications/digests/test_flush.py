"""What was held for somebody's hour goes out together: nothing lost, nothing twice,
no word of consent forgotten.
"""

import datetime as dt

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.campaigns import lifecycle
from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType, Rhythm
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.digests import flush
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, DeliveryEvent, Notification
from tests.make import TESTER, make_template, make_type
from tests.notifications.digests.gathering import NUMBER, a_day_later, flush_all, hold, made, shown
from tests.notifications.world import drain, stands, tell
from tests.receiver import Receiver


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


def test_where_the_digest_has_no_words_messages_go_one_by_one(
    orders: NotificationType, anna: Follower
) -> None:
    make_template("digest_orders", translations={"en": {"in_app": {"title": "Orders"}}})
    sent = [hold(orders, [anna], number) for number in (1, 2)]
    flush_all()
    assert [stands(each) for each in sent] == [{"pending": 1}] * 2


def test_a_type_may_have_a_digest_of_its_own(orders: NotificationType, anna: Follower) -> None:
    make_template(
        "digest_orders", subject="{{ total }} orders", variables=[NUMBER | {"name": "total"}]
    )
    hold(orders, [anna], 1), hold(orders, [anna], 2)
    flush_all()
    assert made().notification.version.template.key == "digest_orders"


def test_who_clicks_in_a_digest_is_spared_the_fallbacks_of_what_it_gathers(
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
    Delivery.objects.filter(pk=made().pk).update(finished_at=timezone.now())
    an_hour_later = timezone.now() + dt.timedelta(hours=1)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    store.store([store.Event(made().uid, 1, an_hour_later, agent)])
    store.tell_chains(now=an_hour_later + dt.timedelta(minutes=1))
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
