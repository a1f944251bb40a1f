"""A webhook that fails for days is switched off and says why;
one that fails now and then goes on.
"""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone, translation

from apps.accounts.models import AuditEntry
from apps.followers.devices import webhook_calls, webhooks
from apps.followers.devices.webhook_calls import CallResult, heard
from apps.followers.models import Address, Follower, Webhook
from apps.followers.people.contacts import AddressTaken
from tests.make import TESTER, make_follower

URL = "https://hooks.example/carillon"
MONDAY = dt.datetime(2026, 11, 16, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def row(anna: Follower) -> Address:
    return webhooks.create_webhook(follower=anna, url=URL, by=TESTER, now=MONDAY)[0]


def fails(*days: float, said: str = "500 oops") -> None:
    for day in days:
        heard([CallResult(URL, good=False, gone=False, said=said)], now=MONDAY + day * DAY)


def works(day: float) -> None:
    heard([CallResult(URL, good=True, gone=False, said="200")], now=MONDAY + day * DAY)


def state() -> str:
    return Address.objects.get(channel="webhook").state


def test_after_five_days_of_nothing_but_failures_it_is_switched_off_and_the_history_says_why(
    row: Address,
) -> None:
    fails(0, 1, 2, 3, 4, 4.9)
    assert state() == "active"
    fails(5)
    webhook = Webhook.objects.get()
    assert (state(), webhook.off_reason, webhook.off_at) == ("off", "failing", MONDAY + 5 * DAY)
    [entry] = AuditEntry.objects.filter(kind="webhook.switched_off")
    assert entry.subject_id == str(row.follower.uid)
    assert entry.data == {
        "url": URL,
        "why": "Its calls failed for days",
        "said": "500 oops",
        "failing_since": "2026-11-16T12:00:00+00:00",
    }
    fails(6, 7)
    assert AuditEntry.objects.filter(kind="webhook.switched_off").count() == 1, "it is told once"


def test_one_success_begins_the_count_anew(row: Address) -> None:
    fails(0, 1, 2, 3, 4)
    works(4.5)
    fails(5, 6, 7, 8, 9)
    assert state() == "active"
    webhook = Webhook.objects.get()
    assert (webhook.succeeded_at, webhook.failing_since) == (MONDAY + 4.5 * DAY, MONDAY + 5 * DAY)
    fails(10)
    assert state() == "off"


def test_two_failures_that_lie_far_apart_switch_nothing_off(row: Address) -> None:
    fails(0, 30, 60)
    assert state() == "active"


def test_410_switches_off_at_once_and_what_comes_late_changes_nothing(row: Address) -> None:
    works(0)
    heard([CallResult(URL, good=False, gone=True, said="410 bye")], now=MONDAY + DAY)
    works(1.1)
    webhook = Webhook.objects.get()
    assert (state(), webhook.off_reason) == ("off", "gone")


def test_what_several_calls_of_one_flush_met_counts_in_their_order(row: Address) -> None:
    good, bad = (CallResult(URL, good=good, gone=False, said=str(good)) for good in (True, False))
    heard([bad, good], now=MONDAY)
    assert Webhook.objects.get().failing_since is None
    heard(
        [good, bad, CallResult("https://unknown.example/", good=False, gone=False, said="")],
        now=MONDAY,
    )
    assert (Webhook.objects.get().failing_since, Webhook.objects.get().failed_days) == (MONDAY, 1)


def test_switched_on_again_it_is_called_and_what_was_before_is_forgiven(row: Address) -> None:
    fails(*range(6))
    assert webhook_calls.switch_on(webhook=row, by=TESTER, now=MONDAY + 6 * DAY)
    assert not webhook_calls.switch_on(webhook=row, by=TESTER, now=MONDAY + 6 * DAY), (
        "twice is once"
    )
    webhook = Webhook.objects.get()
    assert (state(), webhook.failing_since, webhook.off_reason) == ("active", None, "")
    fails(6.1)
    assert state() == "active"
    assert webhook_calls.switch_off(webhook=row, by=TESTER, now=MONDAY + 7 * DAY)
    assert not webhook_calls.switch_off(webhook=row, by=TESTER, now=MONDAY + 7 * DAY)
    assert (state(), Webhook.objects.get().off_reason) == ("off", "person")
    kinds = (
        AuditEntry.objects.filter(kind__startswith="webhook.switched")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert [kind.rpartition("_")[2] for kind in kinds] == ["off", "on", "off"]


def test_one_that_is_switched_off_comes_back_when_its_follower_adds_it_and_nobody_else_gets_it(
    row: Address,
) -> None:
    by: dict[str, Any] = {"by": TESTER, "now": timezone.now()}
    fails(*range(6))
    with pytest.raises(AddressTaken):
        webhooks.create_webhook(follower=make_follower(name="Dana"), url=URL, **by)
    again, _ = webhooks.create_webhook(follower=row.follower, url=URL, **by)
    assert (again.pk, again.state, again.webhook.failing_since) == (row.pk, "active", None)


@pytest.mark.django_db(transaction=True)
def test_senders_that_hear_what_staff_switch_and_remove_never_wait_in_a_ring() -> None:
    owner = make_follower(name="Partner")
    urls = [f"{URL}/{number}" for number in range(6)]
    rows = [
        webhooks.create_webhook(follower=owner, url=url, by=TESTER, now=MONDAY)[0] for url in urls
    ]
    errors: list[str] = []

    def hear(order: list[str]) -> None:
        for turn in range(10):
            with transaction.atomic():
                for url in order:  # one after the other, as rows that stay locked until the end
                    heard(
                        [CallResult(url, good=False, gone=turn % 3 == 0, said="no")],
                        now=MONDAY + turn * DAY,
                    )

    def switch() -> None:
        for turn in range(10):
            for row in rows[1:]:
                webhook_calls.switch_on(webhook=row, by=TESTER, now=MONDAY + turn * DAY)
        webhooks.delete_webhook(webhook=rows[0], by=TESTER, now=MONDAY)

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  (the test tells what it was)
            errors.append(repr(error))
        finally:
            connection.close()

    acts: list[Callable[[], None]] = [lambda: hear(urls), lambda: hear(urls[::-1]), switch]
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    standing = [
        (row.state == "off") == bool(row.webhook.off_at) for row in webhooks.webhooks_of(owner)
    ]
    assert standing == [True] * 5


def test_the_history_is_written_in_english_whatever_the_page_speaks(row: Address) -> None:
    with translation.override("ru"):
        webhook_calls.switch_off(webhook=row, by=TESTER, now=MONDAY)
    [entry] = AuditEntry.objects.filter(kind="webhook.switched_off")
    assert entry.data["why"] == "Switched off by hand"
