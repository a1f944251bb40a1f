"""Several connections at once: the books stay right whoever waits, stops or answers late."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site
from django.db import OperationalError, connection
from django.utils import timezone

from apps.channels.mail import smtp
from apps.followers.models import Follower
from apps.lib.processes import thread_times
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.books import still
from apps.notifications.limits import grant as limits_grant
from apps.notifications.models import Delivery, Notification, ProviderAccount
from apps.notifications.sending import held, outcomes, recover, shift
from apps.notifications.sending import line as sending_line
from apps.notifications.sending import sender as sending_sender
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands, tell
from tests.patience import FOREVER, PATIENCE, Clock, until
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def people(count: int) -> list[Follower]:
    return [make_follower(email=f"p{number}@example.com") for number in range(count)]


def connections(count: int) -> None:
    account = ProviderAccount.objects.get(provider="smtp")
    change_account(
        account=account,
        values=AccountValues(settings={"connections": count}),
        by=TESTER,
        now=timezone.now(),
    )


def in_a_thread(act: Any) -> threading.Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def hold(condition: Callable[[], bool]) -> Callable[[str], None]:
    """An answer to the final dot that comes when the condition holds."""

    def wait(_: str) -> None:
        until(condition, "what the server waits for")

    return wait


def test_who_waits_for_one_answer_keeps_neither_the_others_nor_the_task(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(sending_sender, "time", clock)
    monkeypatch.setattr(shift, "time", clock)
    monkeypatch.setattr(sending_sender, "PATIENCE", 0.1)
    monkeypatch.setattr(shift, "PATIENCE", 0.1)
    monkeypatch.setattr(shift, "WIDEN_SECONDS", 0.05)
    monkeypatch.setattr(smtp, "LONELY_SECONDS", 0.2)
    connections(2)
    answered = threading.Event()

    def slow_for_the_first(recipient: str) -> None:
        if recipient == "p0@example.com":
            answered.wait(PATIENCE)

    receiver.answers["DOT"] = slow_for_the_first
    notification = tell(make_type(), people(8), version=make_version())
    sent = notification.deliveries.filter(status="sent")
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.BULK))
    until(lambda: sent.count() == 7, "the others do not wait")
    clock.ahead += FOREVER
    sender.join()
    assert stands(notification) == {"sent": 7, "queued": 1}, (
        "the task is over, one answer is still to come"
    )
    assert len(list(site.JOURNAL_DIR.glob("*.journal"))) == 1, "and what is known of it is kept"
    answered.set()
    until(lambda: sent.count() == 8, "the late answer is booked by whoever waited for it")
    assert stands(notification) == {"sent": 8}
    until(lambda: not list(site.JOURNAL_DIR.iterdir()), "the journal is put away")
    assert sorted(receiver.recipients) == sorted(f"p{number}@example.com" for number in range(8))


def test_a_late_answer_that_the_database_does_not_take_is_kept_for_the_recovery(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(sending_sender, "time", clock)
    monkeypatch.setattr(shift, "time", clock)
    monkeypatch.setattr(sending_sender, "PATIENCE", 0.1)
    monkeypatch.setattr(shift, "PATIENCE", 0.1)
    answered, refused, record = threading.Event(), threading.Event(), outcomes.record

    def not_from_a_connection(*args: Any, **others: Any) -> None:
        if threading.current_thread().name == "connection":
            refused.set()
            raise OperationalError("The server closed the connection.")
        record(*args, **others)

    monkeypatch.setattr(outcomes, "record", not_from_a_connection)

    def late(_: str) -> None:
        clock.ahead += FOREVER
        answered.wait(PATIENCE)

    receiver.answers["DOT"] = late
    notification = tell(make_type(), people(1), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    answered.set()
    assert refused.wait(PATIENCE)
    until(
        lambda: not [each for each in threading.enumerate() if each.name == "connection"],
        "it has left",
    )
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"sent": 1}, "its journal has the answer"
    assert receiver.recipients == ["p0@example.com"]


def test_what_the_database_did_not_take_is_booked_by_the_recovery_and_not_sent_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str, rows: list[Any]) -> None:
        if rows:  # with none the database is not asked, however late the first ones are
            raise OperationalError("The server closed the connection.")

    connections(2)
    receiver.slowness = 0.05
    notification = tell(make_type(), people(6), version=make_version())
    with monkeypatch.context() as outage:
        outage.setattr(outcomes, "record", away)
        outage.setattr(held, "release", away)
        outage.setattr(shift, "FLUSH_SECONDS", 0.1)
        outage.setattr(shift, "WIDEN_SECONDS", 0.02)
        outage.setattr(sending_sender, "STATE_SECONDS", 0.02)
        with pytest.raises(OperationalError):
            sending_sender.send_lane(name=Lane.BULK)
    left = len(receiver.arrived)
    assert stands(notification) == {"queued": 6}
    recover.expired_leases(now=timezone.now())
    assert stands(notification)["sent"] == left > 0
    sending_sender.send_lane(name=Lane.BULK)
    assert sorted(receiver.recipients) == [f"p{number}@example.com" for number in range(6)]
    assert stands(notification) == {"sent": 6}


def test_more_connections_are_opened_while_the_server_keeps_us_waiting(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "WIDEN_SECONDS", 0.02)
    monkeypatch.setattr(sending_sender, "STATE_SECONDS", 0.02)
    connections(4)
    receiver.answers["DOT"] = hold(lambda: receiver.connections > 1)
    notification = tell(make_type(), people(40), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert stands(notification) == {"sent": 40}
    assert len(set(receiver.recipients)) == len(receiver.recipients) == 40
    assert 1 < receiver.connections <= 4


@pytest.mark.parametrize(("had", "begins"), [(8, 4), (3, 1), (1, 1)])
def test_a_task_begins_with_half_of_the_connections_that_the_one_before_had(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, had: int, begins: int
) -> None:
    monkeypatch.setattr(shift, "WIDEN_SECONDS", FOREVER)
    monkeypatch.setattr(shift, "MOST_CONNECTIONS", 8)
    connections(8)
    account = ProviderAccount.objects.get(provider="smtp")
    shift.last_shifts[account.pk] = shift.LastShift(connections=had)
    receiver.answers["DOT"] = hold(lambda: receiver.connections >= begins)
    notification = tell(make_type(), people(20), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert stands(notification) == {"sent": 20}
    assert receiver.connections == begins
    assert shift.last_shifts[account.pk].connections == begins, "and the next one by this"


def test_a_task_takes_as_many_at_once_as_went_out_in_a_second_before(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "AHEAD_SECONDS", FOREVER)
    monkeypatch.setattr(shift, "FIRST_CLAIM", 2)
    monkeypatch.setattr(sending_sender, "FIRST_CLAIM", 2)
    claimed: list[int] = []
    put = sending_line.Line.put

    def noted(line: sending_line.Line, rows: list[Any], **more: Any) -> None:
        claimed.append(len(rows))
        put(line, rows, **more)

    monkeypatch.setattr(sending_line.Line, "put", noted)
    account = ProviderAccount.objects.get(provider="smtp")
    shift.last_shifts[account.pk] = shift.LastShift(pace=5.0)
    tell(make_type(), people(20), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert claimed[:2] == [2, 18], "the first who has no shift yet, then all there are"


@pytest.mark.reported
def test_a_machine_that_is_busy_with_others_is_not_taken_for_a_slow_server(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "WIDEN_SECONDS", 0.0)
    monkeypatch.setattr(sending_sender, "STATE_SECONDS", 0.0)
    # all the time its threads wait for the processor
    monkeypatch.setattr(thread_times, "awake_here", time.monotonic)
    connections(4)
    notification = tell(make_type(), people(40), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert stands(notification) == {"sent": 40}
    assert receiver.connections == 1


def test_where_no_more_threads_can_be_started_those_at_work_have_to_do(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "WIDEN_SECONDS", 0.02)
    monkeypatch.setattr(sending_sender, "STATE_SECONDS", 0.02)
    started: list[threading.Thread] = []

    def only_the_first(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) > 1:
            raise RuntimeError("can't start new thread")
        threading.Thread.start(thread)

    monkeypatch.setattr(sending_line.Connection, "start", only_the_first)
    connections(4)
    receiver.answers["DOT"] = hold(lambda: len(started) > 1)
    notification = tell(make_type(), people(20), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert stands(notification) == {"sent": 20}
    assert len(started) == 2, "it was tried, once"
    assert not list(site.JOURNAL_DIR.iterdir()), "and the journal is put away"


def test_a_server_that_allows_fewer_connections_is_served_by_fewer(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "WIDEN_SECONDS", 0.02)
    monkeypatch.setattr(sending_sender, "STATE_SECONDS", 0.02)
    monkeypatch.setattr(shift, "MOST_CONNECTIONS", 4)
    connections(4)
    receiver.answers["DOT"] = hold(lambda: receiver.connections > 2)

    def allow_two(_: str) -> str | None:
        if receiver.connections > 2:
            return "421 4.7.0 too many connections"
        return None

    receiver.answers["CONNECT"] = allow_two
    notification = tell(make_type(), people(30), version=make_version())
    sending_sender.send_lane(name=Lane.BULK)
    assert stands(notification) == {"sent": 30}
    assert receiver.connections > 2, "a third was tried"
    assert ProviderAccount.objects.get(provider="smtp").failures == 0, (
        "and the account is not to blame"
    )


def slow_down_before(stopping: threading.Event, receiver: Receiver) -> None:
    """After ten mails the server holds each until somebody stops the sending, and a while longer.

    So not all have left before that, however slow we are,
    and the few that are in hand then may still leave.
    """

    def answer(_: str) -> None:
        if len(receiver.arrived) >= 10:
            stopping.wait(PATIENCE)
            time.sleep(0.2)

    receiver.answers["DOT"] = answer


def test_when_pause_has_returned_nothing_more_leaves(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still, "STILL_SECONDS", PATIENCE)
    connections(2)
    stopping = threading.Event()
    slow_down_before(stopping, receiver)
    notification = tell(make_type(), people(200), version=make_version())
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.BULK))
    until(lambda: len(receiver.arrived) > 5, "some have left")
    stopping.set()
    control.pause(notification=notification, by=TESTER, now=timezone.now())
    left = len(receiver.arrived)
    sender.join()
    assert len(receiver.arrived) == left < 200
    assert stands(notification) == {"sent": left, "pending": 200 - left}
    assert set(Delivery.objects.filter(status="pending").values_list("attempts", flat=True)) == {
        0
    }, "uncharged"
    receiver.answers.clear()
    control.resume(notification=Notification.objects.get(), by=TESTER, now=timezone.now())
    sending_sender.send_lane(name=Lane.BULK)
    assert len(set(receiver.recipients)) == len(receiver.recipients) == 200


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("stop", [control.pause, control.cancel])
def test_what_is_claimed_while_it_is_stopped_does_not_leave(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, stop: Any
) -> None:
    notification = tell(make_type(), people(3), version=make_version())
    grant, claiming, stopped = limits_grant.grant, threading.Event(), threading.Event()

    def slow(**asked: Any) -> limits_grant.Grant:  # it has seen that the notification is on
        claiming.set()
        stopped.wait(PATIENCE)
        return grant(**asked)

    monkeypatch.setattr(limits_grant, "grant", slow)
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.BULK))
    assert claiming.wait(PATIENCE)
    stop(notification=notification, by=TESTER, now=timezone.now())
    stopped.set()
    sender.join()
    assert receiver.arrived == [], "whoever stopped it was told that nothing is on its way"
    assert sum(stands(notification).values()) == 3


def test_when_cancel_has_returned_nothing_more_leaves_ever(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still, "STILL_SECONDS", PATIENCE)
    stopping = threading.Event()
    slow_down_before(stopping, receiver)
    notification = tell(make_type(), people(50), version=make_version())
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.BULK))
    until(lambda: len(receiver.arrived) > 5, "some have left")
    stopping.set()
    said = control.cancel(notification=notification, by=TESTER, now=timezone.now())
    left = len(receiver.arrived)
    sender.join()
    sending_sender.send_lane(name=Lane.BULK)
    assert len(receiver.arrived) == left == said["handed_off"]
    assert stands(notification) == {"sent": left, "cancelled": 50 - left}


def test_a_message_of_another_channel_does_not_wait_until_the_mails_before_it_are_gone(
    receiver: Receiver,
) -> None:
    connections(1)
    arrived_in_the_inbox = threading.Event()

    def answer(_: str) -> None:
        if len(receiver.arrived) >= 10:
            arrived_in_the_inbox.wait(PATIENCE)

    receiver.answers["DOT"] = answer
    kind = make_type("orders", category="informational", channels=["email", "in_app"])
    version = make_version()
    crowd = people(150)
    tell(kind, crowd, version=version)
    late = tell(kind, crowd[:1], version=version, channels=["in_app"])
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.TRANSACTIONAL))
    until(late.deliveries.filter(status="sent").exists, "the inbox has it")
    assert stands(late) == {"sent": 1}
    still = len(receiver.arrived)
    arrived_in_the_inbox.set()
    sender.join()
    assert still < len(receiver.arrived) == 150


def test_what_comes_while_a_task_that_is_over_waits_for_a_slow_server_does_not_wait_with_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(sending_sender, "time", clock)
    monkeypatch.setattr(shift, "time", clock)
    over, answered, close = threading.Event(), threading.Event(), sending_line.Line.close

    def closed(line: sending_line.Line) -> None:
        close(line)
        over.set()

    monkeypatch.setattr(sending_line.Line, "close", closed)

    def slow_server(_: str) -> str | None:
        clock.ahead += FOREVER
        if answered.wait(PATIENCE):
            return None
        return "450 4.2.0 nobody came"

    receiver.answers["DOT"] = slow_server
    kind = make_type("orders", category="informational", channels=["email", "in_app"])
    version = make_version()
    crowd = people(1)
    slow = tell(kind, crowd, version=version)
    sender = in_a_thread(lambda: sending_sender.send_lane(name=Lane.TRANSACTIONAL))
    assert over.wait(PATIENCE)
    late = tell(kind, crowd, version=version, channels=["in_app"])
    until(late.deliveries.filter(status="sent").exists, "the inbox has it")
    assert stands(late) == {"sent": 1}
    assert stands(slow) == {"queued": 1}
    answered.set()
    sender.join()
    assert stands(slow) == {"sent": 1}
