"""What goes wrong beside the message: slow servers, bugs, full disks, lost calls.

Nothing gets stuck or untrue.
"""

import datetime as dt
import os
import threading
import time
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone

from apps.channels.contract import Outcome, Result, Session
from apps.channels.mail.smtp import Smtp, SmtpSession
from apps.channels.messages import Mail
from apps.followers.models import Follower, Suppression
from apps.inbox.deliver import InAppSession
from apps.lib.queue import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import control, replay
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.books import tallies
from apps.notifications.limits import soft_bounces
from apps.notifications.limits.soft_bounces import BounceRuleValues
from apps.notifications.messages.row import Row
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    Notification,
    NotificationState,
    ProviderAccount,
)
from apps.notifications.sending import claim, outcomes, recover, sender, shift
from apps.notifications.sending import held as sending_held
from apps.notifications.sending.journal import SETTLED, Journal, NotWritten
from apps.notifications.sending.line import Line
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.patience import FOREVER, PATIENCE, Clock
from tests.receiver import Receiver


def people(count: int) -> list[Follower]:
    return [make_follower(email=f"p{number}@example.com") for number in range(count)]


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


def closed_email() -> None:
    change_account(
        account=ProviderAccount.objects.get(provider="smtp"),
        values=AccountValues(enabled=False),
        **act(),
    )


# ------------------------------------------------------------------ servers and bugs
def test_a_slow_server_does_not_keep_a_task_at_work_until_the_queue_kills_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(sender, "time", clock)
    monkeypatch.setattr(shift, "time", clock)

    over = threading.Event()
    close = Line.close

    def closed(line: Line) -> None:
        close(line)
        over.set()

    monkeypatch.setattr(Line, "close", closed)

    def slow_server(_: str) -> None:
        if len(receiver.arrived) >= 2 and not over.is_set():
            clock.ahead += FOREVER
            over.wait(PATIENCE)

    receiver.answers["DOT"] = slow_server
    notification = tell(make_type(), people(12), version=make_version())
    sender.send_lane(name=Lane.BULK)
    counts = stands(notification)
    assert set(counts) <= {"sent", "pending"}
    assert counts["pending"], "it has left some to the next task"
    receiver.answers.clear()
    drain()
    assert sorted(receiver.recipients) == sorted(f"p{number}@example.com" for number in range(12))


def test_an_account_that_can_not_be_opened_is_left_alone_and_the_next_one_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_account(
        enabled=True,
        name="Second",
        provider_key="smtp",
        settings=receiver.settings(port=receiver.port),
        **act(),
    )
    opened = Smtp.open
    tried = []

    def at_first_a_bug(settings: Any) -> Any:
        tried.append(settings)
        if len(tried) == 1:
            raise KeyError("a bug")
        return opened(settings)

    monkeypatch.setattr(Smtp, "open", at_first_a_bug)
    notification = tell(make_type(), people(3), version=make_version())
    drain()
    assert stands(notification) == {"sent": 3}
    assert "a bug" in ProviderAccount.objects.get(name="Receiver").last_error


