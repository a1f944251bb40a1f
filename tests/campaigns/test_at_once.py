"""Several ticks and several workers at the same moment: each event and each time once,
and none left behind.
"""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from apps.campaigns.events import rules, run_rules, store
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.events.store import NewEvent
from apps.campaigns.models import Event, EventOutcome, Occurrence, RecurringZone
from apps.campaigns.recurring import edit, occurrences
from apps.campaigns.recurring.edit import RecurringValues
from apps.notifications.accounts import edit as accounts_edit
from apps.notifications.models import Delivery, Notification, TypeTemplate
from tests.make import TESTER, make_follower, make_template, make_type

AT_ONCE = 4
EVENTS = 20
ZONES = ("", "Europe/Berlin", "Asia/Shanghai", "America/New_York")


def at_once(call: Callable[[], object]) -> None:
    """The same call from several threads, each with a connection of its own;
    raises what one of them raised.
    """
    together, said = threading.Barrier(AT_ONCE), list[BaseException]()

    def run() -> None:
        try:
            together.wait()
            call()
        except BaseException as error:  # noqa: BLE001  (told below, in the thread of the test)
            said.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == []


@pytest.mark.django_db(transaction=True)
def test_four_workers_and_four_ticks_send_each_thing_once() -> None:
    now = timezone.now()
    accounts_edit.create_account(
        enabled=True, name="Inbox", provider_key="in_app", settings={}, by=TESTER, now=now
    )
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(notification_type=kind, template=make_template("paid"))
    people = [make_follower(name=f"In {zone}", time_zone=zone) for zone in ZONES]

    for number in range(2):
        values = RuleValues(
            name=f"Rule {number}", event="order.*", notification_type=kind, channels=["in_app"]
        )
        rules.create_rule(values=values, by=TESTER, now=now)
    store.record(
        events=[NewEvent("order.paid", people[0], {"n": n}) for n in range(EVENTS)], now=now
    )
    for _ in range(EVENTS):  # each call works for half a second at most
        if Event.objects.exclude(due_at=None).exists():
            at_once(run_rules.work_off)
    assert not Event.objects.exclude(due_at=None).exists()
    assert EventOutcome.objects.filter(result="notified").count() == 2 * EVENTS
    assert Notification.objects.count() == Delivery.objects.count() == 2 * EVENTS

    again = RecurringValues(
        name="Often",
        notification_type=kind,
        channels=["in_app"],
        audience={"everyone": True},
        zone_mode="follower",
        cadence={"kind": "cron", "cron": "*/15 * * * *"},
    )
    edit.create_recurring(values=again, by=TESTER, now=now)
    due = RecurringZone.objects.latest("next_at").next_at
    assert due is not None
    at_once(lambda: occurrences.start_due(now=due))
    assert Occurrence.objects.count() == len(ZONES)
    for occurrence in Occurrence.objects.all():
        at_once(partial(occurrences.launch_occurrence, occurrence_id=occurrence.pk))
    assert Delivery.objects.filter(notification__source="recurring").count() == len(people)
