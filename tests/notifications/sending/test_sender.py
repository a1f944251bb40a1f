"""Sending for real to a receiver that keeps the truth: once each,
only to those who still want it.
"""

import datetime as dt
import threading
from typing import Any

import pytest
from django.utils import timezone

from apps.followers.consent import acts, suppression
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import WrongState
from apps.lib.steady_clock import database_now
from apps.notifications import control, replay
from apps.notifications.accounts.edit import AccountLimits, AccountValues, change_account
from apps.notifications.limits import grant
from apps.notifications.models import DeliveryEvent, Notification, ProviderAccount
from apps.notifications.sending import claim, held, sender, shift
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.patience import PATIENCE
from tests.receiver import Receiver, unused_port


def people(count: int) -> list[Follower]:
    return [
        make_follower(email=f"p{number}@example.com", name=f"P{number}") for number in range(count)
    ]


def test_everyone_gets_one_mail_and_the_notification_is_done(receiver: Receiver) -> None:
    notification = tell(make_type(), people(12), version=make_version())
    drain()
    drain()
    assert sorted(receiver.recipients) == sorted(f"p{number}@example.com" for number in range(12))
    assert receiver.connections <= 4, "a connection carries many"
    notification.refresh_from_db()
    assert (notification.state, stands(notification)) == ("done", {"sent": 12})