@pytest.mark.parametrize("seconds", [1e12, -5.0])
def test_a_provider_that_says_come_back_in_the_year_9999_is_tried_again_tomorrow(
    receiver: Receiver, anna: Follower, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    busy = Outcome(Result.THROTTLED, "429", retry_after=seconds)
    monkeypatch.setattr(SmtpSession, "send", lambda *_: busy)
    monkeypatch.setattr(SmtpSession, "work", Session.work)
    notification = tell(make_type(), [anna], version=make_version())
    drain()
    assert stands(notification) == {"pending": 1}
    assert notification.deliveries.get().due_at <= timezone.now() + dt.timedelta(days=1)


def test_a_local_account_that_refuses_is_left_alone_also_when_it_has_worked_before(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = InAppSession.send
    sent = []

    def refuse_from_the_second_on(session: InAppSession, message: Any) -> Outcome:
        sent.append(message)
        if len(sent) == 1:
            return stores(session, message)
        return Outcome(Result.ACCOUNT, "no room", charged=False)

    monkeypatch.setattr(InAppSession, "send", refuse_from_the_second_on)
    version = make_version()
    crowd = people(2)
    for key in ("one", "other"):  # claimed one after the other
        tell(
            make_type(key, category="informational"),
            crowd[:1],
            version=version,
            channels=["in_app"],
        )
    sender.send_lane(name=Lane.TRANSACTIONAL)
    assert len(sent) == 2
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["pending", "sent"]
    assert ProviderAccount.objects.get(provider="in_app").paused_until


def test_a_provider_that_breaks_on_one_message_costs_that_one_only(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = SmtpSession.work

    class Breaking:
        """Asks for a message as a session does, and falls over p0's once it has begun to leave."""

        def __init__(self, flow: Any) -> None:
            self.flow = flow

        def __getattr__(self, name: str) -> Any:
            return getattr(self.flow, name)

        def leaving(self, message: Mail) -> None:
            self.flow.leaving(message)
            if message.to == "p0@example.com":
                raise KeyError("a bug")

    monkeypatch.setattr(SmtpSession, "work", lambda self, flow: work(self, Breaking(flow)))
    notification = tell(make_type(), people(3), version=make_version())
    for _ in range(3):
        drain()
        make_due(notification)
    assert sorted(receiver.recipients) == ["p1@example.com", "p2@example.com"]
    assert stands(notification) == {"sent": 2, "in_doubt": 1}, "nobody knows whether it left"
    assert "a bug" in notification.deliveries.get(status="in_doubt").error


def test_a_bug_in_making_one_message_costs_that_one_only(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = shift.message_of

    def breaks_on_p0(row: Row, **others: Any) -> Any:
        if row.address == "p0@example.com":
            raise ZeroDivisionError("a bug")
        return make(row, **others)

    monkeypatch.setattr(shift, "message_of", breaks_on_p0)
    notification = tell(make_type(), people(3), version=make_version())
    drain()
    assert stands(notification) == {"sent": 2, "failed": 1}


def test_an_answer_no_database_can_keep_is_kept_without_what_it_can_not(receiver: Receiver) -> None:

    def refuse_the_first(address: str) -> str | None:
        if "p0" in address:
            return "550 5.1.1 no\x00such user"
        return None

    receiver.answers["RCPT"] = refuse_the_first
    notification = tell(make_type(), people(2), version=make_version())
    drain()
    assert stands(notification) == {"sent": 1, "failed": 1}
    assert notification.deliveries.get(status="failed").error == "550 5.1.1 no such user (at RCPT)"


# ------------------------------------------------------------------ the journal
def test_what_a_full_disk_keeps_out_of_the_journal_still_gets_into_the_books(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NotWritten("No space left on device")

    monkeypatch.setattr(Journal, "ended", full)
    notification = tell(make_type(), people(2), version=make_version())
    with pytest.raises(NotWritten, match="No space left"):
        drain()
    assert stands(notification) == {"sent": 1, "pending": 1}
    monkeypatch.undo()
    recover.expired_leases(now=timezone.now())
    drain()
    assert receiver.recipients == ["p0@example.com", "p1@example.com"]


def test_an_unreadable_journal_does_not_keep_the_others_from_being_read(receiver: Receiver) -> None:
    notification = tell(make_type(), people(1), version=make_version())
    journal = Journal()
    batch = claim.claim(Lane.BULK, owner=journal.owner, size=100)
    assert batch
    journal.__exit__(RuntimeError, RuntimeError(), None)
    (site.JOURNAL_DIR / "0-first.journal").write_bytes(b"\x00\x00\nP x\nE 1 {\n")
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 1}
    for path in site.JOURNAL_DIR.iterdir():
        os.utime(path, (0, time.time() - SETTLED))
    recover.expired_leases(now=timezone.now())
    assert not list(site.JOURNAL_DIR.iterdir())


def test_a_journal_is_not_seen_before_its_owner_has_locked_it(receiver: Receiver) -> None:
    with Journal() as journal:
        recover.expired_leases(now=timezone.now())
        assert [path.stem for path in site.JOURNAL_DIR.iterdir()] == [journal.owner]


# ------------------------------------------------------------------ no way out
def test_what_has_no_way_out_does_not_keep_back_what_has_one(
    receiver: Receiver, anna: Follower
) -> None:
    closed_email()
    kind = make_type("code", category="informational")
    version = make_version()
    for number in range(51):
        tell(kind, [anna], version=version, dedup_key=str(number))
    inbox = tell(kind, [anna], version=version, channels=["in_app"])
    drain()
    assert stands(inbox) == {"sent": 1}


def test_what_expires_without_a_way_out_is_closed(receiver: Receiver, anna: Follower) -> None:
    closed_email()
    now = timezone.now()
    notification = tell(
        make_type(), [anna], version=make_version(), expires_at=now + dt.timedelta(hours=1)
    )
    control.close_leftovers(now=now)
    assert stands(notification) == {"pending": 1}
    control.close_leftovers(now=now + dt.timedelta(hours=2))
    assert stands(notification) == {"skipped": 1}
    assert notification.deliveries.get().reason == "expired"
    notification.refresh_from_db()
    assert notification.state == NotificationState.DONE


# ------------------------------------------------------------------ people's hands
def test_rows_left_behind_by_a_cancel_are_cancelled_too(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.notifications.books.transitions.CHUNK", 1)
    notification = tell(make_type(), people(3), version=make_version())
    control.cancel(notification=notification, **act())  # and the call for the rest gets lost
    assert stands(notification) == {"cancelled": 1, "pending": 2}
    for _ in range(2):
        control.close_leftovers(now=timezone.now())
    assert stands(notification) == {"cancelled": 3}


def test_what_perhaps_left_is_in_doubt_and_not_cancelled(
    receiver: Receiver, anna: Follower
) -> None:
    notification = tell(make_type(), [anna], version=make_version())
    batch = claim.claim(Lane.BULK, owner="me", size=100)
    assert batch
    control.cancel(notification=notification, **act())
    outcomes.record("me", [(batch.rows[0], Outcome(Result.IN_DOUBT, "no answer"))])
    assert stands(notification) == {"in_doubt": 1}


def test_one_sent_again_after_days_has_a_day_to_get_through(
    receiver: Receiver, anna: Follower
) -> None:
    receiver.answers["RCPT"] = "550 5.7.1 no such user"
    notification = tell(make_type(), [anna], version=make_version())
    drain()
    days = timezone.now() - dt.timedelta(days=3)
    Notification.objects.update(send_at=days, created_at=days)
    Delivery.objects.update(created_at=days)
    DeliveryEvent.objects.update(at=days)
    receiver.answers["RCPT"] = "450 4.2.0 greylisted"
    replay.retry_failed(notification=notification, **act())
    drain()
    assert stands(notification) == {"pending": 1}


def test_a_retry_just_as_the_last_one_ends_is_not_left_in_a_closed_notification(
    receiver: Receiver, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers["RCPT"] = "550 5.7.1 no such user"
    notification = tell(make_type(), [anna], version=make_version())
    drain()
    Notification.objects.update(state=NotificationState.SENDING)
    look = tallies.going_on

    def retried_meanwhile(pks: list[int]) -> set[int]:
        monkeypatch.undo()
        found = look(pks)
        replay.retry_failed(notification=notification, **act())
        return found

    monkeypatch.setattr(tallies, "going_on", retried_meanwhile)
    assert not tallies.finish_if_done(notification.pk, now=timezone.now())
    notification.refresh_from_db()
    assert (notification.state, stands(notification)) == (NotificationState.SENDING, {"pending": 1})


def test_calls_do_not_become_more_than_the_work(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WORK_SECONDS", 0.0)
    assert announce.waiting(Lane.BULK) == 0
    sender.send_lane(name=Lane.BULK)
    sender.send_lane(name=Lane.BULK)
    assert announce.waiting(Lane.BULK) == 1


@pytest.mark.parametrize("held", [False, True])
def test_what_was_in_doubt_before_is_not_called_cancelled(
    receiver: Receiver, anna: Follower, held: bool
) -> None:
    notification = tell(
        make_type(), [anna, make_follower(email="late@example.com")], version=make_version()
    )
    Delivery.objects.filter(address__value="late@example.com").update(
        due_at=timezone.now() + dt.timedelta(hours=1)
    )
    batch = claim.claim(Lane.BULK, owner="me", size=1)
    assert batch
    outcomes.record("me", [(batch.rows[0], Outcome(Result.IN_DOUBT, "no answer"))])
    assert stands(notification) == {"pending": 2}, "it would be sent once more"
    again = None
    if held:
        again = claim.claim(Lane.BULK, owner="me", size=1)
    control.cancel(notification=notification, **act())
    if again:
        sending_held.release("me", again.rows)
    assert stands(notification) == {"in_doubt": 1, "cancelled": 1}


def test_a_mail_that_was_given_up_counts_against_its_address(
    receiver: Receiver, anna: Follower
) -> None:
    soft_bounces.change_rule(values=BounceRuleValues(bounces=2, days=1), **act())
    receiver.answers["RCPT"] = "452 4.2.2 The mailbox is full"
    version = make_version()
    for number in range(2):
        assert not Suppression.objects.exists()
        notification = tell(make_type(f"news-{number}"), [anna], version=version)
        drain()
        DeliveryEvent.objects.update(at=timezone.now() - dt.timedelta(hours=80))
        make_due(notification)
        drain()
        assert stands(notification) == {"failed": 1}
    assert Suppression.objects.get().reason == "soft_bounce"
