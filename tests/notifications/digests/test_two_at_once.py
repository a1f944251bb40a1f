"""Digests are made while others flush, pause and cancel."""

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
from django.utils import timezone

from apps.notifications import control
from apps.notifications.digests import flush
from apps.notifications.models import Delivery, DeliveryEvent, Notification
from tests.make import TESTER, make_follower, make_template, make_type
from tests.notifications.digests.gathering import NUMBER, WORDS, flush_all, hold, shown
from tests.notifications.world import stands
from tests.patience import until


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