def test_the_mail_carries_the_way_out_only_where_it_is_commercial(
    receiver: Receiver, anna: Follower
) -> None:
    version = make_version()
    tell(make_type("news"), [anna], version=version)
    tell(make_type("receipt", category="informational"), [anna], version=version)
    drain()
    news, receipt = sorted(
        (each.mail for each in receiver.arrived), key=lambda mail: "receipt" in mail["List-Id"]
    )
    assert news["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "/p/unsubscribe/" in news["List-Unsubscribe"]
    assert (news["Subject"], news["To"], news["Precedence"]) == (
        "Hello Anna Weber",
        "Anna Weber <anna@example.com>",
        "bulk",
    )
    assert receipt["List-Unsubscribe"] is None
    assert receipt["Auto-Submitted"] == "auto-generated"


def test_an_opt_out_after_planning_wins(receiver: Receiver, anna: Follower) -> None:
    kind = make_type()
    others = people(2)
    notification = tell(kind, [anna, *others], version=make_version())
    now = timezone.now()
    acts.unsubscribe(follower=anna, proof=Proof(source="one_click", by=TESTER, now=now))
    suppression.suppress(
        channel="email", value="p0@example.com", reason="complaint", by=TESTER, now=now
    )
    drain()
    assert receiver.recipients == ["p1@example.com"]
    assert stands(notification) == {"sent": 1, "skipped": 2}
    assert set(
        notification.deliveries.filter(status="skipped").values_list("reason", flat=True)
    ) == {
        "unsubscribed",
        "address_suppressed",
    }


def test_an_opt_out_while_a_claimed_slice_goes_out_wins_within_two_seconds(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(sender, "STATE_SECONDS", 0.01)
    account = ProviderAccount.objects.get(provider="smtp")
    now = timezone.now()
    account = change_account(
        account=account, values=AccountValues(limits=AccountLimits(daily=50)), by=TESTER, now=now
    )
    monkeypatch.setattr(shift, "WIDEN_SECONDS", PATIENCE)  # one connection is enough
    everyone, look, looked = people(4), held.still_wanted, threading.Event()

    def not_before(_: str) -> None:  # the last one still waits in the sender when it opts out
        looked.wait(PATIENCE)

    receiver.answers["DOT"] = not_before

    def first_the_last_one_leaves(*args: Any, **others: Any) -> Any:
        if (
            everyone[-1].subscribed
        ):  # by the test's own connection: the receiver's thread has no transaction of it
            acts.unsubscribe(
                follower=everyone[-1],
                proof=Proof(source="one_click", by=TESTER, now=timezone.now()),
            )
        wanted = look(*args, **others)
        looked.set()
        return wanted

    monkeypatch.setattr(held, "still_wanted", first_the_last_one_leaves)
    notification = tell(make_type(), everyone, version=make_version())
    drain()
    assert receiver.recipients == ["p0@example.com", "p1@example.com", "p2@example.com"]
    assert stands(notification) == {"sent": 3, "skipped": 1}
    assert grant.used_today(account, today=database_now().date()) == 3, (
        "the day has lost nothing by the one who left"
    )


def test_a_refused_address_fails_alone_and_a_busy_one_is_tried_again(receiver: Receiver) -> None:
    answers = {"p0@example.com": "550 5.7.1 no such user", "p1@example.com": "450 4.2.0 greylisted"}
    receiver.answers["RCPT"] = answers.get
    notification = tell(make_type(), people(3), version=make_version())
    began = timezone.now()
    drain()
    assert receiver.recipients == ["p2@example.com"]
    assert stands(notification) == {"failed": 1, "pending": 1, "sent": 1}
    failed = notification.deliveries.get(status="failed")
    assert (failed.reason, failed.error) == (
        "refused_recipient",
        "550 5.7.1 no such user (at RCPT)",
    )
    waiting = notification.deliveries.get(status="pending")
    assert waiting.attempts == 1
    assert waiting.due_at > began + dt.timedelta(seconds=5)
    receiver.answers.clear()
    make_due(notification)
    drain()
    assert receiver.recipients == ["p2@example.com", "p1@example.com"]
    assert stands(notification) == {"failed": 1, "sent": 2}


@pytest.mark.parametrize(
    ("category", "hours"), [("informational", 24), ("critical", 24), ("marketing", 72)]
)
def test_a_busy_address_is_given_up_when_the_time_of_its_category_is_over(
    receiver: Receiver, anna: Follower, category: str, hours: int
) -> None:
    receiver.answers["RCPT"] = "450 4.2.0 greylisted"
    notification = tell(make_type(category=category), [anna], version=make_version())
    for past in (0, hours - 1):
        DeliveryEvent.objects.update(at=timezone.now() - dt.timedelta(hours=past))
        make_due(notification)
        drain()
        assert stands(notification) == {"pending": 1}
    DeliveryEvent.objects.update(at=timezone.now() - dt.timedelta(hours=hours))
    make_due(notification)
    drain()
    delivery = notification.deliveries.get()
    assert (delivery.status, delivery.reason) == ("failed", "gave_up")


def test_while_the_server_is_down_everything_waits_and_nobody_is_charged(
    receiver: Receiver,
) -> None:
    account = ProviderAccount.objects.get(provider="smtp")
    change_account(
        account=account,
        values=AccountValues(settings={"port": unused_port()}),
        by=TESTER,
        now=timezone.now(),
    )
    notification = tell(make_type(), people(3), version=make_version())
    began = timezone.now()
    drain()
    drain()
    assert stands(notification) == {"pending": 3}
    assert set(notification.deliveries.values_list("attempts", flat=True)) == {0}
    account.refresh_from_db()
    assert "can't be reached" in account.last_error
    assert account.paused_until > began + dt.timedelta(seconds=4)
    change_account(
        account=account,
        values=AccountValues(settings={"port": receiver.port}),
        by=TESTER,
        now=timezone.now(),
    )
    make_due(notification)
    drain()
    assert stands(notification) == {"sent": 3}


def test_a_lost_answer_is_sent_again_once_with_the_same_message_id(
    receiver: Receiver, anna: Follower
) -> None:
    receiver.answers["DOT"] = "accept"
    notification = tell(make_type(), [anna], version=make_version())
    drain()
    drain()
    drain()
    assert stands(notification) == {"in_doubt": 1}
    assert len(receiver.arrived) == 2, "never a third copy"
    assert len({each.message_id for each in receiver.arrived}) == 1
    assert DeliveryEvent.objects.filter(kind="in_doubt").count() == 2


def test_a_type_may_hold_doubtful_ones_for_a_person(receiver: Receiver, anna: Follower) -> None:
    receiver.answers["DOT"] = "accept"
    notification = tell(make_type(doubt_policy="hold"), [anna], version=make_version())
    drain()
    drain()
    assert stands(notification) == {"in_doubt": 1}
    assert len(receiver.arrived) == 1
    receiver.answers.clear()
    replay.resolve_doubt(
        delivery=notification.deliveries.get(), action="resend", by=TESTER, now=timezone.now()
    )
    drain()
    assert stands(notification) == {"sent": 1}


def test_in_app_messages_arrive_once_in_the_inbox(
    receiver: Receiver, anna: Follower, dana: Follower
) -> None:
    notification = tell(
        make_type(), [anna, dana], version=make_version(), channels=["in_app", "email"]
    )
    drain()
    assert sorted(InboxItem.objects.values_list("follower__name", "title")) == [
        ("Anna Weber", "Hello"),
        ("Dana Null", "Hello"),
    ]
    assert stands(notification) == {"sent": 3, "skipped": 1}


def test_what_expired_in_the_queue_is_not_sent(receiver: Receiver, anna: Follower) -> None:
    soon = timezone.now() + dt.timedelta(minutes=1)
    notification = tell(make_type(), [anna], version=make_version(), expires_at=soon)
    Notification.objects.update(expires_at=timezone.now())
    drain()
    assert (receiver.arrived, stands(notification)) == ([], {"skipped": 1})
    assert notification.deliveries.get().reason == "expired"


def test_a_message_that_can_not_be_made_fails_with_the_reason_and_the_others_go(
    receiver: Receiver,
) -> None:
    body = "{% for a in (1..20000) %}{% for b in (1..20000) %}x{% endfor %}{% endfor %}"
    version = make_version(body="{% if follower.name == 'P1' %}" + body + "{% endif %}ok")
    notification = tell(make_type(), people(3), version=version)
    drain()
    assert sorted(receiver.recipients) == ["p0@example.com", "p2@example.com"]
    failed = notification.deliveries.get(status="failed")
    assert failed.reason == "refused_content"
    assert failed.error


def test_pause_stops_resume_goes_on_and_nobody_gets_two(receiver: Receiver) -> None:
    notification = tell(make_type(), people(5), version=make_version())
    control.pause(notification=notification, by=TESTER, now=timezone.now())
    drain()
    assert receiver.arrived == []
    control.pause(notification=notification, by=TESTER, now=timezone.now())
    control.resume(notification=notification, by=TESTER, now=timezone.now())
    drain()
    assert len(set(receiver.recipients)) == len(receiver.recipients) == 5


def test_cancel_says_truthfully_what_it_stopped(receiver: Receiver) -> None:
    notification = tell(make_type(), people(5), version=make_version())
    batch = claim.claim(Lane.BULK, owner="me", size=2)
    assert batch is not None
    result = control.cancel(notification=notification, by=TESTER, now=timezone.now())
    assert (result["cancelled"], result["in_flight"], result["total"]) == (3, 2, 5)
    held.release("me", batch.rows)
    drain()
    assert (receiver.arrived, stands(notification)) == ([], {"cancelled": 5})
    with pytest.raises(WrongState, match="cancelled"):
        control.resume(notification=notification, by=TESTER, now=timezone.now())


def test_only_the_failed_are_retried(receiver: Receiver) -> None:
    receiver.answers["RCPT"] = {"p1@example.com": "550 5.1.0 mistake"}.get
    notification = tell(make_type(), people(3), version=make_version())
    drain()
    receiver.answers.clear()
    assert replay.retry_failed(notification=notification, by=TESTER, now=timezone.now()) == 1
    assert replay.retry_failed(notification=notification, by=TESTER, now=timezone.now()) == 0
    drain()
    assert sorted(receiver.recipients) == ["p0@example.com", "p1@example.com", "p2@example.com"]
    notification.refresh_from_db()
    assert (notification.state, stands(notification)) == ("done", {"sent": 3})


def test_a_code_does_not_wait_behind_a_campaign(receiver: Receiver, anna: Follower) -> None:
    version = make_version()
    tell(make_type("news"), people(3), version=version)
    tell(make_type("otp", category="critical"), [anna], version=version)
    sender.send_lane(name="critical")
    assert receiver.recipients == ["anna@example.com"]


@pytest.fixture
def found_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The receiver answers when the sender has looked for more and found nothing;
    until then this is not set.
    """
    look, event = claim.claim, threading.Event()

    def heard(*args: Any, **others: Any) -> claim.Batch | None:
        if (batch := look(*args, **others)) is None:
            event.set()
        return batch

    monkeypatch.setattr(claim, "claim", heard)
    return event


def test_what_an_answer_makes_due_goes_in_the_same_task(
    receiver: Receiver, anna: Follower, found_nothing: threading.Event
) -> None:

    def refuse_later(_: str) -> str | None:
        if found_nothing.wait(PATIENCE):
            return "550 5.1.1 nobody of that name"
        return None

    receiver.answers["RCPT"] = refuse_later
    kind = make_type(
        "hint", category="informational", fallback=["email", "in_app"], fallback_after=600
    )
    notification = tell(kind, [anna], version=make_version(), channels=["in_app", "email"])
    sender.send_lane(name="transactional")
    assert stands(notification) == {"failed": 1, "sent": 1}


def test_all_that_waited_for_a_probe_goes_in_the_same_task(
    receiver: Receiver, found_nothing: threading.Event
) -> None:

    def take_later(_: str) -> str | None:
        if found_nothing.wait(PATIENCE):
            return None
        return "450 4.2.0 nobody has looked"

    receiver.answers["RCPT"] = take_later
    rested = timezone.now() - dt.timedelta(minutes=1)
    ProviderAccount.objects.filter(provider="smtp").update(
        tripped_at=rested, trips=1, paused_until=rested
    )
    notification = tell(make_type(), people(4), version=make_version())
    sender.send_lane(name="bulk")
    assert stands(notification) == {"sent": 4}


def test_what_the_sender_stores_itself_it_takes_in_small_slices_as_all_others_wait_meanwhile(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "FIRST_CLAIM", 4)
    monkeypatch.setattr(sender, "FIRST_CLAIM", 4)
    look = claim.claim
    slices = []

    def counted(*args: Any, **others: Any) -> claim.Batch | None:
        if batch := look(*args, **others):
            slices.append(len(batch.rows))
        return batch

    monkeypatch.setattr(claim, "claim", counted)
    notification = tell(make_type(), people(20), version=make_version(), channels=["in_app"])
    sender.send_lane(name="bulk")
    assert stands(notification) == {"sent": 20}
    assert slices == [4] * 5


@pytest.mark.reported
def test_a_mail_is_called_by_the_domain_that_it_is_from(receiver: Receiver) -> None:
    account = ProviderAccount.objects.get(channel="email")
    values = AccountValues(settings={"from_address": "n@faß.example"})
    change_account(account=account, values=values, by=TESTER, now=timezone.now())
    tell(make_type("news"), [make_follower(email="anna@faß.example")], version=make_version())
    drain()
    [arrived] = receiver.arrived
    assert arrived.recipient == "anna@xn--fa-hia.example"
    assert arrived.mail["Message-ID"].endswith("@xn--fa-hia.example>")
    assert arrived.mail["List-Id"] == "<news.xn--fa-hia.example>"
