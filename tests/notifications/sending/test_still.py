"""What people were told is stopped is stopped: nothing more leaves after the answer."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.followers.consent import acts, suppression
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.lib.actor import SYSTEM, Actor, ActorKind
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.books import still
from apps.notifications.limits import grant as limits_grant
from apps.notifications.models import Delivery, ProviderAccount
from apps.notifications.sending import shift
from apps.notifications.sending.sender import send_lane
from tests.make import TESTER, make_follower, make_type
from tests.notifications.sending.test_connections import connections, in_a_thread, people
from tests.notifications.world import make_version, stands, tell
from tests.patience import PATIENCE, until
from tests.receiver import Receiver

ADA = Actor(ActorKind.STAFF, id="1", label="Ada")
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.reported]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(still, "STILL_SECONDS", PATIENCE)


def slowed(receiver: Receiver) -> threading.Event:
    """Hold each mail after the tenth until the event, and a while longer."""
    stopping = threading.Event()

    def answer(_: str) -> None:
        if len(receiver.arrived) >= 10:
            stopping.wait(PATIENCE)
            time.sleep(0.1)

    receiver.answers["DOT"] = answer
    return stopping


def sending() -> threading.Thread:
    return in_a_thread(lambda: send_lane(name=Lane.BULK))


def switch_off(account: ProviderAccount) -> None:
    values = AccountValues(enabled=False)
    change_account(account=account, values=values, by=TESTER, now=timezone.now())


def test_when_an_account_is_off_nothing_more_leaves_through_it(receiver: Receiver) -> None:
    connections(2)
    stopping = slowed(receiver)
    notification = tell(make_type(), people(200), version=make_version())
    sender = sending()
    until(lambda: len(receiver.arrived) > 5, "some have left")
    stopping.set()
    switch_off(ProviderAccount.objects.get(provider="smtp"))
    left = len(receiver.arrived)
    sender.join()
    assert len(receiver.arrived) == left < 200
    assert stands(notification) == {"sent": left, "pending": 200 - left}
    waiting = Delivery.objects.filter(status="pending")
    assert set(waiting.values_list("attempts", "account")) == {(0, None)}, "uncharged"


def test_what_an_account_that_went_off_had_in_hand_takes_the_next_one(receiver: Receiver) -> None:
    stopping = slowed(receiver)
    notification = tell(make_type(), people(60), version=make_version())
    sender = sending()
    until(lambda: len(receiver.arrived) > 5, "some have left")
    with Receiver() as second:
        create_account(
            enabled=True,
            name="Second",
            provider_key="smtp",
            settings=second.settings(),
            position=20,
            by=TESTER,
            now=timezone.now(),
        )
        stopping.set()
        switch_off(ProviderAccount.objects.get(name="Receiver"))
        left = len(receiver.arrived)
        sender.join()
        send_lane(name=Lane.BULK)
        assert len(receiver.arrived) == left < 60
        assert len(second.arrived) == 60 - left
    assert stands(notification) == {"sent": 60}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_what_is_claimed_while_its_account_goes_off_does_not_leave(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    notification = tell(make_type(), people(3), version=make_version())
    grant, claiming, stopped = limits_grant.grant, threading.Event(), threading.Event()

    def slow(**asked: Any) -> limits_grant.Grant:  # it has seen that the account is on
        claiming.set()
        stopped.wait(PATIENCE)
        return grant(**asked)

    monkeypatch.setattr(limits_grant, "grant", slow)
    sender = sending()
    assert claiming.wait(PATIENCE)
    switch_off(ProviderAccount.objects.get(provider="smtp"))
    stopped.set()
    sender.join()
    assert receiver.arrived == [], "whoever switched it off was told that nothing leaves"
    assert stands(notification) == {"pending": 3}


def test_what_is_changed_of_an_account_holds_for_what_it_has_in_hand(receiver: Receiver) -> None:
    stopping = slowed(receiver)
    tell(make_type(), people(60), version=make_version())
    sender = sending()
    until(lambda: len(receiver.arrived) > 5, "some have left")
    account = ProviderAccount.objects.get(provider="smtp")
    values = AccountValues(settings={"from_address": "new@example.com"})
    change_account(account=account, values=values, by=TESTER, now=timezone.now())
    stopping.set()
    sender.join()
    send_lane(name=Lane.BULK)  # what it gave back and did not claim again, as it announced
    assert len(receiver.arrived) == 60
    assert receiver.arrived[-1].sender == "new@example.com"
    assert len({each.recipient for each in receiver.arrived}) == 60


def suppress(person: Follower, email: str) -> None:
    suppression.suppress(channel="email", value=email, reason="manual", by=ADA, now=timezone.now())


def opt_out(person: Follower, email: str) -> None:
    proof = Proof(source="one_click", by=ADA, now=timezone.now())
    acts.unsubscribe(follower=person, proof=proof)


@pytest.mark.parametrize("stop", [suppress, opt_out])
def test_when_somebody_is_told_that_it_is_stopped_no_mail_follows(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, stop: Callable[[Follower, str], None]
) -> None:
    monkeypatch.setattr(shift, "FRESH_SECONDS", 0.2)
    connections(1)
    stopping = slowed(receiver)
    crowd = people(100)
    tell(make_type(), crowd, version=make_version())
    sender = sending()
    until(lambda: len(receiver.arrived) > 5, "some have left")
    last = Delivery.objects.filter(status="queued").order_by("-due_at", "-pk").first()
    assert last is not None
    assert last.follower is not None
    assert last.address is not None
    stopping.set()
    stop(last.follower, last.address.value)
    mine = receiver.recipients.count(last.address.value)
    sender.join()
    assert receiver.recipients.count(last.address.value) == mine


def test_the_system_and_files_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Any] = []
    monkeypatch.setattr(still, "wait_until_still", waited.append)
    person = make_follower(email="anna@example.com")
    now = timezone.now()
    suppression.suppress(
        channel="email", value="anna@example.com", reason="hard_bounce", by=SYSTEM, now=now
    )
    acts.unsubscribe(follower=person, proof=Proof(source="import", by=ADA, now=now))
    assert waited == []
    acts.resubscribe(follower=person, proof=Proof(source="staff", by=ADA, now=now))
    acts.unsubscribe(follower=person, proof=Proof(source="staff", by=ADA, now=now))
    assert len(waited) == 1


def test_it_is_asked_of_the_few_rows_in_hand_and_not_of_all(receiver: Receiver) -> None:
    account = ProviderAccount.objects.get(provider="smtp")
    with CaptureQueriesContext(connection) as asked:
        assert not still.holds_of_account(account.pk)
    [query] = asked.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"EXPLAIN {query['sql']}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        plan = str(cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
    # where both are small, either index of what is in hand will do
    by_shelf = "delivery_on_shelf" in plan and "shelf = 2" in plan
    assert "delivery_leased" in plan or by_shelf, plan
